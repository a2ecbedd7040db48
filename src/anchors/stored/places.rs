//! Where the images of pairs lie, so that they can be read again.
//!
//! A record names its image relative to the source of the pair, since a record is shown to others. The folder,
//! archive or table that the name is relative to is kept apart from it, in two further sections of the
//! file of records: `roots`, a JSON array of them, and `places`, 20 bytes for each pair.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::image_source::{FilePart, ImageSource, ParquetCell};
use crate::pairs::path_text;

/// The section of the roots.
pub(crate) const ROOTS: &str = "roots";
/// The section of the places.
pub(crate) const PLACES: &str = "places";
/// Bytes of a place: the number of its root, and two numbers whose meaning depends on the root.
const PLACE_BYTES: usize = 20;
/// The number of the root of an image that lies nowhere: it was in memory, or a vector.
const NOWHERE: u32 = u32::MAX;

/// What the name of an image is relative to. Paths are absolute, as [`path_text`] tells them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum PlaceRoot {
    /// A folder; the name is a path in it.
    Folder(String),
    /// An archive that is not compressed; the place is the offset and length of a member.
    Archive(String),
    /// A column of a Parquet file; the place is the number of a row.
    Column {
        /// The file.
        file: String,
        /// The name of the column.
        column: String,
    },
}

/// Where an image lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImagePlace {
    root: PlaceRoot,
    at: u64,
    length: u64,
}

impl ImagePlace {
    /// The place of an image, and the name by which a record calls it. `written` is its name in a source
    /// whose names are relative to `base`.
    pub(crate) fn of(image: &ImageSource, written: &str, base: &Path) -> (String, Option<Self>) {
        let whole =
            // Absolute, so that a place does not depend on the folder in which the program is started.
            |path: &Path| path_text::text_of(&std::path::absolute(path).unwrap_or(path.to_owned()));
        let place = |root, at, length| Some(Self { root, at, length });
        match image {
            ImageSource::File(path) => {
                let (root, name) = root_and_name(path, base);
                let root = if root == Path::new("") {
                    Path::new(".")
                } else {
                    root
                };
                // Links are followed once, now: the link may be gone when the image is read again.
                let root = fs_err::canonicalize(root).unwrap_or_else(|_| root.to_owned());
                (
                    path_text::text_of(&name),
                    place(PlaceRoot::Folder(whole(&root)), 0, 0),
                )
            }
            ImageSource::Part(part) => (
                written.to_owned(),
                place(PlaceRoot::Archive(whole(&part.file)), part.at, part.length),
            ),
            ImageSource::Cell(cell, _) => {
                let (file, column) = (whole(&cell.file), cell.column.clone());
                (
                    written.to_owned(),
                    place(PlaceRoot::Column { file, column }, cell.row, 0),
                )
            }
            // Named as its file would be.
            ImageSource::Bytes { .. } | ImageSource::Vector { .. } => {
                let (_, name) = root_and_name(&path_text::path_of(written), base);
                (path_text::text_of(&name), None)
            }
        }
    }

    /// As [`of`](Self::of), for a path that is relative to `folder` and stays in it. The folder is looked up
    /// once by the caller, and not for each pair.
    pub(crate) fn in_folder(folder: &str, written: &str) -> Option<(String, Self)> {
        let name = path_text::path_of(written);
        let is_name = |part| matches!(part, std::path::Component::Normal(_));
        name.components().all(is_name).then(|| {
            let root = PlaceRoot::Folder(folder.to_owned());
            let (at, length) = (0, 0);
            (path_text::text_of(&name), Self { root, at, length })
        })
    }

    /// The image at this place, which a record calls `name`.
    pub(crate) fn image(&self, name: &str) -> ImageSource {
        match &self.root {
            PlaceRoot::Folder(folder) => {
                ImageSource::File(path_text::path_of(folder).join(path_text::path_of(name)))
            }
            PlaceRoot::Archive(file) => ImageSource::Part(FilePart {
                file: path_text::path_of(file),
                name: name.to_owned(),
                at: self.at,
                length: self.length,
            }),
            PlaceRoot::Column { file, column } => ImageSource::Cell(
                ParquetCell {
                    file: path_text::path_of(file),
                    column: column.clone(),
                    row: self.at,
                },
                None,
            ),
        }
    }
}

/// What the name of a file is relative to, and its name: `base` if the file lies in it, else its own folder, so that
/// no record names folders of the machine.
fn root_and_name<'a>(path: &'a Path, base: &'a Path) -> (&'a Path, PathBuf) {
    // A name with `..` would lead out of the base and show folders of the machine.
    let is_name = |part| matches!(part, std::path::Component::Normal(_));
    let inside = path.strip_prefix(base).ok();
    let inside = inside.filter(|rest| rest.components().all(is_name));
    match (inside, path.parent(), path.file_name()) {
        (Some(name), ..) => (base, name.to_owned()),
        (None, Some(folder), Some(name)) => (folder, PathBuf::from(name)),
        (None, ..) => (Path::new(""), path.to_owned()),
    }
}

/// Collects the places of the pairs of a segment.
#[derive(Debug, Default)]
pub(crate) struct PlaceWriter {
    roots: Vec<PlaceRoot>,
    numbers: HashMap<PlaceRoot, u32>,
    places: Vec<u8>,
    pairs: usize,
}

impl PlaceWriter {
    pub(crate) fn push(&mut self, place: Option<&ImagePlace>) {
        if let Some(place) = place {
            // Nothing is kept for a segment whose images lie nowhere.
            self.places.resize(self.pairs * PLACE_BYTES, 0xFF);
            let number = match self.numbers.get(&place.root) {
                Some(number) => *number,
                // Few roots for many pairs: each place stores a number instead of a path.
                None => {
                    let number = self.roots.len() as u32;
                    self.roots.push(place.root.clone());
                    self.numbers.insert(place.root.clone(), number);
                    number
                }
            };
            self.places.extend(number.to_le_bytes());
            self.places.extend(place.at.to_le_bytes());
            self.places.extend(place.length.to_le_bytes());
        }
        self.pairs += 1;
    }

    /// The two sections; `None` when no image lies anywhere.
    pub(crate) fn sections(mut self) -> Option<(String, Vec<u8>)> {
        // Pairs after the last one with a place lie nowhere.
        self.places.resize(
            match self.roots.is_empty() {
                true => return None,
                false => self.pairs * PLACE_BYTES,
            },
            0xFF,
        );
        Some((serde_json::json!(self.roots).to_string(), self.places))
    }
}

/// The roots of a file of records.
#[derive(Debug, PartialEq)]
pub(crate) struct PlaceRoots(Vec<PlaceRoot>);

impl PlaceRoots {
    /// Reads the section of the roots, and checks the length of that of the places.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(roots: &[u8], places: &[u8], pairs: usize) -> Result<Self, String> {
        let expected = pairs * PLACE_BYTES;
        if places.len() != expected {
            let found = places.len();
            return Err(format!(
                "section `{PLACES}` has {found} bytes, expected {expected}"
            ));
        }
        let roots = serde_json::from_slice(roots);
        roots
            .map(Self)
            .map_err(|e| format!("section `{ROOTS}` is not a list of roots: {e}"))
    }

    /// The place of pair `i`; `None` where its image lies nowhere.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn place(&self, places: &[u8], i: usize) -> Result<Option<ImagePlace>, String> {
        let place = i
            .checked_mul(PLACE_BYTES)
            .and_then(|at| places.get(at..at + PLACE_BYTES));
        let place = place.ok_or_else(|| format!("there is no place {i}"))?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|b| place[at + b]));
        let root = u32::from_le_bytes(std::array::from_fn(|b| place[b]));
        if root == NOWHERE {
            return Ok(None);
        }
        let known = self.0.get(root as usize).cloned();
        // The number comes from a file and may be beyond the list.
        let root =
            known.ok_or_else(|| format!("place {i} has the root {root} of {}", self.0.len()))?;
        Ok(Some(ImagePlace {
            root,
            at: number(4),
            length: number(12),
        }))
    }
}
