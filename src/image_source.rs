//! Where the bytes of an image are.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An image as whoever has it hands it over.
#[derive(Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// A file, read when the image is needed.
    File(PathBuf),
    /// The content of an image file that is in memory already.
    Bytes {
        /// What messages and records call it.
        name: String,
        /// The content, in a format that is read as a file too.
        bytes: Arc<[u8]>,
    },
}

impl ImageSource {
    /// Files, in order.
    pub fn files(paths: &[impl AsRef<Path>]) -> Vec<Self> {
        paths.iter().map(|path| path.as_ref().into()).collect()
    }

    /// Where the file lies; none of what is in memory.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes { .. } => None,
        }
    }

    /// The bytes that are held in memory.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Bytes { bytes, .. } => bytes.len(),
        }
    }
}

impl From<&Path> for ImageSource {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<PathBuf> for ImageSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// The path, or the name of what is in memory.
impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes { name, .. } => f.write_str(name),
        }
    }
}

/// Without the bytes, of which there may be megabytes.
impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes { name, bytes } => {
                write!(f, "Bytes({name:?}, {} bytes)", bytes.len())
            }
        }
    }
}
