//! Relative rows over canonical coordinates.

use serde::{Deserialize, Serialize};

use super::settings::PartSettings;
use crate::space::RelativeParams;
use crate::space::anchors::AnchorSource;
use crate::space::fitted::{FittedPart, SpaceFitter};
use crate::space::linear::CanonicalParams;
use crate::space::recipe::error::RecipeError;

/// The settings of relative rows over canonical coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AsifCanonicalParams {
    /// The coordinates.
    pub canonical: CanonicalParams,
    /// The rows; they are always centred.
    pub rows: RelativeParams,
}

impl Default for AsifCanonicalParams {
    fn default() -> Self {
        Self {
            canonical: CanonicalParams::default(),
            rows: RelativeParams {
                k: 400,
                p: 2.0,
                ..RelativeParams::default()
            },
        }
    }
}

impl PartSettings for AsifCanonicalParams {
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

    fn rows_mut(&mut self) -> Option<&mut RelativeParams> {
        Some(&mut self.rows)
    }

    fn canonical_mut(&mut self) -> Option<&mut CanonicalParams> {
        Some(&mut self.canonical)
    }

    fn fit<A: AnchorSource>(&self, fitter: &mut SpaceFitter<A>) -> Result<FittedPart, A::Error> {
        fitter.rows(self.frame_key(), self.rows, |fitter| {
            let maps = fitter.canonical(self.canonical)?;
            Ok(fitter.mapped(maps))
        })
    }
}
