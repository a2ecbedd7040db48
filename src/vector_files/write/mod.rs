//! Vectors and their metadata as files that other tools read, beside the readers of the same formats.
//!
//! | file | role |
//! |---|---|
//! | `raw` | [`VectorWriter`]: a header and rows of f32 one after another |
//! | `npy` | the header of a NumPy array |
//! | `metadata` | [`MetadataWriter`]: records as a table of Parquet, with a column for each key |
//! | `record_columns` | [`RecordColumns`]: which columns the keys of records need |
//!
//! A file stands under its name when it is whole: see [`FileReplacement`](crate::disk::FileReplacement). Memory
//! does not grow with the rows.

#[cfg(feature = "parquet")]
mod metadata;
mod npy;
mod raw;
#[cfg(feature = "parquet")]
mod record_columns;

#[cfg(feature = "parquet")]
pub use metadata::{MetadataRecord, MetadataWriter};
pub use raw::VectorWriter;
#[cfg(feature = "parquet")]
pub use record_columns::RecordColumns;

/// The shape of a table of vectors, which is known before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorTableShape {
    /// Its vectors.
    pub rows: u64,
    /// The numbers of each.
    pub dim: usize,
}
