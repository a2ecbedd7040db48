//! Why a file of vectors or its metadata cannot be read at all.

use std::path::{Path, PathBuf};

/// A file of vectors or metadata that cannot be read. A single bad row is a
/// [`VectorFault`](super::VectorFault) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorFileError {
    /// A file that is not what it must be.
    #[error("{}: expected {expected}, found {found}", path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file that ends before its last row, or has more bytes than its header says.
    #[error(
        "{}: expected {expected} bytes as its header says, found {found}; it was cut off or is not complete: \
         copy or write it again", path.display()
    )]
    Length {
        /// The file, and the array in it.
        path: PathBuf,
        /// Bytes by the header.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The content of an archive differs from what was written.
    #[error(
        "{}: its checksum does not match, so it was changed after it was written; copy or write it again",
        path.display()
    )]
    Checksum {
        /// The file, and the array in it.
        path: PathBuf,
    },
    /// Several arrays, of which one has to be chosen.
    #[error(
        "{}: expected one table of vectors, found {}; name one: {}#{}",
        path.display(), names.join(", "), path.display(), names.first().map_or("", String::as_str)
    )]
    SeveralArrays {
        /// The file.
        path: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// An array that the file does not have.
    #[error(
        "{}: it has no table of vectors called {name:?}; it has {}",
        path.display(), or_none(names)
    )]
    NoSuchArray {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// The arrays that it has.
        names: Vec<String>,
    },
    /// Files that belong together have vectors of different lengths.
    #[error(
        "{}: expected vectors of {expected} numbers as in {first}, found {found}", path.display()
    )]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// What has the other length: a file, an encoder, an anchor set.
        first: String,
        /// Numbers of each vector there.
        expected: usize,
        /// Numbers of each vector here.
        found: usize,
    },
    /// Files whose rows belong together have different numbers of rows.
    #[error(
        "{} has {rows} rows and {} has {other_rows}; row after row must belong together, so both need the \
         same number{}", path.display(), other.display(), wide_note(wide_row.as_ref())
    )]
    RowCounts {
        /// One file.
        path: PathBuf,
        /// Its rows.
        rows: u64,
        /// The other.
        other: PathBuf,
        /// Its rows.
        other_rows: u64,
        /// The first row of the metadata that takes up several lines: its file, its line, its lines.
        wide_row: Option<(PathBuf, u64, u64)>,
    },
    /// There is not a single row.
    #[error("{}: no row of vectors; give a file that has some", path.display())]
    NoRows {
        /// The file or folder.
        path: PathBuf,
    },
    /// The file system refused; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl VectorFileError {
    pub(super) fn unusable(
        path: &Path,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// What may be the cause where a table has fewer rows than lines.
fn wide_note(wide_row: Option<&(PathBuf, u64, u64)>) -> String {
    wide_row.map_or_else(String::new, |(file, line, lines)| {
        format!(
            "; the row on line {line} of {} takes up {lines} lines: is a quotation mark left open there?",
            file.display()
        )
    })
}

fn or_none(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
