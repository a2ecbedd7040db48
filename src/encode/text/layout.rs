//! Pads the rows of a batch to one length, and maps them to the graph's inputs.

use std::path::Path;

use serde_json::{Value, json};

use super::super::error::ModelError;
use super::super::output::TokenSpan;
use super::super::runtime::pool::{ElementType, EncoderPort, InputTensor};
use super::TokenizedText;
use super::padding::{RowLength, TokenPadding};

/// The inputs of the graph, in its order, and their shape.
#[derive(Debug)]
pub(super) struct InputLayout {
    inputs: Vec<(InputRole, String, ElementType)>,
    padding: TokenPadding,
    /// The sequence length of the graph, where it is fixed.
    length: Option<usize>,
    one_by_one: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InputRole {
    Ids,
    Mask,
    Types,
}

impl InputLayout {
    /// Reads the declared inputs: only those are fed.
    pub(crate) fn of(
        ports: &[EncoderPort],
        padding: TokenPadding,
        onnx: &Path,
    ) -> Result<Self, ModelError> {
        let refuse = |reason: String| ModelError::Graph {
            path: onnx.to_owned(),
            reason,
        };
        let mut layout = Self {
            inputs: Vec::new(),
            padding,
            length: None,
            one_by_one: false,
        };
        for port in ports {
            let role = match port.name.as_str() {
                "input_ids" => InputRole::Ids,
                "attention_mask" => InputRole::Mask,
                "token_type_ids" => InputRole::Types,
                other if other.contains("pixel") || other.contains("image") => {
                    return Err(refuse(format!(
                        "input `{other}` is none of input_ids, attention_mask, token_type_ids; \
                         export the text half of the model alone"
                    )));
                }
                other => {
                    return Err(refuse(format!(
                        "input `{other}` is not fed, only input_ids, attention_mask and \
                         token_type_ids are; export the model without it: leave it out of the \
                         inputs of the export, so that the model makes its own"
                    )));
                }
            };
            if !matches!(port.element, ElementType::I64 | ElementType::I32) {
                return Err(refuse(format!(
                    "input `{}` is {:?}, expected 64- or 32-bit integers; export it again",
                    port.name, port.element
                )));
            }
            match port.shape[..] {
                [] => {}
                [batch, length] => {
                    layout.one_by_one |= batch == 1;
                    if batch > 1 {
                        return Err(refuse(format!(
                            "input `{}` has a fixed batch of {batch}; export it with a free batch \
                             dimension, or with 1",
                            port.name
                        )));
                    }
                    if length > 0 {
                        layout.length = usize::try_from(length).ok();
                    }
                }
                _ => {
                    return Err(refuse(format!(
                        "input `{}` has shape {:?}, expected [batch, sequence]",
                        port.name, port.shape
                    )));
                }
            }
            layout
                .inputs
                .push((role, port.name.clone(), port.element.clone()));
        }
        if !layout.has(InputRole::Ids) {
            return Err(refuse(
                "there is no input `input_ids`; this is not a text encoder, or it was exported \
                 with other names"
                    .to_owned(),
            ));
        }
        let reason = match (layout.has(InputRole::Mask), padding.unmasked) {
            (false, _) => "there is no input `attention_mask`",
            (true, true) => "the tokenizer makes no attention mask (model_input_names)",
            (true, false) => "a model of this type looks at the last place of a text",
        };
        if layout.sees_padding() && layout.length.is_none() && padding.rows.is_none() {
            return Err(refuse(format!(
                "{reason}, so the model reads the padding, and it is not known how far texts were \
                 padded when it was trained; write it into tokenizer.json as \
                 \"padding\": {{\"strategy\": {{\"Fixed\": LENGTH}}, \"direction\": \"Right\", \
                 \"pad_to_multiple_of\": null, \"pad_id\": 0, \"pad_type_id\": 0, \"pad_token\": \
                 \"TOKEN\"}}, or with \"strategy\": \"BatchLongest\" for none, or export the model \
                 with that input"
            )));
        }
        Ok(layout)
    }

    /// The padded length of each row alone, where the model reads its padding.
    fn own_rows(&self) -> Option<RowLength> {
        let read = self.sees_padding() && self.length.is_none();
        read.then(|| self.padding.rows.unwrap_or(RowLength::OWN))
    }

    /// Whether the model sees the padding.
    fn sees_padding(&self) -> bool {
        !self.has(InputRole::Mask) || self.padding.unmasked || self.padding.always
    }

    /// Whether the id of the padding token affects vectors.
    pub(crate) fn reads_padding(&self) -> bool {
        self.sees_padding()
            && (self.length.is_some() || self.own_rows().is_some_and(|own| own != RowLength::OWN))
    }

    /// Whether the attention mask that the graph requires is all ones.
    fn unmasked(&self) -> bool {
        self.has(InputRole::Mask) && self.padding.unmasked
    }

    fn has(&self, role: InputRole) -> bool {
        self.inputs.iter().any(|(r, ..)| *r == role)
    }

    /// The sequence length that every batch must have, where the graph fixes it.
    pub(crate) fn fixed_length(&self) -> Option<usize> {
        self.length
    }

    /// Whether the graph takes one row at a time.
    pub(crate) fn one_by_one(&self) -> bool {
        self.one_by_one
    }

    /// The padding settings that can affect a vector.
    pub(crate) fn describe(&self) -> Value {
        let mut all = json!({
            "id": self.padding.id,
            "type_id": self.padding.type_id,
            "side": if self.padding.left { "left" } else { "right" },
            "length": self.length,
        });
        // Included only where it applies, so that other encoders keep their fingerprints.
        if let Some(rows) = self.own_rows().filter(|&rows| rows != RowLength::OWN) {
            all["rows"] = json!({"at_least": rows.fixed, "multiple_of": rows.multiple});
        }
        if self.unmasked() {
            all["mask"] = json!("ones");
        }
        all
    }

    /// Divides rows into batches that may run together. Without an attention mask the model reads the
    /// padding, so only rows of equal padded length share a batch. Padding on the left
    /// shifts the positions of the tokens, so the same holds there.
    pub(crate) fn batches<'a, 'b>(
        &self,
        rows: &'a [&'b TokenizedText],
    ) -> Vec<&'a [&'b TokenizedText]> {
        if self.one_by_one {
            rows.chunks(1).collect()
        } else if let Some(own) = self.own_rows() {
            rows.chunk_by(|a, b| own.of(a.len()) == own.of(b.len()))
                .collect()
        } else if self.padding.left && self.length.is_none() {
            rows.chunk_by(|a, b| a.len() == b.len()).collect()
        } else {
            rows.chunks(rows.len().max(1)).collect()
        }
    }

    /// Pads rows to the longest of them, or to the graph's fixed length.
    pub(crate) fn pad(&self, rows: &[&TokenizedText]) -> PaddedBatch {
        let longest = rows.iter().map(|t| t.len()).max().unwrap_or(0);
        let own = self.own_rows().map_or(longest, |own| own.of(longest));
        let length = self.length.unwrap_or(own);
        let mut spans = Vec::with_capacity(rows.len());
        for tokens in rows {
            let n = tokens.len().min(length);
            spans.push((if self.padding.left { length - n } else { 0 }, n));
        }
        let columns = self
            .inputs
            .iter()
            .map(|(role, name, element)| {
                let fill = match role {
                    InputRole::Ids => self.padding.id,
                    InputRole::Mask => u32::from(self.unmasked()),
                    InputRole::Types => self.padding.type_id,
                };
                let mut values = vec![i64::from(fill); rows.len() * length];
                for (row, (tokens, &(first, n))) in rows.iter().zip(&spans).enumerate() {
                    let real = &mut values[row * length + first..][..n];
                    match role {
                        InputRole::Ids => widen(&tokens.ids, real),
                        InputRole::Types => widen(&tokens.types, real),
                        InputRole::Mask => real.fill(1),
                    }
                }
                let values = match element {
                    // Token ids are u32 and far below 2^31.
                    ElementType::I32 => {
                        TokenColumn::Narrow(values.iter().map(|&v| v as i32).collect())
                    }
                    _ => TokenColumn::Wide(values),
                };
                (name.clone(), values)
            })
            .collect();
        if self.unmasked() {
            spans.fill((0, length));
        }
        PaddedBatch {
            columns,
            shape: [rows.len(), length],
            spans,
        }
    }
}

fn widen(from: &[u32], to: &mut [i64]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = i64::from(from);
    }
}

enum TokenColumn {
    Wide(Vec<i64>),
    Narrow(Vec<i32>),
}

/// A padded batch.
pub(super) struct PaddedBatch {
    columns: Vec<(String, TokenColumn)>,
    shape: [usize; 2],
    /// The range of each row's real tokens.
    pub spans: Vec<TokenSpan>,
}

impl PaddedBatch {
    /// The inputs of a run.
    pub(crate) fn feeds(&self) -> Vec<InputTensor<'_>> {
        self.columns
            .iter()
            .map(|(name, values)| match values {
                TokenColumn::Wide(v) => InputTensor::I64(name, self.shape, v),
                TokenColumn::Narrow(v) => InputTensor::I32(name, self.shape, v),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
