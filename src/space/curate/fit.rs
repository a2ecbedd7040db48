//! Does a pair's text fit its image?
//!
//! A text that fits is nearer to the texts of its image's neighbours than the texts of other pairs are.
//! Likewise with image and text swapped.

use ndarray::{Array2, ArrayView2, Axis};

use crate::space::diagnose::gram::products;

/// The power of a neighbour's cosine that weights its vector.
const POWER: i32 = 4;

/// The vector that a pair's neighbours on one side predict for the other side, `[dim]`: the mean of their
/// vectors there, each weighted by the fourth power of its cosine here, minus `mean`, normalised.
///
/// `neighbours` are cosines with vectors `[dim]`. Zero if there are none.
pub(crate) fn expected<'a>(
    neighbours: impl IntoIterator<Item = (f32, &'a [f32])>,
    mean: &[f32],
) -> Vec<f32> {
    let mut sum = vec![0f64; mean.len()];
    let mut total = 0.0;
    for (cosine, vector) in neighbours {
        let weight = f64::from(cosine.max(0.0)).powi(POWER);
        total += weight;
        for (sum, &v) in sum.iter_mut().zip(vector) {
            *sum += weight * f64::from(v);
        }
    }
    if total <= 0.0 {
        return vec![0.0; mean.len()];
    }
    for (sum, &m) in sum.iter_mut().zip(mean) {
        *sum = *sum / total - f64::from(m);
    }
    let norm = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
    let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    sum.into_iter().map(|v| (v * inverse) as f32).collect()
}

/// The share of `others` `[m, dim]` that are nearer to the `expected` vector `[n, dim]` than the pair's
/// `own` vector `[n, dim]` is, counting half of the ties: `[n]`. 0 is the best, 0.5 is chance.
pub(crate) fn rank_of_own(
    expected: ArrayView2<'_, f32>,
    own: ArrayView2<'_, f32>,
    others: ArrayView2<'_, f32>,
) -> Vec<f64> {
    let similarities: Array2<f32> = products(expected, others);
    let rank = |(i, row): (usize, ndarray::ArrayView1<'_, f32>)| {
        let mine = expected.row(i).dot(&own.row(i));
        // The products of equal vectors may differ by rounding, which must count as a tie.
        let tie = 1e-5;
        let above = row.iter().filter(|&&s| s > mine + tie).count();
        let equal = row.iter().filter(|&&s| (s - mine).abs() <= tie).count();
        (above as f64 + 0.5 * equal as f64) / row.len().max(1) as f64
    };
    similarities
        .axis_iter(Axis(0))
        .enumerate()
        .map(rank)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn near_neighbours_weigh_more_and_the_mean_is_taken_out() {
        let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
        let found = expected([(1.0, &a[..]), (0.5, &b[..])], &[0.0, 0.0]);
        assert!((found[1] / found[0] - 0.0625).abs() < 1e-6);
        let found = expected([(0.9, &a[..])], &[0.5, 0.5]);
        assert!((found[0] + found[1]).abs() < 1e-6 && found[0] > 0.7);
        assert_eq!(expected([(-0.5, &a[..])], &[0.5, 0.5]), [0.0, 0.0]);
    }

    #[test]
    fn the_rank_counts_who_is_nearer_and_half_of_who_is_as_near() {
        let expected = array![[1.0, 0.0], [0.0, 1.0]];
        let own = array![[0.8, 0.6], [1.0, 0.0]];
        let others = array![[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]];
        let ranks = rank_of_own(expected.view(), own.view(), others.view());
        assert_eq!(ranks, [1.5 / 4.0, 3.5 / 4.0]);
    }
}
