//! A matrix and some vectors: dot products that have the same bits however many are asked for at once.
//!
//! They are the index's kernels, which define a product to the last bit. One vector costs a walk
//! over the rows, and four together little more. A general matrix product copies the matrix into
//! another order first, and for a few vectors that takes longer than the products.

use std::sync::Arc;

use asif_index::simd::{Kernels, TILE};
use ndarray::Array2;

/// Rows that vectors are multiplied with, `[rows, width]`; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    width: usize,
    values: Arc<[f32]>,
}

impl From<&Array2<f32>> for Rows {
    fn from(rows: &Array2<f32>) -> Self {
        Self {
            width: rows.ncols(),
            values: rows.iter().copied().collect(),
        }
    }
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One after another, each of [`width`](Self::width) numbers.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The product of each vector with each row, `[n, rows]`; `vectors` is `[n, width]`.
    pub fn times(&self, vectors: &[f32]) -> Vec<f32> {
        let (width, rows) = (self.width.max(1), self.len());
        let mut out = vec![0.0; vectors.len() / width * rows];
        if rows == 0 {
            return out;
        }
        let kernels = Kernels::detect();
        let tiles = vectors
            .chunks(TILE * width)
            .zip(out.chunks_mut(TILE * rows));
        for (vectors, out) in tiles {
            if vectors.len() == TILE * width {
                kernels.f32_tile(vectors, &self.values, out);
                continue;
            }
            for (vector, out) in vectors.chunks_exact(width).zip(out.chunks_exact_mut(rows)) {
                kernels.f32_rows(vector, &self.values, out);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::vector::dot;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_are_dot_products_and_do_not_depend_on_their_company(
            rows in 0usize..9,
            width in 1usize..40,
            n in 0usize..11,
            seed in any::<u32>(),
        ) {
            let at = |i: usize| ((i as f32 + seed as f32 / 1e6) * 1.7).sin();
            let matrix = Array2::from_shape_fn((rows, width), |(i, j)| at(i * width + j));
            let vectors: Vec<f32> = (0..n * width).map(|i| at(i + 7919)).collect();
            let rows = Rows::from(&matrix);
            let all = rows.times(&vectors);
            prop_assert_eq!(all.len(), n * rows.len());
            for (vector, products) in vectors.chunks_exact(width).zip(all.chunks(rows.len().max(1))) {
                prop_assert_eq!(&rows.times(vector), products);
                for (product, (row, want)) in products.iter().zip(rows.iter().zip(matrix.rows())) {
                    prop_assert_eq!(Some(row), want.as_slice());
                    prop_assert!((f64::from(*product) - dot(vector, row)).abs() < 1e-5);
                }
            }
        }
    }
}
