//! The location of an anchor set, and which files in it belong to it.
//!
//! Nothing else is written into an anchor set, and foreign files in it are reported by `verify` and never
//! deleted: cleanup removes only names that writers generate.

use std::path::{Component, Path, PathBuf};

use super::layout;
use super::manifest;
use crate::anchors::error::AnchorsError;
use crate::disk as fs;
use crate::disk::name_to_come;

/// The infix in names of hidden build folders, between `.` with the anchor set's name and a random suffix.
pub(crate) const BUILDING: &str = ".building-";
/// The length of the random part of a build folder's name.
pub(super) const RANDOM: usize = 6;

/// The start of the names of hidden folders in which anchor sets for `destination` are built.
pub(super) fn building_prefix(destination: &Path) -> String {
    fs::hidden_prefix(".", destination, BUILDING, RANDOM)
}

/// Whether a hidden name has the form of a build folder.
pub(crate) fn is_building(hidden: &str) -> bool {
    let name = hidden.strip_prefix(fs::HIDDEN);
    let parts = name.and_then(|name| name.rsplit_once(BUILDING));
    parts.is_some_and(|(name, random)| {
        let is_random = random.len() == RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric());
        is_random && !name.is_empty()
    })
}

/// Rejects a file or folder that is, or would be, inside an anchor set.
///
/// # Errors
/// [`AnchorsError::InsideSet`]; when the working folder is not known.
pub fn refuse_inside_set(path: &Path) -> Result<(), AnchorsError> {
    let place = real_place(path)?;
    match place.ancestors().skip(1).find(|above| is_set(above)) {
        Some(set) => Err(AnchorsError::InsideSet {
            path: path.to_owned(),
            set: set.to_owned(),
        }),
        None => Ok(()),
    }
}

/// The anchor set that a file of it lies in, as its path is written; `None` where no folder above it is one.
pub fn set_of(file: &Path) -> Option<PathBuf> {
    let mut above = file.ancestors();
    above.find(|folder| is_set(folder)).map(Path::to_owned)
}

/// The same for an output folder, which must not be an anchor set either.
///
/// # Errors
/// As [`refuse_inside_set`].
pub fn refuse_in_set(folder: &Path) -> Result<(), AnchorsError> {
    match refuse_inside_set(&folder.join("file")) {
        Err(AnchorsError::InsideSet { set, .. }) => Err(AnchorsError::InsideSet {
            path: folder.to_owned(),
            set,
        }),
        other => other,
    }
}

/// The canonical form of `path`, with links resolved as far as it exists.
fn real_place(path: &Path) -> Result<PathBuf, AnchorsError> {
    let mut place = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            // The parents are resolved, or do not exist yet.
            Component::ParentDir => drop(place.pop()),
            part => place.push(part),
        }
        if let Ok(real) = fs_err::canonicalize(&place) {
            place = real;
        }
    }
    Ok(place)
}

/// Whether a folder is an anchor set, or the hidden folder in which one is being built.
pub(crate) fn is_own_folder(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    is_building(&name) || is_set(folder)
}

/// Whether a folder is an anchor set, even a damaged one. Other programs have files
/// called `CURRENT` too.
fn is_set(folder: &Path) -> bool {
    let parts = [
        layout::generations_folder(folder),
        layout::segments_folder(folder),
    ];
    let names = || folder.join(layout::CURRENT).symlink_metadata().is_ok();
    names() && parts.iter().any(|part| part.is_dir())
        || manifest::list(folder).is_ok_and(|found| !found.is_empty())
}

/// The entries of an anchor set with names that no writer generates, by their path in the set.
///
/// # Errors
/// When a folder of the anchor set cannot be read.
pub fn foreign_names(set: &Path) -> Result<Vec<String>, AnchorsError> {
    type IsOwn = fn(&str) -> bool;
    let folders: [(&str, IsOwn); 5] = [
        ("", layout::in_set),
        ("generations", layout::in_generations),
        ("log", layout::in_log),
        ("segments", layout::in_segments),
        (layout::DAMAGED, layout::in_damaged),
    ];
    let mut foreign = Vec::new();
    for (folder, is_own) in folders {
        let path = set.join(folder);
        if !fs::has_folder(&path)? {
            continue;
        }
        for name in fs::names(&path)? {
            // A repair never writes a file of that name.
            let is_file =
                path == set && name == layout::DAMAGED && !fs::has_folder(&path.join(&name))?;
            let is_temporary = name_to_come(&name).is_some_and(is_own);
            if is_file || !is_temporary && !is_own(&name) {
                foreign.push(Path::new(folder).join(name).display().to_string());
            } else if layout::is_segment_name(layout::old_name(&name)) {
                let held = foreign_in_segment(&path.join(&name))?.into_iter();
                foreign.extend(held.map(|of| format!("{folder}/{name}/{of}")));
            }
        }
    }
    Ok(foreign)
}

/// The foreign entries in the folder of a segment; empty if it is not a folder.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn foreign_in_segment(folder: &Path) -> Result<Vec<String>, AnchorsError> {
    // A link to a folder is not a folder of ours.
    if !fs::found_itself(folder)?.is_some_and(|found| found.is_dir()) {
        return Ok(Vec::new());
    }
    let mut names = fs::names(folder)?;
    names.retain(|name| !layout::in_segment(name));
    Ok(names)
}

/// Removes a segment's folder, except foreign files in it.
///
/// # Errors
/// On an I/O error.
pub(crate) fn remove_segment(folder: &Path) -> Result<(), AnchorsError> {
    if foreign_in_segment(folder)?.is_empty() {
        return Ok(fs::remove_dir_all(folder)?);
    }
    for name in fs::names(folder)?
        .iter()
        .filter(|name| layout::in_segment(name))
    {
        fs::remove_hidden(&folder.join(name))?;
    }
    Ok(fs::sync_folder(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_set_is_known_through_links_and_missing_folders() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs_err::create_dir_all(at("a.asif/segments")).unwrap();
        fs_err::write(at("a.asif/CURRENT"), "").unwrap();
        fs_err::create_dir_all(at("level/log")).unwrap();
        fs_err::write(at("level/CURRENT"), "").unwrap();
        fs_err::create_dir_all(at("lost.asif/generations")).unwrap();
        fs_err::write(at("lost.asif/generations/g000001.json"), "").unwrap();
        std::os::unix::fs::symlink(at("a.asif/segments"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("a.asif/CURRENT"), at("out.jsonl")).unwrap();
        for inside in [
            "a.asif/CURRENT",
            "a.asif/new",
            "a.asif/segments/x/y/z",
            "link/inner.asif",
            "link/../new",
            "none/../a.asif/new",
            "out.jsonl",
            "lost.asif/x",
        ] {
            let refused = refuse_inside_set(&at(inside));
            let is_refused = matches!(refused, Err(AnchorsError::InsideSet { .. }));
            assert!(is_refused, "{inside}");
        }
        for outside in ["a.asif", "b.asif", "level/x", "none/x", "a.asif/../x"] {
            refuse_inside_set(&at(outside)).unwrap();
        }
        assert!(refuse_in_set(&at("a.asif")).is_err() && refuse_in_set(&at("level")).is_ok());
    }
}
