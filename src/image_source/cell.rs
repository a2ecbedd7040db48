//! Reads one cell of a Parquet file that holds the content of an image.

use std::io;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::schema::types::SchemaDescriptor;

/// The content of a cell, of which at most `limit` bytes are kept. Of the file, its end, and the pages of this
/// column up to the row in its row group are read; earlier pages are passed over where their headers say how many
/// rows they hold.
///
/// # Errors
/// When the file cannot be read, or has no such cell any more.
pub(super) fn read(file: &Path, column: &str, row: u64, limit: u64) -> io::Result<Vec<u8>> {
    let bad = |what: &str| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{}, row {}: {what}", file.display(), row + 1),
        )
    };
    let (opened, _) = fs_err::File::open(file)?.into_parts();
    let table =
        ParquetRecordBatchReaderBuilder::try_new(opened).map_err(|e| bad(&e.to_string()))?;
    let mut before = 0;
    let mut groups = table.metadata().row_groups().iter();
    let group = groups.position(|group| {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        let is_in = row - before < rows;
        before += if is_in { 0 } else { rows };
        is_in
    });
    let group = group.ok_or_else(|| bad("the file has fewer rows now"))?;
    let leaf = leaf_of(table.parquet_schema(), column);
    let leaf = leaf.ok_or_else(|| bad(&format!("the file has no column {column:?} now")))?;
    let mask = ProjectionMask::leaves(table.parquet_schema(), [leaf]);
    let offset = usize::try_from(row - before).map_err(io::Error::other)?;
    let table = table.with_row_groups(vec![group]).with_projection(mask);
    let table = table.with_offset(offset).with_limit(1).with_batch_size(1);
    let mut rows = table.build().map_err(|error| bad(&error.to_string()))?;
    let row = rows.next().ok_or_else(|| bad("the row is missing"))?;
    let row = row.map_err(|error| bad(&error.to_string()))?;
    let column = row
        .columns()
        .first()
        .ok_or_else(|| bad("the row is empty"))?;
    let column = match column.as_struct_opt() {
        Some(fields) => fields.columns().first().cloned(),
        None => Some(ArrayRef::clone(column)),
    };
    let column = column.filter(|column| column.is_valid(0));
    let column = column.ok_or_else(|| bad("the cell is empty"))?;
    let bytes = match column.data_type() {
        DataType::Binary => column.as_binary::<i32>().value(0),
        DataType::LargeBinary => column.as_binary::<i64>().value(0),
        DataType::BinaryView => column.as_binary_view().value(0),
        other => return Err(bad(&format!("expected bytes, found {other}"))),
    };
    let kept = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    Ok(bytes[..kept].to_vec())
}

/// The column itself, or its field `bytes`.
fn leaf_of(schema: &SchemaDescriptor, column: &str) -> Option<usize> {
    let is_it = |parts: &[String]| match parts {
        [name] => name == column,
        [name, field] => name == column && field == "bytes",
        _ => false,
    };
    let mut leaves = schema.columns().iter();
    leaves.position(|leaf| is_it(leaf.path().parts()))
}
