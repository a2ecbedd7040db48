//! Relative rows over whitened vectors: the covariance of each side is made the identity.

use serde::{Deserialize, Serialize};

use super::settings::PartSettings;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, SpaceFitter};
use crate::space::recipe::error::{RecipeError, positive};
use crate::space::{RelativeParams, linear};

/// The settings of relative rows over whitened vectors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WhitenedParams {
    /// This times the mean variance is added to the variance of every direction before whitening.
    pub shrinkage: f64,
    /// The rows; they are always centred.
    pub rows: RelativeParams,
}

impl PartSettings for WhitenedParams {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        let settings = Self {
            shrinkage: 1.0,
            rows: RelativeParams::default(),
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

    fn rows_mut(&mut self) -> Option<&mut RelativeParams> {
        Some(&mut self.rows)
    }

    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error> {
        fitter.rows(self.frame_key(), self.rows, |fitter| {
            let maps = linear::whitening(fitter.moments()?, self.shrinkage)?;
            Ok(fitter.mapped(maps))
        })
    }
}
