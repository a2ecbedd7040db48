//! Rows that lie one after another in a stream of bytes.

use std::io::{self, Read};
use std::path::PathBuf;

use flate2::Crc;

use super::block::VectorBlock;
use super::error::VectorFileError;
use super::numbers::NumberType;

/// A table as it is read from its beginning.
pub(super) trait RowSource: Send {
    /// Appends the next `rows` rows, which there are.
    ///
    /// # Errors
    /// When the file ends before them or cannot be read.
    fn read(&mut self, rows: usize, block: &mut VectorBlock) -> Result<(), VectorFileError>;

    /// Is called after the last row.
    ///
    /// # Errors
    /// When the file's checksum does not match.
    fn finish(&mut self) -> Result<(), VectorFileError> {
        Ok(())
    }
}

/// Rows of `dim` numbers, without anything between them.
pub(super) struct RawRows {
    /// The file, and the array in it, for messages.
    pub(super) path: PathBuf,
    pub(super) input: Box<dyn Read + Send>,
    pub(super) numbers: NumberType,
    pub(super) dim: usize,
    /// Bytes that the table has by its header.
    pub(super) length: u64,
    pub(super) read: u64,
    pub(super) buffer: Vec<u8>,
    /// The checksum that the content must have, and that of what was read.
    pub(super) crc: Option<(u32, Crc)>,
}

impl RowSource for RawRows {
    fn read(&mut self, rows: usize, block: &mut VectorBlock) -> Result<(), VectorFileError> {
        self.buffer
            .resize(rows * self.dim * self.numbers.bytes(), 0);
        let mut filled = 0;
        while filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    return Err(VectorFileError::Length {
                        path: self.path.clone(),
                        expected: self.length,
                        found: self.read + filled as u64,
                    });
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    // A deflated member whose bits are not deflate's.
                    let (expected, found) = ("deflated data", error.to_string());
                    return Err(VectorFileError::unusable(&self.path, expected, found));
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.read += filled as u64;
        if let Some((_, crc)) = &mut self.crc {
            crc.update(&self.buffer);
        }
        self.numbers.read(&self.buffer, &mut block.values);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), VectorFileError> {
        match &self.crc {
            Some((expected, crc)) if crc.sum() != *expected => Err(VectorFileError::Checksum {
                path: self.path.clone(),
            }),
            _ => Ok(()),
        }
    }
}
