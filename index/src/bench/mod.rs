//! Benchmarks searches on any vectors.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | [`BenchOptions`]; [`BenchInput`]: where vectors come from |
//! | `input` | loads or generates the vectors |
//! | `memory` | [`ProcessMemory`]: the memory use of this process |
//! | `npy` | reads `.npy` files of f32 |
//! | `run` | [`run`]: builds, searches, compares with the exact answers |
//!
//! Nothing here prints; the report is plain data.

mod input;
mod memory;
mod npy;
mod options;
mod run;

pub use memory::ProcessMemory;
pub use npy::{NpyMatrix, read_npy};
pub use options::{BenchInput, BenchOptions, IndexKind};
pub use run::{BenchReport, run};
