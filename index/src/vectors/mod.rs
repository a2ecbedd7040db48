//! Vector sets: vectors and their int8 codes in one file.
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
//! | `sketch` | f32 rows to one bit a number, one factor a row; a query for them |
//! | `options` | [`VectorOptions`]: what is written in addition to the vectors |
//! | `derived` | writes codes, halves and sketches from the vectors in the file |
//! | `writer` | [`VectorSetWriter`]: streams rows, then writes the derived sections |
//! | `set` | [`VectorSet`]: the mapped file |
//!
//! The format is specified in `docs/format.md`, section 2.

mod derived;
mod layout;
mod options;
pub mod quantize;
mod set;
pub mod sketch;
mod writer;

pub use layout::{KIND, MAX_DIM, MAX_ROWS};
pub use options::{CodeCenter, SketchPolicy, VectorOptions};
pub use set::{SignSketches, VectorSet};
pub use writer::{VectorSetSummary, VectorSetWriter};
