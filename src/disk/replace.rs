//! Atomic replacement of a file or folder; the old one is removed only when the new one is durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err::{File, OpenOptions};

use super::files::{
    REPLACED, found, found_itself, hidden_prefix, parent, remove_hidden, rename, sync_folder, write,
};
use super::{fault, temporary};

/// Replaces `path` by `bytes`: hidden file, fsync, rename, fsync of the folder. Leftovers of a killed writer of
/// it are removed.
///
/// # Errors
/// On an I/O error; the file is then unchanged, or, if only the last fsync failed,
/// the new one.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (mut file, hidden) = temporary::begin(path)?;
    let written = (|| {
        write(&mut file, &hidden, bytes)?;
        fault::before(fault::StepKind::Write, &hidden)?;
        file.sync_all()
    })();
    if let Err(error) = written {
        // The hidden name marks it as removable; a failure to remove it is harmless.
        let _ = fs_err::remove_file(&hidden);
        return Err(error);
    }
    // Only after the sync: a rename may reach the disk before the data, and would leave an empty file.
    rename(&hidden, path)?;
    // The name lies in the folder; without this sync a power failure may bring the old file back.
    sync_folder(parent(path))
}

/// Gives the folder `hidden`, whose files are durable, the name `destination`, durably. A folder that
/// exists there is removed afterwards.
///
/// The two exchange their names in one step. Where the medium cannot do that, the old one gets a
/// hidden name first: killed between the two renames, both are left under hidden names.
///
/// # Errors
/// On an I/O error. `destination` is then what it was and `hidden` is gone; or both
/// folders are left, one under either name or both under hidden ones, for the next writer.
pub fn publish_folder(hidden: &Path, destination: &Path) -> io::Result<()> {
    let renamed = match found_itself(destination)? {
        Some(_) => exchange(hidden, destination).map(Some),
        None => rename_new(hidden, destination).map(|()| None),
    };
    let replaced = match renamed {
        Ok(replaced) => replaced,
        Err(error) => {
            if destination.exists() {
                // The hidden name marks it as removable by any later writer.
                let _ = remove_hidden(hidden);
            }
            return Err(error);
        }
    };
    sync_folder(parent(destination))?;
    if let Some(replaced) = replaced {
        // What is left of it is found by its name and removed by the next writer.
        let _ = remove_hidden(&replaced);
    }
    Ok(())
}

/// Exchanges the names of two folders; returns the new name of the old one.
fn exchange(hidden: &Path, destination: &Path) -> io::Result<PathBuf> {
    fault::before(fault::StepKind::Write, destination)?;
    match flagged(hidden, destination, RenameFlag::Exchange) {
        Err(error) if not_known(&error) => rename_twice(hidden, destination),
        done => done.map(|()| hidden.to_owned()),
    }
}

/// Fallback without an atomic exchange: the old folder gets another hidden name.
fn rename_twice(hidden: &Path, destination: &Path) -> io::Result<PathBuf> {
    let id = format!("-{}", std::process::id());
    let aside = destination.with_file_name(hidden_prefix(REPLACED, destination, &id, 0));
    // The new folder must be durable before the old name disappears.
    sync_folder(parent(destination))?;
    fault::before(fault::StepKind::Write, &aside)?;
    fs_err::rename(destination, &aside)?;
    fault::before(fault::StepKind::Write, destination)?;
    fs_err::rename(hidden, destination)?;
    Ok(aside)
}

/// Renames a file or folder to a name that does not exist yet.
///
/// # Errors
/// `AlreadyExists` when `to` exists, even as an empty folder; any other I/O error.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    fault::before(fault::StepKind::Write, to)?;
    match flagged(from, to, RenameFlag::New) {
        Err(error) if not_known(&error) => {}
        done => return done,
    }
    // Not atomic, but the best that a file system without such a rename offers.
    if found_itself(to)?.is_some() {
        let what = format!("{}: exists already", to.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    fs_err::rename(from, to)
}

enum RenameFlag {
    Exchange,
    New,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn flagged(from: &Path, to: &Path, flag: RenameFlag) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let flags = match flag {
        RenameFlag::Exchange => RenameFlags::EXCHANGE,
        RenameFlag::New => RenameFlags::NOREPLACE,
    };
    renameat_with(CWD, from, CWD, to, flags).map_err(|error| {
        let error = io::Error::from(error);
        match not_known(&error) {
            true => error,
            false => {
                let what = format!("renaming {} to {}: {error}", from.display(), to.display());
                io::Error::new(error.kind(), what)
            }
        }
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn flagged(_from: &Path, _to: &Path, _flag: RenameFlag) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the file system, or the kernel, does not know a kind of rename.
fn not_known(error: &io::Error) -> bool {
    let unknown = [rustix::io::Errno::INVAL, rustix::io::Errno::NOSYS]
        .iter()
        .any(|known| error.raw_os_error() == Some(known.raw_os_error()));
    unknown || error.kind() == io::ErrorKind::Unsupported
}

/// An output file of a command, written under a hidden name until it is complete: an existing file
/// is kept until then.
///
/// A terminal, a pipe or a device is written to directly. Through a link, what it leads to is
/// replaced. Dropped before [`finish`](Self::finish), it changes nothing.
#[derive(Debug)]
pub struct FileReplacement {
    file: File,
    /// The hidden name and the final one; `None` when writing directly.
    names: Option<(PathBuf, PathBuf)>,
}

impl FileReplacement {
    /// Creates the file that will replace `path`.
    ///
    /// # Errors
    /// When the folder cannot be written to, or another process is writing this very file.
    pub fn begin(path: &Path) -> io::Result<Self> {
        check_output(path)?;
        let found = found(path)?;
        if found.as_ref().is_some_and(|found| !found.is_file()) {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self { file, names: None });
        }
        let path = match &found {
            Some(_) => fs_err::canonicalize(path)?,
            None => path.to_owned(),
        };
        let (file, hidden) = temporary::begin(&path)?;
        let replacement = Self {
            file,
            names: Some((hidden, path)),
        };
        if let Some(found) = found {
            replacement.file.set_permissions(found.permissions())?;
        }
        Ok(replacement)
    }

    /// Syncs the file and renames it to its final name.
    ///
    /// # Errors
    /// On an I/O error; the existing file is then unchanged.
    pub fn finish(mut self) -> io::Result<()> {
        let Some((hidden, path)) = self.names.take() else {
            return self.file.flush();
        };
        let named = fault::before(fault::StepKind::Write, &hidden)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| rename(&hidden, &path));
        if let Err(error) = named {
            let _ = fs_err::remove_file(&hidden);
            return Err(error);
        }
        sync_folder(parent(&path))
    }
}

impl Write for FileReplacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.names {
            Some((hidden, _)) => {
                write(&mut self.file, hidden, bytes)?;
                Ok(bytes.len())
            }
            None => self.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for FileReplacement {
    fn drop(&mut self) {
        if let Some((hidden, _)) = &self.names {
            // The hidden name marks it as removable by any later writer.
            let _ = fs_err::remove_file(hidden);
        }
    }
}

/// Checks that a file can be written to `path`: it is not a folder, and its parent folder exists.
/// Checked before a long operation, so that its result can be written.
///
/// # Errors
/// The condition that failed, with the path.
pub fn check_output(path: &Path) -> io::Result<()> {
    let folder = parent(path);
    let (kind, what) = if path.is_dir() {
        let what = format!(
            "{}: expected the name of a file to write, found a folder; name a file in it",
            path.display()
        );
        (io::ErrorKind::IsADirectory, what)
    } else if !folder.exists() {
        let what = format!(
            "{}: cannot be written, since there is no folder {}; make that folder, or name a file in \
             another",
            path.display(),
            folder.display()
        );
        (io::ErrorKind::NotFound, what)
    } else if !folder.is_dir() {
        let what = format!(
            "{}: cannot be written, since {} is a file; name a file in a folder",
            path.display(),
            folder.display()
        );
        (io::ErrorKind::NotADirectory, what)
    } else {
        return Ok(());
    };
    Err(io::Error::new(kind, what))
}

/// Writes an output file of a command: see [`FileReplacement`].
///
/// # Errors
/// On an I/O error; the existing file is then unchanged.
pub fn replace_file(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = FileReplacement::begin(path)?;
    file.write_all(bytes.as_ref())?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        fs_err::write(&path, b"old").unwrap();
        let mut file = FileReplacement::begin(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert!(FileReplacement::begin(&path).is_err(), "two at once");
        drop(file);
        assert_eq!(fs_err::read(&path).unwrap(), b"old");
        replace_file(&path, "new").unwrap();
        assert_eq!(fs_err::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()).unwrap(), ["report.html"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_devices_are_written_to() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        fs_err::write(&path, b"old").unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace_file(&link, "new").unwrap();
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs_err::read(&path).unwrap(), b"new");
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        replace_file(Path::new("/dev/null"), "x").unwrap();
    }

    #[test]
    fn a_folder_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, content) in [("s1", "old"), (".writing-1", "new"), (".writing-2", "more")] {
            fs_err::create_dir(at(name)).unwrap();
            fs_err::write(at(name).join("x"), content).unwrap();
        }
        publish_folder(&at(".writing-1"), &at("s1")).unwrap();
        publish_folder(&at(".writing-2"), &at("s2")).unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["s1", "s2"]);
        assert_eq!(fs_err::read(at("s1/x")).unwrap(), b"new");
        fs_err::rename(at("s2"), at(".writing-2")).unwrap();
        let aside = rename_twice(&at(".writing-2"), &at("s1")).unwrap();
        assert_eq!(fs_err::read(at("s1/x")).unwrap(), b"more");
        assert_eq!(fs_err::read(aside.join("x")).unwrap(), b"new");
        fs_err::create_dir(at("empty")).unwrap();
        let taken = rename_new(&at("s1"), &at("empty")).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
    }
}
