//! Images in one folder for each class, and other files that are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::error::DatasetError;
use crate::disk;
use crate::pairs::{ending_of, is_image, named_ending};
use crate::printable;

/// Names of folders that are splits of a data set, each with all classes.
const SPLITS: [&str; 7] = [
    "train",
    "training",
    "test",
    "testing",
    "val",
    "valid",
    "validation",
];
/// Files of a data set that are not images.
const KNOWN: [&str; 3] = ["meta.json", "labels.jsonl", "pairs.jsonl"];

/// The images below each folder, and what was left out.
pub(super) struct FolderImages {
    /// Each image with its class's folder.
    pub(super) labelled: Vec<(PathBuf, String)>,
    /// What was left out, a sentence each.
    pub(super) left_out: Vec<String>,
}

/// Files left out, counted by extension.
type ExtensionCounts = BTreeMap<String, u64>;

/// The images below each folder, with that folder.
///
/// # Errors
/// When a folder cannot be listed, or the folders are not classes but splits.
pub(super) fn filed(folder: &Path) -> Result<FolderImages, DatasetError> {
    let mut labelled = Vec::new();
    let mut classes = BTreeSet::new();
    let mut with_images = BTreeSet::new();
    // By class; the data set's top folder is under "".
    let mut endings: BTreeMap<String, ExtensionCounts> = BTreeMap::new();
    let mut broken: Vec<String> = Vec::new();
    let mut entries = WalkDir::new(folder)
        .min_depth(1)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => match broken_link(error) {
                Ok(link) => {
                    broken.push(link);
                    continue;
                }
                Err(error) => return Err(error.into()),
            },
        };
        let path = entry.path();
        let below = path.strip_prefix(folder).unwrap_or(path);
        let class = match below.components().next() {
            Some(part) if entry.depth() > 1 || entry.file_type().is_dir() => {
                part.as_os_str().to_string_lossy().into_owned()
            }
            _ => String::new(),
        };
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let ending = if is_hidden {
            if entry.file_type().is_dir() {
                entries.skip_current_dir();
            }
            "hidden".to_owned()
        } else if entry.file_type().is_dir() {
            if entry.depth() == 1 {
                classes.insert(class);
            }
            continue;
        } else if entry.depth() == 1 && KNOWN.iter().any(|known| entry.file_name() == *known) {
            continue;
        } else if !entry.file_type().is_file() {
            // Not opened: opening a pipe would block until there is a writer.
            "pipe, socket or device".to_owned()
        } else if entry.depth() > 1 && is_image(path) {
            with_images.insert(class.clone());
            labelled.push((path.to_owned(), class));
            continue;
        } else {
            named_ending(&ending_of(path))
        };
        let class = if is_hidden && entry.depth() == 1 {
            String::new()
        } else {
            class
        };
        *endings.entry(class).or_default().entry(ending).or_default() += 1;
    }
    if !classes.is_empty()
        && classes
            .iter()
            .all(|class| SPLITS.contains(&class.to_lowercase().as_str()))
    {
        return Err(DatasetError::Splits {
            path: folder.to_owned(),
            splits: classes.into_iter().collect(),
        });
    }
    let mut left_out = Vec::new();
    for class in classes.difference(&with_images) {
        let found = match endings.remove(class) {
            None => "it is empty".to_owned(),
            Some(endings) => format!("it holds only {}", counted(&endings)),
        };
        left_out.push(format!(
            "class {class:?} is left out of the labels: it has no image that can be read, {found}"
        ));
    }
    for (class, endings) in &endings {
        let place = match class.as_str() {
            "" => "beside the class folders".to_owned(),
            class => format!("of class {class:?}"),
        };
        left_out.push(format!("left out {place}: {}", counted(endings)));
    }
    if !broken.is_empty() {
        let links = if broken.len() == 1 { "link" } else { "links" };
        left_out.push(format!(
            "left out: {} {links} whose target is missing or lies above: {}",
            broken.len(),
            printable::first_of(&broken, 3, ", ")
        ));
    }
    Ok(FolderImages { labelled, left_out })
}

/// The path of a link that leads nowhere, or to a folder that it lies in.
///
/// # Errors
/// Any other error of listing a folder.
fn broken_link(error: walkdir::Error) -> Result<String, std::io::Error> {
    let path = error.path().map(Path::to_owned);
    let is_link = path.as_ref().is_some_and(|path| {
        let found = fs_err::symlink_metadata(path);
        found.is_ok_and(|found| found.file_type().is_symlink())
    });
    let is_loop = error.loop_ancestor().is_some();
    let error = std::io::Error::from(error);
    let leads_nowhere = [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind())
        || disk::is_link_loop(&error);
    match path {
        Some(path) if is_link && (is_loop || leads_nowhere) => Ok(path.display().to_string()),
        _ => Err(error),
    }
}

/// `2 files (ending .tif 1, hidden 1)`.
fn counted(endings: &ExtensionCounts) -> String {
    let total: u64 = endings.values().sum();
    let each: Vec<String> = endings
        .iter()
        .map(|(ending, n)| format!("{ending} {n}"))
        .collect();
    let files = if total == 1 { "file" } else { "files" };
    format!("{total} {files} ({})", each.join(", "))
}
