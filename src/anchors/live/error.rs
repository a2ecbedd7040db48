//! Why a process keeps its current generation.

use std::path::PathBuf;

use crate::anchors::AnchorsError;
use crate::modality::Modality;

/// A generation was rejected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// It cannot be opened, is damaged, or its space is invalid.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// The caller's canary check failed.
    #[error(
        "{path}: generation {generation} failed its canary: {reason}; \
         a rollback of the anchor set goes back to the one before", path = path.display()
    )]
    Canary {
        /// The anchor set.
        path: PathBuf,
        /// The generation that was refused.
        generation: u64,
        /// The error of the check.
        reason: String,
    },
    /// The process encodes queries with another model than its anchors.
    #[error(
        "{path}: generation {generation} was made with {modality} encoder {found}, and this \
         process answers with {live}; start it again with the encoder of the new generation, or \
         roll the anchor set back", path = path.display()
    )]
    OtherEncoder {
        /// The anchor set.
        path: PathBuf,
        /// The generation that was refused.
        generation: u64,
        /// What the encoder reads.
        modality: Modality,
        /// The name and shortened fingerprint of its encoder.
        found: String,
        /// The same for the live generation.
        live: String,
    },
    /// The anchor set is older than the live generation of this process: it was restored from a copy.
    #[error(
        "{path}: generation {found} is live, but this process has answered from generation {live}, \
         and an anchor set goes back by a new generation, as a rollback makes it; if it was restored from a \
         copy and is to answer as it is, start the process again", path = path.display()
    )]
    Older {
        /// The anchor set.
        path: PathBuf,
        /// The generation that was refused.
        found: u64,
        /// The generation that answers.
        live: u64,
    },
    /// `CURRENT` changed during every attempt.
    #[error(
        "{path}: what CURRENT names was not there to open, {tries} times in a row, because \
         CURRENT kept moving; refresh again once the writers are done", path = path.display()
    )]
    Restless {
        /// The anchor set.
        path: PathBuf,
        /// The number of attempts.
        tries: u32,
    },
    /// No thread could be started.
    #[error("no thread for {what}: {source}; raise the limit on threads, or stop other processes")]
    Thread {
        /// The purpose of the thread.
        what: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
}

impl LiveError {
    /// Whether files of the anchor set are damaged or contradict each other.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Anchors(error) if error.is_damage())
    }
}
