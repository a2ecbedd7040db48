//! Errors of reading a data set.

use std::path::PathBuf;

use crate::pairs::{self, PairOrigin, PairsError, RowError};
use crate::space::prompts::PromptsError;

/// A data set that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The folder does not exist.
    #[error("{}: there is no such folder; a data set is a folder of images", .path.display())]
    Missing {
        /// The path given.
        path: PathBuf,
    },
    /// The file of class names does not exist.
    #[error("{}: there is no such file; give a file with `folder: name` on each line", .path.display())]
    NoClassFile {
        /// The path given.
        path: PathBuf,
    },
    /// The file of class names is a folder.
    #[error("{}: expected a file of class names, found a folder; give a file with `folder: name` on each line", .path.display())]
    ClassFileIsFolder {
        /// The path given.
        path: PathBuf,
    },
    /// The path is a file.
    #[error("{}: expected a folder of images, found a file; name the folder", .path.display())]
    NotAFolder {
        /// The path given.
        path: PathBuf,
    },
    /// `meta.json` is invalid.
    #[error("{}: {message}; correct the file or remove it", .path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Instead of a file of the data set there is a placeholder, such as a Git LFS pointer or an error page.
    #[error("{}: {said}", .path.display())]
    StandIn {
        /// The file.
        path: PathBuf,
        /// What it seems to be, and what to do.
        said: String,
    },
    /// A row of the file of class names cannot be used.
    #[error("{origin}: {message}")]
    Row {
        /// The row.
        origin: PairOrigin,
        /// What is wrong and what to do.
        message: String,
    },
    /// There are no images to classify.
    #[error(
        "{}: no labelled images found; expected a folder for each class with images in it, or a \
         labels.jsonl{}", .path.display(), beginning(left_out)
    )]
    NoImages {
        /// The data set.
        path: PathBuf,
        /// What was found, as in [`Dataset::left_out`](super::Dataset::left_out).
        left_out: Vec<String>,
    },
    /// There is only one class.
    #[error(
        "{}: {class:?} is the only class, so every answer would be right; give a data set with two \
         classes or more, or name the others under `classes` in its meta.json", .path.display()
    )]
    OneClass {
        /// The data set.
        path: PathBuf,
        /// Its class.
        class: String,
    },
    /// The folders are splits, not classes.
    #[error(
        "{}: the folders {} seem to be the splits of a data set, each with all classes; give \
         one of them", .path.display(), splits.join(", ")
    )]
    Splits {
        /// The data set.
        path: PathBuf,
        /// Its folders.
        splits: Vec<String>,
    },
    /// Two classes have the same name.
    #[error(
        "the classes {first:?} and {second:?} are both named {name:?}, so their prompts are the \
         same; give them distinct names in a file of class names"
    )]
    SameName {
        /// The name.
        name: String,
        /// The first class.
        first: String,
        /// The second class.
        second: String,
    },
    /// Class names for a data set that has no classes.
    #[error("{}: a retrieval data set has no classes; leave the file of class names out", .path.display())]
    NoClasses {
        /// The data set.
        path: PathBuf,
    },
    /// The templates of `meta.json` cannot be used.
    #[error("{}: {source}", .path.display())]
    Templates {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: PromptsError,
    },
    /// The list of a retrieval data set cannot be read.
    #[error(transparent)]
    Pairs(#[from] PairsError),
    /// No row of that list can be used; holds the first error.
    #[error(transparent)]
    Pair(#[from] RowError),
    /// A file or folder cannot be read.
    #[error("{source}{}", pairs::reading_advice(source))]
    Read {
        /// The system's error, with the path.
        #[from]
        source: std::io::Error,
    },
}

/// The first of what was left out, as the end of a sentence.
pub(super) fn beginning(left_out: &[String]) -> String {
    left_out
        .first()
        .map_or_else(String::new, |first| format!("; {first}"))
}
