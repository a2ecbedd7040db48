//! The second moments of anchor pairs, exactly.
//!
//! Components are rounded to multiples of 2^-15, so that a product is a multiple of 2^-30 and a sum
//! of products is an integer that `f64` holds exactly up to 2^53: for unit vectors, beyond eight
//! million pairs. So sums have the same bits in any order and on any number of threads, and removing pairs
//! is exact. The rounding error (1.5e-5 a component) is far below what any shrinkage adds.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use ndarray::Array2;
use rayon::prelude::*;

use crate::modality::PerModality;

/// Rows multiplied at once.
const BLOCK: usize = 1024;
/// Columns of a tile of a product: a tile is one task.
const TILE: usize = 320;
/// The number of units in a component of 1.
pub(crate) const UNITS: f64 = 32_768.0;

/// Sums over pairs `(x, y)` of image vectors `[dx]` and text vectors `[dy]`, in units.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// The number of pairs.
    count: u64,
    /// The sums of both sides, `[dx]` and `[dy]`.
    first: PerModality<Vec<f64>>,
    /// The sums of `x x'`, `y y'` and `x y'`: `[dx, dx]`, `[dy, dy]` and `[dx, dy]`.
    second: [Array2<f64>; 3],
}

impl Moments {
    /// The moments of no pairs.
    pub fn new(dims: PerModality<usize>) -> Self {
        let PerModality {
            image: dx,
            text: dy,
        } = dims;
        Self {
            count: 0,
            first: dims.map(|dim| vec![0.0; dim]),
            second: [(dx, dx), (dy, dy), (dx, dy)].map(Array2::zeros),
        }
    }

    /// The moments of the rows of matrices, `[n, dim]` each.
    pub fn of(pairs: &PerModality<Array2<f32>>) -> Self {
        let mut moments = Self::new(pairs.as_ref().map(Array2::ncols));
        // A matrix may be transposed or a view; the sums need rows one after another.
        let rows = pairs.as_ref().map(|rows| rows.as_standard_layout());
        moments.add(
            rows.as_ref()
                .map(|rows| rows.as_slice().expect("a standard layout is contiguous")),
        );
        moments
    }

    /// From the values returned by [`Self::parts`].
    pub(crate) fn from_parts(
        count: u64,
        first: PerModality<Vec<f64>>,
        second: [Array2<f64>; 3],
    ) -> Self {
        Self {
            count,
            first,
            second,
        }
    }

    /// The number of pairs, the sums of both sides and of `x x'`, `y y'` and `x y'`, in units.
    pub(crate) fn parts(&self) -> (u64, &PerModality<Vec<f64>>, &[Array2<f64>; 3]) {
        (self.count, &self.first, &self.second)
    }

    /// The number of pairs added.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The lengths of both sides' vectors.
    pub(crate) fn dims(&self) -> PerModality<usize> {
        self.first.as_ref().map(Vec::len)
    }

    /// Adds pairs, each side's vectors `[n, dim]` row-major.
    pub fn add(&mut self, pairs: PerModality<&[f32]>) {
        let PerModality {
            image: dx,
            text: dy,
        } = self.dims();
        let blocks = pairs.image.chunks(BLOCK * dx);
        for (x, y) in blocks.zip(pairs.text.chunks(BLOCK * dy)) {
            // Both sides are cut after the same number of pairs, so that rows of a block belong together.
            let n = x.len() / dx;
            let sides = PerModality { image: x, text: y }.map(rounded);
            for (sum, side) in self.first.as_mut().zip(sides.as_ref()) {
                for row in side.chunks_exact(sum.len()) {
                    sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
                }
            }
            let x = MatRef::from_row_major_slice(&sides.image, n, dx);
            let y = MatRef::from_row_major_slice(&sides.text, n, dy);
            let [xx, yy, xy] = &mut self.second;
            add_product(xx, x, x, true);
            add_product(yy, y, y, true);
            add_product(xy, x, y, false);
            self.count += n as u64;
        }
    }

    /// Adds all pairs of other sums.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.combine(other, 1.0);
        self.count += other.count;
    }

    /// Removes all pairs of other sums. This is exact: the result has the bits of sums without them.
    pub fn subtract(&mut self, other: &Self) {
        self.combine(other, -1.0);
        self.count = self.count.saturating_sub(other.count);
    }

    fn combine(&mut self, other: &Self, sign: f64) {
        for (mine, others) in self.first.as_mut().zip(other.first.as_ref()) {
            mine.iter_mut()
                .zip(others)
                .for_each(|(m, o)| *m += sign * o);
        }
        for (mine, others) in self.second.iter_mut().zip(&other.second) {
            mine.zip_mut_with(others, |m, &o| *m += sign * o);
        }
    }

    /// The means of both sides, `[dx]` and `[dy]`.
    pub fn means(&self) -> PerModality<Vec<f64>> {
        let n = self.count.max(1) as f64;
        let mean = |sum: &Vec<f64>| sum.iter().map(|s| s / UNITS / n).collect();
        self.first.as_ref().map(mean)
    }

    /// The covariances of both sides.
    pub fn covariances(&self) -> Covariances {
        let n = self.count.max(1) as f64;
        let PerModality { image: x, text: y } = self.means();
        let covariance = |sum: &Array2<f64>, left: &[f64], right: &[f64]| {
            // In units until here: the sums are exact integers, and the division is the first rounding.
            let mut covariance = sum / (UNITS * UNITS * n);
            // `E[xy] - E[x]E[y]` from the sums, so that no vector is read again when pairs come or go.
            for (mut row, l) in covariance.rows_mut().into_iter().zip(left) {
                row.iter_mut().zip(right).for_each(|(c, r)| *c -= l * r);
            }
            covariance
        };
        let [xx, yy, xy] = &self.second;
        Covariances {
            own: PerModality {
                image: covariance(xx, &x, &x),
                text: covariance(yy, &y, &y),
            },
            cross: covariance(xy, &x, &y),
        }
    }
}

/// The covariances of the vectors of some pairs.
#[derive(Debug, Clone)]
pub struct Covariances {
    /// Of each side with itself: `[dx, dx]` and `[dy, dy]`.
    pub own: PerModality<Array2<f64>>,
    /// Of the images with the texts: `[dx, dy]`.
    pub cross: Array2<f64>,
}

/// A component as [`Moments`] counts it.
pub(crate) fn round(x: f32) -> f64 {
    (f64::from(x) * UNITS).round()
}

fn rounded(rows: &[f32]) -> Vec<f64> {
    rows.iter().map(|&x| round(x)).collect()
}

/// Adds `left' right` to `sum`, tile by tile on all threads; of a product with itself only the
/// tiles on and above the diagonal are computed.
fn add_product(sum: &mut Array2<f64>, left: MatRef<'_, f64>, right: MatRef<'_, f64>, own: bool) {
    let spans = |n: usize| {
        (0..n)
            .step_by(TILE)
            .map(move |start| (start, TILE.min(n - start)))
    };
    let tiles: Vec<_> = spans(left.ncols())
        .flat_map(|rows| spans(right.ncols()).map(move |columns| (rows, columns)))
        // The product with itself is symmetric, which saves nearly half of the tiles.
        .filter(|(rows, columns)| !own || columns.0 >= rows.0)
        .collect();
    let products: Vec<Mat<f64>> = tiles
        .par_iter()
        .map(|&(rows, columns)| {
            let mut product = Mat::zeros(rows.1, columns.1);
            let (a, b) = (
                left.subcols(rows.0, rows.1),
                right.subcols(columns.0, columns.1),
            );
            matmul(
                product.as_mut(),
                Accum::Replace,
                a.transpose(),
                b,
                1.0,
                Par::Seq,
            );
            product
        })
        .collect();
    // All values are integers below 2^53, so the order of these additions cannot change a bit.
    for (((row, _), (column, _)), product) in tiles.into_iter().zip(&products) {
        for (j, values) in product.col_iter().enumerate() {
            for (i, value) in values.iter().enumerate() {
                sum[[row + i, column + j]] += value;
                // Only off-diagonal tiles are mirrored: those on the diagonal were computed in full.
                if own && row != column {
                    sum[[column + j, row + i]] += value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::vector::normalize;
    use asif_index::random::SplitMix64;

    fn pairs(n: usize, dx: usize, dy: usize) -> PerModality<Vec<f32>> {
        let rows = |dim: usize, seed: u64| {
            let mut random = SplitMix64::new(seed);
            (0..n)
                .flat_map(|_| {
                    let mut v: Vec<f32> = (0..dim).map(|_| random.unit() as f32 - 0.3).collect();
                    normalize(&mut v);
                    v
                })
                .collect()
        };
        PerModality {
            image: rows(dx, 1),
            text: rows(dy, 99),
        }
    }

    #[test]
    fn sums_have_the_same_bits_in_any_order_and_forget_without_trace() {
        let (dx, dy) = (350, 9);
        let dims = PerModality {
            image: dx,
            text: dy,
        };
        let pairs = pairs(40, dx, dy);
        let mut whole = Moments::new(dims);
        whole.add(pairs.as_ref().map(Vec::as_slice));
        let (mut late, mut early) = (Moments::new(dims), Moments::new(dims));
        late.add(
            pairs
                .as_ref()
                .zip(dims)
                .map(|(rows, dim)| &rows[25 * dim..]),
        );
        early.add(
            pairs
                .as_ref()
                .zip(dims)
                .map(|(rows, dim)| &rows[..25 * dim]),
        );
        let mut merged = late.clone();
        merged.merge(&early);
        assert_eq!(merged, whole);
        merged.subtract(&early);
        assert_eq!(merged, late);
    }

    #[test]
    fn covariances_are_those_of_the_plain_formula() {
        let (dx, dy) = (5, 3);
        let PerModality { image: x, text: y } = pairs(200, dx, dy);
        let mut moments = Moments::new(PerModality {
            image: dx,
            text: dy,
        });
        moments.add(PerModality {
            image: &x,
            text: &y,
        });
        let xy = moments.covariances().cross;
        let mean = |rows: &[f32], dim: usize, j: usize| {
            rows.chunks_exact(dim).map(|r| f64::from(r[j])).sum::<f64>() / 200.0
        };
        for i in 0..dx {
            for j in 0..dy {
                let (mx, my) = (mean(&x, dx, i), mean(&y, dy, j));
                let want: f64 = x
                    .chunks_exact(dx)
                    .zip(y.chunks_exact(dy))
                    .map(|(x, y)| (f64::from(x[i]) - mx) * (f64::from(y[j]) - my))
                    .sum::<f64>()
                    / 200.0;
                assert!((xy[[i, j]] - want).abs() < 1e-5, "{i} {j}");
            }
        }
    }
}
