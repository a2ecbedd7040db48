//! HNSW: a layered proximity graph over a vector set, in its own file.
//!
//! ```text
//! VectorSet --Build--> Layers --write_graph--> file --open--> Graph --Hnsw--> hits
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `layers` | [`GraphLayers`]: a graph in memory, and [`GraphBuilder`], the trait of builders |
//! | `batch` | [`BatchBuilder`]: all nodes at once |
//! | `hnsw_rs` | `HnswRsBuilder`: the `hnsw_rs` crate, with the feature `hnsw-rs` |
//! | `partition`, `near`, `prune`, `reach` | its four steps: overlapping parts, all pairs inside each, choice of links, every node reachable |
//! | `cosine` | the similarity that these use |
//! | `nibbles` | the 4-bit codes that a walk reads |
//! | `layout`, `write`, `file` | the file: its sections, writing, [`HnswGraph`] |
//! | `search` | [`HnswSearch`]: the walk |
//!
//! The format is specified in `docs/format.md`, section 3. The graph is the layered one of Malkov
//! and Yashunin (2018); that it can be built from overlapping parts by all-pairs products instead of
//! one search a node is the idea of PiPNN (arXiv 2602.21247).

mod batch;
mod cosine;
mod file;
#[cfg(feature = "hnsw-rs")]
mod hnsw_rs;
mod layers;
mod layout;
mod near;
mod nibbles;
mod partition;
mod prune;
mod reach;
mod search;
#[cfg(test)]
mod tests;
mod write;

pub use batch::BatchBuilder;
pub use file::{GraphReport, HnswGraph};
#[cfg(feature = "hnsw-rs")]
pub use hnsw_rs::{HnswRs, HnswRsBuilder};
pub use layers::{GraphBuilder, GraphLayer, GraphLayers};
pub use layout::{KIND, MAX_UPPER};
pub use search::HnswSearch;
pub use write::{GraphSummary, write_graph};

/// No link: fills the unused link slots of a node.
pub const NIL: u32 = u32::MAX;
