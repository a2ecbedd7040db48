//! What a page shows.

use super::thumb::Thumb;

/// One image and what was made of it.
#[derive(Debug, Clone)]
pub struct ImageCard {
    /// What the image is called, such as its file name.
    pub name: String,
    /// The image, small; none when it can no longer be read.
    pub thumbnail: Option<Thumb>,
    /// The labels, the highest first.
    pub predictions: Vec<Bar>,
    /// What the labels would be without some pairs.
    pub without: Option<Without>,
    /// Which anchors made the score of one of the labels.
    pub why: Option<Why>,
}

/// What the labels would be without some pairs.
#[derive(Debug, Clone)]
pub struct Without {
    /// Which pairs are left out.
    pub what: String,
    /// The labels, the highest first.
    pub predictions: Vec<Bar>,
}

/// The anchors behind a label's score.
#[derive(Debug, Clone)]
pub struct Why {
    /// The label.
    pub label: String,
    /// Anchors that speak for it, the strongest first.
    pub anchors: Vec<AnchorCard>,
    /// Anchors that speak against it, the strongest first; may be empty.
    pub against: Vec<AnchorCard>,
    /// The lines of the sum that is the score, the score last; empty where it is not to be shown.
    pub sum: Vec<(String, f64)>,
}

/// One label with its score.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The label.
    pub label: String,
    /// Softmax over the labels, between 0 and 1.
    pub score: f32,
    /// The score before the softmax.
    pub similarity: f32,
}

/// One anchor pair and its part in a label's similarity.
#[derive(Debug, Clone)]
pub struct AnchorCard {
    /// The pair's id.
    pub id: String,
    /// Its texts.
    pub captions: Vec<String>,
    /// Its image, small, where it could be read.
    pub thumbnail: Option<Thumb>,
    /// Its part of what all anchors add and take away, in absolute terms: 0.25 is a quarter for the
    /// label, -0.25 against it.
    pub contribution_share: f64,
    /// Its part in the label's own unit.
    pub amount: f64,
    /// The cosine of both images, and of prompt and text.
    pub similarities: [f64; 2],
    /// Where the pair comes from.
    pub source: Option<String>,
    /// Under which terms.
    pub licence: Option<String>,
}
