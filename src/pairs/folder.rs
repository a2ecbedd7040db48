//! A folder of images, each with a `.txt` file of the same stem [beside](super::beside) it.
//!
//! Folders within are read too, in the order of their names. Each line of a text file that is not blank is
//! one caption; a JSON list of texts, on one line or as the whole file, is that list. Lines of the form
//! `xx.utf8=...`, with which Tux Paint's stamps give translations, are not captions.
//!
//! A file under any other ending than the [usual ones](super::IMAGE_EXTENSIONS) is an image if its first
//! bytes are those of one. **Everything else is a row of its own that is skipped**: other files by
//! their ending, texts without an image, names that begin with a dot. So what is read and what is
//! skipped add up to what lies in the folder, apart from what the caller sets apart: anchor sets, which
//! may be built within the folder of their pictures.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Map;
use walkdir::{DirEntry, WalkDir};

use super::beside::{FolderTexts, is_text};
use super::endings::{ending_of, is_image, is_image_name, is_unread_image};
use super::formats::{self, LISTS};
use super::path_text::text_of;
use super::record;
use super::source::{DraftIterator, PairDraft, PairSource};
use super::{PairOptions, PairOrigin, RowError, RowRejection};
use crate::disk;
use crate::remedy::InputRemedy;
use crate::stand_in::stand_in_of_texts;

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// Tells of a folder whether it is apart: no part of the source that it lies in.
pub(super) type FolderTest = fn(&Path) -> bool;

/// Every entry of a folder that counts as a row: all but visible folders and texts that belong
/// to an image.
struct FolderWalk {
    root: PathBuf,
    entries: walkdir::IntoIter,
    /// The texts of each open folder, by depth.
    beside: Vec<FolderTexts>,
    /// The open folders, by depth: device and inode.
    open: Vec<(u64, u64)>,
    is_apart: FolderTest,
}

impl FolderWalk {
    fn new(folder: &Path, is_apart: FolderTest) -> Self {
        let entries = WalkDir::new(folder)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        Self {
            root: folder.to_owned(),
            entries,
            beside: Vec::new(),
            open: Vec::new(),
            is_apart,
        }
    }

    /// The texts of the folder of an entry; none for the root.
    fn beside(&mut self, entry: &DirEntry) -> Result<Option<&FolderTexts>, RowRejection> {
        let folder = entry.path().parent().unwrap_or(Path::new(""));
        // Depth is the place in the list: leaving a folder drops its texts.
        self.beside.truncate(entry.depth());
        self.beside.resize_with(entry.depth(), Default::default);
        let Some(known) = self.beside.last_mut() else {
            return Ok(None);
        };
        if !known.is_of(folder) {
            *known = FolderTexts::of_folder(folder)?;
        }
        Ok(Some(known))
    }

    /// Whether a folder is one of its own ancestors, reached through a link; `walkdir` notices that for the
    /// link only, on the second visit. Records the folder as open.
    fn is_around(&mut self, folder: &DirEntry) -> bool {
        // Folders that were left since are closed.
        self.open.truncate(folder.depth());
        let Ok(found) = fs_err::metadata(folder.path()) else {
            // Listing it reports the error.
            return false;
        };
        let found = (found.dev(), found.ino());
        let is_around = self.open.contains(&found);
        self.open.push(found);
        is_around
    }

    fn has_image(&mut self, text: &DirEntry) -> Result<bool, RowRejection> {
        let beside = self.beside(text)?;
        Ok(beside.is_some_and(|beside| beside.is_owned(text.file_name())))
    }

    fn texts_of(&mut self, image: &DirEntry) -> Result<Vec<PathBuf>, RowRejection> {
        let beside = self.beside(image)?;
        Ok(beside.map_or_else(Vec::new, |beside| beside.texts_of(image.path())))
    }
}

impl Iterator for FolderWalk {
    type Item = Result<DirEntry, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(unreadable(&self.root, error))),
            };
            let is_folder = entry.file_type().is_dir();
            // An anchor set lies in folders of pictures often, and its files are no rows of them.
            if is_folder && entry.depth() > 0 && (self.is_apart)(entry.path()) {
                self.entries.skip_current_dir();
                continue;
            }
            if is_hidden(&entry) {
                // A hidden folder is one row, with all that lies in it.
                if is_folder {
                    self.entries.skip_current_dir();
                }
                return Some(Ok(entry));
            }
            if is_folder && self.is_around(&entry) {
                self.entries.skip_current_dir();
                return Some(Err(refused(entry.into_path(), RowRejection::LinkLoop)));
            }
            let is_passed_over = match !is_folder && is_text(entry.path()) {
                true => self.has_image(&entry),
                false => Ok(is_folder),
            };
            match is_passed_over {
                Ok(true) => {}
                Ok(false) => return Some(Ok(entry)),
                Err(reason) => return Some(Err(refused(entry.into_path(), reason))),
            }
        }
    }
}

/// A folder that is not read yet.
struct UnreadFolder {
    class_template: Option<String>,
    root: PathBuf,
    is_apart: FolderTest,
    rows: u64,
}

/// Counts the rows: images, what is skipped, and the places that cannot be read.
pub(super) fn open(
    folder: &Path,
    is_apart: FolderTest,
    options: &PairOptions,
) -> Box<dyn PairSource> {
    Box::new(UnreadFolder {
        class_template: options.class_template.clone(),
        root: folder.to_owned(),
        is_apart,
        rows: FolderWalk::new(folder, is_apart).fold(0, |rows, _| rows + 1),
    })
}

impl PairSource for UnreadFolder {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> std::io::Result<DraftIterator> {
        Ok(Box::new(FolderReader {
            class_template: self.class_template.clone(),
            ..FolderReader::open(&self.root, self.is_apart)
        }))
    }
}

/// Entries of a folder that its list should name and `is_named` rejects: images, including
/// unsupported formats, and other lists; each is a skipped row. So is a path that
/// cannot be read.
pub(super) fn not_listed(
    folder: &Path,
    list: &'static str,
    is_apart: FolderTest,
    is_named: impl Fn(&Path) -> bool + Send + 'static,
) -> DraftIterator {
    let own = folder.join(list);
    let is_listable = |path: &Path| {
        let ending = ending_of(path);
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| LISTS.contains(&name))
            || !ending.is_empty() && is_unread_image(&ending)
            || is_image(path)
    };
    let left = move |entry: Result<DirEntry, RowError>| match entry {
        Err(error) => Some(Err(error)),
        Ok(entry) if is_hidden(&entry) || !entry.file_type().is_file() => None,
        Ok(entry) => {
            let file = entry.into_path();
            let is_left = file != own && is_listable(&file) && !is_named(&file);
            let reason = RowRejection::NotListed { list };
            let origin = PairOrigin { file, row: None };
            is_left.then_some(Err(RowError { origin, reason }))
        }
    };
    Box::new(FolderWalk::new(folder, is_apart).filter_map(left))
}

fn refused(file: PathBuf, reason: RowRejection) -> RowError {
    RowError {
        origin: PairOrigin { file, row: None },
        reason,
    }
}

fn unreadable(root: &Path, error: walkdir::Error) -> RowError {
    // A listing that breaks off midway gives an error without a path.
    let file = error.path().unwrap_or(root).to_owned();
    let reason = match error.loop_ancestor() {
        Some(_) => RowRejection::LinkLoop,
        None if is_broken_link(&file) => RowRejection::BrokenLink,
        None => RowRejection::of_io(error.into(), |message| RowRejection::FolderUnreadable {
            message,
        }),
    };
    refused(file, reason)
}

/// Whether a path is a link that leads nowhere.
fn is_broken_link(path: &Path) -> bool {
    let is_link = fs_err::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    is_link && matches!(disk::found(path), Ok(None))
}

/// The files of a folder of archives or tables that are none of them.
struct OtherFiles {
    root: PathBuf,
    is_apart: FolderTest,
    /// The archives or tables.
    read: HashSet<PathBuf>,
    rows: u64,
}

/// The other files of a folder whose archives or tables are sources: each is a row that is left out.
pub(super) fn others(
    folder: &Path,
    is_apart: FolderTest,
    read: HashSet<PathBuf>,
) -> Box<dyn PairSource> {
    let mut others = OtherFiles {
        root: folder.to_owned(),
        is_apart,
        read,
        rows: 0,
    };
    others.rows = others.entries().count() as u64;
    Box::new(others)
}

impl OtherFiles {
    fn entries(&self) -> impl Iterator<Item = RowError> + use<> {
        let read = self.read.clone();
        let entries = FolderWalk::new(&self.root, self.is_apart);
        entries.filter_map(move |entry| match entry {
            Err(error) => Some(error),
            Ok(entry) if read.contains(entry.path()) => None,
            Ok(entry) => {
                let reason = skip_reason(&entry).unwrap_or_else(|| RowRejection::NoTextFile {
                    expected: entry.path().with_extension("txt"),
                });
                Some(refused(entry.into_path(), reason))
            }
        })
    }
}

impl PairSource for OtherFiles {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> std::io::Result<DraftIterator> {
        Ok(Box::new(self.entries().map(Err)))
    }
}

/// The archives of a folder, else its tables, if there is no image in it or in a folder of it.
pub(super) fn shards_of(folder: &Path) -> Vec<PathBuf> {
    let (mut archives, mut tables) = (Vec::new(), Vec::new());
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .max_depth(2)
        .sort_by_file_name();
    let seen = entries.into_iter().filter_entry(|entry| !is_hidden(entry));
    for entry in seen.flatten() {
        let path = entry.path();
        if !entry.file_type().is_file() {
            continue;
        }
        if is_image_name(path) {
            return Vec::new();
        }
        match formats::named(path) {
            Some(format) if format.is_text => {}
            Some(format) if format.packed => archives.push(entry.into_path()),
            Some(_) => tables.push(entry.into_path()),
            None => {}
        }
    }
    match archives.is_empty() {
        true => tables,
        false => archives,
    }
}

/// Reads a folder file by file.
struct FolderReader {
    class_template: Option<String>,
    root: PathBuf,
    entries: FolderWalk,
}

impl FolderReader {
    fn open(root: &Path, is_apart: FolderTest) -> Self {
        Self {
            class_template: None,
            root: root.to_owned(),
            entries: FolderWalk::new(root, is_apart),
        }
    }
}

/// Why a file is skipped, if it is.
fn skip_reason(entry: &DirEntry) -> Option<RowRejection> {
    let path = entry.path();
    if is_hidden(entry) {
        Some(RowRejection::Hidden)
    } else if !entry.file_type().is_file() {
        // Opening a pipe waits for a writer.
        let path = path.to_owned();
        Some(RowRejection::ImageIsDevice { path })
    } else if is_text(path) {
        Some(RowRejection::NoImageFile)
    } else if !is_image(path) {
        let ending = ending_of(path);
        let (advice, remedy) = advice_of_ending(&ending);
        Some(RowRejection::NotRead {
            ending,
            advice,
            remedy,
        })
    } else {
        None
    }
}

/// The advice for a file in a folder that is not an image.
fn advice_of_ending(ending: &str) -> (String, Option<InputRemedy>) {
    let unpacked = ending.trim_end_matches(".gz").trim_end_matches(".zst");
    if formats::all_endings().any(|known| known == unpacked) {
        let advice = format!(
            "if it lists pairs, give it as a source of its own, or name it {} at the top of the folder",
            formats::either(
                "",
                LISTS.into_iter().filter(|name| name.starts_with("pairs."))
            )
        );
        return (advice, Some(InputRemedy::OwnSource));
    }
    let (advice, remedy) = match ending {
        "tar.xz" | "tar.bz2" | "zip" | "7z" | "gz" => (
            "unpack it, and give the folder that comes out as a source",
            Some(InputRemedy::OwnSource),
        ),
        _ => (
            "expected JPEG, PNG, WebP, GIF or BMP by content; convert images to one of these",
            None,
        ),
    };
    (advice.to_owned(), remedy)
}

impl FolderReader {
    /// The caption of an image by the folder that it lies in; `None` at the top, and without a template.
    fn caption_of_class(&self, image: &Path) -> Option<Vec<String>> {
        let template = self.class_template.as_ref()?;
        let class = image.parent().filter(|folder| *folder != self.root)?;
        let class = text_of(Path::new(class.file_name()?)).replace('_', " ");
        Some(vec![template.replace("{}", class.trim())])
    }
}

impl Iterator for FolderReader {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (image, texts) = match self.entries.next()? {
            Ok(entry) => match skip_reason(&entry) {
                None => match self.entries.texts_of(&entry) {
                    Ok(texts) => (entry.into_path(), texts),
                    Err(reason) => return Some(Err(refused(entry.into_path(), reason))),
                },
                Some(reason) => return Some(Err(refused(entry.into_path(), reason))),
            },
            Err(error) => return Some(Err(error)),
        };
        let origin = PairOrigin {
            file: image.clone(),
            row: None,
        };
        let of_class = texts
            .is_empty()
            .then(|| self.caption_of_class(&image))
            .flatten();
        let captions = match of_class.map_or_else(|| captions_of(&image, &texts), Ok) {
            Ok(captions) => captions,
            Err(reason) => return Some(Err(RowError { origin, reason })),
        };
        let written = text_of(image.strip_prefix(&self.root).unwrap_or(&image));
        Some(Ok(PairDraft {
            id: None,
            written,
            base: self.root.clone(),
            image: image.into(),
            captions,
            meta: Map::new(),
            origin,
            rows: 1,
        }))
    }
}

fn captions_of(image: &Path, texts: &[PathBuf]) -> Result<Vec<String>, RowRejection> {
    if texts.is_empty() {
        let expected = image.with_extension("txt");
        return Err(RowRejection::NoTextFile { expected });
    }
    let mut captions = Vec::new();
    for path in texts {
        let unreadable = |message| RowRejection::TextFile { message };
        let bytes = fs_err::read(path).map_err(|error| RowRejection::of_io(error, unreadable))?;
        if let Some((seems, advice)) = stand_in_of_texts(&bytes) {
            let path = path.clone();
            return Err(RowRejection::TextStandIn {
                path,
                seems,
                advice,
            });
        }
        captions.extend(record::texts_of_file(&bytes)?);
    }
    record::trimmed(captions)
}
