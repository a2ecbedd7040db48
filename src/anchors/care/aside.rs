//! Moves files that a repair abandons to `damaged/`, instead of deleting them.

use std::path::{Path, PathBuf};

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout;
use crate::anchors::stored::place;
use crate::disk as fs;

/// Moves `name`, a file or folder in `folder` of an anchor set, to [`layout::DAMAGED`] under a free name,
/// durably. One that does not exist is not an error.
///
/// # Errors
/// On an I/O error.
pub(crate) fn put(set: &Path, folder: &Path, name: &str) -> Result<(), AnchorsError> {
    let path = folder.join(name);
    // `found_itself`: a broken link is something too, and must move.
    if fs::found_itself(&path)?.is_none() {
        return Ok(());
    }
    fs::rename(&path, &free_place(set, name)?)?;
    // The new name first: after a crash the file is under both or under the old one, never under none.
    fs::sync_folder(&set.join(layout::DAMAGED))?;
    Ok(fs::sync_folder(folder)?)
}

/// Keeps `name` in `folder`, which is about to be replaced: a file gets a hard link in
/// [`layout::DAMAGED`], anything else is moved there. One that does not exist is not an error.
///
/// # Errors
/// On an I/O error.
pub(crate) fn keep(set: &Path, folder: &Path, name: &str) -> Result<(), AnchorsError> {
    let path = folder.join(name);
    // Only files can be linked; anything else cannot be replaced by a rename and has to move away.
    if !fs::found_itself(&path)?.is_some_and(|found| found.is_file()) {
        return put(set, folder, name);
    }
    fs::link_or_copy(&path, &free_place(set, name)?)?;
    Ok(fs::sync_folder(&set.join(layout::DAMAGED))?)
}

fn free_place(set: &Path, name: &str) -> Result<PathBuf, AnchorsError> {
    let aside = set.join(layout::DAMAGED);
    fs::create_dir_all(&aside)?;
    let mut place = aside.join(name);
    // Earlier repairs may have put a file of this name aside, which must not be overwritten.
    let mut n = 1;
    while fs::found_itself(&place)?.is_some() {
        place = aside.join(format!("{name}.{n}"));
        n += 1;
    }
    Ok(place)
}

/// Files in [`layout::DAMAGED`], or in its place, that asif did not create.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn foreign(set: &Path) -> Result<Vec<PathBuf>, AnchorsError> {
    let aside = set.join(layout::DAMAGED);
    if fs::found_itself(&aside)?.is_none() {
        return Ok(Vec::new());
    }
    if !fs::has_folder(&aside)? {
        return Ok(vec![aside]);
    }
    let mut foreign = Vec::new();
    for name in fs::names(&aside)? {
        let path = aside.join(&name);
        if !layout::in_damaged(&name) {
            foreign.push(path);
        } else if layout::is_segment_name(layout::old_name(&name)) {
            let held = place::foreign_in_segment(&path)?.into_iter();
            foreign.extend(held.map(|of| path.join(of)));
        }
    }
    Ok(foreign)
}

/// Deletes durably what repairs moved to [`layout::DAMAGED`], and leaves all other files.
///
/// # Errors
/// On an I/O error.
pub(crate) fn clear(set: &Path) -> Result<(), AnchorsError> {
    let aside = set.join(layout::DAMAGED);
    let is_link = fs::found_itself(&aside)?.is_some_and(|found| found.is_symlink());
    // All of it is asif's own, so the folder goes as a whole.
    if foreign(set)?.is_empty() && !is_link {
        return Ok(fs::remove_dir_all(&aside)?);
    }
    // The target of a link is not ours.
    if !fs::has_folder(&aside)? {
        return Ok(());
    }
    for name in fs::names(&aside)? {
        let path = aside.join(&name);
        if !layout::in_damaged(&name) {
            continue;
        }
        match layout::is_segment_name(layout::old_name(&name)) {
            true => place::remove_segment(&path)?,
            false => fs::remove_hidden(&path)?,
        }
    }
    Ok(fs::sync_folder(&aside)?)
}

/// Syncs the moves of a repair that was killed.
///
/// # Errors
/// On an I/O error.
pub(crate) fn sync(set: &Path) -> Result<(), AnchorsError> {
    let folders = [
        set.join(layout::DAMAGED),
        layout::generations_folder(set),
        layout::segments_folder(set),
        layout::log_folder(set),
        set.to_owned(),
    ];
    for folder in &folders {
        if fs::has_folder(folder)? {
            fs::sync_folder(folder)?;
        }
    }
    Ok(())
}
