//! NumPy arrays (`.npy`): the header, after which rows of numbers follow.

use std::io::Read;
use std::path::Path;

use npyz::{NpyHeader, Order};

use super::error::VectorFileError;
use super::numbers::{EXPECTED, NumberType};

/// The first bytes of every file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read; NumPy's own limit is 10,000.
const MAX_HEADER: usize = 64 << 10;
/// The most brackets in a header: deeper nesting would use up the stack of its parser.
const MAX_BRACKETS: usize = 16;
const TABLE: &str = "a table of vectors: an array of shape [rows, numbers]";

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ArrayShape {
    pub(super) rows: u64,
    pub(super) dim: usize,
    pub(super) numbers: NumberType,
    /// Bytes before the first row.
    pub(super) header: u64,
}

impl ArrayShape {
    /// Bytes of all rows.
    pub(super) fn data_bytes(&self) -> Option<u64> {
        let row = (self.dim as u64).checked_mul(self.numbers.bytes() as u64)?;
        self.rows.checked_mul(row)
    }
}

/// Reads the header; `input` is at the first row afterwards. `path` is for messages.
pub(super) fn header(
    path: &Path,
    mut input: impl Read,
) -> Result<(ArrayShape, Vec<u8>), VectorFileError> {
    let bytes = header_bytes(path, &mut input)?;
    let foreign = |found: String| VectorFileError::unusable(path, "a NumPy array", found);
    if bytes.iter().filter(|b| b"([{".contains(b)).count() > MAX_BRACKETS {
        return Err(foreign("a header that is nested too deeply".to_owned()));
    }
    // The crate multiplies whatever numbers the shape has.
    if !has_countable_shape(&bytes) {
        let text = String::from_utf8_lossy(&bytes[8..]);
        let text: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(foreign(format!("a header that says {}", text.trim())));
    }
    let read = NpyHeader::from_reader(bytes.as_slice())
        .map_err(|error| foreign(format!("a header that cannot be read: {error}")))?;
    let described = read.dtype().descr();
    let numbers = match described.trim_matches('\'') {
        "<f2" => NumberType::F16,
        "<f4" => NumberType::F32,
        "<f8" => NumberType::F64,
        ">f4" => NumberType::F32Big,
        ">f8" => NumberType::F64Big,
        other => {
            let found = match read.uses_pickled_array() {
                true => "Python objects (`object`)".to_owned(),
                false => format!("numbers of type {other}"),
            };
            return Err(VectorFileError::unusable(path, EXPECTED, found));
        }
    };
    let &[rows, dim] = read.shape() else {
        let found = format!("one of shape {:?}", read.shape());
        return Err(VectorFileError::unusable(path, TABLE, found));
    };
    if read.order() == Order::Fortran && rows > 1 && dim > 1 {
        let expected = "rows one after another (C order), as `np.ascontiguousarray` makes them";
        let found = "columns one after another (Fortran order)";
        return Err(VectorFileError::unusable(path, expected, found));
    }
    let dim = usize::try_from(dim).ok().filter(|dim| *dim > 0);
    let dim = dim.ok_or_else(|| {
        let found = format!("one of shape {:?}", read.shape());
        VectorFileError::unusable(path, TABLE, found)
    })?;
    let shape = ArrayShape {
        rows,
        dim,
        numbers,
        header: bytes.len() as u64,
    };
    match shape.data_bytes() {
        Some(_) => Ok((shape, bytes)),
        None => Err(foreign(format!(
            "a header that says shape {:?}",
            read.shape()
        ))),
    }
}

/// Whether a header has one shape, of whole numbers whose product can be counted.
fn has_countable_shape(header: &[u8]) -> bool {
    let text = String::from_utf8_lossy(header);
    let mut shapes = text.split("shape").skip(1);
    let (Some(shape), None) = (shapes.next(), shapes.next()) else {
        return false;
    };
    let inner = shape
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'));
    let numbers = inner.map(|(inner, _)| inner.split(',').map(str::trim));
    let counted = numbers.and_then(|numbers| {
        let mut numbers = numbers.filter(|number| !number.is_empty());
        numbers.try_fold(1_u64, |product, number| {
            product.checked_mul(number.trim_end_matches('L').parse::<u64>().ok()?.max(1))
        })
    });
    // At most eight bytes a number.
    counted.is_some_and(|numbers| numbers <= u64::MAX >> 4)
}

/// The bytes of the header, from the first of the file on.
fn header_bytes(path: &Path, input: &mut impl Read) -> Result<Vec<u8>, VectorFileError> {
    let short = |found: u64| {
        VectorFileError::unusable(
            path,
            "a NumPy array",
            format!("{found} bytes, which end within its header; it was cut off"),
        )
    };
    let mut read = |bytes: &mut Vec<u8>, length: usize| {
        input
            .by_ref()
            .take(length as u64)
            .read_to_end(bytes)
            .map_err(VectorFileError::from)
    };
    let mut bytes = Vec::new();
    read(&mut bytes, 8)?;
    if !bytes.starts_with(MAGIC) {
        return Err(VectorFileError::unusable(
            path,
            "a NumPy array",
            "other bytes at its beginning",
        ));
    }
    // The version says how wide the length is.
    let width = if bytes.get(6).is_some_and(|major| *major >= 2) {
        4
    } else {
        2
    };
    read(&mut bytes, width)?;
    if bytes.len() < 8 + width {
        return Err(short(bytes.len() as u64));
    }
    let length = bytes[8..]
        .iter()
        .rev()
        .fold(0, |n, b| n << 8 | usize::from(*b));
    if length > MAX_HEADER {
        let found = format!("a header of {length} bytes");
        return Err(VectorFileError::unusable(path, "a NumPy array", found));
    }
    if read(&mut bytes, length)? < length {
        return Err(short(bytes.len() as u64));
    }
    Ok(bytes)
}
