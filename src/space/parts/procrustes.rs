//! Orthogonal Procrustes: the cosine between the text and the image mapped by the best rotation
//! (Schönemann 1966).

use serde::{Deserialize, Serialize};

use super::settings::PartSettings;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, SpaceFitter};
use crate::space::linear;
use crate::space::recipe::error::RecipeError;

/// Orthogonal Procrustes from images to texts, which has no settings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ProcrustesParams {}

impl PartSettings for ProcrustesParams {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        let what = "images mapped to texts by the best rotation";
        vec![("procrustes", what, Self {})]
    }

    fn name(&self) -> &'static str {
        "procrustes"
    }

    fn settings(&self) -> Vec<String> {
        Vec::new()
    }

    fn validate(&self) -> Result<(), RecipeError> {
        Ok(())
    }

    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error> {
        let maps = linear::procrustes(fitter.moments()?)?;
        Ok(FittedPart::Mapped(maps))
    }
}
