//! Leftovers of killed commands beside an anchor set under hidden names: build folders of any set, and
//! output files that were never finished.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err::File;
use serde::Serialize;

use super::needles::{ByteSearch, NeedleSet};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout::LOCK;
use crate::anchors::stored::place::{BUILDING, foreign_names, is_building};
use crate::anchors::stored::publish::WriteLock;
use crate::disk as fs;

/// A file or folder that may mention purged pairs and was kept: beside the anchor set, or in it where another
/// program put it there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptLeftover {
    /// The file or folder.
    pub file: PathBuf,
    /// Why it was kept.
    pub why: String,
}

/// Suffixes of names of unfinished files, or the infix before a random suffix.
const UNFINISHED: &str = ".tmp";

/// Whether a name may be that of a leftover. Other programs use such names too.
fn is_leftover(name: &str) -> bool {
    let is_file = name.ends_with(UNFINISHED) || name.contains(&format!("{UNFINISHED}-"));
    name.starts_with(fs::HIDDEN) && (is_file || name.contains(BUILDING))
}

/// Why a file or folder may not be this program's; `None` where it certainly is.
fn why_foreign(path: &Path) -> Result<Option<&'static str>, AnchorsError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_ours = match fs_err::symlink_metadata(path)?.is_dir() {
        // A build locks its folder before it writes anything else.
        true => {
            is_building(&name) && fs::has_file(&path.join(LOCK))? && foreign_names(path)?.is_empty()
        }
        false => fs::is_unfinished(&name),
    };
    if is_ours {
        return Ok(None);
    }
    Ok(Some(match fs::name_to_come(&name) {
        Some(_) => {
            "it contains data of these pairs, and may be a file that an older asif or another program was \
            writing: delete it if it is not needed"
        }
        None => {
            "it contains data of these pairs, and does not look like a leftover of asif: inspect it, and \
            delete it if it is not needed"
        }
    }))
}

/// The parent folders of an anchor set: of its canonical path, and of the link through which it was given.
fn folders(set: &Path) -> BTreeSet<PathBuf> {
    // Both folders: a build may have been started through the link or beside the real folder.
    let real = fs_err::canonicalize(set).ok();
    let places = real.iter().map(PathBuf::as_path).chain([set]);
    let folder = |place| {
        let folder = fs::parent(place);
        fs_err::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
    };
    places.map(folder).collect()
}

/// The leftovers beside an anchor set, and the folders that cannot be listed.
fn leftovers(set: &Path) -> (Vec<PathBuf>, Vec<KeptLeftover>) {
    let (mut found, mut closed) = (Vec::new(), Vec::new());
    for folder in folders(set) {
        match fs::names(&folder) {
            Ok(names) => {
                for name in names.iter().filter(|name| is_leftover(name)) {
                    let file = folder.join(name);
                    match fs::found_itself(&file) {
                        // No command of asif leaves a link or a pipe.
                        Ok(Some(kind)) if kind.is_file() || kind.is_dir() => found.push(file),
                        Ok(_) => {}
                        Err(error) => {
                            let why = unknown_content(&error.into());
                            closed.push(KeptLeftover { file, why });
                        }
                    }
                }
            }
            Err(error) => closed.push(KeptLeftover {
                why: format!("it cannot be searched for leftovers of killed commands: {error}"),
                file: folder,
            }),
        }
    }
    (found, closed)
}

/// Removes leftovers that contain a needle, are known to be this program's and are not in use by a running
/// process; returns how many, and what was kept.
///
/// # Errors
/// When the removal cannot be made durable.
pub(super) fn remove(
    set: &Path,
    needles: &NeedleSet,
) -> Result<(u64, Vec<KeptLeftover>), AnchorsError> {
    let mut removed = 0;
    let (found, mut left) = leftovers(set);
    for file in found {
        let why = match look(&file, needles) {
            Ok(None) => continue,
            Ok(Some(search)) if search.found.is_empty() => continue,
            Ok(Some(_)) => match remove_own(&file) {
                Ok(None) => {
                    removed += 1;
                    continue;
                }
                Ok(Some(why)) => why.to_owned(),
                Err(error) => error.to_string(),
            },
            Err(error) => unknown_content(&error),
        };
        left.push(KeptLeftover { file, why });
    }
    // Made durable even if nothing was removed here, since a killed purge may have removed without syncing.
    for folder in folders(set) {
        if !left.iter().any(|kept| kept.file == folder) {
            fs::sync_folder(&folder)?;
        }
    }
    Ok((removed, left))
}

fn unknown_content(error: &AnchorsError) -> String {
    format!("its content cannot be read: {error}")
}

/// Searches the leftovers beside an anchor set; also returns what cannot be read.
pub(super) fn search(set: &Path, needles: &NeedleSet) -> (ByteSearch, Vec<KeptLeftover>) {
    let mut searched = ByteSearch::default();
    let (found, mut unread) = leftovers(set);
    for file in found {
        match look(&file, needles) {
            Ok(of_file) => searched.join(of_file.unwrap_or_default()),
            Err(error) => {
                let why = unknown_content(&error);
                unread.push(KeptLeftover { file, why });
            }
        }
    }
    (searched, unread)
}

/// How often a folder is searched again if files disappear during the search.
const SEARCHES: usize = 5;

fn look(file: &Path, needles: &NeedleSet) -> Result<Option<ByteSearch>, AnchorsError> {
    look_by(file, || needles.search(&[file.to_owned()]))
}

/// `None` when it is gone: its writer has finished. A running build removes files of its folder,
/// which is then searched again.
fn look_by(
    file: &Path,
    search: impl Fn() -> Result<ByteSearch, AnchorsError>,
) -> Result<Option<ByteSearch>, AnchorsError> {
    let mut searches = 0;
    loop {
        searches += 1;
        let searched = search();
        let Err(AnchorsError::Io(error)) = &searched else {
            return searched.map(Some);
        };
        if error.kind() != ErrorKind::NotFound {
            return searched.map(Some);
        }
        let top = fs_err::symlink_metadata(file);
        // Gone itself, and not only something in it: whoever wrote it has finished or cleaned up.
        if top.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        // A folder that keeps changing is in use, and its error is told instead of waiting.
        if searches == SEARCHES {
            return searched.map(Some);
        }
    }
}

/// Removes a leftover that is known to be this program's, unless a process holds its lock; returns why it was
/// left.
fn remove_own(path: &Path) -> Result<Option<&'static str>, AnchorsError> {
    if let Some(why) = why_foreign(path)? {
        return Ok(Some(why));
    }
    Ok(match remove_abandoned(path)? {
        true => None,
        false => Some("a running process is writing it"),
    })
}

/// Removes a leftover unless a process holds its lock; returns whether it did.
fn remove_abandoned(path: &Path) -> Result<bool, AnchorsError> {
    use std::fs::TryLockError;
    // Held until it is removed.
    let (_build, _file);
    // `symlink_metadata`: a link must not lead to the lock of a folder elsewhere.
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

    const NEEDLE: &str = "zebra-unique";

    fn needles() -> NeedleSet {
        let mut needles = NeedleSet::default();
        needles.add_request(&[NEEDLE.to_owned()], None);
        needles
    }

    /// A folder as a build makes it, with a text in a segment.
    fn build(folder: &Path, text: &str) {
        let segment = folder.join("segments/.writing-Ab12Cd");
        fs_err::create_dir_all(&segment).unwrap();
        fs_err::write(segment.join("pairs.rec"), text).unwrap();
        fs_err::write(folder.join(LOCK), "process 1 on nowhere").unwrap();
    }

    #[test]
    fn what_holds_a_needle_goes_unless_somebody_is_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let set = at("a.asif");
        fs_err::create_dir(&set).unwrap();
        build(&at(".b.asif.building-dEad01"), NEEDLE);
        build(&at(".b.asif.building-oTher1"), "cats");
        build(&at(".b.asif.building-lIve01"), NEEDLE);
        let running = WriteLock::acquire(&at(".b.asif.building-lIve01")).unwrap();
        for name in [".rep.html.tmp-Ab12Cd34Ef56", "notes.txt", ".rc"] {
            fs_err::write(at(name), NEEDLE).unwrap();
        }
        fs_err::write(at(".y.jsonl.tmp-Ab12Cd34Ef56"), "dogs").unwrap();
        std::os::unix::fs::symlink(at("notes.txt"), at(".link.tmp-Ab12Cd34Ef56")).unwrap();
        let (removed, left) = remove(&set, &needles()).unwrap();
        assert_eq!(removed, 2);
        let held = at(".b.asif.building-lIve01").canonicalize().unwrap();
        let left: Vec<&PathBuf> = left.iter().map(|kept| &kept.file).collect();
        assert_eq!(left, [&held]);
        assert_eq!(
            fs::names(folder.path()).unwrap(),
            [
                ".b.asif.building-lIve01",
                ".b.asif.building-oTher1",
                ".link.tmp-Ab12Cd34Ef56",
                ".rc",
                ".y.jsonl.tmp-Ab12Cd34Ef56",
                "a.asif",
                "notes.txt"
            ]
        );
        assert_eq!(search(&set, &needles()).0.found.len(), 1, "it is named");
        drop(running);
        assert_eq!(remove(&set, &needles()).unwrap(), (1, Vec::new()));
    }

    #[test]
    fn what_others_may_have_written_stays_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let set = at("a.asif");
        fs_err::create_dir(&set).unwrap();
        let folders = [
            ".album.building-garden",
            ".album.building-plans",
            ".work.tmp",
            ".x.tmp-Ab12Cd34Ef56",
            ".x.tmp-my notes",
        ];
        let files = [
            ".b.asif.building-aB3dE6",
            ".foo.tmp",
            ".g.12-0.tmp",
            ".rows.tmp-0123456789abcdef",
            ".x.tmp-photographer",
        ];
        for name in folders {
            fs_err::create_dir(at(name)).unwrap();
            fs_err::write(at(name).join("notes"), NEEDLE).unwrap();
        }
        for name in files {
            fs_err::write(at(name), NEEDLE).unwrap();
        }
        // Of a build, with something of the user's in it; and what only looks like one.
        build(&at(".c.asif.building-aB3dE6"), "");
        fs_err::write(at(".c.asif.building-aB3dE6/notes"), NEEDLE).unwrap();
        build(&at(".d.asif.building-aB3dE6"), NEEDLE);
        fs_err::remove_file(at(".d.asif.building-aB3dE6/LOCK")).unwrap();
        let before: Vec<_> = walkdir::WalkDir::new(folder.path())
            .sort_by_file_name()
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .collect();
        let (removed, left) = remove(&set, &needles()).unwrap();
        let after: Vec<_> = walkdir::WalkDir::new(folder.path())
            .sort_by_file_name()
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .collect();
        assert_eq!((removed, after), (0, before));
        assert_eq!(left.len(), folders.len() + files.len() + 2, "{left:?}");
        assert!(left.iter().all(|kept| kept.why.contains("delete it")));
    }

    /// A build at work removes files of its folder while that is searched.
    #[test]
    fn a_file_that_goes_is_not_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let gone = || AnchorsError::from(std::io::Error::from(ErrorKind::NotFound));
        let tries = std::cell::Cell::new(0);
        let after = |n: usize| {
            tries.set(0);
            let tries = &tries;
            move || {
                tries.set(tries.get() + 1);
                match tries.get() > n {
                    true => Ok(ByteSearch::default()),
                    false => Err(gone()),
                }
            }
        };
        assert!(look_by(folder.path(), after(2)).unwrap().is_some());
        look_by(folder.path(), after(usize::MAX)).unwrap_err();
        assert_eq!(tries.get(), SEARCHES);
        let none = folder.path().join("none");
        assert!(look_by(&none, after(1)).unwrap().is_none());
    }
}
