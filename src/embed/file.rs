//! The content of images: in memory, or from files, of which only one large file is held at a time.
//!
//! What decoding takes is bounded by [`DecodeBudget`](crate::encode::image::decode::DecodeBudget); what
//! the files themselves take is bounded here, since every worker holds one.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::embedding::InputRejection;
use super::error::EmbedError;
use crate::disk;
use crate::encode::InputError;
use crate::encode::image::decode::MAX_BYTES;
use crate::image_source::ImageSource;

/// Files of more bytes are read by one worker at a time.
const LARGE: u64 = 32 << 20;
/// No accepted image needs more: uncompressed pixels and a header.
pub(crate) const LARGEST_FILE: u64 = MAX_BYTES + (1 << 20);

static LARGE_FILES: Mutex<()> = Mutex::new(());

/// The content of an image, and for a large file the lock that serialises such files.
pub(super) type ImageContent<'a> = (Cow<'a, [u8]>, Option<MutexGuard<'static, ()>>);

/// Why an image could not be read.
pub(super) enum ReadFailure {
    /// For a reason specific to the image.
    Rejected(InputRejection),
    /// The process may open no more files, or has no memory: the next file would fail alike.
    Exhausted(EmbedError),
}

impl From<InputRejection> for ReadFailure {
    fn from(rejected: InputRejection) -> Self {
        Self::Rejected(rejected)
    }
}

/// The content of an image, of at most [`LARGEST_FILE`] bytes.
pub(super) fn content(image: &ImageSource) -> Result<ImageContent<'_>, ReadFailure> {
    let too_large = |bytes: u64| {
        let max_bytes = LARGEST_FILE;
        InputRejection::of_image(image, &InputError::FileTooLarge { bytes, max_bytes }).into()
    };
    let unreadable = |error: std::io::Error| match disk::is_exhausted(&error) {
        true => ReadFailure::Exhausted(EmbedError::Io(error)),
        false => ReadFailure::Rejected(disk::in_words(&error.to_string()).into_owned().into()),
    };
    let length = match image {
        ImageSource::File(path) => length_of(path).map_err(unreadable)?,
        ImageSource::Part(part) => Some(part.length),
        ImageSource::Cell(..) => Some(0),
        ImageSource::Bytes { bytes, .. } => Some(bytes.len() as u64),
        ImageSource::Vector { .. } => {
            return Err(InputRejection::from(format!("{image}: a vector has no pixels")).into());
        }
    };
    let Some(length) = length else {
        let reason = format!(
            "{image}: expected an image file, found a folder; name the files in it, such as \
             {image}/*.jpg"
        );
        return Err(InputRejection::from(reason).into());
    };
    if length > LARGEST_FILE {
        return Err(too_large(length));
    }
    let is_read = !matches!(image, ImageSource::Bytes { .. });
    let turn = (is_read && length > LARGE)
        .then(|| LARGE_FILES.lock().unwrap_or_else(PoisonError::into_inner));
    let bytes = image.read(LARGEST_FILE + 1).map_err(unreadable)?;
    match bytes.len() as u64 {
        read if read > LARGEST_FILE => Err(too_large(read)),
        _ => Ok((bytes, turn)),
    }
}

/// The length of a file; `None` for a folder.
fn length_of(path: &Path) -> std::io::Result<Option<u64>> {
    // Opened first, so that a missing permission is met here, not behind the lock.
    let metadata = fs_err::File::open(path)?.metadata()?;
    Ok((!metadata.is_dir()).then_some(metadata.len()))
}
