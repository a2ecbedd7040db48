//! Compares two recipes on the same questions: the gain, and its standard error.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evaluator::TaskRanks;
use super::objective::ReciprocalRank;
use super::task::PerTask;
use asif_index::random::SplitMix64;

/// Replicates of the bootstrap: 50 are outside each end of the interval.
const REPLICATES: usize = 2000;

/// The quality of a recipe: means over all answers, each between 0 and 1; `None` without answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RecipeMetrics {
    /// The mean reciprocal rank of held-out pairs, both ways; `None` if no pair was held out.
    pub pairs: Option<f64>,
    /// The mean reciprocal rank of an image's class.
    pub classes: Option<f64>,
    /// The share of held-out pairs found at rank 1, both ways.
    pub pairs_first: Option<f64>,
    /// The share of images whose class is at rank 1.
    pub classes_first: Option<f64>,
}

/// The relative gain over another recipe: 0.01 is one per cent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RelativeGain {
    /// The mean of both tasks' gains.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl RecipeMetrics {
    /// The means of these answers.
    pub(crate) fn of(marks: &TaskRanks) -> Self {
        let mean = |answers: &[ReciprocalRank], value: fn(&ReciprocalRank) -> f64| {
            let sum = answers.iter().map(value).sum::<f64>();
            // A task without answers has no quality, and none of 0.
            (!answers.is_empty()).then(|| sum / answers.len() as f64)
        };
        Self {
            pairs: mean(&marks.pairs, |a| a.rank),
            classes: mean(&marks.classes, |a| a.rank),
            pairs_first: mean(&marks.pairs, |a| a.first),
            classes_first: mean(&marks.classes, |a| a.first),
        }
    }

    fn tasks(&self) -> PerTask<Option<f64>> {
        PerTask {
            pairs: self.pairs,
            classes: self.classes,
        }
    }
}

/// The sum and the number of differences of each unit (cluster of dependent answers).
type UnitDifferences = Vec<(f64, usize)>;

/// The gain of `new` over `old`, relative to the quality `base`. The standard error is clustered by unit,
/// because answers of one unit are not independent.
pub(crate) fn gain(new: &TaskRanks, old: &TaskRanks, base: &RecipeMetrics) -> RelativeGain {
    let units = differences(new, old);
    let (mut value, mut variance) = (0.0, 0.0);
    for (units, weight) in units.as_ref().zip(weights(&units, base)) {
        let mean = mean(units);
        // The tasks have different questions, so their errors are treated as independent.
        value += weight * mean.value;
        variance += (weight * mean.error).powi(2);
    }
    RelativeGain {
        value,
        error: variance.sqrt(),
    }
}

/// The mean difference of all answers.
fn mean(units: &UnitDifferences) -> RelativeGain {
    // All answers count alike, so a unit weighs as much as it has answers.
    let n = units.iter().map(|u| u.1).sum::<usize>().max(1) as f64;
    let value = units.iter().map(|u| u.0).sum::<f64>() / n;
    let squared = |&(sum, count): &(f64, usize)| (sum - value * count as f64).powi(2);
    // Residuals are summed within a unit before squaring: the cluster-robust standard error.
    let error = units.iter().map(squared).sum::<f64>().sqrt() / n;
    RelativeGain { value, error }
}

/// The 95 % interval of that gain: the percentiles of a bootstrap over units (B. Efron, Ann. Statist.
/// 7, 1979).
pub(crate) fn interval(
    new: &TaskRanks,
    old: &TaskRanks,
    base: &RecipeMetrics,
    seed: u64,
) -> [f64; 2] {
    // Differences of the same questions, so what is hard for both recipes cancels.
    let units = differences(new, old);
    let weights = weights(&units, base);
    let mut random = SplitMix64::new(seed);
    let mut gains: Vec<f64> = (0..REPLICATES)
        .map(|_| {
            let task = |(units, weight): (&UnitDifferences, f64)| {
                let (mut sum, mut count) = (0.0, 0);
                // Whole units are drawn, because the answers within a unit are correlated.
                for _ in 0..units.len() {
                    // A mean of ratios would weigh small units too much; sum and count are drawn together.
                    let (s, n) = units[random.below(units.len())];
                    sum += s;
                    count += n;
                }
                weight * sum / count.max(1) as f64
            };
            units.as_ref().zip(weights).map(task).into_iter().sum()
        })
        .collect();
    gains.sort_unstable_by(f64::total_cmp);
    // 2.5 % of the replicates lie outside each end.
    let outside = REPLICATES / 40;
    [gains[outside - 1], gains[REPLICATES - outside]]
}

fn differences(new: &TaskRanks, old: &TaskRanks) -> PerTask<UnitDifferences> {
    new.as_ref().zip(old.as_ref()).map(|(new, old)| {
        // A sorted map: the order of units decides what the seeded draws hit.
        let mut units: BTreeMap<u32, (f64, usize)> = BTreeMap::new();
        for (n, o) in new.iter().zip(old) {
            let unit = units.entry(n.unit).or_default();
            unit.0 += n.rank - o.rank;
            unit.1 += 1;
        }
        units.into_values().collect()
    })
}

/// The weight of a difference in each task: tasks with answers count equally, each relative to its quality
/// before.
fn weights(units: &PerTask<UnitDifferences>, base: &RecipeMetrics) -> PerTask<f64> {
    let units = units.as_ref().into_iter();
    let asked = units.filter(|u| !u.is_empty()).count().max(1) as f64;
    base.tasks()
        // Relative to its quality, so that the harder task is not outvoted by the easier one.
        .map(|worth| worth.map_or(0.0, |worth| 1.0 / (asked * worth.max(1e-9))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_has_no_worth() {
        let old = marks(&[0.5, 0.5], &[]);
        let base = RecipeMetrics::of(&old);
        assert_eq!(
            (base.pairs, base.classes, base.classes_first),
            (Some(0.5), None, None)
        );
        let new = marks(&[0.6, 0.6], &[]);
        assert!((gain(&new, &old, &base).value - 0.2).abs() < 1e-12);
    }

    fn marks(pairs: &[f64], classes: &[f64]) -> TaskRanks {
        let answer = |(i, &rank): (usize, &f64)| ReciprocalRank {
            rank,
            first: 0.0,
            unit: i as u32 / 2,
        };
        PerTask { pairs, classes }.map(|ranks| ranks.iter().enumerate().map(answer).collect())
    }

    /// Whether `new` is worse than `old` at either task, by more than the standard error.
    fn loses(new: &TaskRanks, old: &TaskRanks) -> bool {
        let units = differences(new, old);
        units
            .as_ref()
            .map(mean)
            .into_iter()
            .any(|m| m.value < -m.error)
    }

    #[test]
    fn a_gain_is_the_mean_of_both_tasks_relative_gains() {
        let old = marks(&[0.5, 0.5, 0.5, 0.5], &[0.2, 0.2]);
        let new = marks(&[0.6, 0.6, 0.6, 0.6], &[0.2, 0.2]);
        let base = RecipeMetrics::of(&old);
        let found = gain(&new, &old, &base);
        assert!((found.value - 0.1).abs() < 1e-12, "{found:?}");
        assert!(found.error < 1e-12, "no unit differs from the others");
        let [low, high] = interval(&new, &old, &base, 1);
        assert!((low - 0.1).abs() < 1e-12 && (high - 0.1).abs() < 1e-12);
        let mixed = marks(&[0.9, 0.9, 0.1, 0.1], &[0.2, 0.2]);
        let found = gain(&mixed, &old, &base);
        assert!(found.value.abs() < 1e-12 && found.error > 0.1, "{found:?}");
        let [low, high] = interval(&mixed, &old, &base, 1);
        assert!(low < -0.1 && high > 0.1);
        assert!(!loses(&mixed, &old), "no more than noise");
        let traded = marks(&[0.6, 0.6, 0.6, 0.6], &[0.19, 0.19]);
        assert!(gain(&traded, &old, &base).value > 0.0 && loses(&traded, &old));
    }
}
