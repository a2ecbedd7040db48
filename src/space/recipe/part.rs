//! The ways of comparing an image with a text.

use serde::{Deserialize, Serialize};

use crate::space::params::SpaceParams;

/// A way of comparing an image with a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Part {
    /// Relative rows (Norelli et al. 2023, section 3), over the vectors as the encoders gave them.
    Asif(SpaceParams),
    /// Relative rows over vectors whose covariance was made the identity, each side by itself.
    Whitened {
        /// How much of the mean variance is added to every direction before.
        shrinkage: f64,
        /// The rows; they are always centred.
        rows: SpaceParams,
    },
    /// Relative rows over canonical coordinates.
    AsifCanonical {
        /// The coordinates.
        canonical: Canonical,
        /// The rows; they are always centred.
        rows: SpaceParams,
    },
    /// The cosine of canonical coordinates.
    Canonical(Canonical),
    /// The cosine between the text and the image mapped by ridge regression.
    Ridge {
        /// How much of the mean variance is added to every direction before.
        shrinkage: f64,
    },
    /// The cosine between the text and the image mapped by the best rotation.
    Procrustes,
}

/// Canonical coordinates: the directions of both sides that vary together the most.
///
/// `S_x = cov(x) + shrinkage * mean(eig) * I`, likewise `S_y`; `U S V' = svd(S_x^-1/2 C_xy
/// S_y^-1/2)`; an image is projected by `S_x^-1/2 U S^exponent`, a text by `S_y^-1/2 V S^exponent`
/// (Hotelling 1936; with shrinkage Vinod 1976; for two frozen encoders CSA, Li et al., ICLR 2025).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Canonical {
    /// How many coordinates are kept; clamped to the shorter of both vectors.
    pub dims: usize,
    /// How much of the mean variance is added to every direction: few pairs need much.
    pub shrinkage: f64,
    /// The power of each coordinate's correlation that it is multiplied with.
    pub exponent: f64,
}

impl Default for Canonical {
    fn default() -> Self {
        Self {
            dims: 384,
            shrinkage: 1.0,
            exponent: 0.5,
        }
    }
}

impl Part {
    /// The rows, where the part has any.
    pub fn rows(&self) -> Option<&SpaceParams> {
        match self {
            Self::Asif(rows) | Self::Whitened { rows, .. } | Self::AsifCanonical { rows, .. } => {
                Some(rows)
            }
            Self::Canonical(_) | Self::Ridge { .. } | Self::Procrustes => None,
        }
    }

    /// The rows, to change them.
    pub fn rows_mut(&mut self) -> Option<&mut SpaceParams> {
        match self {
            Self::Asif(rows) | Self::Whitened { rows, .. } | Self::AsifCanonical { rows, .. } => {
                Some(rows)
            }
            Self::Canonical(_) | Self::Ridge { .. } | Self::Procrustes => None,
        }
    }

    /// The name of the kind, as in [`NAMES`](super::NAMES).
    pub fn name(&self) -> &'static str {
        match self {
            Self::Asif(rows) if *rows == SpaceParams::PAPER => "paper",
            Self::Asif(_) => "asif",
            Self::Whitened { .. } => "whitened",
            Self::AsifCanonical { .. } => "asif-canonical",
            Self::Canonical(_) => "canonical",
            Self::Ridge { .. } => "ridge",
            Self::Procrustes => "procrustes",
        }
    }

    /// Whether it needs the second moments of the anchors.
    pub fn is_fitted(&self) -> bool {
        !matches!(self, Self::Asif(_))
    }
}
