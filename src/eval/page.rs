//! Answers as a page: each image with its labels, and the anchor pairs behind one of them.

use std::path::Path;

use super::html::{
    AnchorCard, CounterfactualCard, ExplanationCard, ImageCard, LabelBar, contact_sheet, is_sheet,
};
use crate::anchors::{AnchorId, AnchorSet};
use crate::classify::{LabelExplanation, PairContribution, RankedLabel};
use crate::encode::image::decode::{MAX_BYTES, PictureLimits, decode_shown};
use crate::encode::image::thumbnail::{ThumbnailImage, thumbnail};
use crate::image_source::ImageSource;
use crate::modality::PerModality;
use crate::space::Recipe;

/// The default number of pairs shown behind an answer.
pub const PAIRS: usize = 6;
const TITLE: &str = "Labels, and the pairs behind them";
/// The longer side of the thumbnails, in pixels.
const IMAGE_SIDE: u32 = 480;
const ANCHOR_SIDE: u32 = 160;

/// An image on the page.
#[derive(Debug)]
pub struct PageEntry<'a> {
    /// The image file.
    pub image: &'a Path,
    /// Its labels, best first.
    pub predictions: Vec<RankedLabel>,
    /// The pairs behind one of them.
    pub reasons: Option<LabelExplanation>,
    /// Which pairs were excluded, and the labels without them.
    pub without: Option<(String, Vec<RankedLabel>)>,
}

/// How much of an explanation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplanationDetail {
    /// The pairs for a label.
    Brief,
    /// The pairs for and against a label, and the sum.
    Full,
}

/// Whether a file with this beginning is a page made by [`page`].
pub fn is_page(head: &[u8]) -> bool {
    is_sheet(head, TITLE)
}

/// The page of these images.
///
/// An image or an anchor whose picture can no longer be read is shown without it.
pub fn page(
    set: &AnchorSet,
    space: &Recipe,
    depth: ExplanationDetail,
    entries: Vec<PageEntry<'_>>,
) -> String {
    let cards: Vec<ImageCard> = entries
        .into_iter()
        .map(|entry| card(set, entry, depth))
        .collect();
    let name = |identity: &crate::encode::EncoderIdentity| identity.name.clone();
    let facts = [
        ("anchor pairs", set.len().to_string()),
        (
            "image encoder",
            name(&set.manifest().image_encoder.identity),
        ),
        ("text encoder", name(&set.manifest().text_encoder.identity)),
        ("space", space.in_use(set.len())),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value));
    contact_sheet(TITLE, &facts, &cards)
}

fn card(set: &AnchorSet, entry: PageEntry<'_>, depth: ExplanationDetail) -> ImageCard {
    let name = entry.image.file_name().unwrap_or(entry.image.as_os_str());
    ImageCard {
        name: name.to_string_lossy().into_owned(),
        thumbnail: picture(&entry.image.into(), IMAGE_SIDE),
        predictions: bars(entry.predictions),
        without: entry.without.map(|(what, predictions)| CounterfactualCard {
            what,
            predictions: bars(predictions),
        }),
        why: entry.reasons.map(|reasons| why(set, reasons, depth)),
    }
}

fn bars(predictions: Vec<RankedLabel>) -> Vec<LabelBar> {
    let bar = |p: RankedLabel| LabelBar {
        label: p.label,
        score: p.score,
        similarity: p.similarity,
    };
    predictions.into_iter().map(bar).collect()
}

fn why(set: &AnchorSet, reasons: LabelExplanation, depth: ExplanationDetail) -> ExplanationCard {
    let sum = match depth {
        ExplanationDetail::Brief => Vec::new(),
        ExplanationDetail::Full => sum(&reasons),
    };
    let against = match depth {
        ExplanationDetail::Brief => Vec::new(),
        ExplanationDetail::Full => reasons.opposing,
    };
    ExplanationCard {
        label: reasons.label,
        anchors: reasons
            .supporting
            .into_iter()
            .map(|pair| anchor(set, pair))
            .collect(),
        against: against.into_iter().map(|pair| anchor(set, pair)).collect(),
        sum,
    }
}

/// The summands of the score, without those that are 0.
fn sum(reasons: &LabelExplanation) -> Vec<(String, f64)> {
    let amount = |pairs: &[PairContribution]| pairs.iter().map(|p| p.amount).sum();
    let mut lines = vec![
        (
            "the pairs above, for".to_owned(),
            amount(&reasons.supporting),
        ),
        (
            "the pairs above, against".to_owned(),
            amount(&reasons.opposing),
        ),
        (
            format!("{} other pairs", reasons.others.pairs),
            reasons.others.amount,
        ),
        ("calibration".to_owned(), reasons.offset),
    ];
    let unsplit = reasons.unsplit.iter();
    lines.extend(unsplit.map(|u| (format!("{}, not split into pairs", u.part), u.amount)));
    // Lines of 0 explain nothing; the total stays, whatever it is.
    lines.retain(|line| line.1 != 0.0);
    lines.push(("similarity".to_owned(), f64::from(reasons.score)));
    lines
}

fn anchor(set: &AnchorSet, reason: PairContribution) -> AnchorCard {
    AnchorCard {
        thumbnail: picture_of(set, reason.anchor),
        source: reason.source,
        licence: reason.licence,
        id: reason.id,
        captions: reason.captions,
        contribution_share: reason.share,
        amount: reason.amount,
        similarities: PerModality {
            image: reason.image_similarity,
            text: reason.text_similarity,
        },
    }
}

/// The picture of an anchor: the copy that the set has, else its image.
fn picture_of(set: &AnchorSet, anchor: AnchorId) -> Option<ThumbnailImage> {
    // A copy in the set is shown even if the original has moved.
    match set.thumbnail(anchor).ok()? {
        Some(stored) => ThumbnailImage::from_file(stored),
        None => picture(&set.image(anchor).ok()??, ANCHOR_SIDE),
    }
}

fn picture(image: &ImageSource, side: u32) -> Option<ThumbnailImage> {
    let bytes = image.read(MAX_BYTES).ok()?;
    let shown = decode_shown(&bytes, PictureLimits::default()).ok()?;
    thumbnail(&shown, side).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_gone_keeps_its_card() {
        let card = ImageCard {
            name: "cat.jpg".to_owned(),
            thumbnail: picture(&"no/such/cat.jpg".into(), IMAGE_SIDE),
            predictions: vec![],
            without: None,
            why: None,
        };
        let shown = contact_sheet(TITLE, &[], &[card]);
        assert!(shown.contains("cat.jpg") && shown.contains("image not available"));
    }
}
