//! Why a process stays with the generation that it has.

use std::path::PathBuf;

use crate::anchors::AnchorsError;
use crate::modality::Modality;

/// A generation was not taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// It cannot be opened, is damaged, or its space is invalid.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// The caller's own check said no.
    #[error(
        "{path}: generation {generation} failed its canary: {reason}; \
         a rollback of the set goes back to the one before", path = path.display()
    )]
    Canary {
        /// The set.
        path: PathBuf,
        /// The generation that was refused.
        generation: u64,
        /// What the check said.
        reason: String,
    },
    /// Queries are encoded by another model than its anchors were.
    #[error(
        "{path}: generation {generation} was made with {modality} encoder {found}, and this \
         process answers with {live}; start it again with the encoder of the new generation, or \
         roll the set back", path = path.display()
    )]
    OtherEncoder {
        /// The set.
        path: PathBuf,
        /// The generation that was refused.
        generation: u64,
        /// What the encoder reads.
        modality: Modality,
        /// The name and shortened fingerprint of its encoder.
        found: String,
        /// The same of the live generation's.
        live: String,
    },
    /// The set is an older one than this process has answered from: it was restored from a copy.
    #[error(
        "{path}: generation {found} is live, but this process has answered from generation {live}, \
         and a set goes back by a new generation, as a rollback makes it; if it was restored from a \
         copy and is to answer as it is, start the process again", path = path.display()
    )]
    Older {
        /// The set.
        path: PathBuf,
        /// The generation that was refused.
        found: u64,
        /// The generation that answers.
        live: u64,
    },
    /// `CURRENT` moved each time that it was followed.
    #[error(
        "{path}: what CURRENT names was not there to open, {tries} times in a row, because \
         CURRENT kept moving; refresh again once the writers rest", path = path.display()
    )]
    Restless {
        /// The set.
        path: PathBuf,
        /// How often it was tried.
        tries: u32,
    },
    /// The operating system gives no thread.
    #[error("no thread for {what}: {source}; raise the limit on threads, or stop other processes")]
    Thread {
        /// What it is for.
        what: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
}
