//! An anchor set on disk: its format, how it is built, how it is searched.
//!
//! ```text
//! my.asif/
//!   CURRENT                    the name of the live generation
//!   LOCK                       one writer at a time; readers need no lock
//!   generations/g000001.json   manifest: segments, encoders, space, counts
//!   generations/g000002.del    which pairs are removed, where any are
//!   segments/ID/               immutable: image.vec, text.vec, their graphs, pairs.rec, skipped.jsonl
//!   log/                       the history, one record per generation
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`stored`] | the files on disk, and how they are opened |
//! | [`search`] | an anchor set and a fitted space: maps vectors into the space |
//! | [`change`] | changes of an anchor set: each is a new generation, or nothing |
//! | [`export`](mod@export) | the live pairs as files of other tools |
//! | [`care`] | integrity checks, repair, and purging the traces of a pair |
//! | [`live`] | a long-running process switches to a new generation while it answers queries |
//! | `error` | errors |
//!
//! Arrows run `live, care, export -> change -> search -> stored`.

pub mod care;
pub mod change;
pub(crate) mod error;
pub mod export;
pub mod live;
pub mod search;
pub mod stored;

pub use change::build::{BuildOptions, BuildReport, build, build_from};
pub use change::writer::{ChangeReceipt, WriteOptions};
pub use error::{AnchorsError, EncoderMismatch};
pub use live::{LiveOptions, LiveSet, Snapshot, Watcher};
pub use search::searcher::Searcher;
pub use stored::manifest::Manifest;
pub use stored::rows::LiveRows;
pub use stored::set::{AnchorSet, GenerationFallback};

/// The number of an anchor within a generation: segment after segment, in the order of the pairs.
pub type AnchorId = u32;
