//! Measures a search on any vectors: the logic of `asif bench index`.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | [`BenchOptions`]: what is measured; [`Input`]: where vectors come from |
//! | `input` | the vectors, from files or from a seed |
//! | `memory` | [`Memory`]: what this process holds |
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
