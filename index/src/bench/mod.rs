//! Measures a search on any vectors: the logic of `asif bench index`.
//!
//! | file | what it does |
//! |---|---|
//! | `memory` | [`Memory`]: what this process holds |
//! | `npy` | reads `.npy` files of f32 |
//! | `run` | [`run`]: builds, searches, compares with the exact answers |
//!
//! Nothing here prints; the report is plain data.

mod memory;
mod npy;
mod run;

pub use memory::Memory;
pub use npy::{Matrix, read_npy};
pub use run::{BenchOptions, BenchReport, IndexKind, Input, run};
