//! What the beginning of a file says of its rows.

use std::io::{Read, Seek as _, SeekFrom};

use fs_err::File;

use super::error::VectorFileError;
use super::npy;
use super::npz;
use super::path::ArrayPath;
use super::raw::{RawRows, RowSource};
use super::safetensors;
use crate::stand_in;

/// The first bytes of a Parquet file.
pub(super) const PARQUET: &[u8] = b"PAR1";
/// What messages say that a file must be.
const EXPECTED: &str = "a file of vectors: .npy, .npz, .safetensors or .parquet";

/// A table whose header is read.
pub(super) struct TableSurvey {
    pub(super) rows: u64,
    pub(super) dim: usize,
    /// Opens it at its first row.
    pub(super) open: OpenTable,
}

pub(super) type OpenTable = Box<dyn Fn() -> Result<Box<dyn RowSource>, VectorFileError> + Send>;

/// Reads the header of a file, by its first bytes.
pub(super) fn survey(file: &ArrayPath) -> Result<TableSurvey, VectorFileError> {
    let path = &file.path;
    let unusable = |found: String| VectorFileError::unusable(path, EXPECTED, found);
    if !fs_err::metadata(path)?.is_file() {
        return Err(unusable("something that is not a file".to_owned()));
    }
    let mut head = Vec::new();
    File::open(path)?
        .take(stand_in::LOOKED_AT as u64)
        .read_to_end(&mut head)?;
    let only_array = |what: &str| match &file.array {
        None => Ok(()),
        Some(name) => {
            let found = format!("{what}, which has no arrays with names such as {name:?}");
            Err(VectorFileError::unusable(
                path,
                "a file of several arrays",
                found,
            ))
        }
    };
    if head.starts_with(npy::MAGIC) {
        only_array("a NumPy array")?;
        return plain(file);
    }
    if head.starts_with(npz::MAGIC) {
        return npz::survey(file);
    }
    if head.starts_with(PARQUET) {
        #[cfg(feature = "parquet")]
        return super::columns::survey(file);
        #[cfg(not(feature = "parquet"))]
        return Err(unusable(
            "a Parquet file, which this program was built without".to_owned(),
        ));
    }
    if safetensors::begins(&head) {
        return safetensors::survey(file);
    }
    if let Some((seems, advice)) = stand_in::stand_in(&head) {
        return Err(unusable(format!("what seems to be {seems}; {advice}")));
    }
    Err(unusable(match head.len() {
        0 => "an empty file".to_owned(),
        _ => "other bytes at its beginning".to_owned(),
    }))
}

/// A `.npy` file.
fn plain(file: &ArrayPath) -> Result<TableSurvey, VectorFileError> {
    let path = file.path.clone();
    let mut input = File::open(&path)?;
    let found = input.metadata()?.len();
    let (shape, _) = npy::header(&path, &mut input)?;
    let length = shape.data_bytes().unwrap_or(u64::MAX);
    let expected = length.saturating_add(shape.header);
    if found != expected {
        return Err(VectorFileError::Length {
            path,
            expected,
            found,
        });
    }
    Ok(TableSurvey {
        rows: shape.rows,
        dim: shape.dim,
        open: Box::new(move || {
            let mut input = File::open(&path)?;
            input.seek(SeekFrom::Start(shape.header))?;
            Ok(Box::new(RawRows {
                path: path.clone(),
                input: Box::new(input),
                numbers: shape.numbers,
                dim: shape.dim,
                length,
                read: 0,
                buffer: Vec::new(),
                crc: None,
            }))
        }),
    })
}
