//! The settings of canonical coordinates.

use serde::{Deserialize, Serialize};

/// The settings of canonical coordinates.
///
/// `S_x = cov(x) + shrinkage * mean(eig) * I`, likewise `S_y`; `U S V' = svd(S_x^-1/2 C_xy
/// S_y^-1/2)`; an image is projected by `S_x^-1/2 U S^exponent`, a text by `S_y^-1/2 V S^exponent`
/// (Hotelling 1936; with shrinkage Vinod 1976; for two frozen encoders CSA, Li et al., ICLR 2025).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CanonicalParams {
    /// The number of coordinates; clamped to the shorter of both vectors.
    pub dims: usize,
    /// The ridge: this times the mean variance is added to the variance of every direction. Few pairs need
    /// much.
    pub shrinkage: f64,
    /// Each coordinate is multiplied by its correlation to this power.
    pub exponent: f64,
}

impl Default for CanonicalParams {
    fn default() -> Self {
        Self {
            dims: 384,
            shrinkage: 1.0,
            exponent: 0.5,
        }
    }
}
