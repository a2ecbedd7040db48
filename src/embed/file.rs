//! The content of images: in memory, or from files, of which only one large file is held at a time.
//!
//! What decoding takes is bounded by [`DecodeBudget`](crate::encode::image::decode::DecodeBudget); what
//! the files themselves take is bounded here, since every worker holds one.

use std::borrow::Cow;
use std::io::Read;
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
const LARGEST: u64 = MAX_BYTES + (1 << 20);

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

/// The content of an image, of at most [`LARGEST`] bytes.
pub(super) fn content(image: &ImageSource) -> Result<ImageContent<'_>, ReadFailure> {
    let too_large = |bytes: u64| {
        let max_bytes = LARGEST;
        InputRejection::of_image(image, &InputError::FileTooLarge { bytes, max_bytes }).into()
    };
    match image {
        ImageSource::File(path) => read(path, too_large),
        ImageSource::Bytes { bytes, .. } if bytes.len() as u64 > LARGEST => {
            Err(too_large(bytes.len() as u64))
        }
        ImageSource::Bytes { bytes, .. } => Ok((Cow::Borrowed(bytes), None)),
        ImageSource::Vector { .. } => {
            Err(InputRejection::from(format!("{image}: a vector has no pixels")).into())
        }
    }
}

fn read(
    path: &Path,
    too_large: impl Fn(u64) -> ReadFailure,
) -> Result<ImageContent<'static>, ReadFailure> {
    let unreadable = |error: std::io::Error| match disk::is_exhausted(&error) {
        true => ReadFailure::Exhausted(EmbedError::Io(error)),
        false => ReadFailure::Rejected(disk::in_words(&error.to_string()).into_owned().into()),
    };
    let file = fs_err::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        let path = path.display();
        let reason = format!(
            "{path}: expected an image file, found a folder; name the files in it, such as \
             {path}/*.jpg"
        );
        return Err(InputRejection::from(reason).into());
    }
    let length = metadata.len();
    if length > LARGEST {
        return Err(too_large(length));
    }
    let turn = (length > LARGE).then(|| LARGE_FILES.lock().unwrap_or_else(PoisonError::into_inner));
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(LARGE)).unwrap_or(0));
    // A device or pipe has no length, or may grow.
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    match bytes.len() as u64 {
        read if read > LARGEST => Err(too_large(read)),
        _ => Ok((Cow::Owned(bytes), turn)),
    }
}
