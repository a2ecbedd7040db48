//! A score as a sum of contributions of pairs.

use serde::Serialize;

use super::{ClassifiedImage, Classifier};
use crate::anchors::{AnchorId, AnchorsError};
use crate::modality::Modality;
use crate::space::explain::{AnchorContribution, PartAmount};
use crate::space::vector::dot;

/// An anchor pair, and its contribution to a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairContribution {
    /// The number of the pair among the anchors.
    pub anchor: AnchorId,
    /// Its id.
    pub id: String,
    /// Its texts.
    pub captions: Vec<String>,
    /// Its source, if in its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its licence, if in its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Its image file.
    pub image: String,
    /// The cosine of the query image and the pair's image in the encoder's space.
    pub image_similarity: f64,
    /// The cosine of the label's prompt and the pair's text; the mean if several prompts count.
    pub text_similarity: f64,
    /// Its contribution to the score.
    pub amount: f64,
    /// `amount` as a share of the sum of all absolute contributions.
    pub share: f64,
}

/// The explanation of a label's score by pairs:
/// `score = sum of supporting + sum of opposing + others.amount + offset + sum of unsplit`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelExplanation {
    /// The label.
    pub label: String,
    /// Its score, as [`RankedLabel::similarity`](super::RankedLabel).
    pub score: f32,
    /// The pairs with the largest positive contributions, largest first.
    pub supporting: Vec<PairContribution>,
    /// The pairs with the largest negative contributions, largest first.
    pub opposing: Vec<PairContribution>,
    /// All other pairs together.
    pub others: UnlistedPairs,
    /// The part of the score that belongs to no pair: the calibration.
    pub offset: f64,
    /// The contribution of each part of the space, those of pairs included.
    pub parts: Vec<PartAmount>,
    /// Those of the parts that do not split into pairs.
    pub unsplit: Vec<PartAmount>,
}

/// The pairs that are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UnlistedPairs {
    /// The number of these pairs with a contribution.
    pub pairs: usize,
    /// The sum of their contributions.
    pub amount: f64,
}

impl LabelExplanation {
    /// The sum of all its parts: the score, up to rounding.
    pub fn sum(&self) -> f64 {
        let listed = self.supporting.iter().chain(&self.opposing);
        let unsplit = self.unsplit.iter().map(|u| u.amount);
        listed.map(|r| r.amount).sum::<f64>()
            + self.others.amount
            + self.offset
            + unsplit.sum::<f64>()
    }
}

impl Classifier<'_> {
    /// The pairs behind the score of a label: at most `top` with positive and `top` with negative
    /// contributions.
    ///
    /// # Errors
    /// When `class` is not the index of a label, or the record or the vector of a pair is damaged.
    pub fn reasons(
        &self,
        answer: &ClassifiedImage,
        class: usize,
        top: usize,
    ) -> Result<LabelExplanation, AnchorsError> {
        let explanation = self.explain(answer, class)?;
        let prompts = self.decisive_vectors(answer, class);
        let all = &explanation.contributions;
        // Contributions come sorted, largest first, so one cut separates for and against.
        let for_it = all.partition_point(|c| c.amount > 0.0);
        let (supporting, opposing) = all.split_at(for_it);
        let shown = |c: &AnchorContribution| self.reason(answer, &prompts, c);
        let hidden = supporting
            .iter()
            .skip(top)
            .chain(opposing.iter().rev().skip(top));
        let others = UnlistedPairs {
            pairs: hidden.clone().count(),
            // An empty `sum` is -0.0, which would be shown with its sign.
            amount: hidden.fold(0.0, |sum, c| sum + f64::from(c.amount)),
        };
        Ok(LabelExplanation {
            label: self.labels()[class].clone(),
            score: explanation.score,
            supporting: supporting
                .iter()
                .take(top)
                .map(shown)
                .collect::<Result<_, _>>()?,
            opposing: opposing
                // From the end: the most negative ones come last.
                .iter()
                .rev()
                .take(top)
                .map(shown)
                .collect::<Result<_, _>>()?,
            others,
            offset: explanation.offset,
            parts: explanation.parts,
            unsplit: explanation.unsplit,
        })
    }

    /// The unit vectors of the prompts that determine the score.
    fn decisive_vectors(&self, answer: &ClassifiedImage, class: usize) -> Vec<&[f32]> {
        let set = self.searcher.set();
        let of_class = self.head.vectors(class);
        let dim = set.dim(Modality::Text);
        let decisive = self.decisive(answer, class).into_iter();
        decisive.map(|at| &of_class[at * dim..][..dim]).collect()
    }

    fn reason(
        &self,
        answer: &ClassifiedImage,
        prompts: &[&[f32]],
        contribution: &AnchorContribution,
    ) -> Result<PairContribution, AnchorsError> {
        let (set, anchor) = (self.searcher.set(), contribution.anchor);
        let record = set.record(anchor)?;
        let image = set.vector(anchor, Modality::Image)?;
        let text = set.vector(anchor, Modality::Text)?;
        let cosines = prompts.iter().map(|prompt| dot(prompt, text));
        Ok(PairContribution {
            anchor,
            source: record.meta_text("source"),
            licence: record.licence(),
            id: record.id,
            captions: record.captions,
            image: record.image,
            image_similarity: dot(&answer.vector, image),
            text_similarity: cosines.sum::<f64>() / prompts.len().max(1) as f64,
            amount: f64::from(contribution.amount),
            share: f64::from(contribution.share),
        })
    }
}
