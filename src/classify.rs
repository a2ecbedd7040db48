//! Zero-shot classification: labels become a class head, images become scores.
//!
//! ```text
//! labels x templates -> prompts -> text encoder -> rows -> ClassHead
//! image file         ------------> image encoder -> row  -> scores, and the anchors behind them
//! ```

use std::path::Path;

use crate::anchors::embed::{Rejected, Watch};
use crate::anchors::plan::SearchMode;
use crate::anchors::searcher::Modality;
use crate::anchors::{AnchorSet, AnchorsError, Embedder, Searcher};
use crate::space::explain::{Contribution, contributions};
use crate::space::head::softmax;
use crate::space::prompts::{Labels, Templates};
use crate::space::vector::mean_direction;
use crate::space::{Aggregate, ClassHead, RelativeRow, SpaceParams};

/// The factor between similarities and logits when none is chosen.
///
/// It changes how sure the softmax looks, never the order of labels.
pub const DEFAULT_LOGIT_SCALE: f64 = 20.0;

/// A set, a space and the rows of some labels, ready to score images.
#[derive(Debug)]
pub struct Classifier<'a> {
    embedder: &'a Embedder,
    searcher: Searcher<'a>,
    labels: Vec<String>,
    /// The rows of each label's prompts; one row a label for [`Aggregate::Mean`].
    rows: Vec<Vec<RelativeRow>>,
    head: ClassHead,
    logit_scale: f64,
}

/// How labels are turned into a class head.
#[derive(Debug, Clone, Copy)]
pub struct HeadOptions {
    /// The space.
    pub params: SpaceParams,
    /// What searches the set's vectors.
    pub mode: SearchMode,
    /// How the prompts of a label become one score.
    pub aggregate: Aggregate,
    /// The factor between similarities and logits.
    pub logit_scale: f64,
}

/// One image's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The similarity to each label, `[labels]`, in the order of the labels.
    pub similarities: Vec<f32>,
    /// `softmax(logit_scale * similarities)`, `[labels]`.
    pub scores: Vec<f32>,
    /// The image's relative row.
    pub row: RelativeRow,
}

/// A label with its score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Prediction {
    /// The label.
    pub label: String,
    /// Its share of the softmax, in 0..=1; all labels sum to 1.
    pub score: f32,
    /// The dot product of both relative rows, in -1..=1.
    pub similarity: f32,
    /// The place of the label in the list of labels.
    #[serde(skip)]
    pub class: usize,
}

impl<'a> Classifier<'a> {
    /// Encodes the prompts of all labels and makes their class head.
    ///
    /// # Errors
    /// When the set was built with other encoders, the space makes no sense, a prompt cannot be
    /// encoded, or somebody asked to stop.
    pub fn new(
        set: &'a AnchorSet,
        embedder: &'a Embedder,
        labels: &Labels,
        templates: &Templates,
        options: HeadOptions,
        watch: Watch<'_>,
    ) -> Result<Self, AnchorsError> {
        set.check_encoders(embedder)?;
        let searcher = Searcher::new(set, options.params, options.mode)?;
        let labels: Vec<String> = labels.as_slice().to_vec();
        let prompts: Vec<Vec<String>> = labels.iter().map(|l| templates.render(l)).collect();
        let flat: Vec<&str> = prompts.iter().flatten().map(String::as_str).collect();
        let mut vectors = Vec::with_capacity(flat.len() * embedder.text().dim());
        for (prompt, vector) in flat.iter().zip(embedder.texts(&flat, watch)?) {
            let reject = |r: Rejected| AnchorsError::Prompt {
                prompt: prompt.to_string(),
                reason: r.reason,
            };
            vectors.extend(vector.map_err(reject)?);
        }
        let dim = embedder.text().dim();
        let counts: Vec<usize> = match options.aggregate {
            Aggregate::Max => prompts.iter().map(Vec::len).collect(),
            Aggregate::Mean => {
                vectors = mean_of_groups(&vectors, dim, prompts.iter().map(Vec::len));
                vec![1; labels.len()]
            }
        };
        let mut flat_rows = searcher.rows(Modality::Text, &vectors)?.into_iter();
        let rows: Vec<Vec<RelativeRow>> = counts
            .iter()
            .map(|&n| flat_rows.by_ref().take(n).collect())
            .collect();
        let head = ClassHead::new(set.len(), &rows);
        Ok(Self {
            embedder,
            searcher,
            labels,
            rows,
            head,
            logit_scale: options.logit_scale,
        })
    }

    /// The labels, in the order of every score list.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The space.
    pub fn params(&self) -> &SpaceParams {
        self.searcher.params()
    }

    /// One answer for each image file, in order; a bad image has the reason instead.
    ///
    /// # Errors
    /// When the encoder fails or somebody asked to stop.
    pub fn classify<P: AsRef<Path> + Sync>(
        &self,
        images: &[P],
        watch: Watch<'_>,
    ) -> Result<Vec<Result<Answer, Rejected>>, AnchorsError> {
        let embeddings = self.embedder.images(images, watch)?;
        let vectors: Vec<f32> = embeddings.iter().flatten().flatten().copied().collect();
        let mut rows = self.searcher.rows(Modality::Image, &vectors)?.into_iter();
        Ok(embeddings
            .into_iter()
            .map(|embedding| embedding.map(|_| self.answer(rows.next().unwrap_or_default())))
            .collect())
    }

    fn answer(&self, row: RelativeRow) -> Answer {
        let similarities = self.head.scores(&row);
        let scores = softmax(&similarities, self.logit_scale);
        Answer {
            similarities,
            scores,
            row,
        }
    }

    /// The labels of an answer, best first, ties in the order of the labels; at most `top`.
    pub fn ranked(&self, answer: &Answer, top: usize) -> Vec<Prediction> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let similarity = |&class: &usize| answer.similarities[class];
        order.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
        order.truncate(top);
        let prediction = |class: usize| Prediction {
            label: self.labels[class].clone(),
            score: answer.scores[class],
            similarity: answer.similarities[class],
            class,
        };
        order.into_iter().map(prediction).collect()
    }

    /// The anchors that made an image's similarity to a label (its best prompt), largest first.
    pub fn explain(&self, answer: &Answer, class: usize) -> Vec<Contribution> {
        let best = self.rows[class]
            .iter()
            .max_by(|a, b| a.dot(&answer.row).total_cmp(&b.dot(&answer.row)));
        best.map(|prompt| contributions(&answer.row, prompt))
            .unwrap_or_default()
    }
}

/// The mean direction of each group of consecutive rows.
fn mean_of_groups(rows: &[f32], dim: usize, groups: impl Iterator<Item = usize>) -> Vec<f32> {
    let mut rest = rows;
    let mut means = Vec::new();
    for n in groups {
        let (group, tail) = rest.split_at(n * dim);
        means.extend(mean_direction(group, dim));
        rest = tail;
    }
    means
}
