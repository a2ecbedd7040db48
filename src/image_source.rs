//! Where an image is: in a file, in memory, or embedded already.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An image as whoever has it hands it over.
#[derive(Clone, PartialEq)]
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
    /// What encoders made of an image elsewhere. Whoever gives it answers for it: it must come from the
    /// encoders that embed the other images.
    Vector {
        /// What messages and records call it.
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

    /// Where the file lies; none of what is no file.
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

/// The path, or the name of what is no file.
impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes { name, .. } | Self::Vector { name, .. } => f.write_str(name),
        }
    }
}

/// Without the content, of which there may be megabytes.
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
