//! Parquet columns whose cells are lists of numbers.

use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use fs_err::File;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::block::{VectorBlock, VectorFault};
use super::error::VectorFileError;
use super::path::ArrayPath;
use super::raw::RowSource;
use super::survey::TableSurvey;

/// Rows that are decoded at a time.
const BATCH: usize = 512;
/// Rows among which the first vector is looked for.
const LOOKED_AT: usize = 10_000;

/// Opens a Parquet file.
pub(super) fn builder(
    path: &Path,
) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>, VectorFileError> {
    let file = File::open(path)?.into_file();
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| broken(path, &error))
}

/// The error of a file that is not whole.
pub(super) fn broken(path: &Path, error: &dyn std::fmt::Display) -> VectorFileError {
    let found = format!("one that cannot be read: {error}; was it cut off?");
    VectorFileError::unusable(path, "a Parquet file", found)
}

/// Finds the column: the one that is named, else the only one whose cells are lists of numbers.
pub(super) fn survey(file: &ArrayPath) -> Result<TableSurvey, VectorFileError> {
    let path = &file.path;
    let builder = builder(path)?;
    let fields = builder.schema().fields().clone();
    let lists = fields.iter().filter(|field| is_vector(field.data_type()));
    let names: Vec<String> = lists.map(|field| field.name().clone()).collect();
    let name = match (&file.array, names.as_slice()) {
        (Some(wanted), names) if names.contains(wanted) => wanted.clone(),
        (Some(wanted), _) => {
            return Err(VectorFileError::NoSuchArray {
                path: path.clone(),
                name: wanted.clone(),
                names,
            });
        }
        (None, [one]) => one.clone(),
        (None, []) => {
            let known: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
            let expected = "a column of lists of float16, float32 or float64";
            let found = format!("the columns {}", known.join(", "));
            return Err(VectorFileError::unusable(path, expected, found));
        }
        (None, _) => {
            return Err(VectorFileError::SeveralArrays {
                path: path.clone(),
                names,
            });
        }
    };
    let rows = builder.metadata().file_metadata().num_rows();
    let rows = u64::try_from(rows).unwrap_or(0);
    let dim = match fields
        .iter()
        .find(|f| *f.name() == name)
        .map(|f| f.data_type())
    {
        Some(DataType::FixedSizeList(_, dim)) => usize::try_from(*dim).unwrap_or(0),
        _ => first_length(path, &name)?,
    };
    if dim == 0 && rows > 0 {
        let expected = format!("vectors in the column {name}");
        return Err(VectorFileError::unusable(
            path,
            expected,
            "lists without numbers",
        ));
    }
    let path = path.clone();
    Ok(TableSurvey {
        rows,
        dim,
        open: Box::new(move || {
            Ok(Box::new(ColumnRows {
                reader: reader(&path, &name)?,
                path: path.clone(),
                dim,
                rows,
                read: 0,
                batch: None,
            }))
        }),
    })
}

/// Whether cells of this type are lists of numbers.
pub(super) fn is_vector(cell: &DataType) -> bool {
    let item = match cell {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => item,
        _ => return false,
    };
    use DataType::{Float16, Float32, Float64};
    matches!(item.data_type(), Float16 | Float32 | Float64)
}

fn reader(path: &Path, column: &str) -> Result<ParquetRecordBatchReader, VectorFileError> {
    let builder = builder(path)?;
    let roots = builder
        .schema()
        .fields()
        .iter()
        .position(|f| f.name() == column);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder.with_projection(mask).with_batch_size(BATCH).build();
    reader.map_err(|error| broken(path, &error))
}

/// The length of the first list that has numbers.
fn first_length(path: &Path, column: &str) -> Result<usize, VectorFileError> {
    for batch in reader(path, column)?.take(LOOKED_AT / BATCH) {
        let batch = batch.map_err(|error| broken(path, &error))?;
        let cells = ListCells::of(batch.column(0));
        let mut lengths = cells.ranges.into_iter().flatten().map(|cell| cell.len());
        if let Some(length) = lengths.find(|length| *length > 0) {
            return Ok(length);
        }
    }
    Ok(0)
}

/// The cells of some rows.
struct ListCells {
    numbers: Vec<f32>,
    /// The numbers of each row; `None` for a cell without a value.
    ranges: Vec<Option<Range<usize>>>,
}

impl ListCells {
    fn of(column: &ArrayRef) -> Self {
        let valid = |row: usize, range: Range<usize>| column.is_valid(row).then_some(range);
        let rows = 0..column.len();
        let (child, ranges): (ArrayRef, Vec<_>) = match column.data_type() {
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                let at = list.value_offsets();
                let ranges = rows.map(|i| valid(i, at[i] as usize..at[i + 1] as usize));
                (list.values().clone(), ranges.collect())
            }
            DataType::LargeList(_) => {
                let list = column.as_list::<i64>();
                let at = list.value_offsets();
                let ranges = rows.map(|i| valid(i, at[i] as usize..at[i + 1] as usize));
                (list.values().clone(), ranges.collect())
            }
            _ => {
                let list = column.as_fixed_size_list();
                let dim = usize::try_from(list.value_length()).unwrap_or(0);
                let ranges = rows.map(|i| valid(i, i * dim..(i + 1) * dim));
                (list.values().clone(), ranges.collect())
            }
        };
        let mut numbers: Vec<f32> = match child.data_type() {
            DataType::Float16 => {
                let values = child.as_primitive::<Float16Type>().values();
                values.iter().map(|x| x.to_f32()).collect()
            }
            DataType::Float64 => {
                let values = child.as_primitive::<Float64Type>().values();
                values.iter().map(|x| *x as f32).collect()
            }
            _ => child.as_primitive::<Float32Type>().values().to_vec(),
        };
        if child.null_count() > 0 {
            for (place, number) in numbers.iter_mut().enumerate() {
                if child.is_null(place) {
                    *number = f32::NAN;
                }
            }
        }
        Self { numbers, ranges }
    }
}

/// The rows of a column.
struct ColumnRows {
    reader: ParquetRecordBatchReader,
    path: PathBuf,
    dim: usize,
    rows: u64,
    read: u64,
    /// The cells that are read, and how many of them were handed out.
    batch: Option<(ListCells, usize)>,
}

impl RowSource for ColumnRows {
    fn read(&mut self, rows: usize, block: &mut VectorBlock) -> Result<(), VectorFileError> {
        let end = block.values.len() / self.dim + rows;
        while block.values.len() / self.dim < end {
            let row = block.values.len() / self.dim;
            let Some((cells, next)) = &mut self.batch else {
                let batch = self.reader.next().ok_or_else(|| {
                    let found = format!("{} of {} rows", self.read, self.rows);
                    broken(&self.path, &found)
                })?;
                let batch = batch.map_err(|error| broken(&self.path, &error))?;
                self.batch = Some((ListCells::of(batch.column(0)), 0));
                continue;
            };
            let Some(cell) = cells.ranges.get(*next) else {
                self.batch = None;
                continue;
            };
            *next += 1;
            self.read += 1;
            let fault = match cell {
                Some(cell) if cell.len() == self.dim => {
                    block.values.extend_from_slice(&cells.numbers[cell.clone()]);
                    continue;
                }
                Some(cell) => VectorFault::Length {
                    expected: self.dim,
                    found: cell.len(),
                },
                None => VectorFault::Missing,
            };
            block.faults.push((row, fault));
            block.values.resize((row + 1) * self.dim, 0.0);
        }
        Ok(())
    }
}
