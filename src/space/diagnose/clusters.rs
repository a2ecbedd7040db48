//! Spherical k-means: unit vectors in groups around mean directions (Dhillon and Modha, Machine
//! Learning 42, 2001).

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::gram::products;
use asif_index::random::SplitMix64;

/// The most passes over the vectors.
const PASSES: usize = 30;

/// Mean directions of at most `k` groups of the unit vectors `x` `[n, d]`: `[k, d]`.
///
/// Initialised by k-means++ (Arthur and Vassilvitskii, SODA 2007); deterministic for a seed. There are
/// fewer than `k` groups if there are fewer distinct vectors.
pub(crate) fn kmeans(x: ArrayView2<'_, f32>, k: usize, seed: u64) -> Array2<f32> {
    let mut centres = begin(x, k, seed);
    let mut last = Vec::new();
    for _ in 0..PASSES {
        let groups: Vec<u32> = assign(x, centres.view()).iter().map(|a| a.0).collect();
        // Same groups give same centres, so nothing would change any more.
        if groups == last {
            break;
        }
        let mut sums = Array2::<f32>::zeros(centres.raw_dim());
        for (row, &group) in x.axis_iter(Axis(0)).zip(&groups) {
            let mut sum = sums.row_mut(group as usize);
            sum += &row;
        }
        for (mut centre, sum) in centres.axis_iter_mut(Axis(0)).zip(sums.axis_iter(Axis(0))) {
            let norm = sum.dot(&sum).sqrt();
            // An empty group keeps its direction.
            if norm > 0.0 {
                centre.assign(&(&sum / norm));
            }
        }
        last = groups;
    }
    centres
}

/// The nearest of the centres `[k, d]` to each row of `x` `[n, d]`, and its cosine: `[n]`.
pub(crate) fn assign(x: ArrayView2<'_, f32>, centres: ArrayView2<'_, f32>) -> Vec<(u32, f32)> {
    const ROWS: usize = 4096;
    x.axis_chunks_iter(Axis(0), ROWS)
        .flat_map(|rows| {
            let similarities = products(rows, centres);
            let best: Vec<(u32, f32)> = (0..similarities.nrows())
                .into_par_iter()
                .map(|i| {
                    let row = similarities.row(i);
                    let better = |best: (u32, f32), (c, &s): (usize, &f32)| {
                        if s > best.1 { (c as u32, s) } else { best }
                    };
                    row.iter().enumerate().fold((0, f32::NEG_INFINITY), better)
                })
                .collect();
            best
        })
        .collect()
}

/// Initial centres (k-means++): each is drawn with a probability that grows with its distance from those
/// drawn before.
fn begin(x: ArrayView2<'_, f32>, k: usize, seed: u64) -> Array2<f32> {
    let mut random = SplitMix64::new(seed);
    let mut chosen: Vec<usize> = Vec::new();
    // All rows are equally likely at first, as k-means++ asks.
    let mut far = vec![1f64; x.nrows()];
    while chosen.len() < k.min(x.nrows()) {
        // All vectors are among the centres up to rounding, so there are no more distinct ones.
        let total: f64 = far.iter().sum();
        if total <= 1e-6 {
            break;
        }
        // Drawn in proportion to the distance, as in k-means++ with the cosine distance of unit vectors.
        let mut left = random.unit() * total;
        let drawn = far.iter().position(|&f| {
            left -= f;
            left < 0.0
        });
        // Rounding may leave a rest at the end; the last row then stands for it.
        let next = drawn.unwrap_or(x.nrows() - 1);
        chosen.push(next);
        let similarities = x.dot(&x.row(next));
        for (far, &s) in far.iter_mut().zip(&similarities) {
            *far = far.min(f64::from(1.0 - s).max(0.0));
        }
        // Exactly 0: rounding of its product with itself could let it be drawn twice.
        far[next] = 0.0;
    }
    x.select(Axis(0), &chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn three_bundles_are_found_whatever_the_seed() {
        let mut x = Array2::zeros((30, 3));
        for (i, mut row) in x.axis_iter_mut(Axis(0)).enumerate() {
            row[i % 3] = 1.0;
            row[(i + 1) % 3] = 0.05 * (i / 3) as f32 / 10.0;
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        for seed in 0..10 {
            let centres = kmeans(x.view(), 3, seed);
            let groups = assign(x.view(), centres.view());
            for i in 0..30 {
                assert_eq!(groups[i].0, groups[i % 3].0, "seed {seed}");
                assert!(groups[i].1 > 0.99);
            }
            assert_ne!(groups[0].0, groups[1].0);
        }
        assert_eq!(kmeans(x.view(), 3, 1), kmeans(x.view(), 3, 1));
    }

    #[test]
    fn there_are_no_more_groups_than_different_vectors() {
        let x = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        assert_eq!(kmeans(x.view(), 5, 0).nrows(), 2);
        assert_eq!(kmeans(Array2::zeros((0, 2)).view(), 5, 0).nrows(), 0);
    }
}
