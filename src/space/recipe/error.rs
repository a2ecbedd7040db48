//! Why a recipe cannot be used.

use crate::space::params::ParamsError;

/// Why a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No space has this name.
    #[error("{name:?} is not a space; give one of {known}, or several joined by +")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Nothing to compare with.
    #[error("a space needs at least one part")]
    Empty,
    /// Scores of different scale would be added.
    #[error(
        "a space of several parts must be calibrated: their scores have different scales; \
         give it a calibration"
    )]
    Scales,
    /// A cohort that no deviation can be taken of.
    #[error(
        "expected the best 2 to {cohort} scores of a cohort of {cohort}, found {top}; give a number in that range"
    )]
    Cohort {
        /// How many scores were to count.
        top: usize,
        /// How many there are.
        cohort: usize,
    },
    /// A number that must be above zero, and not beyond what sums can hold, is not.
    #[error("{name} is {value}, but it must be a number above 0, from 1e-12 to 1e12")]
    Number {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The parameters of rows make no sense.
    #[error(transparent)]
    Rows(#[from] ParamsError),
}

/// Checks that a number is above 0.
pub(in crate::space) fn positive(name: &'static str, value: f64) -> Result<(), RecipeError> {
    // Beyond this sums of weights and ridges leave what double precision holds.
    if (1e-12..=1e12).contains(&value) {
        return Ok(());
    }
    Err(RecipeError::Number { name, value })
}
