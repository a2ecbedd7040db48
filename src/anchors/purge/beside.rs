//! What killed commands left beside a set under hidden names: folders of builds, of whichever set, and
//! files that were asked for and never finished.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err::File;
use serde::Serialize;

use super::needles::{ByteSearch, Needles};
use crate::anchors::error::AnchorsError;
use crate::anchors::fs;
use crate::anchors::publish::{BUILDING, WriteLock};

/// Something beside the set that may hold something of purged pairs, and was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftoverKept {
    /// The file or folder.
    pub file: PathBuf,
    /// Why it was left.
    pub why: String,
}

/// How the names of files that are being written end, or how they go on before a random end.
const UNFINISHED: &str = ".tmp";

fn is_leftover(name: &str) -> bool {
    let is_file = name.ends_with(UNFINISHED) || name.contains(&format!("{UNFINISHED}-"));
    name.starts_with(fs::HIDDEN) && (is_file || name.contains(BUILDING))
}

/// The folders that a set lies in: that of its real folder, and that of the link by which it was given.
fn folders(set: &Path) -> BTreeSet<PathBuf> {
    let real = fs_err::canonicalize(set).ok();
    let places = real.iter().map(PathBuf::as_path).chain([set]);
    let folder = |place| {
        let folder = fs::parent(place);
        fs_err::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
    };
    places.map(folder).collect()
}

/// The leftovers beside a set, and the folders that cannot be looked into.
fn leftovers(set: &Path) -> (Vec<PathBuf>, Vec<LeftoverKept>) {
    let (mut found, mut closed) = (Vec::new(), Vec::new());
    for folder in folders(set) {
        match fs::names(&folder) {
            Ok(names) => {
                let hidden = names.iter().filter(|name| is_leftover(name));
                // No command leaves a link or a pipe.
                let is_stored = |path: &PathBuf| {
                    let found = fs_err::symlink_metadata(path);
                    found.is_ok_and(|found| found.is_file() || found.is_dir())
                };
                found.extend(hidden.map(|name| folder.join(name)).filter(is_stored));
            }
            Err(error) => closed.push(LeftoverKept {
                why: format!("what killed commands left in it is not known: {error}"),
                file: folder,
            }),
        }
    }
    (found, closed)
}

/// Removes what holds one of the needles and no running process has; returns how many, and what was left.
///
/// # Errors
/// When the removal cannot be made durable.
pub(super) fn remove(
    set: &Path,
    needles: &Needles,
) -> Result<(u64, Vec<LeftoverKept>), AnchorsError> {
    let mut removed = 0;
    let (found, mut left) = leftovers(set);
    for file in found {
        let why = match look(&file, needles) {
            Ok(None) => continue,
            Ok(Some(search)) if search.found.is_empty() => continue,
            Ok(Some(_)) => match remove_abandoned(&file) {
                Ok(true) => {
                    removed += 1;
                    continue;
                }
                Ok(false) => "a running process is writing it".to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => format!("it is not known what it holds: {error}"),
        };
        left.push(LeftoverKept { file, why });
    }
    for folder in folders(set) {
        if !left.iter().any(|kept| kept.file == folder) {
            fs::sync_folder(&folder)?;
        }
    }
    Ok((removed, left))
}

/// Searches what lies beside a set. What cannot be read is passed over: [`remove`] names it.
pub(super) fn search(set: &Path, needles: &Needles) -> ByteSearch {
    let mut searched = ByteSearch::default();
    for file in leftovers(set).0 {
        if let Ok(Some(of_file)) = look(&file, needles) {
            searched.join(of_file);
        }
    }
    searched
}

/// None when it is gone: whoever was writing it has finished.
fn look(file: &Path, needles: &Needles) -> Result<Option<ByteSearch>, AnchorsError> {
    match needles.search(&[file.to_owned()]) {
        Err(AnchorsError::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        searched => searched.map(Some),
    }
}

/// Removes a leftover unless somebody holds its lock; returns whether it did.
fn remove_abandoned(path: &Path) -> Result<bool, AnchorsError> {
    use std::fs::TryLockError;
    // Held until it is removed.
    let (_build, _file);
    if fs_err::symlink_metadata(path)?.is_dir() {
        _build = match WriteLock::acquire(path) {
            Err(AnchorsError::Locked { .. }) => return Ok(false),
            lock => lock?,
        };
    } else {
        let file = File::open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Ok(()) => _file = file,
        }
    }
    fs::remove_hidden(path)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_needle_goes_unless_somebody_is_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (set, needle) = (at("a.asif"), "zebra-unique");
        fs_err::create_dir(&set).unwrap();
        let build = |name: &str, text: &str| {
            fs_err::create_dir(at(name)).unwrap();
            fs_err::write(at(name).join("x"), text).unwrap();
        };
        build(".b.asif.building-dead", needle);
        build(".b.asif.building-other", "cats");
        build(".b.asif.building-live", needle);
        std::os::unix::fs::symlink(at("notes.txt"), at(".link.tmp")).unwrap();
        let running = WriteLock::acquire(&at(".b.asif.building-live")).unwrap();
        for name in [".ids.txt.tmp", ".rep.html.tmp-x1y2z3", "notes.txt", ".rc"] {
            fs_err::write(at(name), needle).unwrap();
        }
        fs_err::write(at(".y.jsonl.tmp"), "dogs").unwrap();
        let mut needles = Needles::default();
        needles.add_request(&[needle.to_owned()], None);
        let (removed, left) = remove(&set, &needles).unwrap();
        assert_eq!(removed, 3);
        let held = at(".b.asif.building-live").canonicalize().unwrap();
        let left: Vec<&PathBuf> = left.iter().map(|kept| &kept.file).collect();
        assert_eq!(left, [&held]);
        assert_eq!(
            fs::names(folder.path()).unwrap(),
            [
                ".b.asif.building-live",
                ".b.asif.building-other",
                ".link.tmp",
                ".rc",
                ".y.jsonl.tmp",
                "a.asif",
                "notes.txt"
            ]
        );
        assert_eq!(search(&set, &needles).found.len(), 1, "it is named");
        drop(running);
        assert_eq!(remove(&set, &needles).unwrap(), (1, Vec::new()));
    }
}
