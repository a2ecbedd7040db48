//! A set of vectors and their int8 codes in one file.
//!
//! ```text
//! rows --push--> VectorSetWriter --finish--> file --open--> VectorSet --search--> hits
//!                 (f32 streamed)   (codes)
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `layout` | section names and the `meta` section: bytes to numbers and back |
//! | `quantize` | f32 rows to int8 codes, one scale a row |
//! | `writer` | [`VectorSetWriter`]: streams rows, then codes them |
//! | `set` | [`VectorSet`]: the mapped file |
//!
//! The format is specified in `docs/format.md`, section 2.

mod layout;
pub mod quantize;
mod set;
mod writer;

pub use layout::{KIND, MAX_DIM, MAX_ROWS};
pub use set::VectorSet;
pub use writer::{Center, VectorOptions, VectorSetSummary, VectorSetWriter};
