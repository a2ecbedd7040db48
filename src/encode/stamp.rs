//! Detects whether a file has changed since it was read.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::ModelError;

/// Identifies a file and its state when it was read. The change time (ctime) is set by the
/// system alone, so a replaced file with the same length and modification time is detected as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelFileStamp {
    path: PathBuf,
    facts: [i64; 6],
}

impl ModelFileStamp {
    pub(crate) fn of(path: &Path) -> Result<Self, ModelError> {
        let meta = fs_err::metadata(path)?;
        let facts = [
            meta.dev().cast_signed(),
            meta.ino().cast_signed(),
            meta.size().cast_signed(),
            meta.mtime(),
            meta.ctime(),
            meta.ctime_nsec(),
        ];
        Ok(Self {
            path: path.to_owned(),
            facts,
        })
    }

    pub(crate) fn of_all(paths: &[PathBuf]) -> Result<Vec<Self>, ModelError> {
        paths.iter().map(|path| Self::of(path)).collect()
    }

    /// Whether the file was changed, replaced or removed.
    pub(crate) fn changed(&self) -> bool {
        Self::of(&self.path).ok().as_ref() != Some(self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
