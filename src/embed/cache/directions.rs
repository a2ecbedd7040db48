//! Looks up vectors by direction.

use std::collections::BTreeMap;

use crate::space::vector::normalize;

/// Directions of vectors, looked up whatever the vectors' norms: stored vectors of several
/// encoders are cached ones scaled by their weight, rounded once or twice.
#[derive(Debug, Default)]
pub(crate) struct DirectionLookup {
    /// Unit vectors by the bucket of the sum of their components.
    units: BTreeMap<i64, Vec<Vec<f32>>>,
}

impl DirectionLookup {
    /// Tolerance per component for two vectors of the same direction.
    const ROUNDING: f32 = 1e-6;
    /// Width of a bucket of sums; vectors of one direction fall into the same or a neighbouring bucket.
    const STEP: f64 = 0.01;

    /// Adds the direction of a vector.
    pub(crate) fn insert(&mut self, vector: &[f32]) {
        // Most sums differ, so that few vectors are compared number by number.
        let (step, unit) = Self::place(vector);
        self.units.entry(step).or_default().push(unit);
    }

    /// Whether a vector with this direction was added.
    pub(crate) fn contains(&self, vector: &[f32]) -> bool {
        let (step, unit) = Self::place(vector);
        // Rounding may move a sum across the border of its bucket.
        let near = self.units.range(step - 1..=step + 1);
        let same = |known: &Vec<f32>| {
            let mut pairs = known.iter().zip(&unit);
            known.len() == unit.len() && pairs.all(|(a, b)| (a - b).abs() <= Self::ROUNDING)
        };
        near.flat_map(|(_, units)| units).any(same)
    }

    fn place(vector: &[f32]) -> (i64, Vec<f32>) {
        let mut unit = vector.to_vec();
        normalize(&mut unit);
        let sum: f64 = unit.iter().map(|&x| f64::from(x)).sum();
        ((sum / Self::STEP).floor() as i64, unit)
    }
}
