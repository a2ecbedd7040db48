//! One file of vectors, or the files of a folder in natural order.

use std::path::{Path, PathBuf};

use super::block::VectorBlock;
use super::error::VectorFileError;
use super::path::{self, VECTOR_ENDINGS};
use super::raw::RowSource;
use super::survey::{TableSurvey, survey};

/// Bytes of f32 that a block has at most, unless a single row has more.
const BLOCK_BYTES: usize = 4 << 20;

/// A table of vectors that is read block by block, in one pass.
pub struct VectorReader {
    given: PathBuf,
    parts: Vec<(PathBuf, TableSurvey)>,
    dim: usize,
    rows: u64,
    /// The part that is read, and how many of its rows were.
    current: usize,
    done: u64,
    open: Option<Box<dyn RowSource>>,
}

impl std::fmt::Debug for VectorReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("VectorReader");
        shown.field("path", &self.given).field("rows", &self.rows);
        shown.field("dim", &self.dim).finish_non_exhaustive()
    }
}

impl VectorReader {
    /// Opens a file of vectors, or a folder of several whose rows follow one another; `FILE#NAME` is an array,
    /// tensor or column of a file that has several. Formats are told by first bytes: `.npy` and `.npz` with f16,
    /// f32 or f64, `.safetensors`, and Parquet with a column of lists.
    ///
    /// # Errors
    /// When a file is cut off, of another format, of another shape than `[rows, numbers]`, or has vectors of
    /// another length than the first.
    pub fn open(given: &Path) -> Result<Self, VectorFileError> {
        let mut parts: Vec<(PathBuf, TableSurvey)> = Vec::new();
        for file in path::files(given, VECTOR_ENDINGS)? {
            let table = survey(&file)?;
            if let Some((first, known)) = parts.first()
                && known.dim != table.dim
            {
                return Err(VectorFileError::Dimensions {
                    path: file.path,
                    first: first.display().to_string(),
                    expected: known.dim,
                    found: table.dim,
                });
            }
            parts.push((file.path, table));
        }
        let rows = parts.iter().map(|(_, table)| table.rows).sum();
        let dim = parts.first().map_or(0, |(_, table)| table.dim);
        if rows == 0 {
            return Err(VectorFileError::NoRows {
                path: given.to_owned(),
            });
        }
        Ok(Self {
            given: given.to_owned(),
            parts,
            dim,
            rows,
            current: 0,
            done: 0,
            open: None,
        })
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.given
    }

    /// The rows of all files.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The numbers of each vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The vectors have the length that something else has, which `of` names.
    ///
    /// # Errors
    /// [`VectorFileError::Dimensions`] if they have another.
    pub fn check_dim(&self, expected: usize, of: String) -> Result<(), VectorFileError> {
        check_dim(&self.given, self.dim, expected, of)
    }

    /// How many rows make a block of a moderate size.
    pub fn block_rows(&self) -> usize {
        (BLOCK_BYTES / (self.dim * size_of::<f32>())).max(1)
    }

    /// The files in order, each with the number of rows up to its end.
    pub fn parts(&self) -> Vec<(PathBuf, u64)> {
        let mut end = 0;
        let parts = self.parts.iter().map(|(path, table)| {
            end += table.rows;
            (path.clone(), end)
        });
        parts.collect()
    }

    /// Reads the next rows, at most `rows`, as unit vectors; returns how many there were, 0 at the end.
    ///
    /// # Errors
    /// When a file has become shorter, its checksum does not match, or it cannot be read.
    pub fn next_block(
        &mut self,
        rows: usize,
        block: &mut VectorBlock,
    ) -> Result<usize, VectorFileError> {
        block.values.clear();
        block.faults.clear();
        let mut read = 0;
        while read < rows && self.current < self.parts.len() {
            let table = &self.parts[self.current].1;
            let left = table.rows - self.done;
            if left == 0 {
                (self.current, self.done) = (self.current + 1, 0);
                continue;
            }
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert((table.open)()?),
            };
            let take = left.min((rows - read) as u64) as usize;
            open.read(take, block)?;
            read += take;
            self.done += take as u64;
            // The checksum is known before a caller uses the last rows.
            if self.done == table.rows {
                open.finish()?;
                self.open = None;
            }
        }
        block.normalise(self.dim);
        Ok(read)
    }

    /// All vectors `[rows, dim]` of a file that is small enough for memory.
    ///
    /// # Errors
    /// As [`next_block`](Self::next_block).
    pub fn read_all(mut self) -> Result<VectorBlock, VectorFileError> {
        let mut all = VectorBlock::default();
        let mut block = VectorBlock::default();
        loop {
            let begun = all.values.len() / self.dim;
            if self.next_block(self.block_rows(), &mut block)? == 0 {
                return Ok(all);
            }
            all.values.append(&mut block.values);
            let faults = block.faults.drain(..);
            all.faults
                .extend(faults.map(|(row, fault)| (begun + row, fault)));
        }
    }
}

/// The vectors of a file, which have `found` numbers, have the length that something else has, which `of` names.
///
/// # Errors
/// [`VectorFileError::Dimensions`] if they have another.
pub fn check_dim(
    path: &Path,
    found: usize,
    expected: usize,
    of: String,
) -> Result<(), VectorFileError> {
    match found == expected {
        true => Ok(()),
        false => Err(VectorFileError::Dimensions {
            path: path.to_owned(),
            first: of,
            expected,
            found,
        }),
    }
}

/// Names the file of a row and the row in it, by the files of [`VectorReader::parts`]. Rows of vectors are counted from
/// 0, as NumPy and the output of commands count them; the text says so, because lines of lists are counted from 1.
pub fn row_place(parts: &[(PathBuf, u64)], row: u64) -> String {
    match part_of(parts, row) {
        Some((file, row)) => format!("{}, row {row} (from 0)", file.display()),
        None => format!("row {row} (from 0)"),
    }
}

/// The name of the file that holds a row.
pub fn row_file(parts: &[(PathBuf, u64)], row: u64) -> String {
    let part = part_of(parts, row);
    part.map_or_else(String::new, |(file, _)| file.display().to_string())
}

/// The file that holds a row, and the number of the row in it.
fn part_of(parts: &[(PathBuf, u64)], row: u64) -> Option<(&Path, u64)> {
    let at = parts.partition_point(|(_, end)| *end <= row);
    let begin = at.checked_sub(1).map_or(0, |before| parts[before].1);
    let (file, _) = parts.get(at)?;
    Some((file, row - begin))
}
