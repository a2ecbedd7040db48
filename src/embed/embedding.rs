//! The result of embedding one input.

use std::sync::Arc;

use crate::encode::InputError;
use crate::image_source::ImageSource;
use crate::remedy::InputRemedy;

/// Why an input could not be embedded; the others are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InputRejection {
    /// What is wrong, and what to do.
    pub reason: String,
    /// What the caller can do so that it is accepted, if anything.
    pub remedy: Option<InputRemedy>,
}

impl From<InputError> for InputRejection {
    fn from(error: InputError) -> Self {
        Self {
            reason: error.to_string(),
            remedy: error.remedy(),
        }
    }
}

impl From<String> for InputRejection {
    fn from(reason: String) -> Self {
        Self {
            reason,
            remedy: None,
        }
    }
}

impl InputRejection {
    /// For an image, which is named in the message.
    pub(super) fn of_image(image: &ImageSource, error: &InputError) -> Self {
        Self {
            reason: format!("{image}: {error}"),
            remedy: error.remedy(),
        }
    }
}

/// A unit vector `[dim]`, or why there is none.
pub type EmbeddingResult = Result<Vec<f32>, InputRejection>;

/// Receives warnings about the embedding cache, from any thread.
pub type CacheWarning = Arc<dyn Fn(&str) + Send + Sync>;
