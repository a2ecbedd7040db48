//! Vectors by their direction.

use std::collections::BTreeMap;

use crate::space::vector::normalize;

/// Directions of vectors, found again whatever the vectors' lengths: stored vectors of several
/// encoders are cached ones at other lengths, rounded once or twice.
#[derive(Debug, Default)]
pub struct Directions {
    /// Unit vectors by the sum of their numbers.
    units: BTreeMap<i64, Vec<Vec<f32>>>,
}

impl Directions {
    /// What each number of two vectors of one direction may differ by.
    const ROUNDING: f32 = 1e-6;
    /// Sums are told apart in steps of this; those of one direction are in neighbouring steps.
    const STEP: f64 = 0.01;

    /// Adds the direction of a vector.
    pub fn insert(&mut self, vector: &[f32]) {
        let (step, unit) = Self::place(vector);
        self.units.entry(step).or_default().push(unit);
    }

    /// Whether a vector with this direction was added.
    pub fn contains(&self, vector: &[f32]) -> bool {
        let (step, unit) = Self::place(vector);
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
