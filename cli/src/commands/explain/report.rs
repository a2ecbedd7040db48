//! What `asif explain` prints: an explained image as JSON, and as text for people.

use std::path::Path;

use asif::classify::{LabelExplanation, PairContribution, RankedLabel};
use asif::space::explain::PartAmount;
use serde::Serialize;

use crate::commands::classify::table;
use crate::output::format;

/// One line of JSON output.
#[derive(Serialize)]
pub(super) struct ExplainLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The row of a file of image vectors, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    #[serde(flatten)]
    pub found: ExplainOutcome,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ExplainOutcome {
    Explained(Box<ImageExplanation>),
    Failed {
        error: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'static str>,
    },
}

/// An image's answer with its reasons.
#[derive(Serialize)]
pub(super) struct ImageExplanation {
    pub predictions: Vec<RankedLabel>,
    pub reasons: LabelExplanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<CounterfactualAnswer>,
}

/// The answer without the excluded pairs.
#[derive(Serialize)]
pub(super) struct CounterfactualAnswer {
    pub what: String,
    pub pairs: usize,
    pub predictions: Vec<RankedLabel>,
    /// The score of the explained label without the excluded pairs.
    pub score: f32,
}

/// An explained image for people.
pub(super) fn text(image: &Path, explained: &ImageExplanation) -> String {
    let reasons = &explained.reasons;
    let mut text = table(image, &explained.predictions);
    let mut line = |words: String| {
        text.push('\n');
        text.push_str(&words);
    };
    line(format!(
        "why {:?} has the similarity {:.4}:",
        reasons.label, reasons.score
    ));
    if reasons.parts.len() > 1 {
        let part = |part: &PartAmount| format!("{} {:+.4}", part.part, part.amount);
        let parts: Vec<String> = reasons.parts.iter().map(part).collect();
        line(format!("  parts: {}", parts.join(", ")));
    }
    if !reasons.supporting.is_empty() || !reasons.opposing.is_empty() {
        line("    amount    share   image    text  pair".to_owned());
    }
    reasons.supporting.iter().for_each(|r| line(pair(r)));
    // Reversed, so that contributions run from the highest to the lowest.
    reasons.opposing.iter().rev().for_each(|r| line(pair(r)));
    let mut sum = |amount: f64, what: String| {
        if amount != 0.0 {
            line(format!("  {amount:+8.4}  {what}"));
        }
    };
    let others = format::count(reasons.others.pairs as u64);
    sum(reasons.others.amount, format!("{others} other pairs"));
    sum(
        reasons.offset,
        "calibration offset, not attributable to a pair".to_owned(),
    );
    for part in &reasons.unsplit {
        sum(
            part.amount,
            format!("{}: not a sum over pairs, so it cannot be split", part.part),
        );
    }
    line(format!("  {:8.4}  total", reasons.sum()));
    if let Some(without) = &explained.without {
        let pairs = format::count(without.pairs as u64);
        let what = format!("without {} ({pairs} pairs)", without.what);
        line(table(Path::new(&what), &without.predictions));
        let (label, before, after) = (&reasons.label, reasons.score, without.score);
        line(format!("  {label:?}: {before:.4} -> {after:.4}"));
    }
    text
}

/// A pair: its numbers, its id and first caption; below that its source, licence and image.
fn pair(reason: &PairContribution) -> String {
    let caption = reason.captions.first().map_or("", String::as_str);
    let caption = format::line(caption);
    let origin = [reason.source.as_deref(), reason.licence.as_deref()];
    let mut origin: Vec<&str> = origin.into_iter().flatten().collect();
    origin.push(&reason.image);
    format!(
        "  {:+8.4}  {:5.1} %  {:6.3}  {:6.3}  {}: {caption}\n{:38}{}",
        reason.amount,
        reason.share * 100.0,
        reason.image_similarity,
        reason.text_similarity,
        format::line(&reason.id),
        "",
        format::line(&origin.join(", ")),
    )
}
