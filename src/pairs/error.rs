//! Errors that concern a source of pairs as a whole.

use std::path::PathBuf;
use std::{fmt, io};

use super::input::is_damage;
use crate::disk;

/// The sources cannot be read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairsError {
    /// A path does not exist.
    #[error(
        "{}: there is no such file or folder; give a {formats} file, or a folder of images with .txt \
         files", path.display()
    )]
    Missing {
        /// The path given.
        path: PathBuf,
        /// The usual endings of files that are read.
        formats: String,
    },
    /// A path named like a file is a folder.
    #[error(
        "{}: expected a file, found a folder; give the file inside it, or rename the folder if it \
         holds images with .txt files", path.display()
    )]
    FolderForFile {
        /// The path given.
        path: PathBuf,
    },
    /// A pipe, a socket or a device stands where a file is expected, which is read twice.
    #[error(
        "{}: expected a file, which is read twice, found a pipe, socket or device; write its content to \
         a file", path.display()
    )]
    DeviceForFile {
        /// The path given.
        path: PathBuf,
    },
    /// A file's name does not say how to read it.
    #[error(
        "{}: expected a name that ends in {formats}, or a folder; if the file holds one record a line, \
         rename it after its form, else write it as .jsonl: \
         {{\"image\": \"a.jpg\", \"caption\": \"a cat\"}} on each line", path.display()
    )]
    UnknownFormat {
        /// The path given.
        path: PathBuf,
        /// All endings of files that are read.
        formats: String,
    },
    /// A file is of a format that is not read, by its first bytes or its name.
    #[error("{}: this seems to be {format}, which is not read as pairs; {advice}", path.display())]
    OtherFormat {
        /// The path given.
        path: PathBuf,
        /// What it seems to be.
        format: &'static str,
        /// What to do.
        advice: String,
    },
    /// The same file or folder was given twice.
    #[error("{}: given twice; each source may be named once, so leave one out", path.display())]
    GivenTwice {
        /// The second path given.
        path: PathBuf,
    },
    /// A header lacks a column without which no row can be read.
    #[error(
        "{}: the header has no column for the {missing}: expected one of {}, found {}{hint}",
        path.display(), accepted.join(", "), list(found)
    )]
    Header {
        /// The CSV or TSV file.
        path: PathBuf,
        /// `image` or `caption`.
        missing: &'static str,
        /// The names that are understood.
        accepted: Vec<String>,
        /// The columns that the header has.
        found: Vec<String>,
        /// What to do; completes the sentence.
        hint: &'static str,
    },
    /// A column has a type that its field cannot have.
    #[error(
        "{}: the column {name:?} has another type than an image has: expected {expected}, found {found}; name another \
         column, or convert this one", path.display()
    )]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// What it must hold.
        expected: &'static str,
        /// The type that it has.
        found: String,
    },
    /// A quotation mark in the header is not closed, or text follows it.
    #[error(
        "{}: the header's quotation marks do not come in pairs around whole names; correct the \
         first line", path.display()
    )]
    HeaderQuote {
        /// The file.
        path: PathBuf,
    },
    /// A header has a column twice that may be there once.
    #[error(
        "{}: the header has the column {name:?} twice; rename one (only captions may have several \
         columns)", path.display()
    )]
    ColumnTwice {
        /// The file.
        path: PathBuf,
        /// The column's name.
        name: String,
    },
    /// A file is UTF-16 or UTF-32, as some spreadsheets save it.
    #[error("{}: expected UTF-8, found UTF-16 or UTF-32; save the file as UTF-8", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// The header of a file is not UTF-8.
    #[error("{}: the header is not UTF-8; save the file as UTF-8", path.display())]
    HeaderEncoding {
        /// The file.
        path: PathBuf,
    },
    /// The sources hold no row, or none that could be used.
    #[error(
        "{}: no pairs found; a pair is a row with an image and a caption, or an image with a \
         .txt file of the same name beside it",
        shown(paths)
    )]
    NoPairs {
        /// The paths given.
        paths: Vec<PathBuf>,
    },
    /// The process may open no more files, or has no memory: the next row would fail alike.
    #[error("{source}; run again with more of it, nothing is wrong with the pairs")]
    Exhausted {
        /// What the system says, with the path that it was met at.
        source: io::Error,
    },
    /// The beginning of a file cannot be read because it is damaged.
    #[error("{source}; get the file again")]
    Damaged {
        /// What is wrong, with the path and the place.
        source: io::Error,
    },
    /// The system refuses to read a file.
    #[error("{source}{}", reading_advice(source))]
    Read {
        /// What the system says, with the path.
        source: io::Error,
    },
}

impl From<io::Error> for PairsError {
    fn from(source: io::Error) -> Self {
        match is_damage(&source) {
            true => Self::Damaged { source },
            false => Self::Read { source },
        }
    }
}

/// The advice after the system's error where reading failed: for a process at its limits the text for
/// that error already has it, and the path is not the cause.
pub(crate) fn reading_advice(error: &io::Error) -> &'static str {
    match disk::is_exhausted(error) {
        true => "",
        false => "; check the path and its permissions",
    }
}

/// `a, b`, or `nothing given`.
fn shown(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "nothing given".to_owned();
    }
    let names: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.join(", ")
}

/// `"a", "b"`, or `nothing`.
fn list(items: &[impl fmt::Debug]) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    let names: Vec<_> = items.iter().map(|item| format!("{item:?}")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_to_blame_for_a_process_without_files() {
        let said = |number| PairsError::from(io::Error::from_raw_os_error(number)).to_string();
        assert!(said(13).contains("check the path"));
        assert!(!said(24).contains("check the path"));
    }
}
