//! Files under hidden names until they are complete.
//!
//! A hidden name is `.NAME.tmp-RANDOM`, made where nothing has that name, so that no link is followed
//! and no file of anybody else's is written to. The file is locked for as long as it is written: what
//! has such a name and no lock was left by a writer that was killed, and the next one of the same file
//! removes it. Containers ([`asif_index`]) have a longer random part and no lock: they lie only in
//! sets, whose writers hold the lock of the anchor set.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};

use super::fault;
use super::files::{HIDDEN, hidden_prefix, names, parent, remove_hidden};

/// Characters of the random part.
const RANDOM: usize = 12;
/// Separates the final name from the random part.
const MARK: &str = ".tmp-";
/// How often another name is tried when a concurrent writer removes the file as a leftover.
const TRIES: usize = 8;

/// Creates a locked file with a hidden name beside `path`. Leftovers of killed writers of `path` are removed.
///
/// # Errors
/// On an I/O error; `ResourceBusy` when another writer is at it.
pub(super) fn begin(path: &Path) -> io::Result<(File, PathBuf)> {
    let folder = parent(path);
    let prefix = hidden_prefix(&HIDDEN.to_string(), path, MARK, RANDOM);
    let busy = || {
        let what = format!("{}: another process is writing it", path.display());
        io::Error::new(io::ErrorKind::ResourceBusy, what)
    };
    if !clear_abandoned(folder, &prefix)? {
        return Err(busy());
    }
    for _ in 0..TRIES {
        let mut builder = tempfile::Builder::new();
        let made = builder
            .prefix(&prefix)
            .rand_bytes(RANDOM)
            .make_in(folder, |hidden| {
                fault::before(fault::StepKind::Write, hidden)?;
                let mut options = OpenOptions::new();
                options.read(true).write(true).create_new(true).open(hidden)
            })?;
        let (file, hidden) = made.into_parts();
        let hidden = hidden.keep().map_err(|error| error.error)?;
        // On a file system without locks no writer takes it for a leftover.
        let taken = matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock));
        // Between creation and lock another writer may have removed the file as a leftover; its name then leads
        // nowhere, or to somebody else's file.
        if !taken && is_named(&file, &hidden) {
            return Ok((file, hidden));
        }
    }
    Err(busy())
}

/// Whether `file` still has this name.
fn is_named(file: &File, path: &Path) -> bool {
    let of = |found: io::Result<std::fs::Metadata>| found.ok().map(|m| (m.dev(), m.ino()));
    let (own, named) = (file.metadata(), fs_err::symlink_metadata(path));
    of(own).is_some_and(|own| of(named) == Some(own))
}

/// Removes leftovers of killed writers under names with this prefix; false while a writer is active.
fn clear_abandoned(folder: &Path, prefix: &str) -> io::Result<bool> {
    // In a folder that can be written to but not listed, leftovers stay.
    let found = match names(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
        found => found?,
    };
    for name in found {
        let Some(random) = name.strip_prefix(prefix) else {
            continue;
        };
        let path = folder.join(&name);
        let is_file = fs_err::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        if !is_random(random) || !is_file {
            continue;
        }
        let Ok(file) = File::open(&path) else {
            continue;
        };
        match file.try_lock() {
            Ok(()) => remove_hidden(&path)?,
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            // Without a lock it is unknown whether a writer is active.
            Err(std::fs::TryLockError::Error(_)) => {}
        }
    }
    Ok(true)
}

fn is_random(text: &str) -> bool {
    text.len() == RANDOM && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether a hidden name is of the form that `begin` makes, whose files are locked while they are written.
/// A random end of letters of one kind, or of digits, is made once in ten thousand times, and is more likely
/// a word or a date.
pub(crate) fn is_unfinished(hidden: &str) -> bool {
    let name = hidden.strip_prefix(HIDDEN);
    let parts = name.and_then(|name| name.rsplit_once(MARK));
    parts.is_some_and(|(name, random)| {
        let kinds: [fn(&u8) -> bool; 3] = [
            u8::is_ascii_lowercase,
            u8::is_ascii_uppercase,
            u8::is_ascii_digit,
        ];
        let found = kinds
            .iter()
            .filter(|kind| random.as_bytes().iter().any(**kind));
        !name.is_empty() && is_random(random) && found.count() > 1
    })
}

/// The name that a file with this hidden name was to have; `None` where no writer makes such a name.
/// Those of containers and of older programs are known too.
pub(crate) fn name_to_come(hidden: &str) -> Option<&str> {
    let name = hidden.strip_prefix(HIDDEN)?;
    if let Some((name, random)) = name.rsplit_once(MARK) {
        let is_ours = !random.is_empty() && random.bytes().all(|b| b.is_ascii_alphanumeric());
        return is_ours.then_some(name);
    }
    let name = name.strip_suffix(".tmp")?;
    // `.NAME.PID-COUNT.tmp` of older programs.
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let counted = name.rsplit_once('.').filter(|(_, numbers)| {
        let parts = numbers.split_once('-');
        parts.is_some_and(|(pid, count)| is_number(pid) && is_number(count))
    });
    Some(counted.map_or(name, |(name, _)| name))
}

/// Removes what killed writers left in a folder under hidden names of files that `is_own` says it
/// writes there. What else lies there is somebody else's.
///
/// # Errors
/// On an I/O error.
pub(crate) fn sweep_hidden(folder: &Path, is_own: impl Fn(&str) -> bool) -> io::Result<()> {
    for name in names(folder)? {
        if name_to_come(&name).is_some_and(&is_own) {
            remove_hidden(&folder.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::write_atomically;
    use super::*;

    #[test]
    fn what_lies_under_a_name_that_could_be_guessed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs_err::write(at("precious"), "mine").unwrap();
        fs_err::write(at(".x.tmp"), "mine too").unwrap();
        std::os::unix::fs::symlink(at("precious"), at(".y.tmp")).unwrap();
        std::os::unix::fs::symlink(at("precious"), at(".y.tmp-abcdefghijkl")).unwrap();
        for name in ["x", "y"] {
            write_atomically(&at(name), b"new").unwrap();
            super::super::replace_file(&at(name), "newer").unwrap();
            assert!(fs_err::symlink_metadata(at(name)).unwrap().is_file());
        }
        assert_eq!(fs_err::read(at("precious")).unwrap(), b"mine");
        assert_eq!(fs_err::read(at(".x.tmp")).unwrap(), b"mine too");
        assert_eq!(fs_err::read(at("y")).unwrap(), b"newer");
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_what_is_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs_err::write(at(".x.tmp-abcdefghijkl"), "left").unwrap();
        fs_err::write(at(".x.tmp-mine"), "").unwrap();
        fs_err::write(at(".xy.tmp-abcdefghijkl"), "of another").unwrap();
        let (_file, hidden) = begin(&at("x")).unwrap();
        assert!(!at(".x.tmp-abcdefghijkl").exists());
        assert!(at(".x.tmp-mine").exists() && at(".xy.tmp-abcdefghijkl").exists());
        let busy = begin(&at("x")).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        assert!(hidden.exists());
    }

    #[test]
    fn every_legal_name_has_a_hidden_one() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(255), "ä".repeat(127), "x".repeat(240)] {
            write_atomically(&folder.path().join(&name), b"new").unwrap();
            assert_eq!(fs_err::read(folder.path().join(&name)).unwrap(), b"new");
        }
    }

    #[test]
    fn the_form_of_locked_files_is_known() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(255), "x".to_owned(), "x.tmp-y".to_owned()] {
            let (_file, hidden) = begin(&folder.path().join(name)).unwrap();
            let hidden = hidden.file_name().unwrap().to_string_lossy();
            assert!(is_unfinished(&hidden), "{hidden}");
        }
        for other in [
            ".x.tmp",
            ".x.12-3.tmp",
            ".x.tmp-photographer",
            ".x.tmp-202611291352",
            ".x.tmp-aB3",
            ".x.tmp-my notes 12",
            ".x.tmp-0123456789abcdef",
            ".tmp-Ab12Cd34Ef56",
            "x.tmp-Ab12Cd34Ef56",
        ] {
            assert!(!is_unfinished(other), "{other}");
        }
    }

    #[test]
    fn hidden_names_tell_what_they_were_to_be() {
        for (hidden, name) in [
            (".CURRENT.tmp-abcdefghijkl", Some("CURRENT")),
            (".CURRENT.tmp", Some("CURRENT")),
            (".g000001.del.123-0.tmp", Some("g000001.del")),
            (".g000001.del.tmp-0123456789abcdef", Some("g000001.del")),
            (".CURRENT.tmp-", None),
            (".CURRENT.tmp-a b", None),
            (".notes", None),
            ("CURRENT.tmp", None),
        ] {
            assert_eq!(name_to_come(hidden), name, "{hidden}");
        }
    }
}
