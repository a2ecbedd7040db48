//! Why a recipe cannot be used.

use super::names::names;
use crate::space::params::ParamsError;

/// Why a recipe cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No space has this name.
    #[error(
        "{0:?} is not a space; there are {names}, and any of them joined by +",
        names = names().iter().map(|known| known.0).collect::<Vec<_>>().join(", ")
    )]
    Unknown(String),
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
        "the best {top} of a cohort of {cohort} cannot be taken; give at least 2 and at most the cohort"
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
