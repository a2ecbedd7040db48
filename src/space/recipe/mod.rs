//! The recipe of a space: which ways of comparing an image with a text it is made of.
//!
//! ```text
//! recipe = parts (each a way to compare, with a weight) + calibration, or none
//!
//! part                         a way of comparing: see `comparison`
//!
//! calibration                  s-norm, CSLS or NNN against hubs, or the parts' scale alone
//! ```
//!
//! All of them are closed forms of the same anchor pairs; nothing is trained.
//!
//! | file | role |
//! |---|---|
//! | `hubness` | the corrections for hubs, and their settings |
//! | `names` | what names on a command line stand for |
//! | `check`, `error` | whether the numbers make sense |
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
pub use self::hubness::{Calibration, Hubness};
pub use self::names::known_spaces;
use super::comparison::Part;
use super::params::SpaceParams;

/// Fewer anchors than this say too little of how two sides vary together: a fused space is then
/// plain relative rows.
pub const FEW: usize = 64;

/// A space: its parts, and how their scores become one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Recipe {
    /// The ways of comparing, at least one.
    pub parts: Vec<WeightedPart>,
    /// How scores are corrected for hubs and brought to one scale; several parts need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// What manifests may hold: a recipe, or the parameters of plain relative rows alone.
#[derive(Deserialize)]
#[serde(untagged, expecting = "unknown kind of space")]
enum Written {
    Recipe {
        parts: Vec<WeightedPart>,
        #[serde(default)]
        calibration: Option<Calibration>,
    },
    Plain(SpaceParams),
}

/// One way of comparing, and its say in the sum.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WeightedPart {
    /// The share of this part; shares are divided by their sum.
    pub weight: f64,
    /// The way of comparing.
    #[serde(flatten)]
    pub part: Part,
}

impl From<Written> for Recipe {
    fn from(written: Written) -> Self {
        match written {
            Written::Recipe { parts, calibration } => Self { parts, calibration },
            Written::Plain(params) => params.into(),
        }
    }
}

impl Recipe {
    /// One part, not calibrated.
    pub fn of(part: Part) -> Self {
        Self {
            parts: vec![WeightedPart { weight: 1.0, part }],
            calibration: None,
        }
    }

    /// The same parts with this correction for hubs: as it is where it has that one already, with its
    /// usual numbers where it has another.
    pub fn with_hubness(mut self, hubness: Hubness) -> Self {
        if hubness == Hubness::None && self.parts.len() == 1 {
            self.calibration = None;
            return self;
        }
        let same = |c: &Calibration| discriminant(&c.hubness) == discriminant(&hubness);
        if !self.calibration.as_ref().is_some_and(same) {
            self.calibration = Some(Calibration::of(hubness));
        }
        self
    }

    /// The correction for hubs.
    pub fn hubness(&self) -> Hubness {
        self.calibration.map_or(Hubness::None, |c| c.hubness)
    }

    /// Whether a number is needed that each part's scores are counted in, see [`Calibration`]: in a
    /// sum, and for the least deviation of s-norm.
    pub fn has_units(&self) -> bool {
        self.parts.len() > 1 || self.hubness() == Hubness::SNorm
    }

    /// What is left of it for so few anchors: below [`FEW`], the relative rows of the encoders'
    /// vectors if it has them, not calibrated; else all of it.
    pub fn for_anchors(&self, anchors: usize) -> Self {
        let plain = self.parts.iter().find(|p| p.part.plain().is_some());
        match plain {
            Some(plain) if anchors < FEW && self.parts.len() > 1 => Self::of(plain.part),
            _ => self.clone(),
        }
    }

    /// The rows of the first part that is plain relative rows, if there is one.
    pub fn plain(&self) -> Option<&SpaceParams> {
        self.parts.iter().find_map(|p| p.part.plain())
    }

    /// The most anchors that any part keeps in a row; 0 when no part has rows.
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

impl From<SpaceParams> for Recipe {
    /// Plain relative rows, not calibrated.
    fn from(params: SpaceParams) -> Self {
        Self::of(Part::Asif(params))
    }
}

impl Default for Recipe {
    /// [`Recipe::fused`].
    fn default() -> Self {
        Self::fused()
    }
}
