//! Small vector arithmetic, in double precision where a sum is long.

/// Dot product, accumulated in `f64`.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&x, &y)| f64::from(x) * f64::from(y))
        .sum()
}

/// The relative rounding error allowed in a difference or a sum of products, as a share of the lengths of its
/// operands: `2^-20`. Components are `f32`, so each operand has an error of up to `2^-24` of its length from
/// its own rounding and as much from its normalisation; the rest is headroom for the arithmetic that follows.
/// A vector shorter than this has no direction.
pub(crate) const ROUNDING: f64 = 1.0 / 1_048_576.0;

/// As [`normalize`], for the difference of operands whose lengths add up to `scale`: a vector not longer than
/// [`ROUNDING`] times `scale`, or not finite, becomes zero, because its direction would be rounding error.
/// Returns the norm, 0 for such a vector.
pub(crate) fn normalize_rest(v: &mut [f32], scale: f64) -> f64 {
    let norm = dot(v, v).sqrt();
    if norm.is_finite() && norm > ROUNDING * scale {
        normalize(v)
    } else {
        v.fill(0.0);
        0.0
    }
}

/// Scales `v` to unit L2 norm in place; a zero vector stays zero. Returns the norm it had.
pub fn normalize(v: &mut [f32]) -> f64 {
    let norm = dot(v, v).sqrt();
    if norm > 0.0 {
        let inverse = 1.0 / norm;
        for x in v {
            *x = (f64::from(*x) * inverse) as f32;
        }
    }
    norm
}

/// The mean direction of unit vectors: their sum, normalised.
///
/// `rows` is `[n, dim]` row-major, `n >= 1`. This is how the captions of one pair, and the prompts
/// of one class (CLIP), become one vector: each normalised, averaged, normalised again. The result is zero if
/// the vectors cancel out up to [`ROUNDING`].
pub(crate) fn mean_direction(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut sum = vec![0f64; dim];
    let mut scale = 0.0;
    for row in rows.chunks_exact(dim) {
        scale += dot(row, row).sqrt();
        for (s, &x) in sum.iter_mut().zip(row) {
            *s += f64::from(x);
        }
    }
    let norm = sum.iter().map(|s| s * s).sum::<f64>().sqrt();
    let inverse = if norm > ROUNDING * scale {
        1.0 / norm
    } else {
        0.0
    };
    sum.into_iter().map(|s| (s * inverse) as f32).collect()
}

/// A sum of vectors that does not depend on the order of its parts.
///
/// Each component is kept as a fixed-point integer in units of 2^-64, so adding is associative and
/// subtracting undoes it exactly: the mean of an anchor set has the same bits whatever changes led to it.
/// Components are those of unit vectors; 2^62 of them fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorSum {
    sums: Vec<i128>,
    count: u64,
}

const UNITS: f64 = 18_446_744_073_709_551_616.0;

impl VectorSum {
    /// The sum of no vectors.
    pub(crate) fn new(dim: usize) -> Self {
        Self {
            sums: vec![0; dim],
            count: 0,
        }
    }

    /// From the values of [`Self::sums`] and [`Self::count`].
    pub(crate) fn from_parts(sums: Vec<i128>, count: u64) -> Self {
        Self { sums, count }
    }

    /// Adds one vector, `[dim]`.
    pub fn add(&mut self, vector: &[f32]) {
        for (s, &x) in self.sums.iter_mut().zip(vector) {
            *s += units(x);
        }
        self.count += 1;
    }

    /// Adds all vectors of another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (s, o) in self.sums.iter_mut().zip(&other.sums) {
            *s += o;
        }
        self.count += other.count;
    }

    /// Subtracts all vectors of another sum. This is exact: the result has the bits of a sum without them.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (s, o) in self.sums.iter_mut().zip(&other.sums) {
            *s = s.wrapping_sub(*o);
        }
        self.count = self.count.saturating_sub(other.count);
    }

    /// The sums in units of 2^-64, `[dim]`.
    pub(crate) fn sums(&self) -> &[i128] {
        &self.sums
    }

    /// The number of vectors added.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The mean, `[dim]`; zero when nothing was added.
    pub(crate) fn mean(&self) -> Vec<f32> {
        let n = self.count.max(1) as f64;
        self.sums
            .iter()
            .map(|&s| (s as f64 / UNITS / n) as f32)
            .collect()
    }
}

/// `x` in units of 2^-64, rounded towards zero: `(x * 2^64) as i128`, computed from the bits of `x` in
/// a fifth of the time. Large, infinite and NaN values saturate as that conversion does.
fn units(x: f32) -> i128 {
    let bits = x.to_bits();
    let exponent = (bits >> 23 & 0xFF) as i32;
    if exponent >= 127 + 62 {
        return (f64::from(x) * UNITS) as i128;
    }
    // Subnormal numbers have exponent 0 and no implicit leading bit.
    let implicit = i64::from(exponent != 0) << 23;
    let mantissa = i128::from(implicit | i64::from(bits & 0x007F_FFFF));
    // The mantissa's last bit is worth 2^(exponent - 150).
    let shift = exponent.max(1) - 150 + 64;
    // The mantissa has 24 bits: shifted right by 24 or more it is 0. Shifting the magnitude and negating
    // it afterwards rounds towards zero, as `as i128` does.
    let size = if shift >= 0 {
        mantissa << shift
    } else if shift > -24 {
        mantissa >> -shift
    } else {
        0
    };
    if x.is_sign_negative() { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn units_are_those_of_the_plain_conversion(x in any::<f32>(), y in -1f32..1.0) {
            for x in [x, y, y * 1e-9, y * 1e-18, y * 1e-38, y * 1e-42] {
                prop_assert_eq!(units(x), (f64::from(x) * UNITS) as i128, "{}", x);
            }
        }
    }

    #[test]
    fn normalising_keeps_direction_and_zero() {
        let mut v = [3.0, 4.0];
        assert_eq!(normalize(&mut v), 5.0);
        assert_eq!(v, [0.6, 0.8]);
        let mut zero = [0.0, 0.0];
        assert_eq!(normalize(&mut zero), 0.0);
        assert_eq!(zero, [0.0, 0.0]);
    }

    #[test]
    fn a_rest_of_rounding_has_no_direction() {
        for (length, is_noise) in [(1e-8f32, true), (1.5e-6, true), (3e-6, false), (0.5, false)] {
            let mut v = [0.6 * length, -0.8 * length];
            assert_eq!(normalize_rest(&mut v, 2.0) == 0.0, is_noise, "{length}");
            assert_eq!(v == [0.0, 0.0], is_noise, "{length}");
        }
        let mut v = [f32::NAN, 1.0];
        assert_eq!((normalize_rest(&mut v, 2.0), v), (0.0, [0.0, 0.0]));
        assert_eq!(
            mean_direction(&[0.6, 0.8, -0.6, -0.8 + 6e-8], 2),
            [0.0, 0.0]
        );
    }

    #[test]
    fn mean_direction_of_opposites_is_zero_not_nan() {
        assert_eq!(mean_direction(&[1.0, 0.0, -1.0, 0.0], 2), [0.0, 0.0]);
        let m = mean_direction(&[1.0, 0.0, 0.0, 1.0], 2);
        assert!((m[0] - 0.5f32.sqrt()).abs() < 1e-7 && m[0] == m[1]);
    }

    #[test]
    fn the_order_of_a_sum_leaves_no_trace() {
        let rows = [[0.1f32, -0.7], [1e-9, 0.3], [0.123_456_7, 1.0]];
        let mut forward = VectorSum::new(2);
        rows.iter().for_each(|r| forward.add(r));
        let (mut last, mut first) = (VectorSum::new(2), VectorSum::new(2));
        last.add(&rows[2]);
        rows[..2].iter().rev().for_each(|r| first.add(r));
        last.merge(&first);
        assert_eq!(forward, last);
        last.subtract(&first);
        let mut only = VectorSum::new(2);
        only.add(&rows[2]);
        assert_eq!(last, only, "what was taken away leaves no trace");
        assert!((forward.mean()[1] - 0.2).abs() < 1e-7);
    }
}
