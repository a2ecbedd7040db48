//! A long-running process moves to a new generation while it answers.
//!
//! ```text
//! CURRENT moves -> Watcher -> LiveSet::refresh: open -> verify -> centre -> warm -> canary ─┐
//!                                                 any failure: status says degraded         │ store
//! query -> LiveSet::load -> Arc<Snapshot> ──────── one generation, to the query's end <─────┘
//! ```
//!
//! | file | role |
//! |---|---|
//! | [`handle`] | [`LiveSet`]: the generation that queries get, and how it is replaced |
//! | [`snapshot`] | [`Snapshot`]: one generation and its space, owned |
//! | `admission` | what a generation must pass before a query sees it |
//! | `stamp` | whether files are still what was verified |
//! | `warm` | the pages that searches read, read before a query needs them |
//! | [`watcher`] | [`Watcher`]: notices that `CURRENT` was replaced |
//! | [`error`] | why a process stays with the generation that it has |
//!
//! Quirks and limits:
//! 1. What was answered from a snapshot (anchor ids, class heads, rows) means something for that
//!    snapshot only. Take one snapshot a query and ask it everything.
//! 2. Two generations are mapped: the live one and the one before, so that its last query does not
//!    have to unmap it. It is let go when a writer has removed its files: at the next look of a
//!    [`Watcher`] or the next refresh. What is mapped is page cache, which the system takes back when
//!    it needs it; a centred space has 8 bytes a pair of its own.
//! 3. A segment's checksums are compared once for as long as its files stay what they were (device,
//!    inode, length, time of change): adding a segment to 100 others reads nothing twice. A bit that
//!    the medium loses later is found by `AnchorSet::verify`.
//! 4. A process has one pair of encoders, so a generation made with others is refused: its vectors
//!    cannot be compared with the queries'. Start the process again with the new encoders. Other
//!    weights of several encoders are taken where [`LiveOptions::any_weights`] says so.
//! 5. A process that starts while the live generation is damaged (or fails its canary) answers from
//!    the newest kept one that passes. [`LiveSet::status`] is degraded then; a server's health check
//!    should show it, because a start that succeeds does not.
//! 6. A set whose live generation has a lower number than the one that answers was restored from a
//!    copy, or its `CURRENT` is damaged: the process stays with what it has, degraded.

mod admission;
pub mod error;
pub mod handle;
pub mod options;
pub mod snapshot;
mod stamp;
mod warm;
pub mod watcher;

pub use admission::Phases;
pub use error::LiveError;
pub use handle::{Degraded, LiveSet, Refreshed, Status, Swap};
pub use options::{Canary, LiveOptions};
pub use snapshot::Snapshot;
pub use watcher::Watcher;
