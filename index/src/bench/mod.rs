//! Benchmarks searches on any vectors.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | [`BenchOptions`]; [`Input`]: where vectors come from |
//! | `input` | loads or generates the vectors |
//! | `memory` | [`Memory`]: the memory use of this process |
//! | `npy` | reads `.npy` files of f32 |
//! | `run` | [`run`]: builds, searches, compares with the exact answers |
//!
//! Nothing here prints; the report is plain data.

mod input;
mod memory;
mod npy;
mod options;
mod run;

pub use memory::Memory;
pub use npy::{Matrix, read_npy};
pub use options::{BenchOptions, IndexKind, Input};
pub use run::{BenchReport, run};
