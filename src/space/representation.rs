//! The representation of an input in a space: its code and its level in each part.

use super::bank::PartCode;
use super::calibrate::ScoreNormalization;
use super::relative::RelativeRow;

/// The representation of an image or a text in a space.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Representation {
    /// Its code in each part of the recipe.
    pub codes: Vec<PartCode>,
    /// Its level in each part; empty in a space that is not calibrated.
    pub levels: Vec<ScoreNormalization>,
}

impl From<RelativeRow> for Representation {
    /// The representation in a space of plain relative rows.
    fn from(row: RelativeRow) -> Self {
        Self {
            codes: vec![PartCode::Row(row)],
            levels: Vec::new(),
        }
    }
}

impl Representation {
    /// The relative row of the first part that has rows.
    pub fn row(&self) -> Option<&RelativeRow> {
        self.codes.iter().find_map(PartCode::row)
    }

    /// The score of an image and a text of the same space: the calibrated scores of the parts, weighted by
    /// their shares.
    pub fn score(&self, other: &Self, shares: &[f64]) -> f32 {
        debug_assert_eq!(self.codes.len(), other.codes.len(), "inputs of one space");
        let scores = self.codes.iter().zip(&other.codes).map(|(x, y)| x.dot(y));
        total(shares, &self.levels, &other.levels, scores)
    }
}

/// The score of two inputs from their scores in each part, which are given in the order of the parts.
#[inline]
pub(crate) fn total(
    shares: &[f64],
    x: &[ScoreNormalization],
    y: &[ScoreNormalization],
    scores: impl Iterator<Item = f32>,
) -> f32 {
    let of_part = |(part, score)| contribution(shares, x, y, part, score);
    scores.enumerate().map(of_part).sum::<f64>() as f32
}

/// What a part's score of two inputs contributes to their total score.
#[inline]
pub(crate) fn contribution(
    shares: &[f64],
    x: &[ScoreNormalization],
    y: &[ScoreNormalization],
    part: usize,
    score: f32,
) -> f64 {
    let (factor, summand) = weight(shares, x, y, part);
    factor * f64::from(score) + summand
}

/// The factor and summand that turn a part's score into its contribution to the total score.
pub(crate) fn weight(
    shares: &[f64],
    x: &[ScoreNormalization],
    y: &[ScoreNormalization],
    part: usize,
) -> (f64, f64) {
    let share = shares[part];
    // In a space without calibration neither input has levels.
    assert_eq!(x.len(), y.len(), "both inputs are of one space");
    match (x.get(part), y.get(part)) {
        (Some(x), Some(y)) => {
            let (factor, summand) = x.between(*y);
            (share * factor, share * summand)
        }
        _ => (share, 0.0),
    }
}
