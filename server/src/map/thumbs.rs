//! Thumbnails of the pictures of anchors, for the page.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use axum::body::Bytes;

use crate::error::Refusal;
use asif::encode::InputError;
use asif::encode::image::decode::{PictureLimits, decode_shown};
use asif::eval::html::thumbnail;

/// The longest side, in pixels.
const SIDE: u32 = 256;
/// How long a picture waits for decoding memory.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// The file of a picture at one point in time: if its length or modification time differs, the file was
/// replaced and may show another picture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PictureFile {
    path: String,
    length: u64,
    modified: [i64; 2],
}

/// A thumbnail and its media type.
#[derive(Debug, Clone)]
pub(crate) struct Thumbnail {
    /// `image/jpeg` or `image/png`.
    pub mime: &'static str,
    /// The file.
    pub bytes: Bytes,
}

impl PictureFile {
    /// The file at a path, which must come from the record of an anchor. Reads its metadata.
    ///
    /// # Errors
    /// When the file no longer exists, or is too large.
    pub fn at(path: String) -> Result<Self, Refusal> {
        let found = fs_err::metadata(&path)
            .map_err(|_| gone("it is no longer where it was when the pair was added"))?;
        if !found.is_file() || found.len() > LARGEST {
            return Err(gone("it is too large, or not a picture"));
        }
        Ok(Self {
            path,
            length: found.len(),
            modified: [found.mtime(), found.mtime_nsec()],
        })
    }

    /// An HTTP entity tag, unique to the file's state. The path is hashed, so that it is not revealed.
    pub fn tag(&self) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.length.to_le_bytes());
        for part in self.modified {
            hash.update(&part.to_le_bytes());
        }
        hash.update(self.path.as_bytes());
        format!("\"{}\"", &hash.finalize().to_hex()[..32])
    }
}

impl Thumbnail {
    /// The thumbnail of a picture. It is encoded anew from pixels, so no other content of the file is sent.
    ///
    /// # Errors
    /// When the file no longer exists, or is not a picture.
    pub fn of(source: &PictureFile) -> Result<Self, Refusal> {
        let bytes = fs_err::read(&source.path).map_err(|_| gone("it cannot be read any more"))?;
        let limits = PictureLimits {
            patience: Some(PATIENCE),
            ..PictureLimits::default()
        };
        let picture = decode_shown(&bytes, limits).map_err(|e| match e {
            InputError::DecodersBusy => Refusal::busy("other large images are being decoded"),
            other => gone(&other.to_string()),
        })?;
        let small = thumbnail(&picture, SIDE);
        let small = small.map_err(|e| Refusal::internal(e.to_string()))?;
        let (mime, bytes) = small.encoded();
        Ok(Self {
            mime,
            bytes: Bytes::copy_from_slice(bytes),
        })
    }
}

fn gone(why: &str) -> Refusal {
    let message = format!("the picture of this pair cannot be shown: {why}");
    Refusal::not_found("no_picture", message)
}
