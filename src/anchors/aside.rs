//! Where a repair moves what it gives up: nothing that it cannot use is deleted.

use std::path::{Path, PathBuf};

use super::error::AnchorsError;
use super::{fs, history, manifest, segment};

/// The folder of a set that holds what repairs gave up; a purge deletes it.
pub(super) const DAMAGED: &str = "damaged";

/// Moves `name`, a file or folder in `folder` of a set, to [`DAMAGED`] under a free name, durably. One
/// that is not there is no error.
///
/// # Errors
/// When the disk refuses.
pub(super) fn put(set: &Path, folder: &Path, name: &str) -> Result<(), AnchorsError> {
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
pub(super) fn keep(set: &Path, folder: &Path, name: &str) -> Result<(), AnchorsError> {
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

/// Makes the moves of a repair that was killed durable.
///
/// # Errors
/// When the disk refuses.
pub(super) fn sync(set: &Path) -> Result<(), AnchorsError> {
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
