//! Similarities of all vectors of a sample with each other.

use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows that one thread works on at a time.
const BLOCK: usize = 128;

/// The dot products of every row of `a` `[n, d]` with every row of `b` `[m, d]`: `[n, m]`.
pub(crate) fn products(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut out = Array2::zeros((a.nrows(), b.nrows()));
    let blocks = out.axis_chunks_iter_mut(Axis(0), BLOCK);
    let blocks: Vec<_> = blocks.zip(a.axis_chunks_iter(Axis(0), BLOCK)).collect();
    blocks
        .into_par_iter()
        .for_each(|(mut out, rows)| out.assign(&rows.dot(&b.t())));
    out
}

/// The `k` largest of a row of similarities except number `own`, largest first, ties by lowest number, NaN
/// last.
pub(crate) fn nearest(similarities: &[f32], own: Option<usize>, k: usize) -> Vec<u32> {
    let rank = |i: u32| {
        let s = similarities[i as usize];
        if s.is_nan() { f32::NEG_INFINITY } else { s }
    };
    let mut others: Vec<u32> = (0..similarities.len() as u32)
        .filter(|&i| Some(i as usize) != own)
        .collect();
    let order = |a: &u32, b: &u32| rank(*b).total_cmp(&rank(*a)).then(a.cmp(b));
    if k < others.len() {
        others.select_nth_unstable_by(k, order);
        others.truncate(k);
    }
    others.sort_unstable_by(order);
    others
}

/// The `k` nearest others of each row of a square matrix of similarities: `[n][k]`.
pub(crate) fn neighbours(gram: &Array2<f32>, k: usize) -> Vec<Vec<u32>> {
    (0..gram.nrows())
        .into_par_iter()
        .map(|i| nearest(&gram.row(i).to_vec(), Some(i), k))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_nearest_are_the_largest_without_oneself() {
        assert_eq!(nearest(&[0.1, 1.0, 0.9, f32::NAN, 0.9], Some(1), 2), [2, 4]);
        assert_eq!(nearest(&[0.1, 0.2], None, 9), [1, 0]);
    }

    #[test]
    fn products_are_dot_products() {
        let a = array![[1.0, 2.0], [0.0, 1.0]];
        let b = array![[3.0, 1.0], [1.0, 0.0], [0.0, 2.0]];
        let want = array![[5.0, 1.0, 4.0], [1.0, 0.0, 2.0]];
        assert_eq!(products(a.view(), b.view()), want);
    }
}
