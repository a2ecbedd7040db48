//! A pair, its origin, and the names of its fields.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::path_text::text_of;
use crate::image_source::ImageSource;

/// Names of the field that holds the image's path; a record has one of them.
pub(super) const IMAGE_NAMES: &[&str] = &["image", "image_path", "file_name"];
/// Names of the field that holds the text or texts; a record has one of them.
pub(super) const CAPTION_NAMES: &[&str] = &["captions", "caption", "text"];
/// Name of the field that holds the id.
pub(super) const ID_NAME: &str = "id";

/// Whether a field of a record with this name is the id, the image or the texts of its pair.
#[cfg(feature = "parquet")]
pub(crate) fn is_pair_field(name: &str) -> bool {
    name == ID_NAME || IMAGE_NAMES.contains(&name) || CAPTION_NAMES.contains(&name)
}

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
    /// The image's name, relative to its source, as a path is [told as text](super::path_text).
    pub image_name: String,
    /// The folder that names of this source are relative to; empty for the working folder.
    pub image_base: PathBuf,
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
        let (id, image) = (id.into(), image.into());
        // A record is shown to others, so it names no folders of this machine.
        let image_base = match image.path().filter(|path| path.is_absolute()) {
            Some(path) => path.parent().unwrap_or(path).to_owned(),
            None => PathBuf::new(),
        };
        let image_name = match image.path() {
            Some(path) => text_of(path.strip_prefix(&image_base).unwrap_or(path)),
            None => image.to_string(),
        };
        Self {
            image_name,
            image_base,
            origin: PairOrigin {
                file: PathBuf::from(&id),
                row: None,
            },
            id,
            image,
            captions: captions.into_iter().map(Into::into).collect(),
            meta: Map::new(),
        }
    }
}
