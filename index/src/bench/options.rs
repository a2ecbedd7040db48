//! Options of a benchmark.

use std::path::PathBuf;

use crate::error::Error;

/// Where the vectors come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum BenchInput {
    /// `.npy` files of vectors and of queries.
    Files {
        /// `[n, dim]`.
        vectors: PathBuf,
        /// `[queries, dim]`.
        queries: PathBuf,
    },
    /// Synthetic clustered vectors drawn from a seed.
    Generate {
        /// The number of vectors.
        n: usize,
        /// Their dimension.
        dim: usize,
    },
}

/// The kind of index that is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IndexKind {
    /// Every vector in f32.
    Exact,
    /// Every vector as int8 codes, rescored.
    Flat,
    /// Every vector as one bit a number, rescored.
    Sketch,
    /// The graph.
    Hnsw,
    /// The planner's choice.
    #[default]
    Auto,
}

/// Options of a benchmark.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BenchOptions {
    /// The vectors.
    pub input: BenchInput,
    /// Answers a query.
    pub k: usize,
    /// The kind of index that is searched.
    pub index: IndexKind,
    /// The recall to reach, by raising ef or the number of candidates.
    pub recall: f64,
    /// Threads of builds and batches; queries one at a time use one.
    pub threads: usize,
    /// Queries of a batch.
    pub batch: usize,
    /// Rounds over all queries; the percentiles are over all of them.
    pub rounds: usize,
    /// A folder for temporary files, which are removed at the end.
    pub folder: PathBuf,
}

impl BenchOptions {
    /// Measures `input` in `folder` at k = 800, recall 0.98, 2 threads, batches of 256.
    pub fn new(input: BenchInput, folder: impl Into<PathBuf>) -> Self {
        Self {
            input,
            k: 800,
            index: IndexKind::Auto,
            recall: 0.98,
            threads: 2,
            batch: 256,
            rounds: 5,
            folder: folder.into(),
        }
    }
}

/// The error for an invalid option.
pub(super) fn argument(what: &'static str, expected: &str, found: &str) -> Error {
    Error::Argument {
        what,
        expected: expected.to_owned(),
        found: found.to_owned(),
        advice: "change that setting",
    }
}
