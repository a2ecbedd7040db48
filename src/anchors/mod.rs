//! An anchor set on disk: what it holds, how it is built, how it is searched.
//!
//! ```text
//! my.asif/
//!   CURRENT                    the name of the live generation
//!   LOCK                       one writer at a time; readers need no lock
//!   generations/g000001.json   manifest: segments, encoders, space, counts
//!   generations/g000002.del    which pairs are removed, where any are
//!   segments/ID/               immutable: image.vec, text.vec, their graphs, pairs.rec, skipped.jsonl
//!   log/                       what happened, one record a generation
//! ```
//!
//! | file | role |
//! |---|---|
//! | [`mod@build`] | pairs in, a published generation out |
//! | [`embed`] | inputs to unit vectors, through the cache, with every core busy |
//! | [`cache`] | embeddings by content hash of input and encoder |
//! | [`segment`] | the immutable files of some pairs |
//! | [`records`] | what is known of a pair besides its vectors |
//! | [`manifest`] | what a generation is made of |
//! | [`tombstones`] | which pairs of the segments are removed, as a file |
//! | `rows` | which pairs are live, and their numbers |
//! | [`witness`] | which generation is live, by `CURRENT`, the log and the manifests |
//! | `content` | what files a segment must have, and whether they are its own |
//! | [`publish`] | how a generation goes live, whole or not at all |
//! | `recover` | what killed writers left of segments, and what of it is needed |
//! | `takeover` | what a segment that is written again keeps of the old one |
//! | [`writer`] | the next generation of a set: lock, record, collection of old ones |
//! | [`add`], [`remove`], [`compact`], [`swap`] | the changes |
//! | [`respace`] | another recipe for the same pairs |
//! | [`reweigh`] | other weights for several encoders of a modality |
//! | [`vectors`] | pairs whose vectors were made elsewhere |
//! | [`select`] | which pairs a command speaks of |
//! | [`purge`] | where a pair has left traces, and their end |
//! | [`elsewhere`] | other sets that hold a pair too |
//! | [`check`], [`repair`] | whether a set is sound; what can be made good of a damaged one |
//! | `rebuild` | a damaged segment made again, to the bit |
//! | `sound` | whether one generation is all that its manifest says |
//! | [`place`] | where a set lies, and what in its folder is its own |
//! | `aside` | where a repair moves what it gives up |
//! | [`diff`] | what two sets do not share |
//! | [`history`] | the log of changes |
//! | `log` | the lines of the log: checksums, what they must tell, repair |
//! | [`set`] | an opened set |
//! | [`plan`] | how a segment is searched, and whether it gets graphs |
//! | [`searched`] | a set as the anchors of a space |
//! | [`searcher`] | a set and a space: vectors to what the space makes of them |
//! | [`live`] | a long-running process moves to a new generation while it answers |
//! | [`error`] | what can go wrong |

pub mod add;
mod aside;
pub mod build;
pub mod cache;
pub mod check;
pub mod compact;
mod content;
pub mod diff;
pub mod elsewhere;
pub mod embed;
pub mod error;
pub mod history;
pub mod live;
mod log;
pub mod manifest;
pub mod place;
pub mod plan;
pub mod products;
pub mod publish;
pub mod purge;
mod rebuild;
pub mod records;
mod recover;
pub mod remove;
pub mod repair;
pub mod respace;
pub mod reweigh;
mod rows;
pub mod searched;
pub mod searcher;
pub mod segment;
pub mod select;
pub mod set;
mod sound;
pub mod swap;
mod takeover;
pub mod tombstones;
pub mod vectors;
pub mod witness;
pub mod writer;

use crate::disk as fs;

pub use build::{BuildOptions, BuildReport, build};
pub use embed::Embedder;
pub use error::AnchorsError;
pub use live::{LiveOptions, LiveSet, Snapshot, Watcher};
pub use manifest::Manifest;
pub use searcher::Searcher;
pub use set::{AnchorSet, Fallback};
pub use writer::{Receipt, WriteOptions};

/// The number of an anchor within a generation: segment after segment, in the order of the pairs.
pub type AnchorId = u32;
