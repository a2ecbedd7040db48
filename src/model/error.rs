//! Why an anchor set with its encoders does not open or answer.

use crate::anchors::AnchorsError;
use crate::anchors::live::LiveError;
use crate::embed::EmbedError;
use crate::encode::{EncodeError, ModelError};
use crate::space::prompts::PromptsError;

/// What can go wrong with an [`AnchorModel`](super::AnchorModel), by the part that says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorModelError {
    /// Nobody says where models lie.
    #[error("no data folder: neither ASIF_HOME, XDG_DATA_HOME nor HOME is set, and none was given")]
    NoHome,
    /// The anchor set.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// Moving to another generation.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// An encoder that is not installed, or whose folder cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// ONNX Runtime.
    #[error(transparent)]
    Runtime(#[from] EncodeError),
    /// Encoding.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The labels.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
}
