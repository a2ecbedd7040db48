//! The folder that an export writes: made under a hidden name, given its own at the end.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::place;
use crate::disk;

/// A folder that is being written. Dropped before [`finish`](Self::finish), it leaves nothing.
#[derive(Debug)]
pub(super) struct ExportFolder {
    hidden: tempfile::TempDir,
    destination: PathBuf,
    /// Whether an empty folder stands at the destination.
    replaces: bool,
}

impl ExportFolder {
    /// Starts a folder for `out`, which must not exist, or be an empty folder.
    ///
    /// # Errors
    /// [`AnchorsError::NotEmpty`]; when it would lie in an anchor set, or nothing can be written beside it.
    pub(super) fn begin(out: &Path) -> Result<Self, AnchorsError> {
        place::refuse_in_set(out)?;
        let not_empty = || AnchorsError::NotEmpty {
            path: out.to_owned(),
        };
        let replaces = match disk::found_itself(out)? {
            None => false,
            Some(_) if !disk::has_folder(out)? || !disk::names(out)?.is_empty() => {
                return Err(not_empty());
            }
            Some(_) => true,
        };
        // Through a link, what it leads to is replaced.
        let destination = match replaces {
            true => fs_err::canonicalize(out)?,
            false => out.to_owned(),
        };
        let parent = disk::parent(&destination);
        disk::create_dir_all(parent)?;
        disk::step(parent)?;
        const RANDOM: usize = 6;
        let prefix = disk::hidden_prefix(".", &destination, ".exporting-", RANDOM);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).rand_bytes(RANDOM);
        // What is exported is for others as other files are: the process's mask decides.
        builder.permissions(Permissions::from_mode(0o777));
        Ok(Self {
            hidden: builder.tempdir_in(parent)?,
            destination,
            replaces,
        })
    }

    /// The path of a file in it, in a folder that is made.
    pub(super) fn file(&self, folder: &str, name: &str) -> Result<PathBuf, AnchorsError> {
        let folder = self.hidden.path().join(folder);
        disk::create_dir_all(&folder)?;
        Ok(folder.join(name))
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// When something else stands there by now, or on an I/O error.
    pub(super) fn finish(self) -> Result<(), AnchorsError> {
        let hidden = self.hidden.path();
        disk::sync_folder(hidden)?;
        // The system replaces a folder by a rename only while it is empty.
        let renamed = match self.replaces {
            true => disk::rename(hidden, &self.destination),
            false => disk::rename_new(hidden, &self.destination),
        };
        if let Err(error) = renamed {
            use ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
            let is_taken =
                [AlreadyExists, DirectoryNotEmpty, NotADirectory].contains(&error.kind());
            return Err(match is_taken {
                true => AnchorsError::NotEmpty {
                    path: self.destination,
                },
                false => error.into(),
            });
        }
        // The folder was renamed, so there is nothing left to remove.
        let _ = self.hidden.keep();
        Ok(disk::sync_folder(disk::parent(&self.destination))?)
    }
}
