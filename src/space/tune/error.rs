//! Why a set cannot be tuned.

use crate::space::linear::FitError;

/// Why no recipe can be recommended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// The pairs do not allow the present recipe.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Somebody asked to stop.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}
