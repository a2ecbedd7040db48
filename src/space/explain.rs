//! A score split into the contributions of anchors.
//!
//! The score of two rows is `sum_i x_i y_i` over anchors, so every answer is a sum of named pairs.

use std::collections::HashMap;

use serde::Serialize;

/// The contribution of one anchor to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnchorContribution {
    /// The anchor.
    pub anchor: u32,
    /// Its contribution.
    pub amount: f32,
    /// `amount` as a share of the sum of all absolute contributions.
    pub share: f32,
}

/// A score split into contributions: `score = offset + sum of contributions + sum of unsplit`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoreExplanation {
    /// The score.
    pub score: f32,
    /// The part of the score that belongs to no anchor: the calibration.
    pub offset: f64,
    /// The contribution of each part of the space.
    pub parts: Vec<PartAmount>,
    /// The anchors, largest amount first, ties by lowest anchor.
    pub contributions: Vec<AnchorContribution>,
    /// Those of `parts` that do not split into pairs.
    pub unsplit: Vec<PartAmount>,
}

/// The contribution of a part of a space to a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PartAmount {
    /// Its name.
    pub part: &'static str,
    /// Its contribution.
    pub amount: f64,
}

impl AnchorContribution {
    /// Contributions by anchor, largest first, with their shares; those of zero are left out.
    pub(crate) fn sorted(amounts: HashMap<u32, f64>) -> Vec<Self> {
        // In the order of the anchors: sums in that of the map would differ from run to run in their last bits.
        let mut amounts: Vec<(u32, f64)> = amounts.into_iter().collect();
        amounts.sort_unstable_by_key(|(anchor, _)| *anchor);
        let total: f64 = amounts.iter().map(|(_, amount)| amount.abs()).sum();
        let mut all: Vec<Self> = amounts
            .into_iter()
            .filter(|&(_, amount)| amount != 0.0)
            .map(|(anchor, amount)| Self {
                anchor,
                amount: amount as f32,
                share: (amount / total) as f32,
            })
            .collect();
        all.sort_unstable_by(|a, b| b.amount.total_cmp(&a.amount).then(a.anchor.cmp(&b.anchor)));
        all
    }
}

impl ScoreExplanation {
    /// The sum of all its parts, which is the score.
    pub fn sum(&self) -> f64 {
        let anchors: f64 = self.contributions.iter().map(|c| f64::from(c.amount)).sum();
        self.offset + anchors + self.unsplit.iter().map(|u| u.amount).sum::<f64>()
    }

    /// The mean of the explanations of several prompts of one class.
    pub(crate) fn mean(explanations: &[Self]) -> Self {
        let n = explanations.len().max(1) as f64;
        let mut amounts: HashMap<u32, f64> = HashMap::new();
        let mut mean = Self::default();
        for one in explanations {
            mean.score += one.score / n as f32;
            mean.offset += one.offset / n;
            for c in &one.contributions {
                *amounts.entry(c.anchor).or_default() += f64::from(c.amount) / n;
            }
            add_parts(&mut mean.parts, &one.parts, n);
            add_parts(&mut mean.unsplit, &one.unsplit, n);
        }
        mean.contributions = AnchorContribution::sorted(amounts);
        mean
    }
}

/// Adds one `n`th of each part's contribution. Parts are matched by position because a name may occur
/// twice.
fn add_parts(sums: &mut Vec<PartAmount>, parts: &[PartAmount], n: f64) {
    sums.resize_with(parts.len(), PartAmount::default);
    for (sum, part) in sums.iter_mut().zip(parts) {
        sum.part = part.part;
        sum.amount += part.amount / n;
    }
}
