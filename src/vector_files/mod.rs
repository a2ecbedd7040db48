//! Files of vectors that other tools wrote: read in blocks of rows, checked and normalised; and written for them.
//!
//! ```text
//! path -> VectorReader::open: the header of each file: rows, dimensions, type of number
//!      -> next_block:         [rows, dim] f32 of unit length, and the rows that have no usable vector
//! path -> MetadataReader::open: the number of rows
//!      -> next:               the id, image, captions and other fields of a row, or why it cannot be used
//! ```
//!
//! | file | role |
//! |---|---|
//! | `reader` | [`VectorReader`]: one file, or the files of a folder in natural order |
//! | `block` | [`VectorBlock`]: rows that were read; [`VectorFault`]: why a row is not a vector |
//! | `path` | which files a path names, and the array in them |
//! | `survey` | what the beginning of a file says of its rows, by its first bytes |
//! | `npy`, `npz`, `safetensors`, `columns` | NumPy arrays, archives of them, tensors, list columns of Parquet |
//! | `arrow_value` | cells of Parquet files as JSON |
//! | `raw` | rows that lie one after another in a stream of bytes |
//! | `numbers` | bytes to f32 |
//! | `layout` | [`VectorLayout`]: the folders that clip-retrieval writes |
//! | `metadata/` | [`MetadataReader`]: JSONL, CSV, TSV and Parquet, a row for each row of vectors |
//! | `sources` | [`VectorSources`]: both files of vectors and their metadata, row by row |
//! | [`write`](mod@write) | the same formats as they are written |
//! | `error` | [`VectorFileError`]: a file cannot be read at all |
//!
//! Memory does not grow with the rows: a block at a time is held.

#[cfg(feature = "parquet")]
mod arrow_value;
mod block;
#[cfg(feature = "parquet")]
mod columns;
mod error;
mod layout;
mod metadata;
mod npy;
mod npz;
mod numbers;
mod path;
mod raw;
mod reader;
mod safetensors;
mod sources;
mod survey;
pub mod write;

#[cfg(test)]
mod tests;

pub use block::{VectorBlock, VectorFault};
pub use error::VectorFileError;
pub use layout::VectorLayout;
pub use metadata::{MetadataReader, MetadataRow};
pub use reader::{VectorReader, check_dim, row_file, row_place};
pub use sources::VectorSources;
