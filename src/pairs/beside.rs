//! Matches the texts of a folder to its images: those with the same file stem.
//!
//! The ending is `.txt` in any case, so one image may have several texts; all of them count. A name
//! in another Unicode normal form is the same name, as file systems and archives change the form;
//! it is looked for where no text has the name byte by byte.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use unicode_normalization_alignments::UnicodeNormalization as _;

use super::RowRejection;
use super::endings::{ending_of, is_image, is_image_name, is_unread_image};
use crate::disk;

/// The texts of one folder.
#[derive(Debug, Default)]
pub(super) struct FolderTexts {
    folder: PathBuf,
    /// The names of the texts, in order, by the composed form of their stems.
    texts: HashMap<OsString, Vec<OsString>>,
    /// Texts that belong to an image.
    owned: HashSet<OsString>,
}

impl FolderTexts {
    /// Lists a folder. One that cannot be listed has no texts; the walk reports the error.
    ///
    /// # Errors
    /// [`RowRejection::Exhausted`].
    pub(super) fn of_folder(folder: &Path) -> Result<Self, RowRejection> {
        // Out of file handles is no property of this folder; going on would lose its texts silently.
        let listed = match fs_err::read_dir(folder) {
            Err(source) if disk::is_exhausted(&source) => {
                return Err(RowRejection::Exhausted { source });
            }
            listed => listed,
        };
        let names = listed.into_iter().flatten().flatten();
        let (mut texts, rest): (Vec<_>, Vec<_>) = names
            .map(|entry| entry.file_name())
            .partition(|name| is_text(Path::new(name)));
        // Sorted, because the order of a listing differs between file systems and captions have an order.
        texts.sort_unstable();
        let mut beside = Self {
            folder: folder.to_owned(),
            ..Self::default()
        };
        for name in texts {
            beside.texts.entry(key_of(&name)).or_default().push(name);
        }
        for name in rest {
            let owned = beside.named_as(&name);
            // A text beside a folder of its name still is a text without an image.
            if !owned.is_empty() && is_partner(&folder.join(&name)) {
                beside.owned.extend(owned);
            }
        }
        Ok(beside)
    }

    pub(super) fn is_of(&self, folder: &Path) -> bool {
        self.folder == folder
    }

    /// Whether a text belongs to an image of the folder.
    pub(super) fn is_owned(&self, text: &OsStr) -> bool {
        self.owned.contains(text)
    }

    /// The texts of an image.
    pub(super) fn texts_of(&self, image: &Path) -> Vec<PathBuf> {
        let names = self.named_as(image.file_name().unwrap_or_default());
        let paths = names.into_iter().map(|name| self.folder.join(name));
        paths.filter(|path| path.is_file()).collect()
    }

    fn named_as(&self, image: &OsStr) -> Vec<OsString> {
        let Some(texts) = self.texts.get(&key_of(image)) else {
            return Vec::new();
        };
        let stem = Path::new(image).file_stem();
        // The exact name wins, where both normal forms lie in one folder.
        let exact = texts
            .iter()
            .filter(|text| Path::new(text).file_stem() == stem);
        let exact: Vec<_> = exact.cloned().collect();
        if exact.is_empty() {
            texts.clone()
        } else {
            exact
        }
    }
}

pub(super) fn is_text(path: &Path) -> bool {
    ending_of(path) == "txt"
}

/// Whether a file is an image, or named like one; a problem is then reported for it, not for its text.
fn is_partner(path: &Path) -> bool {
    let ending = ending_of(path);
    let by_name = is_image_name(path) || is_unread_image(&ending);
    !path.is_dir() && (by_name || path.is_file() && is_image(path))
}

/// A name without its extension, composed (NFC); unchanged if it is not Unicode.
fn key_of(name: &OsStr) -> OsString {
    let stem = Path::new(name).file_stem().unwrap_or_default();
    stem.to_str()
        .map_or_else(|| stem.to_owned(), |stem| composed(stem).into())
}

/// A text in Unicode's composed normal form (NFC).
pub(crate) fn composed(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_owned(),
        false => text.nfc().map(|(letter, _)| letter).collect(),
    }
}

/// Finds files whose names are stored in another Unicode normal form than a list has them.
#[derive(Debug, Default)]
pub(super) struct NormalizedNames {
    /// The folder that was listed last: a list names many files of one folder.
    folder: Option<PathBuf>,
    /// Its names by their composed form; `None` where two share one.
    names: HashMap<String, Option<OsString>>,
}

impl NormalizedNames {
    /// The file that a path names.
    pub(super) fn stored(&mut self, path: PathBuf) -> PathBuf {
        let name = path.file_name().and_then(OsStr::to_str);
        // ASCII names have one form, so that most lists never need a listing.
        let Some(name) = name.filter(|name| !name.is_ascii()).map(composed) else {
            return path;
        };
        if path.exists() {
            return path;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        // One folder at a time: a list that names files of many folders would fill the memory.
        if self.folder.as_deref() != Some(folder) {
            self.look_into(folder);
        }
        match self.names.get(&name) {
            Some(Some(stored)) => path.with_file_name(stored),
            _ => path,
        }
    }

    /// A folder that cannot be listed has no names; opening the file then reports the error.
    fn look_into(&mut self, folder: &Path) {
        self.names.clear();
        let listed = match folder == Path::new("") {
            true => fs_err::read_dir("."),
            false => fs_err::read_dir(folder),
        };
        for entry in listed.into_iter().flatten().flatten() {
            let stored = entry.file_name();
            let name = stored.to_str().filter(|name| !name.is_ascii());
            if let Some(name) = name.map(composed) {
                let known = self.names.entry(name);
                // Two stored names with one composed form are ambiguous, so neither is taken.
                known
                    .and_modify(|known| *known = None)
                    .or_insert(Some(stored));
            }
        }
        self.folder = Some(folder.to_owned());
    }
}
