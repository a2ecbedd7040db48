//! Products of a matrix with vectors, which have the same bits however many vectors are multiplied at once.
//!
//! They use the index's kernels, which define a product to the last bit. One vector costs one pass over the
//! rows, and four together little more; for more than four each row is read once, and each thread takes a
//! share of the rows. A general matrix product first copies the matrix into another order, which for a few
//! vectors takes longer than the products.

use std::sync::Arc;

use asif_index::simd::{KernelTable, TILE};
use ndarray::Array2;
use rayon::prelude::*;

/// Bytes of rows multiplied with all vectors before the next are read: together with the vectors they
/// should stay in the second-level cache.
const BLOCK: usize = 128 << 10;
/// The number of multiplications from which a second thread pays.
const SHARE: usize = 1 << 20;

/// A matrix whose rows are multiplied with vectors, `[rows, width]`; cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct RowMatrix {
    width: usize,
    values: Arc<[f32]>,
}

impl From<&Array2<f32>> for RowMatrix {
    fn from(rows: &Array2<f32>) -> Self {
        Self {
            width: rows.ncols(),
            values: rows.iter().copied().collect(),
        }
    }
}

impl RowMatrix {
    /// A single row.
    pub(crate) fn of_one(row: &[f32]) -> Self {
        Self {
            width: row.len(),
            values: row.into(),
        }
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        // `checked_div`: a matrix without columns has no rows to count.
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// The rows, each of `width` numbers.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The product of each vector with each row, `[n, rows]`; `vectors` is `[n, width]`. Large products run
    /// on the current rayon pool.
    pub(crate) fn times(&self, vectors: &[f32]) -> Vec<f32> {
        let (width, rows) = (self.width.max(1), self.len());
        let n = vectors.len() / width;
        let mut out = vec![0.0; n * rows];
        if out.is_empty() {
            return out;
        }
        // The commonest case has neither a tile to fill nor a share to give away.
        if n == 1 {
            KernelTable::detect().f32_rows(vectors, &self.values, &mut out);
            return out;
        }
        // Whole shares for threads, for handing out less work costs more than it saves.
        let shares = vectors.len() * rows / SHARE;
        let shares = shares.clamp(1, rayon::current_num_threads());
        let share = rows.div_ceil(shares).max(1);
        let products: Vec<Vec<f32>> = self
            .values
            .par_chunks(share * width)
            .map(|values| times_share(values, width, vectors))
            .collect();
        // Each share holds some rows of every vector, so they are put side by side.
        for (at, products) in (0..).step_by(share).zip(products) {
            let count = products.len() / n;
            let of_each = products.chunks_exact(count);
            for (out, products) in out.chunks_exact_mut(rows).zip(of_each) {
                out[at..at + count].copy_from_slice(products);
            }
        }
        out
    }
}

/// The product of each vector with each of some rows, `[n, rows]`.
fn times_share(values: &[f32], width: usize, vectors: &[f32]) -> Vec<f32> {
    let kernels = KernelTable::detect();
    let rows = values.len() / width;
    let block = (BLOCK / (4 * width)).max(TILE);
    let mut out = vec![0.0; vectors.len() / width * rows];
    let mut of_tile = vec![0.0; TILE * block.min(rows)];
    for (at, values) in (0..).step_by(block).zip(values.chunks(block * width)) {
        let count = values.len() / width;
        let of_tile = &mut of_tile[..TILE * count];
        let tiles = vectors.chunks(TILE * width);
        for (vectors, out) in tiles.zip(out.chunks_mut(TILE * rows)) {
            let of_each = out
                .chunks_exact_mut(rows)
                .map(|out| &mut out[at..at + count]);
            // An incomplete last tile: the kernel of single vectors gives the same bits.
            if vectors.len() < TILE * width {
                for (vector, out) in vectors.chunks_exact(width).zip(of_each) {
                    kernels.f32_rows(vector, values, out);
                }
                continue;
            }
            kernels.f32_tile(vectors, values, of_tile);
            for (out, products) in of_each.zip(of_tile.chunks_exact(count)) {
                out.copy_from_slice(products);
            }
        }
    }
    out
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
            let rows = RowMatrix::from(&matrix);
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
    #[test]
    fn many_products_are_those_of_each_vector_alone() {
        let (rows, width, n) = (300, 130, 43);
        assert!(rows * width * n > SHARE);
        let at = |i: usize| (i as f32 * 1.7).sin();
        let matrix = Array2::from_shape_fn((rows, width), |(i, j)| at(i * width + j));
        let vectors: Vec<f32> = (0..n * width).map(|i| at(i + 7919)).collect();
        let rows = RowMatrix::from(&matrix);
        let alone: Vec<f32> = vectors
            .chunks_exact(width)
            .flat_map(|vector| rows.times(vector))
            .collect();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            assert_eq!(pool.install(|| rows.times(&vectors)), alone);
        }
    }
}
