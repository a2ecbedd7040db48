//! The fields of a row of metadata.

use serde_json::{Map, Value};

use crate::pairs::{MetadataFields, RowRejection, metadata_fields};
use crate::vector_files::error::VectorFileError;

/// What metadata says of a row of vectors.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetadataRow {
    /// Its id, if it has one of its own.
    pub id: Option<String>,
    /// The path of the image as written, if there is one.
    pub image: Option<String>,
    /// The texts.
    pub captions: Vec<String>,
    /// All other fields.
    pub meta: Map<String, Value>,
}

/// One row, or why it cannot be used; a source that ends early is an error of the file.
pub(super) type RowResult = Result<Result<MetadataRow, RowRejection>, VectorFileError>;

/// The rows of a file, in order.
pub(super) trait RowIterator: Send {
    /// The next row and its line; `None` at the end.
    fn next_row(&mut self) -> Option<(u64, RowResult)>;

    /// How many lines the row that was read last takes up.
    fn lines(&self) -> u64 {
        1
    }
}

/// The fields of an object.
pub(super) fn row_of(mut object: Map<String, Value>) -> Result<MetadataRow, RowRejection> {
    let MetadataFields {
        id,
        image,
        captions,
    } = metadata_fields(&mut object)?;
    Ok(MetadataRow {
        id,
        image,
        captions,
        meta: object,
    })
}
