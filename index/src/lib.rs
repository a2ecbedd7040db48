//! Vectors in a file, searched in place.
//!
//! The crate stores `[n, dim]` f32 vectors in one immutable, memory-mapped file and finds the `k` rows
//! with the largest dot product with a query, for a `k` in the hundreds. It knows nothing of images or
//! text.
//!
//! | module | what it is |
//! |---|---|
//! | [`container`] | files of named, checksummed, aligned sections; atomic writing |
//! | [`mmap`] | the only place that maps a file |
//! | [`vectors`] | [`VectorSet`]: vectors and their int8 codes in one file |
//! | [`mod@plan`] | chooses a search by measurement, with the reason |
//! | [`mod@bench`] | benchmarks searches on any vectors |
//! | [`graph`] | [`HnswGraph`], its search [`HnswSearch`] and its builder [`BatchBuilder`] |
//! | [`random`] | reproducible random numbers |
//! | [`search`] | [`VectorQuery`], [`SearchHit`], [`VectorSearch`]; the exact scan, [`FlatSearch`], [`SketchSearch`] and [`SegmentedSearch`] |
//! | [`simd`] | the kernels, one file an instruction set, with a scalar reference |
//!
//! Modules depend only on those below them. The file format is specified in `docs/format.md`.
//!
//! ```
//! use asif_index::{VectorQuery, VectorOptions, VectorSet, VectorSetWriter};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("colours.vec");
//! let mut writer = VectorSetWriter::create(&path, 3, VectorOptions::default())?;
//! writer.push(&[1.0, 0.0, 0.0])?;
//! writer.push(&[0.0, 1.0, 0.0])?;
//! writer.push(&[0.6, 0.8, 0.0])?;
//! writer.finish()?;
//!
//! let set = VectorSet::open(&path)?;
//! let hits = set.search(&VectorQuery::new(&[0.0, 1.0, 0.0]), 2)?;
//! assert_eq!((hits[0].id, hits[1].id), (1, 2));
//! # Ok(())
//! # }
//! ```
//!
//! The optional feature `hnsw-rs` adds `graph::HnswRsBuilder`, which builds with the crate of that
//! name.
//!
//! # Quirks and limits
//!
//! 1. Little-endian machines only; a build for another one stops at compile time.
//! 2. A mapped file that another program shortens ends the process (SIGBUS). Replace files by
//!    writing a new one under the same name; the writers here do that.
//! 3. `open` reads one page and trusts the rest of the file. Call `verify` for a file from elsewhere. A damaged
//!    file that was not verified gives wrong scores, never a crash.
//! 4. Ids are `u32`: at most 2^32 - 2 vectors a set.
//! 5. Scores of the exact scan are the same bits whatever the batch size, the number of threads
//!    and the instruction set (see [`simd`]). On a processor without fused multiply-add they are
//!    computed in software and slowly.
//! 6. A graph is built by cosine (of the vectors minus the set's centre). It suits queries by dot product if
//!    all vectors have the same norm, or if weights make the score a cosine; for vectors of very different
//!    norms use the scans.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

#[cfg(not(target_endian = "little"))]
compile_error!("asif-index maps little-endian files and runs on little-endian machines only");

pub mod bench;
pub mod container;
mod error;
pub mod graph;
pub mod mmap;
pub mod plan;
pub mod random;
pub mod search;
pub mod simd;
#[cfg(test)]
mod test_vectors;
pub mod vectors;

pub use error::{Error, Result};
pub use graph::{BatchBuilder, HnswGraph, HnswSearch, write_graph};
pub use plan::{IndexPlan, MachineCosts, PlanTarget, PlannedSearch, SearchMethod, plan};
pub use search::{
    FlatSearch, IdSet, RankedIds, RescorePrecision, SearchHit, SegmentedSearch, SketchSearch,
    VectorQuery, VectorSearch,
};
pub use vectors::{
    CodeCenter, SketchPolicy, VectorOptions, VectorSet, VectorSetSummary, VectorSetWriter,
};
