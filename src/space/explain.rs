//! A score split into the anchors that made it.
//!
//! The score of two rows is `sum_i x_i y_i` over anchors, so every answer is a sum of named pairs.

use super::relative::{RelativeRow, shared};

/// What one anchor gave to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// The anchor.
    pub anchor: u32,
    /// The product of both rows' weights; the contributions of all anchors sum to the score.
    pub amount: f32,
    /// `amount / score`; 0 when the score is 0.
    pub share: f32,
}

/// The anchors behind the score of two rows, largest amount first, ties by lowest anchor.
pub fn contributions(x: &RelativeRow, y: &RelativeRow) -> Vec<Contribution> {
    let score = x.dot(y);
    let mut all: Vec<Contribution> = shared(x, y)
        .map(|(anchor, a, b)| {
            let amount = a * b;
            Contribution {
                anchor,
                amount,
                share: if score != 0.0 { amount / score } else { 0.0 },
            }
        })
        .collect();
    all.sort_unstable_by(|a, b| b.amount.total_cmp(&a.amount).then(a.anchor.cmp(&b.anchor)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::SpaceParams;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn contributions_add_up_to_the_score(
            x in prop::collection::vec(-1f32..1.0, 50),
            y in prop::collection::vec(-1f32..1.0, 50),
        ) {
            let rows = [&x, &y].map(|s| RelativeRow::from_similarities(s, &SpaceParams::default()));
            let parts = contributions(&rows[0], &rows[1]);
            let sum: f64 = parts.iter().map(|c| f64::from(c.amount)).sum();
            prop_assert!((sum - f64::from(rows[0].dot(&rows[1]))).abs() < 1e-5);
            prop_assert!(parts.is_sorted_by(|a, b| a.amount >= b.amount));
        }
    }
}
