//! A long-running process switches to a new generation while it answers queries.
//!
//! ```text
//! CURRENT moves -> Watcher -> LiveSet::refresh: open -> verify -> centre -> warm -> canary ─┐
//!                                                 any failure: status says degraded         │ store
//! query -> LiveSet::load -> Arc<Snapshot> ──────── one generation, to the query's end <─────┘
//! ```
//!
//! | file | role |
//! |---|---|
//! | `handle` | [`LiveSet`]: the generation that queries use, and how it is replaced |
//! | `snapshot` | [`Snapshot`]: one generation and its fitted space, owned |
//! | `admission` | the checks that a generation must pass before it is used for queries |
//! | `stamp` | whether files have changed since they were verified |
//! | `warm` | warming: reads the pages that searches need |
//! | `watcher` | [`Watcher`]: detects that `CURRENT` was replaced |
//! | [`error`] | why a process keeps its current generation |
//!
//! Quirks and limits:
//! 1. Results from a snapshot (anchor ids, class heads, rows) are valid for that
//!    snapshot only. Take one snapshot per query and use it for everything.
//! 2. Two generations are mapped: the live one and the one before, so that its last query does not
//!    have to unmap it. It is dropped when a writer has removed its files: at the next poll of a
//!    [`Watcher`] or the next refresh. Mapped files are page cache, which the system reclaims when
//!    needed; a centred space takes 8 bytes per pair of its own.
//! 3. A segment's checksums are compared once as long as its files are unchanged (device,
//!    inode, length, time of change): adding a segment to 100 others reads nothing twice. A bit that
//!    the disk loses later is found by `AnchorSet::verify`.
//! 4. A process has one pair of encoders, so a generation made with others is rejected: its vectors
//!    cannot be compared with the queries'. Start the process again with the new encoders. Other
//!    weights of several encoders are accepted where [`LiveOptions::any_weights`] allows it.
//! 5. A process that starts while the live generation is damaged (or fails its canary) answers from
//!    the newest kept one that passes. [`LiveSet::status`] is degraded then; a server's health check
//!    should show it, because a start that succeeds does not.
//! 6. An anchor set whose live generation has a lower number than the one that answers was restored from a
//!    copy, or its `CURRENT` is damaged: the process keeps its generation, degraded.

mod admission;
pub mod error;
pub(crate) mod handle;
pub(crate) mod options;
pub(crate) mod snapshot;
mod stamp;
mod warm;
pub(crate) mod watcher;

pub use admission::AdmissionSeconds;
pub use error::LiveError;
pub use handle::{DegradedStatus, GenerationSwap, LiveSet, LiveStatus, RefreshOutcome};
pub use options::{CanaryCheck, LiveOptions};
pub use snapshot::Snapshot;
pub use watcher::Watcher;
