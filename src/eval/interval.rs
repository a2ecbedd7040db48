//! A figure with its 95 % interval.

use std::fmt;

use serde::Serialize;

use crate::printable::padded;
use asif_index::random::SplitMix64;

/// A share between 0 and 1 with its 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct IntervalEstimate {
    /// The share that was measured.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// In per cent: `61.2 [56.9, 65.4]`; with `{:#}` with the sign, `61.2 % [56.9, 65.4]`. A width applies to the
/// value before the interval.
impl fmt::Display for IntervalEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [value, low, high] = [self.value, self.low, self.high].map(|share| 100.0 * share);
        let sign = if f.alternate() { " %" } else { "" };
        let figure = format!("{value:.1}");
        let missing = f.width().unwrap_or(0).saturating_sub(figure.len());
        write!(
            f,
            "{}{figure}{sign} [{low:.1}, {high:.1}]",
            padded("", missing)
        )
    }
}

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// `successes` of `trials` with Wilson's score interval (E. B. Wilson, JASA 22, 1927), which stays
/// inside `[0, 1]` and has a width even where all or none succeed. Without trials: 0 in `[0, 1]`.
pub fn wilson(successes: u64, trials: u64) -> IntervalEstimate {
    if trials == 0 {
        return IntervalEstimate {
            value: 0.0,
            low: 0.0,
            high: 1.0,
        };
    }
    let n = trials as f64;
    let value = successes.min(trials) as f64 / n;
    // Wilson's centre is drawn towards one half, and the interval with it.
    let centre = value + Z * Z / (2.0 * n);
    let spread = Z * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    let low = ((centre - spread) / scale).clamp(0.0, value);
    let high = ((centre + spread) / scale).clamp(value, 1.0);
    IntervalEstimate { value, low, high }
}

/// The mean of a share measured on the same `trials` with several random draws of something else, such as
/// anchors. The half-widths of Wilson's interval, for the uncertainty of the trials, and of the mean of the
/// draws, `1.96 s / sqrt(n)`, are added in quadrature.
pub(super) fn mean_of_draws(shares: &[f64], trials: u64) -> IntervalEstimate {
    let n = shares.len().max(1) as f64;
    let mean = shares.iter().sum::<f64>() / n;
    let squares: f64 = shares.iter().map(|share| (share - mean).powi(2)).sum();
    // One draw says nothing of the spread of draws.
    let spread = match shares.len() {
        0 | 1 => 0.0,
        _ => Z * (squares / (n - 1.0) / n).sqrt(),
    };
    let of_trials = wilson((mean * trials as f64).round() as u64, trials);
    // Each side separately, because Wilson's interval is not symmetric.
    let half = |end: f64| (end - of_trials.value).hypot(spread);
    IntervalEstimate {
        value: mean,
        low: (mean - half(of_trials.low)).max(0.0),
        high: (mean + half(of_trials.high)).min(1.0),
    }
}

/// Replicates of the bootstrap. 50 of them lie outside each end of the interval.
const REPLICATES: usize = 2000;
/// An arbitrary constant, so that the same data always have the same interval.
const SEED: u64 = 0x5EED_A51F;

/// The mean over classes with images of the share of right answers (mean per-class recall), with the
/// percentile interval of a bootstrap over the images (B. Efron, Ann. Statist. 7, 1979): each replicate
/// draws as many images as there are, with replacement, and skips classes that it did not draw. The
/// seed is fixed.
///
/// `answers` holds, for each image, its class (below `classes`) and whether the answer was right.
/// If all answers are equal, the interval has no width: the bootstrap cannot estimate one.
pub(super) fn mean_recall(answers: &[(usize, bool)], classes: usize) -> IntervalEstimate {
    let mut seen = vec![0_u32; classes];
    let mut right = vec![0_u32; classes];
    // One closure for the figure and the replicates, so that both skip absent classes alike.
    let mut mean = |draws: &mut dyn Iterator<Item = (usize, bool)>| {
        seen.fill(0);
        right.fill(0);
        for (class, is_right) in draws {
            seen[class] += 1;
            right[class] += u32::from(is_right);
        }
        let shares = seen.iter().zip(&right).filter(|(seen, _)| **seen > 0);
        let (sum, present) = shares.fold((0.0, 0_u32), |(sum, present), (&seen, &right)| {
            (sum + f64::from(right) / f64::from(seen), present + 1)
        });
        if present == 0 {
            0.0
        } else {
            sum / f64::from(present)
        }
    };
    let value = mean(&mut answers.iter().copied());
    if answers.is_empty() {
        return IntervalEstimate {
            value,
            low: 0.0,
            high: 1.0,
        };
    }
    let mut random = SplitMix64::new(SEED);
    let mut means: Vec<f64> = (0..REPLICATES)
        // Images are drawn, not classes: the classes of a data set are fixed.
        .map(|_| mean(&mut answers.iter().map(|_| answers[random.below(answers.len())])))
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let outside = REPLICATES / 40;
    let (low, high) = (means[outside - 1], means[REPLICATES - outside]);
    IntervalEstimate {
        // The percentiles of a small sample may exclude the figure itself.
        value,
        low: low.min(value),
        high: high.max(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-4, "{found} is not {expected}");
    }

    #[test]
    fn wilson_agrees_with_published_figures() {
        // R. G. Newcombe, Statist. Med. 17 (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29.
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(successes, trials);
            close(found.low, low);
            close(found.high, high);
        }
        assert_eq!(wilson(20, 20).high, 1.0);
        assert_eq!(
            wilson(0, 0),
            IntervalEstimate {
                value: 0.0,
                low: 0.0,
                high: 1.0
            }
        );
    }

    #[test]
    fn it_is_written_in_per_cent() {
        let found = wilson(81, 263);
        assert_eq!(found.to_string(), "30.8 [25.5, 36.6]");
        assert_eq!(format!("{found:#6}"), "  30.8 % [25.5, 36.6]");
    }

    #[test]
    fn draws_that_differ_widen_the_interval() {
        let one = mean_of_draws(&[0.5], 100);
        assert_eq!(one, wilson(50, 100));
        assert_eq!(mean_of_draws(&[0.5, 0.5, 0.5], 100), one);
        // s = 0.1, so 1.96 * 0.1 / sqrt(3) beside Wilson's 0.0962.
        let three = mean_of_draws(&[0.4, 0.5, 0.6], 100);
        close(three.high - three.value, 0.1485);
        close(three.value - three.low, 0.1485);
        assert_eq!(mean_of_draws(&[1.0, 1.0], 10).high, 1.0);
    }

    #[test]
    fn the_bootstrap_is_as_wide_as_theory_says() {
        // Two classes of 200 with recall 0.5: the mean's standard error is 0.5 / sqrt(400).
        let answers: Vec<_> = (0..400).map(|i| (i % 2, i % 4 < 2)).collect();
        let found = mean_recall(&answers, 2);
        assert_eq!(found.value, 0.5);
        let half = Z * 0.5 / 400_f64.sqrt();
        assert!(
            (found.high - 0.5 - half).abs() < 0.01,
            "{found:?} against {half}"
        );
        assert!(
            (0.5 - found.low - half).abs() < 0.01,
            "{found:?} against {half}"
        );
        assert_eq!(found, mean_recall(&answers, 2));
    }

    #[test]
    fn classes_without_images_do_not_count() {
        let answers = [(0, true), (0, false), (2, true)];
        assert_eq!(mean_recall(&answers, 3).value, 0.75);
        assert_eq!(mean_recall(&[], 3).value, 0.0);
    }
}
