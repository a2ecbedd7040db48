//! The file operations of a container's writer, each a step at which tests can inject a failure.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;

use crate::error::{Error, Result};

/// A file operation that a [`ContainerWriter`](super::ContainerWriter) is about to perform.
#[non_exhaustive]
pub enum FileOperation<'a> {
    /// Create a new file.
    Create,
    /// Write these bytes to this file at its current position. A [`OperationHook`] may write a part of them itself
    /// before it fails, as a disk does when it is full or loses power.
    Write {
        /// The file.
        file: &'a mut dyn Write,
        /// The bytes to write.
        bytes: &'a [u8],
    },
    /// Make a file's bytes and length durable.
    Sync,
    /// Rename a file to this path.
    Rename,
    /// Make the entries of a folder durable.
    SyncFolder,
    /// Remove a file that was not finished.
    Remove,
}

/// Called before each operation with its path; if it returns an error, the operation fails with it.
pub type OperationHook = fn(FileOperation<'_>, &Path) -> io::Result<()>;

static HOOK: OnceLock<OperationHook> = OnceLock::new();

/// Installs a hook that is called before every file operation of every container writer of this process, so
/// that a test can make the n-th one fail.
///
/// The hook is global, so that a test cannot miss a writer. Only the first hook is installed; returns whether
/// this one was. In builds without debug assertions hooks are never installed and cost nothing.
pub fn intercept(hook: OperationHook) -> bool {
    cfg!(debug_assertions) && HOOK.set(hook).is_ok()
}

fn before(operation: FileOperation<'_>, path: &Path) -> io::Result<()> {
    match HOOK.get() {
        Some(hook) if cfg!(debug_assertions) => hook(operation, path),
        _ => Ok(()),
    }
}

/// How many bytes of a file's name its temporary name contains: file names have at most 255.
const NAME_BYTES: usize = 255 - ".".len() - ".tmp-".len() - 16;

/// A file being written under a temporary name; it is removed when dropped, unless it was
/// published.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    file: fs::File,
    path: PathBuf,
    published: bool,
}

impl TemporaryFile {
    /// Creates one that can be renamed to `destination`.
    pub(super) fn beside(destination: &Path) -> Result<Self> {
        let name = destination.file_name().ok_or_else(|| Error::Argument {
            what: "destination",
            expected: "a path that ends with a file name".to_owned(),
            found: destination.display().to_string(),
            advice: "name the file",
        })?;
        let name = name.to_string_lossy();
        let kept = &name[..name.floor_char_boundary(NAME_BYTES)];
        loop {
            // The keys of the standard library's hasher are random: a random suffix without a dependency.
            let random = RandomState::new().build_hasher().finish();
            let path = destination.with_file_name(format!(".{kept}.tmp-{random:016x}"));
            let mut options = fs::OpenOptions::new();
            // `create_new`: a file of another writer with this name must not be overwritten.
            options.read(true).write(true).create_new(true);
            match before(FileOperation::Create, &path).and_then(|()| options.open(&path)) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path,
                        published: false,
                    });
                }
                // The name is taken: never overwrite, try another.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(&path, "creating")(error)),
            }
        }
    }

    /// Its name until it is published.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file, renames it to its destination, and syncs the folder.
    pub(super) fn publish(&mut self, destination: &Path) -> Result<()> {
        // File, name, folder, in this order: a name in a synced folder must not lead to unsynced bytes.
        before(FileOperation::Sync, &self.path)
            .and_then(|()| self.file.sync_all())
            .map_err(Error::io(&self.path, "syncing"))?;
        before(FileOperation::Rename, destination)
            .and_then(|()| fs::rename(&self.path, destination))
            .map_err(Error::io(destination, "renaming"))?;
        // From here on dropping must not remove it, even if the folder cannot be synced.
        self.published = true;
        sync_folder_of(destination)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = &mut self.file;
        before(FileOperation::Write { file, bytes }, &self.path)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for TemporaryFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Seek for TemporaryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.published && before(FileOperation::Remove, &self.path).is_ok() {
            // A failure cannot be reported from `drop`; the name shows that the file may be deleted.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Syncs the file's folder, so that a rename in it survives a power failure.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    before(FileOperation::SyncFolder, folder)
        .and_then(|()| fs::File::open(folder)?.sync_all())
        .map_err(Error::io(folder, "syncing the folder"))
}

/// Other systems cannot sync a folder.
#[cfg(not(unix))]
fn sync_folder_of(_path: &Path) -> Result<()> {
    Ok(())
}
