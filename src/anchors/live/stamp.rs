//! Detects whether files have changed since they were verified.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::anchors::AnchorsError;

/// The metadata of a file when it was verified; a file that was replaced or edited differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VerifiedFileStamp {
    name: OsString,
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

/// The stamps of the files in a folder, by name.
pub(super) fn stamp(folder: &Path) -> Result<Vec<VerifiedFileStamp>, AnchorsError> {
    let mut stamps = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        // A dangling link is reported by the code that reads the file.
        let metadata =
            fs_err::metadata(entry.path()).or_else(|_| fs_err::symlink_metadata(entry.path()))?;
        stamps.push(VerifiedFileStamp {
            name: entry.file_name(),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            // Not the time of modification, which programs can set: whoever writes cannot choose this one.
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        });
    }
    stamps.sort();
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs_err::write(&path, b"one").unwrap();
        let before = stamp(folder.path()).unwrap();
        assert_eq!(stamp(folder.path()).unwrap(), before);
        // Both exist at once, so that they cannot have the same inode.
        fs_err::write(folder.path().join("b"), b"two").unwrap();
        fs_err::rename(folder.path().join("b"), &path).unwrap();
        assert_ne!(stamp(folder.path()).unwrap(), before);
    }
}
