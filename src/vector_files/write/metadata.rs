//! Records as a table of Parquet.

use std::collections::HashMap;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::record_columns::{CellKind, RecordColumns};
use crate::disk::FileReplacement;
use crate::vector_files::error::VectorFileError;
use crate::vector_files::metadata::json_column;

/// Records that become a batch of columns.
const BATCH: usize = 1024;
/// Encoded bytes that make a group of rows, which is in memory until it is written.
const GROUP_BYTES: usize = 32 << 20;

/// The record of a row.
#[derive(Debug, Clone)]
pub struct MetadataRecord {
    /// The pair's id.
    pub id: String,
    /// The name of its image; `None` where there is none.
    pub image: Option<String>,
    /// Its texts.
    pub captions: Vec<String>,
    /// All other fields.
    pub meta: Map<String, Value>,
}

/// A table of metadata that is being written: `id`, `image_path`, `captions`, and a column for each key.
#[derive(Debug)]
pub struct MetadataWriter {
    writer: ArrowWriter<BufWriter<FileReplacement>>,
    schema: SchemaRef,
    kinds: Vec<(String, CellKind)>,
    rows: Vec<MetadataRecord>,
}

impl MetadataWriter {
    /// Begins a table with these columns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(path: &Path, columns: &RecordColumns) -> Result<Self, VectorFileError> {
        let keys = columns.keys();
        let kinds: Vec<(String, CellKind)> =
            keys.map(|(key, kind)| (key.to_owned(), kind)).collect();
        let text = Arc::new(Field::new("item", DataType::Utf8, true));
        let mut fields = vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("image_path", DataType::Utf8, true),
            Field::new("captions", DataType::List(text), false),
        ];
        fields.extend(kinds.iter().map(|(key, kind)| {
            let field = Field::new(key, kind.column(), true);
            match kind {
                CellKind::Json => field.with_metadata(HashMap::from(json_column())),
                _ => field,
            }
        }));
        let schema = Arc::new(Schema::new(fields));
        let out = BufWriter::new(FileReplacement::begin(path)?);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties.build()));
        Ok(Self {
            writer: writer.map_err(refused)?,
            schema,
            kinds,
            rows: Vec::new(),
        })
    }

    /// Appends a row. Keys that [`RecordColumns::see`] did not see have no column.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn push(&mut self, record: MetadataRecord) -> Result<(), VectorFileError> {
        self.rows.push(record);
        match self.rows.len() < BATCH {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<(), VectorFileError> {
        let rows = std::mem::take(&mut self.rows);
        let mut captions = ListBuilder::new(StringBuilder::new());
        for row in &rows {
            captions.append_value(row.captions.iter().map(Some));
        }
        let ids = rows.iter().map(|row| row.id.as_str());
        let images = rows.iter().map(|row| row.image.as_deref());
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(ids)),
            Arc::new(StringArray::from_iter(images)),
            Arc::new(captions.finish()),
        ];
        columns.extend(
            self.kinds
                .iter()
                .map(|(key, kind)| cells(&rows, key, *kind)),
        );
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        let batch =
            batch.expect("the columns were made by their schema, and have a cell for each row");
        self.writer.write(&batch).map_err(refused)?;
        match self.writer.in_progress_size() < GROUP_BYTES {
            true => Ok(()),
            false => self.writer.flush().map_err(refused),
        }
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// On an I/O error; the file is then not there.
    pub fn finish(mut self) -> Result<(), VectorFileError> {
        self.flush()?;
        let out = self.writer.into_inner().map_err(refused)?;
        let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(out.finish()?)
    }
}

/// The cells of a key; a row without it has none.
fn cells(rows: &[MetadataRecord], key: &str, kind: CellKind) -> ArrayRef {
    let values = rows.iter().map(|row| row.meta.get(key));
    match kind {
        CellKind::Truth => Arc::new(BooleanArray::from_iter(
            values.map(|value| value.and_then(Value::as_bool)),
        )),
        CellKind::Whole => Arc::new(Int64Array::from_iter(
            values.map(|value| value.and_then(Value::as_i64)),
        )),
        CellKind::Float => Arc::new(Float64Array::from_iter(
            values.map(|value| value.and_then(Value::as_f64)),
        )),
        CellKind::Text => Arc::new(StringArray::from_iter(
            values.map(|value| value.and_then(Value::as_str)),
        )),
        CellKind::Json => Arc::new(StringArray::from_iter(
            values.map(|value| value.map(Value::to_string)),
        )),
    }
}

/// The columns fit their schema, so only the file can refuse.
pub(super) fn refused(error: ParquetError) -> VectorFileError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => VectorFileError::Io(*error),
            Err(other) => VectorFileError::Io(io::Error::other(other)),
        },
        other => VectorFileError::Io(io::Error::other(other)),
    }
}
