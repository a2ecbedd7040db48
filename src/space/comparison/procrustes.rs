//! Orthogonal Procrustes: the cosine between the text and the image mapped by the best rotation
//! (Schönemann 1966).

use serde::{Deserialize, Serialize};

use super::kind::Comparison;
use crate::space::anchors::Anchors;
use crate::space::fitted::{FittedPart, Fitter};
use crate::space::linear;
use crate::space::recipe::error::RecipeError;

/// Orthogonal Procrustes from images to texts, which has no settings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Procrustes {}

impl Comparison for Procrustes {
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

    fn fit<A: Anchors>(&self, fitter: &mut Fitter<A>) -> Result<FittedPart, A::Error> {
        let maps = linear::procrustes(fitter.moments()?)?;
        Ok(FittedPart::Mapped(maps))
    }
}
