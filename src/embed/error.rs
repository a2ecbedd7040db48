//! Errors that stop the embedding of all inputs; a bad input alone does not.

use crate::encode::EncodeError;
use crate::modality::Modality;

/// No input could be embedded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// A prompt could not be encoded, and all were needed.
    #[error("prompt {prompt:?}: {reason}")]
    Prompt {
        /// The prompt.
        prompt: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The encoder is not here.
    #[error(
        "no {modality} can be encoded: the {modality} encoder {name} is not open here, and of it only vectors are \
         known; give vectors that it made instead of {modality}s"
    )]
    NoEncoder {
        /// What would have been encoded.
        modality: Modality,
        /// The encoder's name.
        name: String,
    },
    /// The operation was cancelled.
    #[error("interrupted; what was embedded so far is in the embedding cache")]
    Interrupted,
    /// The encoder failed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The file system refused; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
