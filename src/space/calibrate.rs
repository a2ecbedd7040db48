//! Scores counted from where a cohort's best scores lie, so that hubs gain nothing and parts of
//! different scale can be added: see [`Calibration`](super::recipe::Calibration).

/// Where an input's best scores with the cohort lie, in one part of a space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Their mean.
    pub mean: f32,
    /// One over their standard deviation; 0 where they do not differ.
    pub inverse: f32,
}

impl Level {
    /// Of the best `top` of `scores`; of all, when there are not so many.
    pub fn of(mut scores: Vec<f32>, top: usize) -> Self {
        let top = top.min(scores.len());
        if top > 0 && top < scores.len() {
            scores.select_nth_unstable_by(top - 1, |a, b| b.total_cmp(a));
            scores.truncate(top);
            // Sums must not depend on the order that the selection leaves.
            scores.sort_unstable_by(f32::total_cmp);
        }
        let n = scores.len().max(1) as f64;
        let mean = scores.iter().map(|&s| f64::from(s)).sum::<f64>() / n;
        let squares = scores.iter().map(|&s| (f64::from(s) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / n).sqrt();
        Self {
            mean: mean as f32,
            inverse: if deviation > 1e-9 {
                (1.0 / deviation) as f32
            } else {
                0.0
            },
        }
    }

    /// The factor and the summand that calibrate the score of two inputs with these levels.
    pub fn between(self, other: Self) -> (f64, f64) {
        let [(m, i), (n, j)] = [self, other].map(|l| (f64::from(l.mean), f64::from(l.inverse)));
        (0.5 * (i + j), -0.5 * (m * i + n * j))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_the_mean_and_deviation_of_the_best() {
        let level = Level::of(vec![0.1, 0.9, 0.5, 0.7, -3.0], 3);
        assert!((level.mean - 0.7).abs() < 1e-6);
        let deviation = ((0.04f64 + 0.04 + 0.0) / 3.0).sqrt();
        assert!((f64::from(level.inverse) - 1.0 / deviation).abs() < 1e-4);
        assert_eq!(
            Level::of(vec![0.9, 0.5, 0.1], 2),
            Level::of(vec![0.1, 0.9, 0.5], 2)
        );
    }

    #[test]
    fn scores_that_do_not_differ_have_no_say() {
        let flat = Level::of(vec![0.0; 9], 4);
        assert_eq!(flat.inverse, 0.0);
        assert_eq!(flat.between(flat), (0.0, 0.0));
        assert_eq!(Level::of(Vec::new(), 4).mean, 0.0);
    }

    #[test]
    fn a_calibrated_score_is_the_mean_of_both_deviations() {
        let (x, y) = (
            Level {
                mean: 0.2,
                inverse: 10.0,
            },
            Level {
                mean: 0.4,
                inverse: 5.0,
            },
        );
        let (factor, summand) = x.between(y);
        let want = 0.5 * ((0.6 - 0.2) * 10.0 + (0.6 - 0.4) * 5.0);
        assert!((0.6 * factor + summand - want).abs() < 1e-6);
    }
}
