//! A score's pairs, as JSON.

use serde::Serialize;
use utoipa::ToSchema;

use crate::ground::Ground;
use asif::anchors::AnchorId;
use asif::classify::{Reason, Reasons};
use asif::space::explain::PartAmount;

/// Why a label has its score: `similarity` is the sum of all contributions, of those of the other
/// pairs, of the offset and of what does not split.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonsOut {
    /// The label.
    pub label: String,
    /// The score of image and label in the space.
    pub similarity: f32,
    /// The pairs that added the most, most first.
    pub reasons: Vec<ReasonOut>,
    /// The pairs that took away the most, most first.
    pub against: Vec<ReasonOut>,
    /// All other pairs together.
    pub others: OthersOut,
    /// What belongs to no pair: the calibration's share.
    pub offset: f64,
    /// What each part of the space added, pairs and all; with `offset` their sum is `similarity`.
    pub parts: Vec<PartOut>,
    /// Those of the parts that do not split into pairs.
    pub unsplit: Vec<PartOut>,
}

/// An anchor pair, and what it gave to a score.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReasonOut {
    /// The pair's id.
    id: String,
    /// Its number in the generation.
    anchor: AnchorId,
    /// Its texts.
    captions: Vec<String>,
    /// Where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// Under which terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
    /// Where its picture is served.
    image: String,
    /// The cosine of both images.
    image_similarity: f64,
    /// The cosine of the label's prompt and the pair's text.
    text_similarity: f64,
    /// What it added to the score.
    contribution: f64,
    /// That as a share of what all pairs added or took away.
    share: f64,
}

/// The pairs that are not listed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OthersOut {
    /// How many had a part in the score.
    pairs: usize,
    /// What they added together.
    contribution: f64,
}

/// What a part of the space added.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartOut {
    /// Its name.
    part: String,
    /// What it added.
    contribution: f64,
}

/// Where the picture of an anchor is served.
pub(super) fn image_url(set: &str, anchor: AnchorId, generation: u64) -> String {
    format!("/v1/sets/{set}/anchors/{anchor}/image?generation={generation}")
}

impl ReasonsOut {
    /// Reasons as they go out.
    pub fn of(set: &str, ground: &Ground, reasons: Reasons) -> Self {
        let generation = ground.generation();
        let out = |reasons: Vec<Reason>| {
            let one = |r| ReasonOut::of(set, generation, r);
            reasons.into_iter().map(one).collect()
        };
        Self {
            label: reasons.label,
            similarity: reasons.score,
            reasons: out(reasons.supporting),
            against: out(reasons.opposing),
            others: OthersOut {
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
    fn of(set: &str, generation: u64, reason: Reason) -> Self {
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
