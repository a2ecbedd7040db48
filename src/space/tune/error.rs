//! Errors of tuning.

use crate::space::linear::FitError;

/// Why no recipe can be recommended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TuneError {
    /// The present recipe cannot be fitted to the pairs.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Cancelled.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}
