//! The cosine between the text and the image mapped by ridge regression.

use serde::{Deserialize, Serialize};

use super::settings::PartSettings;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, SpaceFitter};
use crate::space::linear;
use crate::space::recipe::error::{RecipeError, positive};

/// The settings of ridge regression from images to texts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RidgeParams {
    /// The ridge: this times the mean variance is added to the variance of every direction.
    pub shrinkage: f64,
}

impl PartSettings for RidgeParams {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        let what = "images mapped to texts by ridge regression";
        vec![("ridge", what, Self { shrinkage: 1.0 })]
    }

    fn name(&self) -> &'static str {
        "ridge"
    }

    fn settings(&self) -> Vec<String> {
        vec![format!("shrinkage {}", self.shrinkage)]
    }

    fn validate(&self) -> Result<(), RecipeError> {
        positive("shrinkage", self.shrinkage)
    }

    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error> {
        let maps = linear::ridge(fitter.moments()?, self.shrinkage)?;
        Ok(FittedPart::Mapped(maps))
    }
}
