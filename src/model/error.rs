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
    /// No home folder is known, in which the models would be.
    #[error("no home folder: neither ASIF_HOME, XDG_DATA_HOME nor HOME is set, and none was given")]
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
    /// A change is on disk, but this process could not move to it: it answers from the generation before,
    /// and a later [`refresh`](super::AnchorModel::refresh) may succeed. Making the change again would not help.
    #[error("generation {generation} is written, and could not be taken over: {source}")]
    WrittenNotLive {
        /// The generation that the change made.
        generation: u64,
        /// Why it is not the one that answers.
        source: LiveError,
    },
    /// Encoding.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The labels.
    #[error(transparent)]
    Prompts(#[from] PromptsError),
}
