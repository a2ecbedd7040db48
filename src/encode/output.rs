//! Which output of the graph is read, and how it becomes unit vectors.

use std::path::Path;

use super::error::{EncodeError, ModelError};
use super::options::{EncoderOptions, Pooling};
use super::runtime::pool::{ElementType, EncoderPort};
use crate::modality::Modality;

/// The output that holds the vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputReader {
    pub output: String,
    /// How a sequence or a map is pooled; `None` where the folder does not specify it.
    pub pooling: Option<Pooling>,
}

/// The real tokens of one row: first position and count.
pub(crate) type TokenSpan = (usize, usize);

impl OutputReader {
    /// Picks the output by the folder convention.
    ///
    /// Text: `sentence_embedding`, `text_embeds`; where the folder says how to pool,
    /// `last_hidden_state` or `token_embeddings`; else the only output of rank 2. Images:
    /// `image_embeds`, `pooler_output`, the only output of rank 2, `last_hidden_state`.
    /// `options.output` overrides the name. `options.pooling` asks for pooling, so a sequence or a
    /// map is preferred with it.
    pub(crate) fn choose(
        modality: Modality,
        outputs: &[EncoderPort],
        options: &EncoderOptions,
        folder_pooling: Option<Pooling>,
        path: &Path,
    ) -> Result<Self, ModelError> {
        let refuse = |reason: String| ModelError::Graph {
            path: path.to_owned(),
            reason,
        };
        let listed = || {
            let names: Vec<_> = outputs
                .iter()
                .map(|o| format!("{} {:?}", o.name, o.shape))
                .collect();
            names.join(", ")
        };
        let port = match &options.output {
            Some(name) => outputs.iter().find(|o| o.name == *name).ok_or_else(|| {
                refuse(format!(
                    "there is no output `{name}`; the graph has: {}",
                    listed()
                ))
            })?,
            None => Self::usual(
                modality,
                outputs,
                options.pooling.or(folder_pooling),
                options,
            )
            .ok_or_else(|| ModelError::NoOutput {
                path: path.to_owned(),
                reason: format!(
                    "no output can be read as an embedding; the graph has: {}; choose one, and how to \
                     pool it",
                    listed()
                ),
            })?,
        };
        if port.element != ElementType::F32 {
            return Err(refuse(format!(
                "output `{}` is not 32-bit floating point ({:?}); export the model in float32",
                port.name, port.element
            )));
        }
        Ok(Self {
            output: port.name.clone(),
            pooling: options.pooling.or(folder_pooling),
        })
    }

    fn usual<'a>(
        modality: Modality,
        outputs: &'a [EncoderPort],
        pooling: Option<Pooling>,
        options: &EncoderOptions,
    ) -> Option<&'a EncoderPort> {
        let named = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| outputs.iter().find(|o| o.name == *name))
        };
        let only_vector = || {
            // Only where it is the only one: two of rank 2 may be pooled, projected, or logits.
            let mut flat = outputs.iter().filter(|o| o.shape.len() == 2);
            flat.next().filter(|_| flat.next().is_none())
        };
        let sequence = || {
            named(&["last_hidden_state", "token_embeddings"])
                .or_else(|| outputs.iter().find(|o| o.shape.len() > 2))
        };
        let finished = match modality {
            Modality::Text => named(&["sentence_embedding", "text_embeds"]),
            Modality::Image => named(&["image_embeds", "pooler_output"]),
        };
        // Whoever asks for pooling means an output that can be pooled.
        if options.pooling.is_some() {
            return sequence().or(finished).or_else(only_vector);
        }
        match modality {
            Modality::Text => finished
                // Without a stated pooling a text sequence is ambiguous, so it is not taken.
                .or_else(|| pooling.and_then(|_| sequence()))
                .or_else(only_vector),
            // Images: the sequence comes last, and its first token is the usual vector of a vision transformer.
            Modality::Image => finished.or_else(only_vector).or_else(sequence),
        }
    }

    /// Turns the output of a batch into `[rows, dim]` unit vectors.
    ///
    /// A rank 2 output is used directly, rank 3 (`[rows, tokens, dim]`) is pooled over `spans`
    /// (all tokens when `None`), rank 4 (`[rows, dim, y, x]`) over all positions.
    pub fn vectors(
        &self,
        modality: Modality,
        model: &str,
        rows: usize,
        shape: &[i64],
        data: &[f32],
        spans: Option<&[TokenSpan]>,
    ) -> Result<Vec<f32>, EncodeError> {
        let wrong = |expected: &str| EncodeError::Shape {
            model: model.to_owned(),
            output: self.output.clone(),
            found: shape.to_vec(),
            expected: expected.to_owned(),
        };
        let sizes: Vec<usize> = shape
            .iter()
            // A negative size would be a symbolic one, which no result has; it becomes 0 and is refused.
            .map(|&d| usize::try_from(d).unwrap_or(0))
            .collect();
        if sizes.contains(&0) || sizes[0] != rows || sizes.iter().product::<usize>() != data.len() {
            return Err(wrong(&format!("{rows} rows, none of them empty")));
        }
        let default = match modality {
            Modality::Image => Some(if sizes.len() == 3 {
                Pooling::Cls
            } else {
                Pooling::Mean
            }),
            Modality::Text => None,
        };
        let pooling = self.pooling.or(default);
        let (mut out, dim) = match (&sizes[..], pooling) {
            (&[_, dim], _) => (data.to_vec(), dim),
            (&[_, tokens, dim], Some(pooling)) => {
                let mut out = vec![0f32; rows * dim];
                for (row, vector) in out.chunks_exact_mut(dim).enumerate() {
                    // Padding tokens are not pooled; where padding is on the left, the real ones begin later.
                    let (first, n) = spans.map_or((0, tokens), |spans| spans[row]);
                    let real = &data[(row * tokens + first) * dim..][..n * dim];
                    pool_tokens(pooling, real, vector);
                }
                (out, dim)
            }
            (&[_, dim, y, x], Some(pooling @ (Pooling::Mean | Pooling::Max))) => {
                let out = data
                    .chunks_exact(y * x)
                    .map(|map| pool_map(pooling, map))
                    .collect();
                (out, dim)
            }
            (&[_, _, _, _], _) => return Err(wrong("a map that is pooled by mean or max")),
            (&[_, _, _], None) => {
                return Err(EncodeError::NoPooling {
                    model: model.to_owned(),
                    output: self.output.clone(),
                    found: shape.to_vec(),
                });
            }
            _ => return Err(wrong("rank 2, 3 or 4")),
        };
        // A zero or NaN vector has no direction and would score the same with everything.
        for (row, vector) in out.chunks_exact_mut(dim).enumerate() {
            if !normalize(vector) {
                return Err(EncodeError::NotAVector {
                    model: model.to_owned(),
                    row,
                });
            }
        }
        Ok(out)
    }

    /// The pooling that [`vectors`](Self::vectors) applies to an output of this rank, for the
    /// identity.
    pub(crate) fn pooling_of(&self, modality: Modality, rank: usize) -> &'static str {
        match (rank, self.pooling, modality) {
            (2, ..) => "none",
            (_, Some(pooling), _) => pooling.name(),
            (3, None, Modality::Image) => "cls",
            (_, None, _) => "mean",
        }
    }
}

fn pool_tokens(pooling: Pooling, tokens: &[f32], out: &mut [f32]) {
    let dim = out.len();
    let mut rows = tokens.chunks_exact(dim);
    // The first token is also the start of the sum and of the maximum.
    if let Some(first) = rows.next() {
        out.copy_from_slice(first);
    }
    match pooling {
        Pooling::Cls => {}
        Pooling::Max => {
            for row in rows {
                for (o, v) in out.iter_mut().zip(row) {
                    *o = larger(*o, *v);
                }
            }
        }
        Pooling::Mean => {
            for row in rows {
                for (o, v) in out.iter_mut().zip(row) {
                    *o += v;
                }
            }
            let n = (tokens.len() / dim) as f32;
            out.iter_mut().for_each(|o| *o /= n);
        }
    }
}

fn pool_map(pooling: Pooling, map: &[f32]) -> f32 {
    match pooling {
        Pooling::Max => map.iter().copied().fold(f32::NEG_INFINITY, larger),
        Pooling::Mean | Pooling::Cls => map.iter().sum::<f32>() / map.len() as f32,
    }
}

/// The larger number, or NaN where one is NaN, which `f32::max` would hide.
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

/// Scales `vector` to L2 norm 1; false for a zero or non-finite vector.
pub(crate) fn normalize(vector: &mut [f32]) -> bool {
    // In double precision: the sum of many squares in 32 bits would show in the norm.
    let squares: f64 = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
    if !squares.is_finite() || squares < 1e-30 {
        return false;
    }
    let scale = 1.0 / squares.sqrt();
    vector
        .iter_mut()
        .for_each(|v| *v = (f64::from(*v) * scale) as f32);
    true
}

#[cfg(test)]
mod tests;
