//! The interface that every format implements.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{PairOrigin, RowError, RowRejection};
use crate::image_source::ImageSource;

/// A source of pairs that has been scanned once.
pub(super) trait PairSource: Send {
    /// How many rows it holds.
    fn rows(&self) -> u64;

    /// Whether it may name no image outside its folder: lists that are published with their pictures.
    fn is_confined(&self) -> bool {
        false
    }

    /// Reads it from its beginning. Of a file it may be called again.
    ///
    /// # Errors
    /// When it can no longer be opened.
    fn drafts(&mut self) -> io::Result<DraftIterator>;
}

/// A source, and its name in messages.
pub(super) struct NamedSource {
    pub(super) path: PathBuf,
    pub(super) source: Box<dyn PairSource>,
    /// The folder, and the list's name, of a list that was found in a folder.
    pub(super) listed: Option<(PathBuf, &'static str)>,
}

/// A pair as its source has it, before its id is assigned and its image is checked.
#[derive(Debug)]
pub(super) struct PairDraft {
    pub(super) id: Option<String>,
    /// The image path as written, from which an id is derived.
    pub(super) written: String,
    /// The folder that it is relative to.
    pub(super) base: PathBuf,
    /// The image, resolved.
    pub(super) image: ImageSource,
    pub(super) captions: Vec<String>,
    pub(super) meta: Map<String, Value>,
    pub(super) origin: PairOrigin,
    /// How many rows of the source this draft consists of.
    pub(super) rows: u64,
}

/// The drafts of one source, in its order. Each error is one skipped row.
pub(super) type DraftIterator = Box<dyn Iterator<Item = Result<PairDraft, RowError>> + Send>;

/// The folder from which a file's image paths are read.
pub(super) fn base_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_owned).unwrap_or_default()
}

/// Checks that an image exists, or says why its row is skipped.
pub(super) fn look_for(image: &ImageSource, written: &str) -> Result<(), RowRejection> {
    let ImageSource::File(image) = image else {
        return Ok(());
    };
    let schemes = ["http://", "https://", "ftp://", "s3://", "gs://", "hf://"];
    if schemes.iter().any(|scheme| written.starts_with(scheme)) {
        return Err(RowRejection::ImageIsAddress {
            address: written.to_owned(),
        });
    }
    match fs_err::metadata(image) {
        Ok(found) if found.is_dir() => Err(RowRejection::ImageIsFolder {
            path: image.to_owned(),
        }),
        Ok(found) if !found.is_file() => Err(RowRejection::ImageIsDevice {
            path: image.to_owned(),
        }),
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(RowRejection::ImageMissing {
                path: image.to_owned(),
            })
        }
        Err(error) => Err(RowRejection::of_io(error, |message| {
            RowRejection::ImageUnreadable { message }
        })),
    }
}
