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
//! | [`admission`] | what a generation must pass before a query sees it |
//! | [`watcher`] | [`Watcher`]: notices that `CURRENT` was replaced |
//! | [`error`] | why a process stays with the generation that it has |
//!
//! Quirks and limits:
//! 1. What was answered from a snapshot (anchor ids, class heads, rows) means something for that
//!    snapshot only. Take one snapshot a query and ask it everything.
//! 2. Old and new generation are mapped side by side until the last query on the old one ends. What
//!    both are mapped from is shared page cache; only the weights of a centred space (8 bytes a
//!    pair) are there twice.
//! 3. A segment's checksums are compared once for as long as its files stay what they were (device,
//!    inode, length, time of change): going back to a generation, or adding a segment to 100 others,
//!    reads nothing twice. The weights of the last two generations are kept for the same reason. A
//!    bit that the medium loses later is found by `AnchorSet::verify`.
//! 4. A process has one pair of encoders, so a generation made with others is refused: its vectors
//!    cannot be compared with the queries'. Start the process again with the new encoders.

mod admission;
pub mod error;
pub mod handle;
pub mod snapshot;
pub mod watcher;

pub use admission::Phases;
pub use error::LiveError;
pub use handle::{Canary, Degraded, LiveOptions, LiveSet, Refreshed, Status, Swap};
pub use snapshot::Snapshot;
pub use watcher::Watcher;
