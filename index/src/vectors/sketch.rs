//! Sketches: f32 vectors to one bit a number with one factor a vector, and queries for them.
//!
//! With `d = v - c` and its signs `s`, `<q, d>` is estimated as `<q, s> |d|^2 / sum |d_j|`: the factor
//! makes the estimate of `<d, d>` exact, and that of other vectors unbiased if the quantization error
//! is spread evenly (Gao and Long, "RaBitQ", SIGMOD 2024, section 3.2, here without its rotation).
//!
//! The error grows with the query's norm, so the query's component along the centre is subtracted ([`part`])
//! and computed exactly: `<c, d>` is stored for each vector. Embeddings of networks that end in a ReLU have
//! most of their norm there.

use crate::simd::SKETCH_ROWS;

/// The largest sum of a query's numbers over four columns: four such sums fit a byte.
const FOUR_COLUMNS: f32 = 63.0;
/// The largest sum over all columns.
const ALL_COLUMNS: f32 = 65_535.0;

/// Sketches up to 64 rows `[n, dim]` of `v - center` into `bits` `[width, 64]`; `factors` and `along`
/// get each row's factor and its product with the centre.
///
/// `center` is empty for no centre. A row equal to it, or whose factor is not finite, has factor 0: its
/// estimate is the centre's. Bits past the rows and columns are zero.
///
/// # Panics
/// When the centre has another length than a row.
pub fn sketch_rows(
    rows: &[f32],
    dim: usize,
    center: &[f32],
    bits: &mut [u8],
    [factors, along]: [&mut [f32]; 2],
) {
    let zeros;
    let center = if center.is_empty() {
        zeros = vec![0.0; dim];
        &zeros
    } else {
        center
    };
    assert_eq!(center.len(), dim, "a number of the centre a column");
    // 0 is the documented factor of a row without an estimate, not a value for a missing one.
    let finite = |value: f64| Some(value as f32).filter(|v| v.is_finite()).unwrap_or(0.0);
    bits.fill(0);
    for (j, row) in rows.chunks_exact(dim).enumerate() {
        // In double precision, for sums of squares over wide rows lose digits in 32 bits.
        let (mut squares, mut sum, mut product) = (0.0f64, 0.0f64, 0.0f64);
        for (p, (columns, middle)) in row.chunks(8).zip(center.chunks(8)).enumerate() {
            let mut byte = 0;
            for (b, (&v, &c)) in columns.iter().zip(middle).enumerate() {
                let c = f64::from(c);
                let d = f64::from(v) - c;
                byte |= u8::from(d > 0.0) << b;
                squares += d * d;
                sum += d.abs();
                product += d * c;
            }
            bits[p * SKETCH_ROWS + j] = byte;
        }
        factors[j] = finite(squares / sum);
        along[j] = finite(product);
    }
}

/// Splits a query into a multiple of `center` and the rest: the multiple, and the rest `[dim]`.
pub fn part(vector: &[f32], center: &[f32]) -> (f32, Vec<f32>) {
    let product = |a: &[f32]| -> f64 {
        let pairs = a.iter().zip(center);
        pairs.map(|(&a, &c)| f64::from(a) * f64::from(c)).sum()
    };
    let times = (product(vector) / product(center)) as f32;
    let times = if times.is_finite() { times } else { 0.0 };
    let rest = vector.iter().zip(center).map(|(v, c)| v - times * c);
    (times, rest.collect())
}

/// A query quantized to small integers, as tables of their sums over the bits of four columns.
#[derive(Debug, Clone)]
pub struct QuerySketch {
    /// For each four columns the sums for their 16 states `[width, 2, 16]`: the size of each number
    /// whose sign the bit has.
    pub tables: Vec<u8>,
    /// The sum of all sizes. A vector whose sum is `t` has the product `2 t - total` with the query.
    pub total: i32,
    /// The value of one integer step.
    pub step: f32,
}

impl QuerySketch {
    /// Prepares a query for sketches of `width` bytes a row.
    ///
    /// # Panics
    /// When the query has more than `8 width` numbers.
    pub fn new(vector: &[f32], width: usize) -> Self {
        assert!(vector.len() <= 8 * width, "the sketches are too narrow");
        let size = |part: &[f32]| part.iter().map(|v| v.abs()).sum::<f32>();
        let four = vector.chunks(4).map(size).fold(0.0, f32::max);
        // Rounding adds at most half a step to each number; the bound leaves room for that.
        let room = ALL_COLUMNS - vector.len() as f32 / 2.0;
        // The larger of both bounds: four columns fit a byte and all columns 16 bits.
        let step = (four / (FOUR_COLUMNS - 2.0)).max(size(vector) / room);
        let inverse = 1.0 / step;
        // A query of norm 0, or whose step underflows or overflows, gets estimates of 0.
        let usable = step.is_finite() && inverse.is_finite();
        let (step, inverse) = if usable { (step, inverse) } else { (0.0, 0.0) };
        let mut tables = vec![0; width * 32];
        let mut total = 0;
        for (four, table) in vector.chunks(4).zip(tables.chunks_exact_mut(16)) {
            for (b, &v) in four.iter().enumerate() {
                let number = (v * inverse).round() as i32;
                total += number.abs();
                for (state, sum) in table.iter_mut().enumerate() {
                    let sign = if state >> b & 1 == 1 { 1 } else { -1 };
                    // A bit adds the number's size where it agrees in sign, and nothing where not.
                    *sum += (number * sign).max(0) as u8;
                }
            }
        }
        Self {
            tables,
            total,
            step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;
    use crate::simd::scalar;
    use crate::vectors::layout::sketch_width_of;

    /// The estimates of `<query, row - center>`.
    fn estimates(query: &[f32], rows: &[f32], center: &[f32]) -> Vec<f32> {
        let (dim, n) = (query.len(), rows.len() / query.len());
        let width = sketch_width_of(dim);
        let (mut bits, mut factors) = (vec![0xFF; width * SKETCH_ROWS], vec![0.0; n]);
        let mut along = factors.clone();
        sketch_rows(rows, dim, center, &mut bits, [&mut factors, &mut along]);
        let query = QuerySketch::new(query, width);
        let mut sums = [0; SKETCH_ROWS];
        scalar::sketches(&query.tables, &bits, &mut sums);
        let product = |sum: u16| (2 * i32::from(sum) - query.total) as f32;
        let all = sums.iter().zip(&factors);
        all.map(|(&sum, factor)| product(sum) * query.step * factor)
            .collect()
    }

    #[test]
    fn a_vectors_product_with_itself_is_exact_and_others_are_not_biased() {
        let mut random = SplitMix64::new(3);
        for dim in [5, 64, 130, 384, 5000] {
            let center: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
            let own: Vec<f32> = (0..dim).map(|_| random.normal()).collect();
            let row: Vec<f32> = own.iter().zip(&center).map(|(a, c)| a + c).collect();
            let length: f32 = own.iter().map(|v| v * v).sum();
            let found = estimates(&own, &row, &center)[0];
            assert!((found / length - 1.0).abs() < 0.1, "{found} {length}");
            // Of rows that each hold half of the query: the mean error of 64 is an eighth of one's.
            let rows: Vec<f32> = (0..64 * dim)
                .map(|i| 0.5 * own[i % dim] + 0.75f32.sqrt() * random.normal())
                .collect();
            let of_rows = estimates(&own, &rows, &[]);
            let exact = |row: &[f32]| own.iter().zip(row).map(|(a, b)| a * b).sum::<f32>();
            let wrong: f32 = rows
                .chunks(dim)
                .zip(&of_rows)
                .map(|(r, e)| e - exact(r))
                .sum();
            let one = (0.6 * length).sqrt();
            assert!((wrong / 64.0).abs() < one / 8.0 * 4.0, "{dim}: {wrong}");
        }
    }

    #[test]
    fn sums_fit_and_extremes_are_safe() {
        for dim in [1, 16, 384, 4160, 65_536] {
            let width = sketch_width_of(dim);
            for vector in [vec![1.0; dim], vec![-1e30; dim], vec![1e-30; dim]] {
                let query = QuerySketch::new(&vector, width);
                assert!(query.total <= 65_535, "{dim}");
                // So many equal numbers are each less than half a step.
                assert!(query.total > 0 || dim == 65_536, "{dim}");
                let largest = query.tables.chunks(16).map(|t| t.iter().max().unwrap());
                assert!(largest.clone().all(|&sum| sum <= 63), "{dim}");
                let sum: i32 = largest.map(|&sum| i32::from(sum)).sum();
                assert_eq!(sum, query.total);
            }
        }
        for vector in [vec![0.0; 20], vec![1e-45; 20], vec![f32::MAX; 20]] {
            let query = QuerySketch::new(&vector, 4);
            assert!(query.step.is_finite() && query.total >= 0);
        }
        let (mut bits, mut factors) = (vec![0; 2 * SKETCH_ROWS], vec![9.0; 3]);
        let mut along = [9.0; 3];
        let rows = [[0.0; 4], [f32::MAX; 4], [1e-45, 0.0, 0.0, 0.0]];
        let center = [-f32::MAX, 0.0, 0.0, 0.0];
        for center in [&[][..], &center] {
            let numbers = [&mut factors[..], &mut along];
            sketch_rows(rows.as_flattened(), 4, center, &mut bits, numbers);
            assert!(factors.iter().chain(&along).all(|f| f.is_finite()));
        }
        let numbers = [&mut factors[..], &mut along];
        sketch_rows(rows.as_flattened(), 4, &[], &mut bits, numbers);
        assert_eq!((factors[0], along), (0.0, [0.0; 3]));
        assert_eq!((bits[0], bits[1], bits[2], bits[3]), (0, 15, 1, 0));
    }

    #[test]
    fn a_query_is_the_sum_of_its_parts() {
        let (vector, center) = ([1.0, 2.0, 3.0], [0.0, 2.0, 0.0]);
        assert_eq!(part(&vector, &center), (1.0, vec![1.0, 0.0, 3.0]));
        assert_eq!(part(&vector, &[0.0; 3]), (0.0, vector.to_vec()));
        let (times, rest) = part(&[f32::MAX; 3], &[1e-30; 3]);
        assert!(times == 0.0 && rest == [f32::MAX; 3]);
    }
}
