//! Relative rows over canonical coordinates.

use serde::{Deserialize, Serialize};

use super::kind::Comparison;
use crate::space::SpaceParams;
use crate::space::anchors::Anchors;
use crate::space::fitted::{FittedPart, Fitter};
use crate::space::linear::CanonicalParams;
use crate::space::recipe::error::RecipeError;

/// The settings of relative rows over canonical coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AsifCanonical {
    /// The coordinates.
    pub canonical: CanonicalParams,
    /// The rows; they are always centred.
    pub rows: SpaceParams,
}

impl Default for AsifCanonical {
    fn default() -> Self {
        Self {
            canonical: CanonicalParams::default(),
            rows: SpaceParams {
                k: 400,
                p: 2.0,
                ..SpaceParams::default()
            },
        }
    }
}

impl Comparison for AsifCanonical {
    fn named() -> Vec<(&'static str, &'static str, Self)> {
        let what = "relative rows over canonical coordinates";
        vec![("asif-canonical", what, Self::default())]
    }

    fn name(&self) -> &'static str {
        "asif-canonical"
    }

    fn settings(&self) -> Vec<String> {
        let canonical = self.canonical.settings().into_iter();
        canonical.chain(self.rows.words()).collect()
    }

    fn validate(&self) -> Result<(), RecipeError> {
        self.rows.check()?;
        self.canonical.validate()
    }

    fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
        Some(&mut self.rows)
    }

    fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
        Some(&mut self.canonical)
    }

    fn fit<A: Anchors>(&self, fitter: &mut Fitter<A>) -> Result<FittedPart, A::Error> {
        fitter.rows(self.frame_key(), self.rows, |fitter| {
            let maps = fitter.canonical(self.canonical)?;
            Ok(fitter.mapped(maps))
        })
    }
}
