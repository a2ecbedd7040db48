//! Tensors in a `.safetensors` file.

use std::io::{Read, Seek as _, SeekFrom};
use std::path::Path;

use fs_err::File;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::error::VectorFileError;
use super::npy::ArrayShape;
use super::numbers::{EXPECTED, NumberType};
use super::path::ArrayPath;
use super::raw::RawRows;
use super::survey::TableSurvey;

/// Bytes of the length of the header.
const LENGTH: usize = 8;
/// The longest header that is read, as in the crate.
const MAX_HEADER: u64 = 100_000_000;

/// Whether a file begins as one: the length of a header, and an object.
pub(super) fn begins(head: &[u8]) -> bool {
    let length = head.first_chunk::<LENGTH>().map(|b| u64::from_le_bytes(*b));
    length.is_some_and(|n| n <= MAX_HEADER) && head.get(LENGTH) == Some(&b'{')
}

/// Finds the tensor: the one that is named, else the only one that is a table of numbers.
pub(super) fn survey(file: &ArrayPath) -> Result<TableSurvey, VectorFileError> {
    let path = &file.path;
    let foreign =
        |found: String| VectorFileError::unusable(path, "a file of tensors (.safetensors)", found);
    let mut input = File::open(path)?;
    let bytes = input.metadata()?.len();
    let mut length = [0; LENGTH];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length + LENGTH as u64 > bytes {
        return Err(foreign(format!(
            "{bytes} bytes, which end within its header; it was cut off"
        )));
    }
    let mut header = Vec::new();
    input.take(length).read_to_end(&mut header)?;
    let header: Metadata = serde_json::from_slice(&header)
        .map_err(|error| foreign(format!("a header that cannot be read: {error}")))?;
    let begin = LENGTH as u64 + length;
    let expected = begin + header.data_len() as u64;
    if bytes != expected {
        return Err(VectorFileError::Length {
            path: path.clone(),
            expected,
            found: bytes,
        });
    }
    let mut tensors: Vec<(String, &TensorInfo)> = header.tensors().into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let names = |tensors: &[(String, &TensorInfo)]| tensors.iter().map(|t| t.0.clone()).collect();
    let (name, tensor) = match &file.array {
        Some(wanted) => {
            let found = tensors.iter().find(|(name, _)| name == wanted);
            found.ok_or_else(|| VectorFileError::NoSuchArray {
                path: path.clone(),
                name: wanted.clone(),
                names: names(&tensors),
            })?
        }
        None => {
            let tables = tensors
                .iter()
                .filter(|t| shape_of(path, t.1, begin).is_ok());
            let tables: Vec<_> = tables.collect();
            match (tables.as_slice(), tensors.as_slice()) {
                (&[one], _) => one,
                ([], [one]) => one,
                ([], []) => {
                    return Err(foreign("one without any tensor".to_owned()));
                }
                _ => {
                    return Err(VectorFileError::SeveralArrays {
                        path: path.clone(),
                        names: names(&tensors),
                    });
                }
            }
        }
    };
    let member = path.join(name);
    let shape = shape_of(&member, tensor, begin)?;
    let path = path.clone();
    Ok(TableSurvey {
        rows: shape.rows,
        dim: shape.dim,
        open: Box::new(move || {
            let mut input = File::open(&path)?;
            input.seek(SeekFrom::Start(shape.header))?;
            let length = shape.data_bytes().unwrap_or(u64::MAX);
            Ok(Box::new(RawRows {
                path: member.clone(),
                input: Box::new(input.take(length)),
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

/// The shape of a tensor that is a table of numbers.
fn shape_of(path: &Path, tensor: &TensorInfo, begin: u64) -> Result<ArrayShape, VectorFileError> {
    let numbers = match tensor.dtype {
        Dtype::F16 => NumberType::F16,
        Dtype::BF16 => NumberType::BF16,
        Dtype::F32 => NumberType::F32,
        Dtype::F64 => NumberType::F64,
        other => {
            let found = format!("numbers of type {other:?}");
            return Err(VectorFileError::unusable(path, EXPECTED, found));
        }
    };
    match tensor.shape[..] {
        [rows, dim] if dim > 0 => Ok(ArrayShape {
            rows: rows as u64,
            dim,
            numbers,
            header: begin + tensor.data_offsets.0 as u64,
        }),
        _ => Err(VectorFileError::unusable(
            path,
            "a table of vectors: a tensor of shape [rows, numbers]",
            format!("one of shape {:?}", tensor.shape),
        )),
    }
}
