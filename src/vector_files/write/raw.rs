//! A header, and rows of f32 one after another.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::{VectorTableShape, npy};
use crate::disk::FileReplacement;
use crate::vector_files::error::VectorFileError;

/// Bytes that are written at a time.
const BUFFER: usize = 1 << 20;

/// A table of vectors that is being written, as little-endian f32 in the order of the rows.
#[derive(Debug)]
pub struct VectorWriter {
    path: PathBuf,
    out: BufWriter<FileReplacement>,
    /// Numbers that the header promises and that are still to come.
    left: u64,
}

impl VectorWriter {
    /// Begins a NumPy array (`.npy`).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn npy(path: &Path, shape: VectorTableShape) -> Result<Self, VectorFileError> {
        Self::begin(path, shape, &npy::header(shape)?)
    }

    fn begin(path: &Path, shape: VectorTableShape, header: &[u8]) -> Result<Self, VectorFileError> {
        let mut out = BufWriter::with_capacity(BUFFER, FileReplacement::begin(path)?);
        out.write_all(header)?;
        Ok(Self {
            path: path.to_owned(),
            out,
            left: shape.rows * shape.dim as u64,
        })
    }

    /// Appends one or more rows: `[rows, dim]`.
    ///
    /// # Errors
    /// When there are more than the header promises, or the file cannot be written.
    pub fn push(&mut self, rows: &[f32]) -> Result<(), VectorFileError> {
        let left = self.left.checked_sub(rows.len() as u64);
        self.left = left.ok_or_else(|| self.other_shape("more rows"))?;
        for number in rows {
            self.out.write_all(&number.to_le_bytes())?;
        }
        Ok(())
    }

    /// Makes the file durable and gives it its name.
    ///
    /// # Errors
    /// When rows are missing, or on an I/O error; the file is then not there.
    pub fn finish(self) -> Result<(), VectorFileError> {
        if self.left > 0 {
            return Err(self.other_shape("fewer rows"));
        }
        let out = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        Ok(out.finish()?)
    }

    /// A caller that does not keep to its own shape would write a file that no reader takes.
    fn other_shape(&self, found: &str) -> VectorFileError {
        VectorFileError::unusable(&self.path, "as many rows as were announced", found)
    }
}
