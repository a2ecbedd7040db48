//! Where an image is: in a file, in memory, or embedded already.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An image as the caller provides it.
#[derive(Clone, PartialEq)]
pub enum ImageSource {
    /// A file, read when the image is needed.
    File(PathBuf),
    /// The content of an image file that is in memory already.
    Bytes {
        /// The name used in messages and records.
        name: String,
        /// The content, in any image format that is also read from files.
        bytes: Arc<[u8]>,
    },
    /// An embedding computed elsewhere. The caller guarantees that it comes from the
    /// encoders that embed the other images.
    Vector {
        /// The name used in messages and records.
        name: String,
        /// Of unit length, `[dim]`.
        vector: Arc<[f32]>,
    },
}

impl ImageSource {
    /// Files, in order.
    pub fn files(paths: &[impl AsRef<Path>]) -> Vec<Self> {
        paths.iter().map(|path| path.as_ref().into()).collect()
    }

    /// The path of the file; `None` when the image is not a file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes { .. } | Self::Vector { .. } => None,
        }
    }

    /// The bytes that are held in memory.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Bytes { bytes, .. } => bytes.len(),
            Self::Vector { vector, .. } => size_of_val::<[f32]>(vector),
        }
    }
}

impl From<&Path> for ImageSource {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&str> for ImageSource {
    /// The file at this path.
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

impl From<PathBuf> for ImageSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// The path, or the name where the image is not a file.
impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes { name, .. } | Self::Vector { name, .. } => f.write_str(name),
        }
    }
}

/// Leaves out the content, which may be megabytes.
impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes { name, bytes } => {
                write!(f, "Bytes({name:?}, {} bytes)", bytes.len())
            }
            Self::Vector { name, vector } => {
                write!(f, "Vector({name:?}, {} numbers)", vector.len())
            }
        }
    }
}
