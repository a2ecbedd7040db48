//! The names of spaces.

use super::{Calibration, Canonical, Part, Recipe, RecipeError, WeightedPart};
use crate::space::params::SpaceParams;

/// The names that [`Recipe::named`] knows, with what each is.
pub const NAMES: [(&str, &str); 8] = [
    (
        "fused",
        "asif + asif-canonical + canonical, calibrated: the default",
    ),
    ("asif", "relative rows, centred, k 200, p 4"),
    (
        "paper",
        "the paper's relative rows: k 800, p 8, not centred, raw",
    ),
    ("whitened", "relative rows over whitened vectors"),
    ("asif-canonical", "relative rows over canonical coordinates"),
    ("canonical", "canonical coordinates compared directly (CCA)"),
    ("ridge", "images mapped to texts by ridge regression"),
    ("procrustes", "images mapped to texts by the best rotation"),
];

impl Recipe {
    /// Relative rows of the encoders' vectors and of canonical coordinates, and these compared
    /// directly: what is near the anchors, what varies with them, and both.
    pub fn fused() -> Self {
        let rows = SpaceParams {
            k: 400,
            p: 2.0,
            ..SpaceParams::default()
        };
        let canonical = Canonical::default();
        let part = |weight, part| WeightedPart { weight, part };
        Self {
            parts: vec![
                part(1.0, Part::Asif(SpaceParams::default())),
                part(2.0, Part::AsifCanonical { canonical, rows }),
                part(1.5, Part::Canonical(canonical)),
            ],
            calibration: Some(Calibration::default()),
        }
    }

    /// The space of a name in [`NAMES`], or of several joined by `+`, which are then calibrated.
    ///
    /// # Errors
    /// [`RecipeError::Unknown`].
    pub fn named(name: &str) -> Result<Self, RecipeError> {
        let mut parts = Vec::new();
        for one in name.split('+').map(str::trim) {
            parts.extend(Self::one(one)?.parts);
        }
        let calibration = (parts.len() > 1).then(Calibration::default);
        Ok(Self { parts, calibration })
    }

    /// The name in [`NAMES`] that stands for exactly this recipe, if one does.
    pub fn known_name(&self) -> Option<&'static str> {
        let mut names = NAMES.iter().map(|(name, _)| *name);
        names.find(|name| Self::named(name).is_ok_and(|known| known == *self))
    }

    fn one(name: &str) -> Result<Self, RecipeError> {
        let rows = SpaceParams::default();
        let canonical = Canonical::default();
        Ok(Self::of(match name {
            "fused" => return Ok(Self::fused()),
            "asif" => Part::Asif(rows),
            "paper" => Part::Asif(SpaceParams::PAPER),
            "whitened" => Part::Whitened {
                shrinkage: 1.0,
                rows,
            },
            "asif-canonical" => Part::AsifCanonical {
                canonical,
                rows: SpaceParams {
                    k: 400,
                    p: 2.0,
                    ..rows
                },
            },
            "canonical" => Part::Canonical(canonical),
            "ridge" => Part::Ridge { shrinkage: 1.0 },
            "procrustes" => Part::Procrustes,
            other => return Err(RecipeError::Unknown(other.to_owned())),
        }))
    }
}
