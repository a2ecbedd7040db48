//! The maps of one stage, each made once.

use ndarray::Array2;

use crate::space::Part;
use crate::space::linear::{self, FitError, LinearMap, Moments};
use crate::space::product::Rows;
use crate::space::recipe::Canonical;

/// Maps of some pairs' moments.
///
/// Canonical coordinates of any exponent and number of dimensions come from one decomposition for
/// each shrinkage: their columns are the same directions, scaled by powers of the correlations.
#[derive(Debug)]
pub struct Fits {
    moments: Moments,
    /// For each shrinkage the maps with exponent 0 and all dimensions.
    canonical: Vec<(f64, [LinearMap; 2])>,
}

impl Fits {
    /// Of moments.
    pub fn new(moments: Moments) -> Self {
        Self {
            moments,
            canonical: Vec::new(),
        }
    }

    /// The subtraction of both means.
    pub fn centering(&self) -> [LinearMap; 2] {
        self.moments
            .means()
            .map(|mean| LinearMap::identity(mean.into_iter().map(|m| m as f32).collect()))
    }

    /// See [`linear::whitening`].
    pub fn whitening(&self, shrinkage: f64) -> Result<[LinearMap; 2], FitError> {
        linear::whitening(&self.moments, shrinkage)
    }

    /// See [`linear::canonical`].
    pub fn canonical(&mut self, params: Canonical) -> Result<[LinearMap; 2], FitError> {
        let known = |known: &&(f64, _)| known.0 == params.shrinkage;
        let whole = match self.canonical.iter().find(known) {
            Some((_, maps)) => maps.clone(),
            None => {
                let all = Canonical {
                    dims: usize::MAX,
                    exponent: 0.0,
                    ..params
                };
                let maps = linear::canonical(&self.moments, &all)?;
                self.canonical.push((params.shrinkage, maps.clone()));
                maps
            }
        };
        Ok(whole.map(|map| rescaled(&map, &params)))
    }

    /// The maps of a part that compares coordinates directly.
    pub fn direct(&mut self, part: &Part) -> Result<[LinearMap; 2], FitError> {
        match *part {
            Part::Ridge { shrinkage } => linear::ridge(&self.moments, shrinkage),
            Part::Procrustes => linear::procrustes(&self.moments),
            Part::Canonical(canonical) | Part::AsifCanonical { canonical, .. } => {
                self.canonical(canonical)
            }
            Part::Whitened { shrinkage, .. } => self.whitening(shrinkage),
            Part::Asif(_) => Ok(self.centering()),
        }
    }
}

/// Of a map with exponent 0 the one with this exponent and so many dimensions.
fn rescaled(map: &LinearMap, params: &Canonical) -> LinearMap {
    let dims = params.dims.min(map.coordinates());
    let correlations = map.scale()[..dims].to_vec();
    let factor: Vec<f32> = correlations
        .iter()
        .map(|&c| f64::from(c).max(0.0).powf(params.exponent) as f32)
        .collect();
    let mut matrix = Array2::zeros((map.center().len(), dims));
    let rows = map.matrix().into_iter().flat_map(Rows::iter);
    for (mut new, row) in matrix.rows_mut().into_iter().zip(rows) {
        for ((n, v), f) in new.iter_mut().zip(row).zip(&factor) {
            *n = v * f;
        }
    }
    LinearMap::new(map.center().to_vec(), matrix, correlations)
}
