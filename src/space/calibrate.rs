//! Score normalization against a cohort of anchors, which corrects for hubs and brings parts of
//! different scale to one scale: see [`ScoreCalibration`].
//!
//! ```text
//! an input's scores with the cohort ──[leveller]──> its level: slope x (score - origin)
//! the score of two inputs ────────────────────────> the mean of both normalized scores
//! ```
//!
//! Every correction is linear in the score, so the two levels of a pair of inputs reduce to one factor and
//! one summand. Heads, sums of parts and explanations do not depend on which correction was used.

use super::recipe::{HubnessCorrection, Recipe, ScoreCalibration};
use super::vector::ROUNDING;

/// The lower bound of the deviation that s-norm divides by, as a share of the part's mean deviation.
///
/// An input whose row has few anchors, such as a prompt in a form that only some new captions have,
/// shares anchors with hardly any member of the cohort. Its cohort scores barely differ, and dividing by so
/// small a deviation would let this part dominate the sum. Chosen on validation sets: see
/// `docs/domain-update.md`.
const FLOOR: f64 = 0.7;

/// The linear correction of an input's scores in one part of a space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreNormalization {
    /// The score that is mapped to 0.
    pub origin: f32,
    /// The factor of the difference from `origin`; 0 where the cohort scores do not differ.
    pub slope: f32,
}

impl ScoreNormalization {
    /// The factor and the summand that correct the score of two inputs with these levels.
    pub(crate) fn between(self, other: Self) -> (f64, f64) {
        // `((s - m) i + (s - n) j) / 2`, sorted by the score `s`.
        let [(m, i), (n, j)] = [self, other].map(|l| (f64::from(l.origin), f64::from(l.slope)));
        (0.5 * (i + j), -0.5 * (m * i + n * j))
    }
}

/// Computes the levels of inputs in one part of a space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoreNormalizer {
    hubness: HubnessCorrection,
    top: usize,
    /// The unit of the part's scores; for s-norm the mean deviation, which times [`FLOOR`] is the lower
    /// bound of an input's deviation.
    unit: f64,
}

impl ScoreNormalizer {
    /// For a cohort of `size` anchors.
    ///
    /// `unit` is the part's [`spread`] where the recipe [has units](super::Recipe::has_units),
    /// else 1.
    fn new(calibration: &ScoreCalibration, size: usize, unit: f64) -> Self {
        Self {
            hubness: calibration.hubness,
            top: calibration.top_of(size),
            unit,
        }
    }

    /// For a part of a recipe, whose `unit` is computed only where the recipe
    /// [has units](super::Recipe::has_units).
    pub(crate) fn of_part(
        recipe: &Recipe,
        calibration: &ScoreCalibration,
        size: usize,
        unit: impl FnOnce() -> f64,
    ) -> Self {
        let unit = if recipe.has_units() { unit() } else { 1.0 };
        Self::new(calibration, size, unit)
    }

    /// The level of an input from its scores with the cohort's other side, in any order.
    pub(crate) fn level(&self, scores: Vec<f32>) -> ScoreNormalization {
        let best = CohortStatistics::of(scores, self.top);
        let unit = inverse(self.unit);
        let (origin, slope) = match self.hubness {
            HubnessCorrection::SNorm => (best.mean, inverse(best.deviation.max(FLOOR * self.unit))),
            // CSLS is `2 s - m - n`; the mean of two levels halves the slope, hence 2.
            HubnessCorrection::Csls => (best.mean, 2.0 * unit),
            // `between` halves each level; the factor 2 restores the full `alpha r` of both inputs.
            HubnessCorrection::Nnn { alpha } => (2.0 * alpha * best.mean, unit),
            HubnessCorrection::None => (0.0, unit),
        };
        ScoreNormalization {
            origin: origin as f32,
            slope: slope as f32,
        }
    }
}

/// The unit of a part's scores: the mean over the cohort of the deviation of each member's best scores with
/// the cohort's other side. `scores` holds the scores of one member each; as many count as for s-norm.
pub(crate) fn spread(scores: Vec<Vec<f32>>) -> f64 {
    let members = scores.len().max(1) as f64;
    let deviation = |scores: Vec<f32>| {
        let top = ScoreCalibration::default().top_of(scores.len());
        CohortStatistics::of(scores, top).deviation
    };
    scores.into_iter().map(deviation).sum::<f64>() / members
}

/// Mean and deviation of the best of some scores.
struct CohortStatistics {
    mean: f64,
    deviation: f64,
}

impl CohortStatistics {
    /// Of the best `top` of `scores`, or of all when there are fewer.
    fn of(mut scores: Vec<f32>, top: usize) -> Self {
        let top = top.min(scores.len());
        if top > 0 && top < scores.len() {
            scores.select_nth_unstable_by(top - 1, |a, b| b.total_cmp(a));
            scores.truncate(top);
            // The selection leaves an unspecified order, and floating-point sums depend on it.
            scores.sort_unstable_by(f32::total_cmp);
        }
        // At least 1, so that no scores give a mean and a deviation of 0 and not NaN.
        let n = scores.len().max(1) as f64;
        let mean = scores.iter().map(|&s| f64::from(s)).sum::<f64>() / n;
        let squares = scores.iter().map(|&s| (f64::from(s) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / n).sqrt();
        let largest = scores.iter().fold(0f32, |most, s| most.max(s.abs()));
        // Scores that differ only by rounding count as equal; their deviation would be noise.
        let differ = deviation > ROUNDING * f64::from(largest);
        Self {
            mean,
            deviation: if differ { deviation } else { 0.0 },
        }
    }
}

/// The reciprocal of a deviation; 0 for a deviation of practically 0.
fn inverse(deviation: f64) -> f64 {
    if deviation > 1e-9 {
        1.0 / deviation
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCORES: [f32; 5] = [0.1, 0.9, 0.5, 0.7, -3.0];

    fn leveller(hubness: HubnessCorrection, top: usize, unit: f64) -> ScoreNormalizer {
        let calibration = ScoreCalibration {
            cohort: 10,
            top,
            hubness,
        };
        ScoreNormalizer::new(&calibration, 10, unit)
    }

    #[test]
    fn scores_that_differ_by_rounding_have_no_slope() {
        let scores = vec![0.7f32, 0.7 + 6e-8, 0.7 - 6e-8, 0.7, 0.7 + 1.2e-7];
        assert_eq!(spread(vec![scores.clone(); 3]), 0.0);
        let level =
            leveller(HubnessCorrection::SNorm, 5, spread(vec![scores.clone(); 3])).level(scores);
        assert_eq!(level.slope, 0.0);
    }

    #[test]
    fn an_s_norm_level_is_the_mean_and_deviation_of_the_best() {
        let found = leveller(HubnessCorrection::SNorm, 3, 0.1);
        let level = found.level(SCORES.to_vec());
        assert!((level.origin - 0.7).abs() < 1e-6);
        let deviation = ((0.04f64 + 0.04 + 0.0) / 3.0).sqrt();
        assert!((f64::from(level.slope) - 1.0 / deviation).abs() < 1e-4);
        let mut turned = SCORES;
        turned.reverse();
        assert_eq!(level, found.level(turned.to_vec()));
    }

    #[test]
    fn an_s_norm_deviation_is_not_far_below_the_mean_one() {
        let flat = vec![0.5, 0.5, 0.5, 0.49];
        let level = leveller(HubnessCorrection::SNorm, 4, 0.2).level(flat);
        assert!((f64::from(level.slope) - 1.0 / (FLOOR * 0.2)).abs() < 1e-4);
    }

    #[test]
    fn scores_that_do_not_differ_have_no_say() {
        let flat = leveller(HubnessCorrection::SNorm, 4, 0.0).level(vec![0.0; 9]);
        assert_eq!(flat.slope, 0.0);
        assert_eq!(flat.between(flat), (0.0, 0.0));
        let none = leveller(HubnessCorrection::SNorm, 4, 1.0).level(Vec::new());
        assert_eq!(none.origin, 0.0);
        let unit = spread(vec![vec![0.0; 9]; 3]);
        assert_eq!(
            leveller(HubnessCorrection::Csls, 4, unit)
                .level(SCORES.to_vec())
                .slope,
            0.0
        );
    }

    fn mean_of_best(mut scores: Vec<f32>, top: usize) -> f64 {
        scores.sort_by(|a, b| b.total_cmp(a));
        let best = scores.iter().take(top);
        best.map(|&s| f64::from(s)).sum::<f64>() / top as f64
    }

    proptest! {
        #[test]
        fn corrected_scores_are_those_of_the_formulas(
            x in prop::collection::vec(-1f32..1.0, 10),
            y in prop::collection::vec(-1f32..1.0, 10),
            score in -1f64..1.0,
            top in 2usize..10,
            alpha in 0.1f64..2.0,
            unit in 0.1f64..3.0,
        ) {
            let corrected = |hubness, unit| {
                let leveller = leveller(hubness, top, unit);
                let (factor, summand) = leveller.level(x.clone()).between(leveller.level(y.clone()));
                factor * score + summand
            };
            let r = mean_of_best(x.clone(), top) + mean_of_best(y.clone(), top);
            prop_assert!((corrected(HubnessCorrection::Csls, 1.0) - (2.0 * score - r)).abs() < 1e-5);
            let nnn = HubnessCorrection::Nnn { alpha };
            prop_assert!((corrected(nnn, 1.0) - (score - alpha * r)).abs() < 1e-5);
            prop_assert!((corrected(HubnessCorrection::None, 1.0) - score).abs() < 1e-6);
            // A unit divides the whole.
            for hubness in [HubnessCorrection::Csls, nnn, HubnessCorrection::None] {
                let (whole, divided) = (corrected(hubness, 1.0), corrected(hubness, unit));
                prop_assert!((whole / unit - divided).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn an_s_norm_score_is_the_mean_of_both_deviations() {
        let (x, y) = (
            ScoreNormalization {
                origin: 0.2,
                slope: 10.0,
            },
            ScoreNormalization {
                origin: 0.4,
                slope: 5.0,
            },
        );
        let (factor, summand) = x.between(y);
        let want = 0.5 * ((0.6 - 0.2) * 10.0 + (0.6 - 0.4) * 5.0);
        assert!((0.6 * factor + summand - want).abs() < 1e-6);
    }

    #[test]
    fn the_spread_is_the_mean_deviation_of_the_best_scores() {
        // Of twenty scores s-norm takes the best two.
        let member = |best: f32| {
            let mut scores = vec![0.0; 20];
            (scores[4], scores[11]) = (1.0, best);
            scores
        };
        assert!((spread(vec![member(2.0), member(4.0)]) - 1.0).abs() < 1e-9);
        assert_eq!(spread(Vec::new()), 0.0);
    }
}
