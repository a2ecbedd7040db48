//! What manifests may hold.

use serde::Deserialize;

use super::{Calibration, Recipe, WeightedPart};
use crate::space::params::SpaceParams;

/// A recipe, or the parameters of plain relative rows alone.
#[derive(Deserialize)]
#[serde(untagged, expecting = "unknown kind of space")]
pub(super) enum Written {
    Recipe {
        parts: Vec<WeightedPart>,
        #[serde(default)]
        calibration: Option<Calibration>,
    },
    Plain(SpaceParams),
}

impl From<Written> for Recipe {
    fn from(written: Written) -> Self {
        match written {
            Written::Recipe { parts, calibration } => Self { parts, calibration },
            Written::Plain(params) => params.into(),
        }
    }
}
