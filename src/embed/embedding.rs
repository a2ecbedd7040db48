//! What becomes of one input.

use std::sync::Arc;

use crate::encode::InputError;
use crate::image_source::ImageSource;
use crate::remedy::InputRemedy;

/// An input that could not be embedded, and why; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// What is wrong with it, and what to do.
    pub reason: String,
    /// What would let it be taken, if the caller can do something about it.
    pub remedy: Option<InputRemedy>,
}

impl From<InputError> for Rejected {
    fn from(error: InputError) -> Self {
        Self {
            reason: error.to_string(),
            remedy: error.remedy(),
        }
    }
}

impl From<String> for Rejected {
    fn from(reason: String) -> Self {
        Self {
            reason,
            remedy: None,
        }
    }
}

impl Rejected {
    /// Of an image, which is named.
    pub(super) fn of_image(image: &ImageSource, error: &InputError) -> Self {
        Self {
            reason: format!("{image}: {error}"),
            remedy: error.remedy(),
        }
    }
}

/// A unit vector `[dim]`, or why there is none.
pub type Embedding = Result<Vec<f32>, Rejected>;

/// Told what is wrong with a cache of embeddings, from any thread.
pub type CacheWarning = Arc<dyn Fn(&str) + Send + Sync>;
