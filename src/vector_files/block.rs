//! Rows that were read, and why a row is not a vector.

use std::borrow::Cow;

/// How far the norm of a vector may be from 1 for its bits to be kept: that of unit vectors that were rounded
/// to f32.
const UNIT: f64 = 1e-6;

/// Rows of vectors: those of unit length, and those that have no usable vector.
#[derive(Debug, Default)]
pub struct VectorBlock {
    /// `[rows, dim]`; a row with a fault has any numbers.
    pub values: Vec<f32>,
    /// Rows without a usable vector, in order.
    pub faults: Vec<(usize, VectorFault)>,
}

/// Why a row has no usable vector.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorFault {
    /// NaN, or infinity, or a number that is too large for f32.
    #[error("number {place} of its vector is {}", not_finite(*value))]
    NotFinite {
        /// Which number of the row, counted from 1.
        place: usize,
        /// What it is as f32.
        value: f32,
    },
    /// A vector without a direction.
    #[error("its vector consists of zeros, so it has no direction")]
    Zero,
    /// A cell of another length than those before.
    #[error("its vector has {found} numbers, expected {expected}")]
    Length {
        /// Numbers of the other rows.
        expected: usize,
        /// Numbers of this one.
        found: usize,
    },
    /// A cell without a value.
    #[error("it has no vector")]
    Missing,
}

/// What a number is that is not finite as f32.
fn not_finite(value: f32) -> &'static str {
    match value.is_nan() {
        true => "NaN, not a finite number",
        false => "infinite, or too large for a 32-bit number",
    }
}

impl VectorFault {
    /// The fault in a few words, the same for all rows with it.
    pub(crate) fn kind(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::NotFinite { .. } => "vector not finite",
            Self::Zero => "vector of zeros",
            Self::Length { .. } => "vector of another length",
            Self::Missing => "no vector",
        })
    }
}

impl VectorBlock {
    /// Brings all rows to unit length, and notes those that cannot be.
    ///
    /// A vector whose norm is 1 within rounding keeps its bits, so that unit vectors that were written to a
    /// file come back unchanged.
    pub(super) fn normalise(&mut self, dim: usize) {
        let known = std::mem::take(&mut self.faults);
        let mut known = known.into_iter().peekable();
        for (row, vector) in self.values.chunks_exact_mut(dim).enumerate() {
            let fault = match known.next_if(|(at, _)| *at == row) {
                Some((_, fault)) => Some(fault),
                None => to_unit(vector).err(),
            };
            self.faults.extend(fault.map(|fault| (row, fault)));
        }
    }
}

/// Divides a vector by its norm.
fn to_unit(vector: &mut [f32]) -> Result<(), VectorFault> {
    // Several sums, so that the additions need not wait for each other.
    let mut sums = [0.0_f64; 8];
    let mut chunks = vector.chunks_exact(8);
    for chunk in &mut chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    let rest: f64 = chunks
        .remainder()
        .iter()
        .map(|x| f64::from(*x).powi(2))
        .sum();
    let norm = (sums.iter().sum::<f64>() + rest).sqrt();
    // Squares of f32 do not overflow in f64, so the norm is finite where all numbers are.
    if !norm.is_finite() {
        let place = vector.iter().position(|x| !x.is_finite()).unwrap_or(0);
        return Err(VectorFault::NotFinite {
            place: place + 1,
            value: vector[place],
        });
    }
    if norm == 0.0 {
        return Err(VectorFault::Zero);
    }
    if (norm - 1.0).abs() > UNIT {
        let factor = 1.0 / norm;
        for x in vector {
            *x = (f64::from(*x) * factor) as f32;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(values: &[f32]) -> VectorBlock {
        VectorBlock {
            values: values.to_vec(),
            faults: Vec::new(),
        }
    }

    #[test]
    fn rows_become_unit_vectors_and_unit_vectors_stay() {
        let unit = [0.6_f32, 0.8];
        let mut rows = block(&[3.0, 4.0, unit[0], unit[1], 1e-30, 0.0, 3e38, 3e38]);
        rows.normalise(2);
        assert!(rows.faults.is_empty());
        assert_eq!(rows.values[..4], [0.6, 0.8, 0.6, 0.8]);
        assert_eq!(rows.values[4..6], [1.0, 0.0]);
        assert!((rows.values[6] - 0.5_f32.sqrt()).abs() < 1e-7);
    }

    #[test]
    fn rows_without_a_direction_are_named_and_their_neighbours_are_not() {
        let mut rows = block(&[
            1.0,
            f32::NAN,
            0.0,
            1.0,
            0.0,
            -0.0,
            f32::INFINITY,
            0.0,
            1.0,
            0.0,
        ]);
        rows.faults.push((4, VectorFault::Missing));
        rows.normalise(2);
        let faulty: Vec<_> = rows.faults.iter().map(|(row, _)| *row).collect();
        assert_eq!(faulty, [0, 2, 3, 4]);
        let said: Vec<_> = rows.faults.iter().map(|(_, f)| f.to_string()).collect();
        assert!(
            said[0].contains("number 2 of its vector is NaN"),
            "{said:?}"
        );
        assert!(said[1].contains("zeros"), "{said:?}");
        assert!(
            said[2].contains("number 1 of its vector is infinite, or too large"),
            "{said:?}"
        );
    }
}
