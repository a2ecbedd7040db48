//! The contents of a page.

use crate::encode::image::thumbnail::ThumbnailImage;
use crate::modality::PerModality;

/// One image with its predictions and their explanation.
#[derive(Debug, Clone)]
pub(crate) struct ImageCard {
    /// The name of the image, such as its file name.
    pub name: String,
    /// The thumbnail; `None` if the image can no longer be read.
    pub thumbnail: Option<ThumbnailImage>,
    /// The labels, the highest first.
    pub predictions: Vec<LabelBar>,
    /// The counterfactual predictions without some pairs.
    pub without: Option<CounterfactualCard>,
    /// The anchors behind the score of one of the labels.
    pub why: Option<ExplanationCard>,
}

/// Counterfactual predictions: the labels without some pairs.
#[derive(Debug, Clone)]
pub(crate) struct CounterfactualCard {
    /// Which pairs are excluded.
    pub what: String,
    /// The labels, the highest first.
    pub predictions: Vec<LabelBar>,
}

/// The anchors behind a label's score.
#[derive(Debug, Clone)]
pub(crate) struct ExplanationCard {
    /// The label.
    pub label: String,
    /// Anchors with positive contributions, the strongest first.
    pub anchors: Vec<AnchorCard>,
    /// Anchors with negative contributions, the strongest first; may be empty.
    pub against: Vec<AnchorCard>,
    /// The summands of the score, then the score; empty if the sum is not shown.
    pub sum: Vec<(String, f64)>,
}

/// One label with its score.
#[derive(Debug, Clone)]
pub(crate) struct LabelBar {
    /// The label.
    pub label: String,
    /// Softmax over the labels, between 0 and 1.
    pub score: f32,
    /// The score before the softmax.
    pub similarity: f32,
}

/// One anchor pair and its contribution to a label's similarity.
#[derive(Debug, Clone)]
pub(crate) struct AnchorCard {
    /// The pair's id.
    pub id: String,
    /// Its texts.
    pub captions: Vec<String>,
    /// Its thumbnail, if the image could be read.
    pub thumbnail: Option<ThumbnailImage>,
    /// Its contribution as a share of the sum of all absolute contributions; negative against the label.
    pub contribution_share: f64,
    /// Its contribution in the unit of the label's similarity.
    pub amount: f64,
    /// The cosine of its image and the image in question, and of its text and the prompt.
    pub similarities: PerModality<f64>,
    /// The source of the pair.
    pub source: Option<String>,
    /// The licence of the pair.
    pub licence: Option<String>,
}
