//! Canonical correlation analysis: the cosine of canonical coordinates, the directions in which both sides
//! are most correlated.

use rayon::prelude::*;

use super::settings::{PartSettings, ScoreSplit};
use crate::modality::{Modality, PerModality};
use crate::space::PartCode;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, SpaceFitter};
use crate::space::linear::moments::{UNITS, round};
use crate::space::linear::{CanonicalParams, LinearMap};
use crate::space::recipe::error::{RecipeError, positive};

impl PartSettings for CanonicalParams {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        let what = "canonical coordinates compared directly (CCA)";
        vec![("canonical", what, Self::default())]
    }

    fn name(&self) -> &'static str {
        "canonical"
    }

    fn settings(&self) -> Vec<String> {
        vec![
            format!("dims {}, shrinkage {}", self.dims, self.shrinkage),
            format!("exponent {}", self.exponent),
        ]
    }

    fn validate(&self) -> Result<(), RecipeError> {
        positive("shrinkage", self.shrinkage)?;
        let number = |name, value| Err(RecipeError::Number { name, value });
        if !(self.exponent.is_finite() && self.exponent >= 0.0) {
            return number("exponent", self.exponent);
        }
        if self.dims == 0 {
            return number("dims", 0.0);
        }
        Ok(())
    }

    fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
        Some(self)
    }

    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error> {
        Ok(FittedPart::Mapped(fitter.canonical(*self)?))
    }

    /// Splits into all anchors through the covariance that the coordinates are computed from: see
    /// [`linear::canonical`](crate::space::linear::canonical).
    fn split<A: AnchorSource>(
        &self,
        fitted: &FittedPart,
        anchors: &A,
        image: &PartCode,
        text: &PartCode,
    ) -> Result<ScoreSplit, A::Error> {
        let (FittedPart::Mapped(maps), PartCode::Coordinates(u), PartCode::Coordinates(v)) =
            (fitted, image, text)
        else {
            unreachable!("canonical coordinates are fitted and coded as maps");
        };
        let directions = PerModality {
            image: maps.image.unscaled(u, 1.0),
            text: maps.text.unscaled(v, 2.0 * self.exponent as f32),
        };
        let n = anchors.len() as f64;
        let product = |anchor: u32| {
            let along = |side: Modality| {
                let vector = anchors.vector(anchor, side)?;
                Ok::<_, A::Error>(centred_product(vector, &maps[side], &directions[side]))
            };
            Ok((anchor, along(Modality::Image)? * along(Modality::Text)? / n))
        };
        let products = (0..anchors.len() as u32).into_par_iter().map(product);
        Ok(ScoreSplit::ByAnchor(
            products.collect::<Result<_, A::Error>>()?,
        ))
    }
}

/// `<vector - center, direction>`. The vector is rounded as in the moments, so that the sum over the
/// anchors equals the score.
fn centred_product(vector: &[f32], map: &LinearMap, direction: &[f32]) -> f64 {
    let terms = vector.iter().zip(map.center()).zip(direction);
    terms
        .map(|((v, c), d)| (round(*v) / UNITS - f64::from(*c)) * f64::from(*d))
        .sum()
}
