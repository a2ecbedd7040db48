//! Selects the ids of the largest of many estimates.
//!
//! Neither sorting nor exactness is needed: it searches for a floor that slightly more than the wanted
//! number of estimates reach. A sample gives the first guesses; each count is one pass over numbers in
//! the cache.

use crate::simd::KernelTable;

/// The size of the sample, taken in runs.
const SAMPLE: usize = 4096;
const RUN: usize = 32;
/// The search stops when the surplus is at most one in this many of those wanted.
const SLACK: usize = 16;

/// Appends the indexes of the largest `wanted` estimates and of up to a sixteenth more, ascending.
///
/// NaN is never taken, so there may be fewer. If many estimates equal the floor, those with the lowest
/// indexes are taken.
pub(super) fn largest(estimates: &[f32], wanted: usize, ids: &mut Vec<u32>) {
    if wanted == 0 {
        return;
    }
    let kernels = KernelTable::detect();
    let n = estimates.len();
    // A surplus is allowed because hitting the number exactly takes many more passes, and the candidates are
    // rescored anyway.
    let most = wanted.saturating_add(wanted / SLACK);
    // Invariant: enough estimates reach the floor `low` (or all that are not NaN), and too few reach `high`.
    // A guess from the sample narrows the interval quickly; after four guesses bisection guarantees an end.
    let (mut low, mut high) = (order(f32::NEG_INFINITY), order(f32::INFINITY) + 1);
    let sample = sample(estimates);
    let mut rank = (wanted + wanted / (2 * SLACK)) as f64 / n as f64 * sample.len() as f64;
    for attempt in 0.. {
        if high - low <= 1 {
            break;
        }
        let guess = order(floor_of(&sample, rank as usize));
        let guess = if attempt < 4 && low < guess && guess < high {
            guess
        } else {
            low + (high - low) / 2
        };
        let count = kernels.count_from(estimates, number(guess));
        if count < wanted {
            high = guess;
        } else {
            low = guess;
            if count <= most {
                break;
            }
        }
        // As in a rule of three: the rank in the sample that would have given the middle of the allowed range.
        rank *= (wanted + wanted / (2 * SLACK)) as f64 / count.max(1) as f64;
    }
    let before = ids.len();
    kernels.ids_from(estimates, number(low), ids);
    if ids.len() - before > most {
        // Too many equal the floor: all above it are taken, and the first of those equal to it.
        let floor = number(low);
        let above = kernels.count_from(estimates, number(low + 1));
        let mut left = wanted.saturating_sub(above);
        let mut kept = before;
        for at in before..ids.len() {
            let id = ids[at];
            let equal = estimates[id as usize] == floor;
            if !equal || left > 0 {
                left -= usize::from(equal);
                ids[kept] = id;
                kept += 1;
            }
        }
        ids.truncate(kept);
    }
}

/// A sample of the estimates, evenly spread.
fn sample(estimates: &[f32]) -> Vec<f32> {
    let every = (estimates.len() / SAMPLE).max(1) * RUN;
    let runs = estimates
        .chunks(every)
        .map(|part| &part[..part.len().min(RUN)]);
    runs.flatten().copied().collect()
}

/// A value that about `rank` numbers of the sample reach.
fn floor_of(sample: &[f32], rank: usize) -> f32 {
    let kernels = KernelTable::detect();
    let (mut low, mut high) = (order(f32::NEG_INFINITY), order(f32::INFINITY));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let count = kernels.count_from(sample, number(middle));
        if count > rank {
            low = middle;
            if count == rank + 1 {
                break;
            }
        } else {
            high = middle;
        }
    }
    number(low)
}

/// Maps a number other than NaN to an integer with the same order.
fn order(value: f32) -> i64 {
    let bits = i64::from(value.to_bits() & 0x7FFF_FFFF);
    if value.is_sign_negative() {
        // Both zeros are 0, as the comparison of floats has it.
        -bits
    } else {
        bits
    }
}

/// The inverse of [`order`].
fn number(order: i64) -> f32 {
    let size = f32::from_bits(order.unsigned_abs() as u32);
    if order < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use proptest::prelude::*;

    fn check(estimates: &[f32], wanted: usize) {
        let mut ids = vec![42];
        largest(estimates, wanted, &mut ids);
        assert_eq!(ids.remove(0), 42);
        let numbers = estimates.iter().filter(|v| !v.is_nan()).count();
        let (least, most) = (wanted.min(numbers), wanted + wanted / SLACK);
        assert!(
            (least..=most).contains(&ids.len()),
            "{wanted}: {}",
            ids.len()
        );
        assert!(ids.windows(2).all(|w| w[0] < w[1]));
        // None that was left out is larger than one that was taken.
        let taken = ids.iter().map(|&id| estimates[id as usize]);
        let floor = taken.fold(f32::INFINITY, f32::min);
        let chosen: std::collections::HashSet<u32> = ids.into_iter().collect();
        for (id, &value) in (0..).zip(estimates) {
            assert!(chosen.contains(&id) || value <= floor || value.is_nan());
        }
    }

    #[test]
    fn the_largest_of_many_are_found() {
        let mut random = SplitMix64::new(8);
        for n in [1, 31, 4095, 50_000] {
            let drawn: Vec<f32> = (0..n).map(|_| random.normal()).collect();
            let mut rising = drawn.clone();
            rising.sort_by(f32::total_cmp);
            let few: Vec<f32> = drawn.iter().map(|v| v.round()).collect();
            for values in [&drawn, &rising, &few] {
                for wanted in [0, 1, 10, n / 40, n / 2, n, 2 * n] {
                    check(values, wanted);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_the_numbers_are(
            values in prop::collection::vec(prop_oneof![
                any::<f32>(),
                prop::sample::select(vec![0.0, -0.0, 1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN]),
            ], 0..300),
            wanted in 0usize..320,
        ) {
            check(&values, wanted);
        }
    }

    #[test]
    fn order_and_number_are_each_others_inverse() {
        for value in [
            0.0,
            1.5,
            -1.5,
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            1e-45,
            -1e-45,
        ] {
            assert_eq!(number(order(value)), value);
            assert!(number(order(value) - 1) < value || value == f32::NEG_INFINITY);
        }
    }
}
