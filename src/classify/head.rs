//! The head of some labels, and the answer for an image.

use crate::anchors::search::searcher::FitMark;
use crate::anchors::{AnchorSet, AnchorsError, Searcher};
use crate::embed::{Embedder, WorkControl};
use crate::modality::Modality;
use crate::space::head::softmax;
use crate::space::prompts::{LabelList, PromptTemplates};
use crate::space::recipe::HubnessCorrection;
use crate::space::vector::mean_direction;
use crate::space::{ClassHead, PromptAggregation, Recipe, Representation};

/// The default factor between similarities and logits.
///
/// It changes how confident the softmax is, never the order of labels.
pub fn default_logit_scale(space: &Recipe) -> f64 {
    // Cosines differ much less than scores in standard deviations.
    let scale = if space.has_units() { 1.5 } else { 20.0 };
    // CSLS doubles the score.
    let twice = space.hubness() == HubnessCorrection::Csls;
    if twice { scale / 2.0 } else { scale }
}

/// How the scores of prompts become the scores of labels.
#[derive(Debug, Clone, Copy)]
pub struct ScoringOptions {
    /// How the prompts of a label become one score.
    pub aggregate: PromptAggregation,
    /// The factor between similarities and logits; `None` means [`default_logit_scale`].
    pub logit_scale: Option<f64>,
}

impl Default for ScoringOptions {
    /// The mean of the prompts of each label, and the default factor of the space.
    fn default() -> Self {
        Self {
            aggregate: PromptAggregation::Mean,
            logit_scale: None,
        }
    }
}

/// The classification of one image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassifiedImage {
    /// The similarity to each label, `[labels]`, in the order of the labels.
    pub similarities: Vec<f32>,
    /// `softmax(logit_scale * similarities)`, `[labels]`.
    pub scores: Vec<f32>,
    /// The image's unit vector, `[dim]`.
    pub vector: Vec<f32>,
    /// The image's representation in the space.
    pub input: Representation,
}

/// A label with its score.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RankedLabel {
    /// The label.
    pub label: String,
    /// Its share of the softmax, in 0..=1; all labels sum to 1.
    pub score: f32,
    /// The score of image and label: for plain relative rows their dot product, in -1..=1; in a calibrated
    /// space the score after its [correction](crate::space::recipe::HubnessCorrection), by default in standard
    /// deviations above the mean of the cohort's best scores.
    pub similarity: f32,
    /// The index of the label in the list of labels.
    #[serde(skip)]
    pub class: usize,
}

/// The class head of some labels in one generation of an anchor set and one space.
///
/// It owns its data, so it may be stored beside the [`Snapshot`](crate::anchors::Snapshot) that it was made
/// from. Its anchor numbers are valid for that generation only.
#[derive(Debug)]
pub struct LabelHead {
    labels: Vec<String>,
    /// The prompts of each label; only the mean prompt for [`PromptAggregation::Mean`].
    prompts: Vec<Vec<Representation>>,
    /// Their unit vectors, `[labels][prompts, dim]`.
    vectors: Vec<Vec<f32>>,
    aggregate: PromptAggregation,
    head: ClassHead,
    logit_scale: f64,
    /// The fitted space whose anchor numbers it has.
    mark: FitMark,
}

impl LabelHead {
    /// Encodes the prompts of all labels and builds their class head.
    ///
    /// `searcher` must be one of `set`.
    ///
    /// # Errors
    /// When the anchor set was built with other encoders, a prompt cannot be encoded, or on cancellation.
    pub fn new(
        set: &AnchorSet,
        searcher: &Searcher<'_>,
        embedder: &Embedder,
        labels: &LabelList,
        templates: &PromptTemplates,
        scoring: ScoringOptions,
        watch: WorkControl<'_>,
    ) -> Result<Self, AnchorsError> {
        set.check_encoders(embedder)?;
        let prompts = labels.prompts(templates).concat();
        let vectors = embedder.prompts(&prompts, watch)?;
        Self::of_vectors(searcher, labels, templates, vectors, scoring)
    }

    /// Builds the head from prompt vectors: `vectors` is `[prompts, dim]`, the unit vectors of all
    /// [`LabelList::prompts`], label after label. They depend on the text encoder only, so they can be
    /// reused for another generation.
    ///
    /// # Errors
    /// When their number is wrong, or they are not finite.
    pub fn of_vectors(
        searcher: &Searcher<'_>,
        labels: &LabelList,
        templates: &PromptTemplates,
        vectors: Vec<f32>,
        scoring: ScoringOptions,
    ) -> Result<Self, AnchorsError> {
        let prompts = labels.prompts(templates);
        let counts = prompts.iter().map(Vec::len).collect();
        Self::of_counted(
            searcher,
            labels.as_slice().to_vec(),
            counts,
            vectors,
            scoring,
        )
    }

    /// Builds the head of labels that are vectors already: `vectors` is `[labels, dim]`, the unit vector of each
    /// label, made by the text encoder of the anchor set. No encoder is needed.
    ///
    /// # Errors
    /// When their number is wrong, or they are not finite.
    pub fn of_label_vectors(
        searcher: &Searcher<'_>,
        labels: Vec<String>,
        vectors: Vec<f32>,
        scoring: ScoringOptions,
    ) -> Result<Self, AnchorsError> {
        let counts = vec![1; labels.len()];
        Self::of_counted(searcher, labels, counts, vectors, scoring)
    }

    /// `counts` says how many of the vectors belong to each label.
    fn of_counted(
        searcher: &Searcher<'_>,
        labels: Vec<String>,
        counts: Vec<usize>,
        mut vectors: Vec<f32>,
        scoring: ScoringOptions,
    ) -> Result<Self, AnchorsError> {
        let set = searcher.set();
        let dim = set.dim(Modality::Text);
        let expected = counts.iter().sum::<usize>() * dim;
        if vectors.len() != expected {
            return Err(AnchorsError::Index(asif_index::Error::Argument {
                what: "prompt vectors",
                expected: format!("{expected} numbers"),
                found: vectors.len().to_string(),
                advice: "give one vector for each prompt",
            }));
        }
        let counts: Vec<usize> = match scoring.aggregate {
            // Each prompt keeps its own row, for the best or the mean is taken of scores.
            PromptAggregation::Max | PromptAggregation::MeanScore => counts,
            // One mean direction a label, as CLIP does, which is one row to score.
            PromptAggregation::Mean => {
                vectors = mean_of_groups(&vectors, dim, counts.iter().copied());
                vec![1; labels.len()]
            }
        };
        let mut flat = searcher.represent(Modality::Text, &vectors)?.into_iter();
        let mut rest = vectors.as_slice();
        let vectors = counts.iter().map(|&n| {
            let (own, tail) = rest.split_at(n * dim);
            rest = tail;
            own.to_vec()
        });
        let vectors = vectors.collect();
        let prompts: Vec<Vec<Representation>> = counts
            .iter()
            .map(|&n| flat.by_ref().take(n).collect())
            .collect();
        let recipe = searcher.recipe();
        let head = ClassHead::new(set.len(), &recipe.shares(), &prompts, scoring.aggregate);
        Ok(Self {
            labels,
            prompts,
            vectors,
            aggregate: scoring.aggregate,
            head,
            logit_scale: scoring
                .logit_scale
                .unwrap_or_else(|| default_logit_scale(recipe)),
            mark: searcher.mark().clone(),
        })
    }

    /// Whether it was made with the fitted space of this searcher.
    pub(crate) fn is_of(&self, searcher: &Searcher<'_>) -> bool {
        self.mark == *searcher.mark()
    }

    /// The labels, in the order of every score list.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The prompts of a label; only the mean prompt for [`PromptAggregation::Mean`].
    ///
    /// # Panics
    /// When `class` is not the index of a label.
    pub(crate) fn prompts(&self, class: usize) -> &[Representation] {
        &self.prompts[class]
    }

    /// The unit vectors of those prompts, `[prompts, dim]`.
    ///
    /// # Panics
    /// As `prompts`.
    pub fn vectors(&self, class: usize) -> &[f32] {
        &self.vectors[class]
    }

    /// How prompts become the score of their label.
    pub(crate) fn aggregate(&self) -> PromptAggregation {
        self.aggregate
    }

    /// Classifies an image, given its unit vector and its representation in the same generation and space.
    pub fn answer(&self, vector: Vec<f32>, input: Representation) -> ClassifiedImage {
        let similarities = self.head.scores(&input);
        let scores = softmax(&similarities, self.logit_scale);
        ClassifiedImage {
            similarities,
            scores,
            vector,
            input,
        }
    }

    /// The labels of an answer, best first, ties in the order of the labels; at most `top`.
    pub(crate) fn ranked(&self, answer: &ClassifiedImage, top: usize) -> Vec<RankedLabel> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        let similarity = |&class: &usize| answer.similarities[class];
        // The sort is stable, so ties keep the order of the labels.
        order.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
        order.truncate(top);
        let prediction = |class: usize| RankedLabel {
            label: self.labels[class].clone(),
            score: answer.scores[class],
            similarity: answer.similarities[class],
            class,
        };
        order.into_iter().map(prediction).collect()
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
