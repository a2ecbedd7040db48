//! A folder of images, each with a `.txt` file of the same stem beside it.
//!
//! Folders within are read too, in the order of their names; names that begin with a dot are
//! passed over. Each line of the text file that is not blank is one caption. Lines of the form
//! `xx.utf8=...`, with which Tux Paint's stamps give translations, are not captions. A `.txt`
//! without an image is left alone.

use std::path::{Path, PathBuf};

use serde_json::Map;
use walkdir::{DirEntry, WalkDir};

use super::lines::BOM;
use super::record::{self, Draft};
use super::{Origin, Reason, RowError};

/// Endings of file names that are taken for images, in any case.
pub const IMAGE_EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "webp", "gif", "bmp"];

/// Whether a file's name ends like an image's.
pub(crate) fn is_image_name(path: &Path) -> bool {
    path.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| {
            IMAGE_EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(ending))
        })
}

fn walk(folder: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> + Send + use<> {
    let hidden = |entry: &DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(move |entry| entry.depth() == 0 || !hidden(entry))
        .filter(|entry| match entry {
            Ok(entry) => entry.file_type().is_file() && is_image_name(entry.path()),
            Err(_) => true,
        })
}

/// Counts the images, and the places that cannot be read.
pub(super) fn count(folder: &Path) -> u64 {
    walk(folder).fold(0, |rows, _| rows + 1)
}

/// Reads a folder image by image.
pub(super) struct Folder {
    root: PathBuf,
    entries: Box<dyn Iterator<Item = walkdir::Result<DirEntry>> + Send>,
}

impl Folder {
    pub(super) fn open(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            entries: Box::new(walk(root)),
        }
    }
}

impl Iterator for Folder {
    type Item = Result<Draft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let image = match self.entries.next()? {
            Ok(entry) => entry.into_path(),
            Err(error) => {
                let file = error.path().unwrap_or(&self.root).to_owned();
                let reason = Reason::FolderUnreadable {
                    message: error.to_string(),
                };
                return Some(Err(RowError {
                    origin: Origin { file, row: None },
                    reason,
                }));
            }
        };
        let origin = Origin {
            file: image.clone(),
            row: None,
        };
        let captions = match captions_beside(&image) {
            Ok(captions) => captions,
            Err(reason) => return Some(Err(RowError { origin, reason })),
        };
        let written = image.strip_prefix(&self.root).unwrap_or(&image);
        let written: Vec<_> = written
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let written = written.join("/");
        Some(Ok(Draft {
            id: None,
            written,
            image,
            captions,
            meta: Map::new(),
            origin,
            rows: 1,
        }))
    }
}

fn captions_beside(image: &Path) -> Result<Vec<String>, Reason> {
    let expected = image.with_extension("txt");
    let path = [expected.clone(), image.with_extension("TXT")]
        .into_iter()
        .find(|path| path.is_file())
        .ok_or(Reason::NoTextFile { expected })?;
    let bytes = fs_err::read(path).map_err(|error| Reason::TextFile {
        message: error.to_string(),
    })?;
    let bytes = bytes.strip_prefix(BOM).unwrap_or(&bytes);
    let text = str::from_utf8(bytes).map_err(|error| Reason::Utf8 {
        at: error.valid_up_to() + 1,
    })?;
    record::trimmed(
        text.lines()
            .filter(|line| !is_translation(line))
            .map(str::to_owned),
    )
}

/// `pt_BR.utf8=Um gato.`
fn is_translation(line: &str) -> bool {
    line.split_once(".utf8=").is_some_and(|(locale, _)| {
        !locale.is_empty()
            && locale.len() <= 16
            && locale
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_@-".contains(&byte))
    })
}
