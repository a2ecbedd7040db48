//! 4-bit codes, which a walk through the graph reads.
//!
//! Half the bytes of int8 codes are half the cache lines for a visited node. By themselves they find 96
//! in 100 of the best 800; a quarter more candidates, rescored, contain 999 in 1000.

use crate::simd::CODE_ALIGN;

/// Steps of a code that give the least mean squared error for normally distributed numbers, in
/// standard deviations (Max 1960, 16 levels).
const STEP: f32 = 0.3352;

/// The bytes of a row's codes.
pub(super) fn width_of(dim: usize) -> usize {
    dim.div_ceil(2 * CODE_ALIGN) * CODE_ALIGN
}

/// Codes `row - center` into `out`, 16 levels at odd multiples of half a step, in the layout of
/// [`dot_u4`](crate::simd::scalar::dot_u4); returns half the step, corrected so that the product of
/// the row with its own code is exact.
///
/// The code `c` stands for `(2 c - 15)` half steps. `center` is empty for no centre.
///
/// # Panics
/// When the centre has another length than the row, or `out` is shorter than [`width_of`] the row.
pub(super) fn encode(row: &[f32], center: &[f32], out: &mut [u8]) -> f32 {
    if center.is_empty() {
        return encode_values(row.iter().copied(), out);
    }
    assert_eq!(center.len(), row.len(), "a number of the centre a column");
    encode_values(row.iter().zip(center).map(|(v, c)| v - c), out)
}

fn encode_values(values: impl ExactSizeIterator<Item = f32> + Clone, out: &mut [u8]) -> f32 {
    let squares: f64 = values.clone().map(|v| f64::from(v).powi(2)).sum();
    let deviation = (squares / values.len().max(1) as f64).sqrt();
    let inverse = (1.0 / (deviation * f64::from(STEP))) as f32;
    out.fill(0);
    if !inverse.is_finite() {
        return 0.0;
    }
    let mut product = 0.0f32;
    for (j, value) in values.enumerate() {
        // The value is not negative here, so truncation rounds down.
        let code = (value * inverse + 8.0).clamp(0.0, 15.0) as i32;
        product += value * (2 * code - 15) as f32;
        let (block, column) = (j / (2 * CODE_ALIGN), j % (2 * CODE_ALIGN));
        let shift = if column < CODE_ALIGN { 0 } else { 4 };
        out[block * CODE_ALIGN + column % CODE_ALIGN] |= (code as u8) << shift;
    }
    let half_step = (squares / f64::from(product)) as f32;
    if half_step.is_finite() {
        half_step
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::scalar::dot_u4;
    use crate::test_vectors::clustered;

    #[test]
    fn products_are_near_the_exact_ones() {
        for dim in [17, 128, 200] {
            let rows = clustered(40, dim, 3);
            let mut out = vec![0; width_of(dim)];
            for row in rows.chunks(dim) {
                let half = encode(row, &[], &mut out);
                // A query of whole numbers is its own code.
                let query: Vec<i8> = (0..2 * out.len())
                    .map(|j| {
                        if j < dim {
                            (row[j] * 200.0).clamp(-127.0, 127.0) as i8
                        } else {
                            0
                        }
                    })
                    .collect();
                let sum: i32 = query.iter().map(|&q| i32::from(q)).sum();
                let found = half * (2 * dot_u4(&query, &out) - 15 * sum) as f32;
                let exact: f32 = row.iter().zip(&query).map(|(r, &q)| r * f32::from(q)).sum();
                assert!(
                    (found - exact).abs() <= 0.05 * exact.abs() + 1.0,
                    "{found} {exact}"
                );
            }
        }
    }

    #[test]
    fn rows_without_length_have_no_step() {
        let mut out = [1; 64];
        assert_eq!(encode(&[0.0; 10], &[], &mut out), 0.0);
        assert_eq!(encode(&[1.0; 10], &[1.0; 10], &mut out), 0.0);
        for value in [1e-40, f32::MAX] {
            assert!(encode(&[value; 10], &[], &mut out).is_finite());
        }
    }
}
