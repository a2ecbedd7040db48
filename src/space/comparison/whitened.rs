//! Relative rows over whitened vectors: the covariance of each side is made the identity.

use serde::{Deserialize, Serialize};

use super::kind::Comparison;
use crate::space::anchors::Anchors;
use crate::space::fitted::{FittedPart, Fitter};
use crate::space::recipe::error::{RecipeError, positive};
use crate::space::{SpaceParams, linear};

/// The settings of relative rows over whitened vectors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Whitened {
    /// This times the mean variance is added to the variance of every direction before whitening.
    pub shrinkage: f64,
    /// The rows; they are always centred.
    pub rows: SpaceParams,
}

impl Comparison for Whitened {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        let settings = Self {
            shrinkage: 1.0,
            rows: SpaceParams::default(),
        };
        vec![("whitened", "relative rows over whitened vectors", settings)]
    }

    fn name(&self) -> &'static str {
        "whitened"
    }

    fn settings(&self) -> Vec<String> {
        let shrinkage = format!("shrinkage {}", self.shrinkage);
        [shrinkage].into_iter().chain(self.rows.words()).collect()
    }

    fn validate(&self) -> Result<(), RecipeError> {
        self.rows.check()?;
        positive("shrinkage", self.shrinkage)
    }

    fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
        Some(&mut self.rows)
    }

    fn fit<A: Anchors>(&self, fitter: &mut Fitter<A>) -> Result<FittedPart, A::Error> {
        fitter.rows(self.frame_key(), self.rows, |fitter| {
            let maps = linear::whitening(fitter.moments()?, self.shrinkage)?;
            Ok(fitter.mapped(maps))
        })
    }
}
