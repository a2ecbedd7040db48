//! The names of spaces.

use super::{Recipe, RecipeError, ScoreCalibration, WeightedPart};
use crate::space::RelativeParams;
use crate::space::linear::CanonicalParams;
use crate::space::parts::{AsifCanonicalParams, SpacePart};

const FUSED: &str = "fused";

/// The names that [`Recipe::named`] knows, each with its description.
pub fn known_spaces() -> Vec<(&'static str, &'static str)> {
    let what = "asif + asif-canonical + canonical, calibrated: the default";
    let parts = SpacePart::named();
    let of_parts = parts.into_iter().map(|(name, what, _)| (name, what));
    [(FUSED, what)].into_iter().chain(of_parts).collect()
}

impl Recipe {
    /// The default: relative rows over the encoders' vectors, relative rows over canonical coordinates, and
    /// canonical coordinates compared directly.
    pub fn fused() -> Self {
        let part = |weight, part| WeightedPart { weight, part };
        Self {
            parts: vec![
                part(1.0, RelativeParams::default().into()),
                part(2.0, AsifCanonicalParams::default().into()),
                part(1.5, CanonicalParams::default().into()),
            ],
            calibration: Some(ScoreCalibration::default()),
        }
    }

    /// The space of one of the [`known_spaces`], or of several joined by `+`, which are then calibrated.
    ///
    /// # Errors
    /// [`RecipeError::Unknown`].
    pub fn named(name: &str) -> Result<Self, RecipeError> {
        let mut parts = Vec::new();
        for one in name.split('+').map(str::trim) {
            parts.extend(Self::one(one)?.parts);
        }
        let calibration = (parts.len() > 1).then(ScoreCalibration::default);
        Ok(Self { parts, calibration })
    }

    /// The name of exactly this recipe, if it has one.
    pub(crate) fn known_name(&self) -> Option<&'static str> {
        let mut names = known_spaces().into_iter().map(|(name, _)| name);
        names.find(|name| Self::named(name).is_ok_and(|known| known == *self))
    }

    fn one(name: &str) -> Result<Self, RecipeError> {
        if name == FUSED {
            return Ok(Self::fused());
        }
        let known = SpacePart::named()
            .into_iter()
            .find(|(known, _, _)| *known == name);
        let unknown = || RecipeError::Unknown {
            name: name.to_owned(),
            known: known_spaces()
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", "),
        };
        known.map(|(_, _, part)| Self::of(part)).ok_or_else(unknown)
    }
}
