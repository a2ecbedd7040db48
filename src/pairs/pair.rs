//! A pair, its origin, and the names of its fields.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::image_source::ImageSource;

/// Names of the field that holds the image's path; a record has one of them.
pub(super) const IMAGE_NAMES: &[&str] = &["image", "image_path", "file_name"];
/// Names of the field that holds the text or texts; a record has one of them.
pub(super) const CAPTION_NAMES: &[&str] = &["captions", "caption", "text"];
/// Name of the field that holds the id.
pub(super) const ID_NAME: &str = "id";

/// The origin of a pair: a file, and a row where the file has rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairOrigin {
    /// The file that holds the row; for a folder of images, the image.
    pub file: PathBuf,
    /// The line, counted from 1, on which the row begins (in a CSV file the header is line 1).
    pub row: Option<u64>,
}

impl fmt::Display for PairOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.row {
            Some(row) => write!(f, ", row {row}"),
            None => Ok(()),
        }
    }
}

/// One anchor pair: an image and its captions.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Unique among the pairs of one [`PairReader`](super::PairReader).
    pub id: String,
    /// The image; a file existed when the pair was read.
    pub image: ImageSource,
    /// At least one; trimmed, none blank.
    pub captions: Vec<String>,
    /// The record's other fields: source, licence, label, ...
    pub meta: Map<String, Value>,
    /// The origin of the pair.
    pub origin: PairOrigin,
}

impl Pair {
    /// A pair that the caller has, with nothing known of it but its id, its image and its captions.
    pub fn new<S: Into<String>>(
        id: impl Into<String>,
        image: impl Into<ImageSource>,
        captions: impl IntoIterator<Item = S>,
    ) -> Self {
        let id = id.into();
        Self {
            origin: PairOrigin {
                file: PathBuf::from(&id),
                row: None,
            },
            id,
            image: image.into(),
            captions: captions.into_iter().map(Into::into).collect(),
            meta: Map::new(),
        }
    }
}
