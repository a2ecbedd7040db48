//! Errors that stop the embedding of all inputs; a bad input alone does not.

use crate::encode::EncodeError;

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
