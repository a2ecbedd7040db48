//! Where an image is: in a file, in an archive, in a table, in memory, or embedded already.

#[cfg(feature = "parquet")]
mod cell;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An image as the caller provides it.
#[derive(Clone, PartialEq)]
pub enum ImageSource {
    /// A file, read when the image is needed.
    File(PathBuf),
    /// A part of a file, read when the image is needed.
    Part(FilePart),
    /// A cell of a Parquet file: with its content while the file is being read, else read when the image
    /// is needed.
    Cell(ParquetCell, Option<Arc<[u8]>>),
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

/// A member of an archive that is not compressed: consecutive bytes of the archive's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePart {
    /// The archive.
    pub file: PathBuf,
    /// The member's name in it.
    pub name: String,
    /// Where its content begins.
    pub at: u64,
    /// Bytes of its content.
    pub length: u64,
}

/// A cell of a Parquet file that holds the content of an image file, as `bytes` or as `{bytes, path}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetCell {
    /// The file.
    pub file: PathBuf,
    /// The name of the column.
    pub column: String,
    /// The row, counted from 0.
    pub row: u64,
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
            Self::Part(_) | Self::Cell(..) | Self::Bytes { .. } | Self::Vector { .. } => None,
        }
    }

    /// The content of the image file, of which at most `limit` bytes are read.
    ///
    /// # Errors
    /// When it cannot be read; a vector has no content.
    pub fn read(&self, limit: u64) -> io::Result<Cow<'_, [u8]>> {
        match self {
            Self::File(path) => {
                let file = fs_err::File::open(path)?;
                let length = file.metadata()?.len();
                // A device or pipe has no length, or may grow.
                read_from(file, length, limit).map(Cow::Owned)
            }
            Self::Part(part) => {
                let mut file = fs_err::File::open(&part.file)?;
                file.seek(SeekFrom::Start(part.at))?;
                let bytes = read_from(file, part.length, limit.min(part.length))?;
                match bytes.len() as u64 == part.length.min(limit) {
                    true => Ok(Cow::Owned(bytes)),
                    false => Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("{self}: the archive ends within this member"),
                    )),
                }
            }
            Self::Cell(_, Some(bytes)) | Self::Bytes { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            #[cfg(feature = "parquet")]
            Self::Cell(cell, None) => {
                cell::read(&cell.file, &cell.column, cell.row, limit).map(Cow::Owned)
            }
            #[cfg(not(feature = "parquet"))]
            Self::Cell(cell, None) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("{}: built without Parquet", cell.file.display()),
            )),
            Self::Vector { name, .. } => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name}: a vector has no pixels"),
            )),
        }
    }

    /// The file that its content is read from: its own, the archive's or the table's.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Part(part) => Some(&part.file),
            Self::Cell(cell, _) => Some(&cell.file),
            Self::Bytes { .. } | Self::Vector { .. } => None,
        }
    }

    /// The bytes that are held in memory.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::File(_) | Self::Part(_) | Self::Cell(_, None) => 0,
            Self::Cell(_, Some(bytes)) => bytes.len(),
            Self::Bytes { bytes, .. } => bytes.len(),
            Self::Vector { vector, .. } => size_of_val::<[f32]>(vector),
        }
    }
}

fn read_from(file: impl io::Read, length: u64, limit: u64) -> io::Result<Vec<u8>> {
    // A length that a damaged archive or a device states must not be set aside at once.
    const AT_ONCE: u64 = 32 << 20;
    let mut bytes = Vec::with_capacity(length.min(limit).min(AT_ONCE) as usize);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
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

/// The path, with the member or row in it, or the name where the image is not in a file.
impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Part(part) => write!(f, "{}: {}", part.file.display(), part.name),
            Self::Cell(cell, _) => {
                // As other rows of files are counted.
                write!(f, "{}, row {}", cell.file.display(), cell.row + 1)
            }
            Self::Bytes { name, .. } | Self::Vector { name, .. } => f.write_str(name),
        }
    }
}

/// Leaves out the content, which may be megabytes.
impl fmt::Debug for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Part(part) => f.debug_tuple("Part").field(part).finish(),
            Self::Cell(cell, bytes) => {
                let held = bytes.as_ref().map_or(0, |bytes| bytes.len());
                write!(f, "Cell({cell:?}, {held} bytes)")
            }
            Self::Bytes { name, bytes } => {
                write!(f, "Bytes({name:?}, {} bytes)", bytes.len())
            }
            Self::Vector { name, vector } => {
                write!(f, "Vector({name:?}, {} numbers)", vector.len())
            }
        }
    }
}
