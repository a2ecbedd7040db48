//! The crate's error type.

use std::io;
use std::path::{Path, PathBuf};

use crate::container::SectionName;

/// Errors of this crate. Every message names the file or the argument and ends with advice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file operation failed.
    #[error("{}: {doing} failed: {}; {}", path.display(), said(source, path), advice(source.kind()))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operation.
        doing: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// The path is a folder, a device or a pipe.
    #[error("{}: not a regular file; give the path of the file itself", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is not a container of this crate, or not a readable one.
    #[error("{}: {problem}; {advice}", path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
        /// What to do.
        advice: &'static str,
    },
    /// The file is a container of another version, which a newer program wrote.
    #[error(
        "{}: expected format version {known}, found {found}; use the asif that wrote it, or write it again \
         with this one",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The version that is read.
        known: u32,
    },
    /// The first page (header or section table) contradicts itself or the file.
    #[error("{}: header: {problem}; the file is damaged, write it again or restore a copy", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        problem: String,
    },
    /// A section is missing or contradicts another one.
    #[error("{}: section `{section}`: {problem}; the file is damaged, write it again or restore a copy", path.display())]
    Section {
        /// The file.
        path: PathBuf,
        /// The section.
        section: SectionName,
        /// What was expected and what was found.
        problem: String,
    },
    /// A number that is not finite was given where vectors are written.
    #[error(
        "row {row}, column {column}: {value} is not a finite number; check what produced the vector"
    )]
    NonFinite {
        /// Row of the set, counted from 0.
        row: u64,
        /// Column, counted from 0.
        column: usize,
        /// The number.
        value: f32,
    },
    /// An invalid argument: a wrong length, or a number out of range.
    #[error("{what}: expected {expected}, found {found}; {advice}")]
    Argument {
        /// Which argument.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What was given.
        found: String,
        /// What to do.
        advice: &'static str,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the operating system says, without the path that the message has already.
fn said(source: &io::Error, path: &Path) -> String {
    let said = source.to_string();
    match said.split_once(&format!("`{}`: ", path.display())) {
        Some((_, reason)) => reason.to_owned(),
        None => said,
    }
}

/// What helps with an error of this kind.
fn advice(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind::{
        FileTooLarge, NotADirectory, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem,
        StorageFull,
    };
    match kind {
        StorageFull | QuotaExceeded => "free some space there",
        FileTooLarge => "raise that limit",
        NotFound | NotADirectory => "check the path",
        PermissionDenied | ReadOnlyFilesystem => "check the permissions",
        _ => "check the path, its permissions and the disk",
    }
}

impl Error {
    /// The file and what is wrong with its content, where the error says that the file is damaged or
    /// is not what it should be. `None` for errors of the operating system, of arguments, and of versions.
    #[must_use]
    pub fn damage(&self) -> Option<(&Path, String)> {
        match self {
            Self::NotAFile { path } => Some((path, "it is not a regular file".to_owned())),
            Self::NotReadable { path, problem, .. } => Some((path, problem.clone())),
            Self::Header { path, problem } => Some((path, format!("header: {problem}"))),
            Self::Section {
                path,
                section,
                problem,
            } => Some((path, format!("section `{section}`: {problem}"))),
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }

    pub(crate) fn header(path: &Path, problem: impl Into<String>) -> Self {
        Self::Header {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    pub(crate) fn section(
        path: &Path,
        section: impl Into<SectionName>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Section {
            path: path.to_owned(),
            section: section.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn length(what: &'static str, expected: usize, found: usize) -> Self {
        Self::Argument {
            what,
            expected: format!("{expected} numbers"),
            found: format!("{found}"),
            advice: "give one made for this vector set",
        }
    }
}
