//! The recipe of a space: the parts that it is made of, and how their scores are calibrated and added.
//!
//! ```text
//! recipe = parts, each with a weight + an optional calibration
//!
//! part                         a way of comparing an image with a text: see `parts`
//!
//! calibration                  s-norm, CSLS or NNN against hubs, or one scale for the parts only
//! ```
//!
//! All parts are closed forms of the same anchor pairs; nothing is trained.
//!
//! | file | role |
//! |---|---|
//! | `hubness` | the corrections for hubs, and their settings |
//! | `names` | named recipes |
//! | `check`, `error` | validates a recipe |
//! | `show` | a recipe as one line of text |

mod check;
pub(super) mod error;
mod hubness;
mod names;
mod show;

#[cfg(test)]
mod tests;

use std::mem::discriminant;

use serde::{Deserialize, Serialize};

pub use self::error::RecipeError;
pub use self::hubness::{HubnessCorrection, ScoreCalibration};
pub use self::names::known_spaces;
use super::params::RelativeParams;
use super::parts::SpacePart;

/// With fewer anchors than this the correlations of both sides cannot be estimated, and a fused space
/// is plain relative rows.
pub(crate) const FEW: usize = 64;

/// The recipe of a space: its parts, and how their scores are calibrated and added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredRecipe")]
pub struct Recipe {
    /// The parts, at least one.
    pub parts: Vec<WeightedPart>,
    /// How scores are corrected for hubs and brought to one scale; required for several parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<ScoreCalibration>,
}

/// The forms of a recipe in manifests: a recipe, or the settings of plain relative rows alone.
#[derive(Deserialize)]
#[serde(untagged, expecting = "unknown kind of space")]
enum StoredRecipe {
    Recipe {
        parts: Vec<WeightedPart>,
        #[serde(default)]
        calibration: Option<ScoreCalibration>,
    },
    Plain(RelativeParams),
}

/// A part and its weight in the sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WeightedPart {
    /// The weight of this part; weights are divided by their sum.
    pub weight: f64,
    /// The part.
    #[serde(flatten)]
    pub part: SpacePart,
}

impl From<StoredRecipe> for Recipe {
    fn from(written: StoredRecipe) -> Self {
        match written {
            StoredRecipe::Recipe { parts, calibration } => Self { parts, calibration },
            StoredRecipe::Plain(params) => params.into(),
        }
    }
}

impl Recipe {
    /// A recipe of one part, not calibrated.
    pub(crate) fn of(part: SpacePart) -> Self {
        Self {
            parts: vec![WeightedPart { weight: 1.0, part }],
            calibration: None,
        }
    }

    /// The same parts with this correction for hubs: unchanged if the recipe has it already, else with its
    /// default numbers.
    pub fn with_hubness(mut self, hubness: HubnessCorrection) -> Self {
        if hubness == HubnessCorrection::None && self.parts.len() == 1 {
            self.calibration = None;
            return self;
        }
        let same = |c: &ScoreCalibration| discriminant(&c.hubness) == discriminant(&hubness);
        if !self.calibration.as_ref().is_some_and(same) {
            self.calibration = Some(ScoreCalibration::of(hubness));
        }
        self
    }

    /// The correction for hubs.
    pub(crate) fn hubness(&self) -> HubnessCorrection {
        self.calibration
            .map_or(HubnessCorrection::None, |c| c.hubness)
    }

    /// Whether each part needs the unit of its scores, see [`ScoreCalibration`]: for a sum of parts, and for the
    /// lower bound of s-norm's deviation.
    pub(crate) fn has_units(&self) -> bool {
        self.parts.len() > 1 || self.hubness() == HubnessCorrection::SNorm
    }

    /// The recipe that is used with so many anchors: below [`FEW`] only the relative rows of the encoders'
    /// vectors, not calibrated, if the recipe has them; else the whole recipe.
    pub(crate) fn for_anchors(&self, anchors: usize) -> Self {
        let plain = self.parts.iter().find(|p| p.part.plain().is_some());
        match plain {
            Some(plain) if anchors < FEW && self.parts.len() > 1 => Self::of(plain.part),
            _ => self.clone(),
        }
    }

    /// The rows of the first part that is plain relative rows, if there is one.
    pub fn plain(&self) -> Option<&RelativeParams> {
        self.parts.iter().find_map(|p| p.part.plain())
    }

    /// The largest `k` of any part; 0 when no part has rows.
    pub fn k(&self) -> usize {
        self.parts
            .iter()
            .filter_map(|p| Some(p.part.rows()?.k))
            .max()
            .unwrap_or(0)
    }

    /// The share of each part; they sum to 1.
    pub fn shares(&self) -> Vec<f64> {
        let sum: f64 = self.parts.iter().map(|p| p.weight).sum();
        self.parts.iter().map(|p| p.weight / sum).collect()
    }
}

impl From<RelativeParams> for Recipe {
    /// Plain relative rows, not calibrated.
    fn from(params: RelativeParams) -> Self {
        Self::of(SpacePart::Asif(params))
    }
}

impl Default for Recipe {
    /// [`Recipe::fused`].
    fn default() -> Self {
        Self::fused()
    }
}
