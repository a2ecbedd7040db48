//! Where a repair moves what it gives up: nothing that it cannot use is deleted.

use std::path::Path;

use super::error::AnchorsError;
use super::{fs, history, manifest, segment};

/// The folder of a set that holds what repairs gave up; a purge deletes it.
pub(super) const DAMAGED: &str = "damaged";

/// Moves a file or folder of a set to [`DAMAGED`], under a free name, durably. One that is not there
/// is no error.
///
/// # Errors
/// When the disk refuses.
pub(super) fn put(set: &Path, path: &Path) -> Result<(), AnchorsError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let aside = set.join(DAMAGED);
    fs::create_dir_all(&aside)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut to = aside.join(&*name);
    let mut n = 1;
    while to.symlink_metadata().is_ok() {
        to = aside.join(format!("{name}.{n}"));
        n += 1;
    }
    fs::rename(path, &to)?;
    fs::sync_folder(&aside)?;
    Ok(fs::sync_folder(path.parent().unwrap_or(set))?)
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
        if folder.is_dir() {
            fs::sync_folder(folder)?;
        }
    }
    Ok(())
}
