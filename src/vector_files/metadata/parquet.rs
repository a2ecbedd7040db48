//! Rows of Parquet.

use std::path::{Path, PathBuf};

use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use serde_json::{Map, Value};

use super::row::{RowIterator, RowResult, row_of};
use crate::vector_files::arrow_value;
use crate::vector_files::columns::{broken, builder, is_vector};
use crate::vector_files::error::VectorFileError;

/// Rows that are decoded at a time.
const BATCH: usize = 1024;

/// Where Arrow records the name of an extension type.
const EXTENSION: &str = "ARROW:extension:name";
/// That of texts which are JSON.
const JSON: &str = "arrow.json";

/// What makes a column of texts one of JSON values, as Arrow defines it.
pub(in crate::vector_files) fn json_column() -> [(String, String); 2] {
    let data = "ARROW:extension:metadata".to_owned();
    [
        (EXTENSION.to_owned(), JSON.to_owned()),
        (data, String::new()),
    ]
}

/// The value of a cell: a text of a column of JSON is what it says, or itself if it says nothing.
fn cell(field: &Field, column: &ArrayRef, row: usize) -> Value {
    let value = arrow_value::value(column, row);
    let is_json = field
        .metadata()
        .get(EXTENSION)
        .is_some_and(|name| name == JSON);
    match &value {
        Value::String(text) if is_json => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    }
}

/// Whether a column is kept: vectors may lie in the same file.
fn is_metadata(cells: &DataType) -> bool {
    arrow_value::is_known(cells) && !is_vector(cells)
}

/// Counts the rows, and names the columns that are left out.
pub(super) fn survey(path: &Path) -> Result<(u64, Vec<String>), VectorFileError> {
    let builder = builder(path)?;
    let fields = builder.schema().fields();
    let left_out = fields
        .iter()
        .filter(|field| !is_metadata(field.data_type()));
    let left_out = left_out.map(|field| field.name().clone()).collect();
    let rows = builder.metadata().file_metadata().num_rows();
    Ok((u64::try_from(rows).unwrap_or(0), left_out))
}

pub(super) fn rows(path: &Path) -> Result<Box<dyn RowIterator>, VectorFileError> {
    let builder = builder(path)?;
    let fields = builder.schema().fields().clone();
    let known = fields.iter().enumerate();
    let known = known.filter(|(_, field)| is_metadata(field.data_type()));
    let known: Vec<usize> = known.map(|(at, _)| at).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), known);
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build();
    Ok(Box::new(ParquetTableRows {
        path: path.to_owned(),
        reader: reader.map_err(|error| broken(path, &error))?,
        batch: None,
        number: 0,
    }))
}

struct ParquetTableRows {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    /// The rows that are decoded, and the next of them.
    batch: Option<(RecordBatch, usize)>,
    number: u64,
}

impl RowIterator for ParquetTableRows {
    fn next_row(&mut self) -> Option<(u64, RowResult)> {
        loop {
            if let Some((batch, next)) = &mut self.batch
                && *next < batch.num_rows()
            {
                let schema = batch.schema_ref();
                let cells = schema.fields().iter().zip(batch.columns());
                let cells = cells.filter(|(_, column)| column.is_valid(*next));
                let cells =
                    cells.map(|(field, column)| (field.name().clone(), cell(field, column, *next)));
                let object: Map<_, _> = cells.collect();
                *next += 1;
                self.number += 1;
                return Some((self.number, Ok(row_of(object))));
            }
            match self.reader.next()? {
                Ok(batch) => self.batch = Some((batch, 0)),
                Err(error) => return Some((self.number + 1, Err(broken(&self.path, &error)))),
            }
        }
    }
}
