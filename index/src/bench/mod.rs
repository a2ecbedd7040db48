//! Measures a search on any vectors: the logic of `asif bench index`.
//!
//! | file | what it does |
//! |---|---|
//! | `npy` | reads `.npy` files of f32 |
//! | `run` | [`run`]: builds, searches, compares with the exact answers |
//!
//! Nothing here prints; the report is plain data.

mod npy;
mod run;

pub use npy::{Matrix, read_npy};
pub use run::{BenchOptions, BenchReport, IndexKind, Input, run};
