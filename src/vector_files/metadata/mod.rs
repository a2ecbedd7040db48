//! Metadata of vectors: row `i` belongs to vector `i`.
//!
//! Fields are those of pairs: `id`, the image's path (`image`, `image_path` or `file_name`) and the text or texts
//! (`captions`, `caption` or `text`). None of them must be there, and all other fields are kept.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`MetadataReader`]: the rows of one or more files |
//! | `row` | [`MetadataRow`]: the fields of a row |
//! | `text` | rows of JSONL, CSV and TSV |
//! | `parquet` | rows of Parquet |

#[cfg(feature = "parquet")]
mod parquet;
mod row;
mod text;

use std::path::{Path, PathBuf};

use super::error::VectorFileError;
use super::path::{self, METADATA_ENDINGS};
use crate::pairs::{PairOrigin, RowError};

#[cfg(feature = "parquet")]
pub(super) use parquet::json_column;
pub use row::MetadataRow;
use row::RowIterator;

/// The rows of files of metadata, in one pass.
pub struct MetadataReader {
    given: PathBuf,
    parts: std::vec::IntoIter<PathBuf>,
    rows: u64,
    unread: Vec<String>,
    /// The first row of several lines: its file, its line, its lines.
    widest: Option<(PathBuf, u64, u64)>,
    /// The file that is read, and its rows.
    open: Option<(PathBuf, Box<dyn RowIterator>)>,
    /// The line of the row that was read last.
    line: u64,
}

impl std::fmt::Debug for MetadataReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("MetadataReader");
        shown.field("path", &self.given).field("rows", &self.rows);
        shown.finish_non_exhaustive()
    }
}

impl MetadataReader {
    /// Opens a file of metadata, or a folder of several whose rows follow one another, and counts the rows.
    ///
    /// # Errors
    /// When a file cannot be read at all.
    pub fn open(given: &Path) -> Result<Self, VectorFileError> {
        let files = path::files(given, METADATA_ENDINGS)?;
        let (mut rows, mut unread, mut widest) = (0, Vec::new(), None);
        for file in &files {
            let found = survey(&file.path)?;
            rows += found.rows;
            unread.extend(found.left_out);
            let wide = found.wide_row;
            widest = widest.or(wide.map(|(line, lines)| (file.path.clone(), line, lines)));
        }
        unread.sort();
        unread.dedup();
        let paths: Vec<_> = files.into_iter().map(|file| file.path).collect();
        Ok(Self {
            given: given.to_owned(),
            parts: paths.into_iter(),
            rows,
            unread,
            widest,
            open: None,
            line: 0,
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

    /// The first row that takes up several lines, if there is one: its file, the line on which it begins, and the number
    /// of its lines. Where rows are missing, a quotation mark there may never have been closed.
    pub(super) fn wide_row(&self) -> Option<(&Path, u64, u64)> {
        let (file, line, lines) = self.widest.as_ref()?;
        Some((file, *line, *lines))
    }

    /// Columns that are left out, because their type has no place among metadata: vectors, bytes and
    /// times.
    pub fn left_out(&self) -> &[String] {
        &self.unread
    }

    /// Where the row stands that was read last.
    pub fn origin(&self) -> PairOrigin {
        let file = self.open.as_ref().map_or(&self.given, |(file, _)| file);
        PairOrigin {
            file: file.clone(),
            row: Some(self.line),
        }
    }

    /// The folder that paths of images in the row that was read last are relative to.
    pub fn base(&self) -> &Path {
        let file = self.open.as_ref().map_or(&*self.given, |(file, _)| file);
        file.parent().unwrap_or(Path::new(""))
    }

    /// The next row, or why it cannot be used; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read on, so that later rows would belong to other vectors.
    pub fn next_row(&mut self) -> Result<Option<Result<MetadataRow, RowError>>, VectorFileError> {
        loop {
            if let Some((file, rows)) = &mut self.open
                && let Some((line, row)) = rows.next_row()
            {
                self.line = line;
                let row = row?.map_err(|reason| RowError {
                    origin: PairOrigin {
                        file: file.clone(),
                        row: Some(line),
                    },
                    reason,
                });
                return Ok(Some(row));
            }
            let Some(file) = self.parts.next() else {
                return Ok(None);
            };
            let rows = rows_of(&file)?;
            self.open = Some((file, rows));
        }
    }
}

/// The ending of a file's name, in lower case.
fn ending(path: &Path) -> String {
    let ending = path
        .extension()
        .map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.unwrap_or_default()
}

/// What the beginning of the reading tells of a file.
#[derive(Debug, Default)]
struct MetadataSurvey {
    rows: u64,
    /// Columns that have no place among metadata.
    left_out: Vec<String>,
    /// The line of the first row of several lines, and how many they are.
    wide_row: Option<(u64, u64)>,
}

/// Counts the rows, and names the columns that are left out.
fn survey(path: &Path) -> Result<MetadataSurvey, VectorFileError> {
    let mut found = MetadataSurvey::default();
    match ending(path).as_str() {
        #[cfg(feature = "parquet")]
        "parquet" => (found.rows, found.left_out) = parquet::survey(path)?,
        _ => {
            let mut rows = rows_of(path)?;
            while let Some((line, row)) = rows.next_row() {
                row?.ok();
                found.rows += 1;
                if rows.lines() > 1 {
                    found.wide_row.get_or_insert((line, rows.lines()));
                }
            }
        }
    }
    Ok(found)
}

fn rows_of(path: &Path) -> Result<Box<dyn RowIterator>, VectorFileError> {
    match ending(path).as_str() {
        "jsonl" | "ndjson" => text::json_lines(path),
        "csv" => text::table(path, b','),
        "tsv" => text::table(path, b'\t'),
        #[cfg(feature = "parquet")]
        "parquet" => parquet::rows(path),
        _ => Err(VectorFileError::unusable(
            path,
            format!("metadata as .{}", METADATA_ENDINGS.join(", .")),
            "another ending of its name",
        )),
    }
}
