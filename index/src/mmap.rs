//! Memory-mapped files, and copies in memory with the same alignment. No other module maps a file.

use std::fmt;
use std::path::{Path, PathBuf};

use fs_err as fs;
#[cfg(not(miri))]
use memmap2::Mmap;

use crate::error::{Error, Result};

/// A regular file, mapped for reading.
///
/// The bytes are aligned to a page. Nothing is read until it is touched.
pub struct MappedFile {
    #[cfg(not(miri))]
    map: Mmap,
    #[cfg(miri)]
    map: AlignedBytes,
    path: PathBuf,
}

impl MappedFile {
    /// Maps `path`.
    ///
    /// # Errors
    /// [`Error::NotAFile`] for folders and devices, [`Error::NotReadable`] for an empty file,
    /// [`Error::Io`] when the operating system refuses.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // Opening a pipe would wait for somebody who writes to it.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(Error::NotAFile {
                path: path.to_owned(),
            });
        }
        let file = fs::File::open(path).map_err(Error::io(path, "opening"))?;
        let metadata = file
            .metadata()
            .map_err(Error::io(path, "reading its size"))?;
        if !metadata.is_file() {
            return Err(Error::NotAFile {
                path: path.to_owned(),
            });
        }
        if metadata.len() == 0 {
            return Err(Error::NotReadable {
                path: path.to_owned(),
                problem: "the file is empty".to_owned(),
                advice: "write it again",
            });
        }
        // Miri cannot map files, so a copy is used there.
        #[cfg(miri)]
        let map = AlignedBytes::copy_of(&fs::read(path).map_err(Error::io(path, "reading"))?);
        #[cfg(not(miri))]
        #[expect(clippy::disallowed_methods, reason = "this is the mmap module")]
        // SAFETY: the map is read-only and private to this value. The one thing Rust cannot rule
        // out, another process changing the file, is excluded by the format: files are replaced by
        // a rename and never edited (docs/format.md, "The crash argument").
        let map = unsafe { Mmap::map(file.file()) }.map_err(Error::io(path, "mapping"))?;
        Ok(Self {
            map,
            path: path.to_owned(),
        })
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        #[cfg(miri)]
        return self.map.bytes();
        #[cfg(not(miri))]
        &self.map
    }
}

impl fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedFile")
            .field("path", &self.path)
            .field("len", &self.bytes().len())
            .finish()
    }
}

/// 64 bytes that start on a multiple of 64.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct CacheLine([u8; 64]);

/// A copy of a file's bytes in memory, aligned as sections are.
pub(crate) struct AlignedBytes {
    lines: Vec<CacheLine>,
    len: usize,
}

impl AlignedBytes {
    pub(crate) fn copy_of(bytes: &[u8]) -> Self {
        let mut lines = vec![CacheLine([0; 64]); bytes.len().div_ceil(64)];
        bytemuck::cast_slice_mut(&mut lines)[..bytes.len()].copy_from_slice(bytes);
        Self {
            lines,
            len: bytes.len(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

/// The bytes of a reader, mapped or in memory; both run the same code.
pub(crate) enum ByteSource {
    /// A mapped file.
    Mapped(MappedFile),
    /// Bytes in memory under a name for messages.
    Memory(AlignedBytes, PathBuf),
}

impl ByteSource {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(file) => file.bytes(),
            Self::Memory(bytes, _) => bytes.bytes(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Mapped(file) => file.path(),
            Self::Memory(_, name) => name,
        }
    }
}

impl fmt::Debug for ByteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("path", &self.path())
            .field("len", &self.bytes().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_and_an_empty_file_are_typed_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            MappedFile::open(folder.path()),
            Err(Error::NotAFile { .. })
        ));
        let empty = folder.path().join("empty");
        fs::write(&empty, b"").unwrap();
        assert!(matches!(
            MappedFile::open(&empty),
            Err(Error::NotReadable { .. })
        ));
        let missing = MappedFile::open(folder.path().join("missing")).unwrap_err();
        assert!(missing.to_string().contains("missing"), "{missing}");
    }

    /// Opening it would wait for ever.
    #[test]
    #[cfg(not(miri))]
    fn a_pipe_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let opened = MappedFile::open(&pipe);
        assert!(matches!(opened, Err(Error::NotAFile { .. })), "{opened:?}");
    }

    #[test]
    fn copies_are_aligned() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let copy = AlignedBytes::copy_of(&bytes);
            assert_eq!(copy.bytes(), bytes);
            assert_eq!(copy.lines.as_ptr() as usize % 64, 0);
        }
    }
}
