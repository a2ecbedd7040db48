//! Why a recipe cannot be used.

use crate::space::params::RelativeParamsError;

/// Why a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Unknown name of a space.
    #[error("{name:?} is not a space; give one of {known}, or several joined by +")]
    Unknown {
        /// The name.
        name: String,
        /// The known names.
        known: String,
    },
    /// The recipe has no parts.
    #[error("a space needs at least one part")]
    Empty,
    /// Several parts without a calibration: scores of different scale would be added.
    #[error(
        "a space of several parts must be calibrated: their scores have different scales; \
         give it a calibration"
    )]
    Scales,
    /// The number of scores that count is below 2 or above the size of the cohort.
    #[error(
        "expected the best 2 to {cohort} scores of a cohort of {cohort}, found {top}; give a number in that range"
    )]
    Cohort {
        /// How many scores count.
        top: usize,
        /// The size of the cohort.
        cohort: usize,
    },
    /// A number is not between 1e-12 and 1e12.
    #[error("{name} is {value}, but it must be a number above 0, from 1e-12 to 1e12")]
    Number {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// Invalid settings of relative rows.
    #[error(transparent)]
    Rows(#[from] RelativeParamsError),
}

/// Checks that a number is above 0.
pub(in crate::space) fn positive(name: &'static str, value: f64) -> Result<(), RecipeError> {
    // Outside this range, sums of weights and ridges overflow or underflow double precision.
    if (1e-12..=1e12).contains(&value) {
        return Ok(());
    }
    Err(RecipeError::Number { name, value })
}
