//! Atomic publication of a generation.
//!
//! A new set is made in a hidden folder beside its destination and renamed into place; a further
//! generation of an existing set is written beside the live one, and `CURRENT` is then replaced by
//! an atomic rename. A crash at any moment leaves the old state or the new one.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::{File, OpenOptions};

use super::layout;
use super::manifest::{self, Manifest};
use super::{place, witness};
use crate::anchors::error::AnchorsError;
use crate::disk as fs;
use crate::disk::fault;

/// The name of the live generation of `set`, after consulting all witnesses.
///
/// # Errors
/// [`AnchorsError::NotASet`] when the folder is missing or not an anchor set; [`AnchorsError::NeedsRepair`]
/// when `CURRENT` contradicts the other witnesses ([`witness`]).
pub(crate) fn current(set: &Path) -> Result<String, AnchorsError> {
    Ok(layout::generation_name(live_number(set)?))
}

/// The number of the live generation of `set`.
///
/// # Errors
/// As [`current`].
pub(crate) fn live_number(set: &Path) -> Result<u64, AnchorsError> {
    witness::look(set)?.current
}

/// Makes `manifest` the live generation of `set`, whose segments must be on disk.
///
/// # Errors
/// When a file cannot be written; the old generation is then still the live one.
pub fn publish(set: &Path, manifest: &Manifest) -> Result<(), AnchorsError> {
    let name = layout::generation_name(manifest.generation);
    let folder = layout::generations_folder(set);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}.json"));
    let json = manifest
        .to_bytes()
        .map_err(|reason| AnchorsError::Manifest {
            path: path.clone(),
            reason,
        })?;
    // Durable before `CURRENT` names it: after a crash a name without its manifest would be no set at all.
    fs::write_atomically(&path, &json)?;
    Ok(fs::write_atomically(
        &set.join(layout::CURRENT),
        witness::line(&name, manifest::checksum_in(&json).as_deref()).as_bytes(),
    )?)
}

/// The write lock of an anchor set, released when dropped or when the process ends.
#[derive(Debug)]
pub struct WriteLock {
    file: File,
}

impl WriteLock {
    /// Takes the lock of `set`, without waiting.
    ///
    /// # Errors
    /// [`AnchorsError::Locked`] with process and host of the holder.
    pub fn acquire(set: &Path) -> Result<Self, AnchorsError> {
        fault::arm();
        let path = set.join(layout::LOCK);
        fs::step(&path)?;
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            // Nor does a writer remove the file when it ends: a lock on a removed file excludes nobody.
            .truncate(false)
            .clone();
        let mut file = options.open(&path)?;
        // Locked before its content is touched: the holder's line must stay readable for whoever is refused.
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(AnchorsError::Locked {
                    path: set.to_owned(),
                    holder: holder_in(&mut file)?,
                });
            }
        }
        // A shorter line must not leave the end of the last holder's.
        file.set_len(0)?;
        file.rewind()?;
        let holder = format!("process {} on {}\n", std::process::id(), host());
        fs::write(&mut file, &path, holder.as_bytes())?;
        Ok(Self { file })
    }
}

/// How often, and how long, to wait for the holder of a lock to write its identity.
const HOLDER_TRIES: usize = 20;
const HOLDER_WAIT: Duration = Duration::from_millis(5);

/// The holder according to the lock file; empty where the file has none, or names a process that has
/// ended, as between locking and writing the line.
fn holder_in(file: &mut File) -> Result<String, AnchorsError> {
    for _ in 0..HOLDER_TRIES {
        let mut holder = String::new();
        file.rewind()?;
        file.read_to_string(&mut holder)?;
        // The lock is taken before the line is written: for a moment it is torn, or the last holder's.
        if holder.ends_with('\n') && may_live(holder.trim()) {
            return Ok(holder.trim().to_owned());
        }
        std::thread::sleep(HOLDER_WAIT);
    }
    Ok(String::new())
}

/// Whether a holder may still be running; on another host this is unknown.
fn may_live(holder: &str) -> bool {
    let parts = holder
        .strip_prefix("process ")
        .and_then(|rest| rest.split_once(" on "));
    let Some((pid, there)) = parts else {
        return false;
    };
    let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
    let Some(pid) = pid else {
        return false;
    };
    let ended = rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
    // A process on another host cannot be asked, so it counts as running.
    there != host() || !ended
}

/// This machine's name, from a call that cannot fail: a name that could not be read would be the same
/// empty one on every machine that shares the folder, and another's running process would count as ended.
fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

impl Drop for WriteLock {
    /// Unlocked explicitly, not by closing the file: a child process that another thread is just starting has
    /// a copy of every descriptor, and would hold the lock until `exec`.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// An anchor set being built in a hidden folder beside its destination; removed when dropped.
#[derive(Debug)]
pub(crate) struct NewSet {
    // Dropped in this order: the folder goes while the lock is still held.
    folder: tempfile::TempDir,
    _lock: WriteLock,
    destination: PathBuf,
}

impl NewSet {
    /// Starts an anchor set for `destination`, and removes leftovers of a killed predecessor.
    ///
    /// # Errors
    /// When the folder above `destination` cannot be made or written to.
    pub(crate) fn begin(destination: &Path) -> Result<Self, AnchorsError> {
        let parent = fs::parent(destination);
        fault::arm();
        fs::create_dir_all(parent)?;
        let prefix = place::building_prefix(destination);
        clear_abandoned(parent, &prefix);
        let mut tries = 0;
        loop {
            fs::step(parent)?;
            let folder = tempfile::Builder::new()
                .prefix(&prefix)
                .rand_bytes(place::RANDOM)
                .tempdir_in(parent)?;
            tries += 1;
            match WriteLock::acquire(folder.path()) {
                Ok(lock) if fs::found(&folder.path().join(layout::LOCK))?.is_some() => {
                    return Ok(Self {
                        folder,
                        _lock: lock,
                        destination: destination.to_owned(),
                    });
                }
                // Another build took it for abandoned before it was locked.
                Err(error) if tries > 5 => return Err(error),
                Err(AnchorsError::Locked { .. }) | Ok(_) => {}
                Err(error) if folder.path().exists() => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// The hidden folder to write to.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Moves the finished set to its destination.
    ///
    /// # Errors
    /// When the destination was created in the meantime, or the rename fails.
    pub(crate) fn finish(self) -> Result<(), AnchorsError> {
        // `rename_new`: the destination may have been created since the build began.
        if let Err(error) = fs::rename_new(self.folder.path(), &self.destination) {
            return Err(match error.kind() {
                std::io::ErrorKind::AlreadyExists => AnchorsError::Exists {
                    path: self.destination,
                },
                _ => error.into(),
            });
        }
        // The folder was renamed, so there is nothing left to remove.
        let _ = self.folder.keep();
        Ok(fs::sync_folder(fs::parent(&self.destination))?)
    }
}

/// Removes leftovers of killed builds of this anchor set beside it. For a set given by a link they are beside
/// its folder, or beside the link if the set was moved afterwards.
/// Returns how many folders they were.
pub(crate) fn clear_beside(set: &Path) -> u64 {
    let real = fs_err::canonicalize(set).ok();
    let places = real.iter().map(PathBuf::as_path).chain([set]);
    places
        .map(|place| clear_abandoned(fs::parent(place), &place::building_prefix(place)))
        .sum()
}

/// Removes folders of killed builds: those that are not locked and contain only files that
/// a build writes. Returns how many.
fn clear_abandoned(parent: &Path, prefix: &str) -> u64 {
    let mut cleared = 0;
    let Ok(entries) = fs_err::read_dir(parent) else {
        return cleared;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Only what is certainly of a build of this set is touched.
        if !name.starts_with(prefix) || !place::is_building(&name) || !is_folder {
            continue;
        }
        if !place::foreign_names(&path).is_ok_and(|foreign| foreign.is_empty()) {
            continue;
        }
        // The lock tells whether its builder still runs.
        if let Ok(_lock) = WriteLock::acquire(&path) {
            // Leaving it costs disk space only.
            cleared += u64::from(fs::remove_hidden(&path).is_ok());
        }
    }
    cleared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_writer_is_told_who_holds_the_lock() {
        let set = tempfile::tempdir().unwrap();
        let lock = WriteLock::acquire(set.path()).unwrap();
        let refused = WriteLock::acquire(set.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        // The holder has the lock, and has not yet written who it is.
        for line in ["", "process 4194304 on "] {
            let line = match line {
                "" => String::new(),
                line => format!("{line}{}\n", host()),
            };
            fs_err::write(set.path().join(layout::LOCK), line).unwrap();
            let refused = WriteLock::acquire(set.path()).unwrap_err().to_string();
            assert!(refused.contains("writing to this anchor set;"), "{refused}");
        }
        drop(lock);
        WriteLock::acquire(set.path()).unwrap();
    }

    #[test]
    fn an_unfinished_set_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let new = NewSet::begin(&parent.path().join("a.asif")).unwrap();
        fs_err::write(new.path().join("x"), b"x").unwrap();
        drop(new);
        assert_eq!(fs_err::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_build_left_is_cleared_and_a_running_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let destination = parent.path().join("a.asif");
        let dead = parent.path().join(".a.asif.building-dEad01");
        fs_err::create_dir_all(&dead).unwrap();
        fs_err::write(dead.join("LOCK"), b"process 1 on nowhere").unwrap();
        let own = parent.path().join(".a.asif.building-garden");
        fs_err::create_dir_all(&own).unwrap();
        fs_err::write(own.join("todo"), b"mine").unwrap();
        let plans = parent.path().join(".a.asif.building-plans");
        fs_err::create_dir_all(&plans).unwrap();
        let running = NewSet::begin(&destination).unwrap();
        assert_eq!(fs::names(&own).unwrap(), ["todo"]);
        assert!(plans.exists(), "no build makes such a name");
        let second = NewSet::begin(&destination).unwrap();
        assert!(!dead.exists() && running.path().exists());
        second.finish().unwrap();
        assert!(matches!(running.finish(), Err(AnchorsError::Exists { .. })));
    }

    #[test]
    fn what_killed_builds_left_lies_beside_the_folder_that_a_link_leads_to() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        fs_err::create_dir_all(at("real/a.asif")).unwrap();
        std::os::unix::fs::symlink(at("real/a.asif"), at("link.asif")).unwrap();
        for dead in ["real/.a.asif.building-dEad01", ".link.asif.building-dEad01"] {
            fs_err::create_dir_all(at(dead)).unwrap();
        }
        assert_eq!(clear_beside(&at("link.asif")), 2);
        assert!(!at("real/.a.asif.building-dEad01").exists());
        assert!(!at(".link.asif.building-dEad01").exists());
    }

    #[test]
    fn what_is_no_set_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let says = |p: &Path| current(p).unwrap_err().to_string();
        assert!(says(folder.path()).contains("no file CURRENT"));
        assert!(says(&folder.path().join("none")).contains("no such folder"));
        fs_err::write(folder.path().join(layout::CURRENT), b"../../etc").unwrap();
        assert!(says(folder.path()).contains("does not name a generation"));
    }
}
