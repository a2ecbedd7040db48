//! An explanation as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::sets::generation::ServedGeneration;
use asif::anchors::AnchorId;
use asif::classify::{LabelExplanation, PairContribution};
use asif::space::explain::PartAmount;

/// The explanation of a score: `similarity` is the sum of all contributions, of those of the other
/// pairs, of the offset and of the unsplit parts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonsOut {
    /// The label.
    pub label: String,
    /// The score of the image and the label in the space.
    pub similarity: f32,
    /// The pairs with the highest contributions, highest first.
    pub reasons: Vec<ReasonOut>,
    /// The pairs with the lowest contributions, lowest first.
    pub against: Vec<ReasonOut>,
    /// All other pairs together.
    pub others: OtherPairsOut,
    /// The calibration offset, which belongs to no pair.
    pub offset: f64,
    /// The contribution of each part of the space; their sum and `offset` make `similarity`.
    pub parts: Vec<PartOut>,
    /// The parts that are not sums over pairs.
    pub unsplit: Vec<PartOut>,
}

/// An anchor pair, and its contribution to a score.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonOut {
    /// The pair's id.
    id: String,
    /// Its number in the generation.
    anchor: AnchorId,
    /// Its texts.
    captions: Vec<String>,
    /// Its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Its licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
    /// The URL of its picture.
    image: String,
    /// The cosine of the query image and the pair's image.
    image_similarity: f64,
    /// The cosine of the label's prompt and the pair's text.
    text_similarity: f64,
    /// Its contribution to the score.
    contribution: f64,
    /// The contribution as a share of the absolute contributions of all pairs.
    share: f64,
}

/// The pairs that are not listed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OtherPairsOut {
    /// How many of them contributed to the score.
    pairs: usize,
    /// Their total contribution.
    contribution: f64,
}

/// The contribution of a part of the space.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartOut {
    /// Its name.
    part: String,
    /// Its contribution.
    contribution: f64,
}

/// The URL of the picture of an anchor.
pub(super) fn image_url(set: &str, anchor: AnchorId, generation: u64) -> String {
    format!("/v1/sets/{set}/anchors/{anchor}/image?generation={generation}")
}

impl ReasonsOut {
    /// The JSON form of an explanation.
    pub fn of(set: &str, served: &ServedGeneration, reasons: LabelExplanation) -> Self {
        let generation = served.generation();
        let out = |reasons: Vec<PairContribution>| {
            let one = |r| ReasonOut::of(set, generation, r);
            reasons.into_iter().map(one).collect()
        };
        Self {
            label: reasons.label,
            similarity: reasons.score,
            reasons: out(reasons.supporting),
            against: out(reasons.opposing),
            others: OtherPairsOut {
                pairs: reasons.others.pairs,
                contribution: reasons.others.amount,
            },
            offset: reasons.offset,
            parts: reasons.parts.iter().map(PartOut::of).collect(),
            unsplit: reasons.unsplit.iter().map(PartOut::of).collect(),
        }
    }
}

impl PartOut {
    fn of(amount: &PartAmount) -> Self {
        Self {
            part: amount.part.to_owned(),
            contribution: amount.amount,
        }
    }
}

impl ReasonOut {
    fn of(set: &str, generation: u64, reason: PairContribution) -> Self {
        Self {
            image: image_url(set, reason.anchor, generation),
            anchor: reason.anchor,
            id: reason.id,
            captions: reason.captions,
            source: reason.source,
            licence: reason.licence,
            image_similarity: reason.image_similarity,
            text_similarity: reason.text_similarity,
            contribution: reason.amount,
            share: reason.share,
        }
    }
}
