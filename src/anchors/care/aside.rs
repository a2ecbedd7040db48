//! Where a repair moves what it gives up: nothing that it cannot use is deleted.

use std::path::{Path, PathBuf};

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::publish::{CURRENT, LOCK};
use crate::anchors::stored::{history, manifest, place, segment};
use crate::disk as fs;

/// The folder of a set that holds what repairs gave up; a purge deletes that.
pub(crate) const DAMAGED: &str = "damaged";

/// Moves `name`, a file or folder in `folder` of a set, to [`DAMAGED`] under a free name, durably. One
/// that is not there is no error.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn put(set: &Path, folder: &Path, name: &str) -> Result<(), AnchorsError> {
    let path = folder.join(name);
    if fs::found_itself(&path)?.is_none() {
        return Ok(());
    }
    fs::rename(&path, &free_place(set, name)?)?;
    fs::sync_folder(&set.join(DAMAGED))?;
    Ok(fs::sync_folder(folder)?)
}

/// Keeps what `folder` has under `name`, which is about to be replaced: a file gets a second name in
/// [`DAMAGED`], anything else is moved there. One that is not there is no error.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn keep(set: &Path, folder: &Path, name: &str) -> Result<(), AnchorsError> {
    let path = folder.join(name);
    if !fs::found_itself(&path)?.is_some_and(|found| found.is_file()) {
        return put(set, folder, name);
    }
    fs::link_or_copy(&path, &free_place(set, name)?)?;
    Ok(fs::sync_folder(&set.join(DAMAGED))?)
}

fn free_place(set: &Path, name: &str) -> Result<PathBuf, AnchorsError> {
    let aside = set.join(DAMAGED);
    fs::create_dir_all(&aside)?;
    let mut place = aside.join(name);
    let mut n = 1;
    while fs::found_itself(&place)?.is_some() {
        place = aside.join(format!("{name}.{n}"));
        n += 1;
    }
    Ok(place)
}

/// Whether a repair gives this name to what it puts aside: the old one, or that and a number. A purge that is
/// killed leaves one that begins as of what is being removed.
pub(crate) fn is_own_name(name: &str) -> bool {
    let name = old_name(name.strip_prefix(fs::REMOVING).unwrap_or(name));
    [CURRENT, LOCK, segment::SKIPPED].contains(&name)
        || segment::is_name(name)
        || place::in_generations(name)
        || place::in_log(name)
}

/// The name that something had before it was put aside.
pub(crate) fn old_name(name: &str) -> &str {
    let is_number =
        |end: &str| !end.starts_with('0') && end.parse::<u64>().is_ok_and(|n| end == n.to_string());
    match name.rsplit_once('.') {
        Some((old, end)) if is_number(end) => old,
        _ => name,
    }
}

/// What somebody else put into [`DAMAGED`], or in its place.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn foreign(set: &Path) -> Result<Vec<PathBuf>, AnchorsError> {
    let aside = set.join(DAMAGED);
    if fs::found_itself(&aside)?.is_none() {
        return Ok(Vec::new());
    }
    if !fs::has_folder(&aside)? {
        return Ok(vec![aside]);
    }
    let mut foreign = Vec::new();
    for name in fs::names(&aside)? {
        let path = aside.join(&name);
        if !is_own_name(&name) {
            foreign.push(path);
        } else if segment::is_name(old_name(&name)) {
            let held = place::foreign_in_segment(&path)?.into_iter();
            foreign.extend(held.map(|of| path.join(of)));
        }
    }
    Ok(foreign)
}

/// Deletes what repairs put aside, durably, and leaves what somebody else did.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn clear(set: &Path) -> Result<(), AnchorsError> {
    let aside = set.join(DAMAGED);
    let is_link = fs::found_itself(&aside)?.is_some_and(|found| found.is_symlink());
    if foreign(set)?.is_empty() && !is_link {
        return Ok(fs::remove_dir_all(&aside)?);
    }
    // Of a link, the folder that it leads to is somebody's.
    if !fs::has_folder(&aside)? {
        return Ok(());
    }
    for name in fs::names(&aside)? {
        let path = aside.join(&name);
        if !is_own_name(&name) {
            continue;
        }
        match segment::is_name(old_name(&name)) {
            true => place::remove_segment(&path)?,
            false => fs::remove_hidden(&path)?,
        }
    }
    Ok(fs::sync_folder(&aside)?)
}

/// Makes the moves of a repair that was killed durable.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn sync(set: &Path) -> Result<(), AnchorsError> {
    let folders = [
        set.join(DAMAGED),
        manifest::folder(set),
        segment::folder(set),
        history::folder(set),
        set.to_owned(),
    ];
    for folder in &folders {
        if fs::has_folder(folder)? {
            fs::sync_folder(folder)?;
        }
    }
    Ok(())
}
