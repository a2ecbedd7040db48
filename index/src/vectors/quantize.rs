//! Quantization: f32 vectors to int8 codes with one scale a vector.

use crate::simd::ZERO_CODE;

/// The largest magnitude of a code.
const LEVELS: f32 = 127.0;

/// Quantizes `row - center` into `out` `[stride]`, offset by 128, and returns the scale.
///
/// `center` is empty for no centre; columns of `out` past the row's length get the code of zero.
/// A row equal to the centre has scale 0.
///
/// # Panics
/// When the centre has another length than the row, or `out` is shorter than the row.
pub fn quantize_row(row: &[f32], center: &[f32], out: &mut [u8]) -> f32 {
    if center.is_empty() {
        return quantize(row.iter().copied(), out);
    }
    assert_eq!(center.len(), row.len(), "a number of the centre a column");
    quantize(row.iter().zip(center).map(|(v, c)| v - c), out)
}

fn quantize(values: impl ExactSizeIterator<Item = f32> + Clone, out: &mut [u8]) -> f32 {
    // Two passes over the values, hence `Clone`: the scale is known only after the first.
    let largest = values.clone().fold(0.0f32, |m, v| m.max(v.abs()));
    // The difference of a centre and a row of opposite sign can overflow, and dividing by a subnormal scale
    // would overflow too; both rows are coded as if they were the centre.
    let scale = largest / LEVELS;
    let inverse = 1.0 / scale;
    let (scale, inverse) = if scale.is_finite() && inverse.is_finite() {
        (scale, inverse)
    } else {
        (0.0, 0.0)
    };
    let (codes, padding) = out.split_at_mut(values.len());
    for (code, value) in codes.iter_mut().zip(values) {
        *code = (code_of(value * inverse) + i32::from(ZERO_CODE)) as u8;
    }
    // Padding has the code of zero, so that it adds nothing to a product with a query's zeros.
    padding.fill(ZERO_CODE);
    scale
}

/// A query quantized to signed codes.
#[derive(Debug, Clone)]
pub struct QueryCodes {
    /// Codes `[stride]`, zero past the vector's length.
    pub codes: Vec<i8>,
    /// The step of a code.
    pub scale: f32,
    /// 128 times the sum of the codes: the contribution of the stored codes' offset to a product.
    pub offset: i32,
}

impl QueryCodes {
    /// Quantizes a query for rows of `stride` columns.
    pub fn new(vector: &[f32], stride: usize) -> Self {
        let mut stored = vec![ZERO_CODE; stride];
        let scale = quantize_row(vector, &[], &mut stored);
        // The top bit flipped takes off the offset of 128.
        let codes: Vec<i8> = stored.iter().map(|&c| (c ^ ZERO_CODE) as i8).collect();
        let sum: i32 = codes.iter().map(|&c| i32::from(c)).sum();
        Self {
            codes,
            scale,
            offset: sum * i32::from(ZERO_CODE),
        }
    }
}

/// Rounds half away from zero; `value` is within the levels up to one rounding error.
fn code_of(value: f32) -> i32 {
    let rounded = (value + 0.5f32.copysign(value)) as i32;
    // A rounding error at the largest value must not wrap to the smallest code.
    rounded.clamp(-(LEVELS as i32), LEVELS as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_code_is_within_half_a_step(
            pairs in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 1..80),
        ) {
            let (row, center): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let mut out = vec![0; 128];
            let scale = quantize_row(&row, &center, &mut out);
            for j in 0..row.len() {
                let back = center[j] + scale * (f32::from(out[j]) - 128.0);
                prop_assert!((back - row[j]).abs() <= scale * 0.5001 + 1e-4);
            }
            prop_assert!(out[row.len()..].iter().all(|&c| c == ZERO_CODE));
        }
    }

    #[test]
    fn the_ends_of_the_range_are_used_and_extremes_are_safe() {
        let mut out = [0; 64];
        assert_eq!(quantize_row(&[-254.0, 254.0, 0.0, 1.1], &[], &mut out), 2.0);
        assert_eq!(out[..4], [1, 255, 128, 129]);
        assert_eq!(quantize_row(&[0.0; 3], &[], &mut out), 0.0);
        for (row, center) in [(f32::MAX, -f32::MAX), (1e-45, 0.0), (f32::MAX, 0.0)] {
            let scale = quantize_row(&[row], &[center], &mut out);
            assert!(scale.is_finite() && scale >= 0.0);
        }
    }

    #[test]
    fn a_query_knows_what_the_offset_adds() {
        let query = QueryCodes::new(&[1.0, -2.0, 0.5], 64);
        assert_eq!(query.codes[..4], [64, -127, 32, 0]);
        assert_eq!(query.offset, 128 * (64 - 127 + 32));
    }
}
