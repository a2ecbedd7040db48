//! Thumbnails of the pictures of anchors, for the page.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use axum::body::Bytes;

use crate::error::Refusal;
use asif::encode::InputError;
use asif::encode::image::decode::{PictureLimits, decode_shown};
use asif::encode::image::thumbnail::{ThumbnailImage, thumbnail};
use asif::image_source::ImageSource;

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
    /// The image as messages name it.
    name: String,
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
    /// The file of an anchor's image. Reads its metadata.
    ///
    /// # Errors
    /// When the file no longer exists, or the image is too large.
    pub fn of(image: &ImageSource) -> Result<Self, Refusal> {
        let path = image.file().ok_or_else(|| gone("it is kept nowhere"))?;
        let found = fs_err::metadata(path)
            .map_err(|_| gone("it is no longer where it was when the pair was added"))?;
        let is_large = image.path().is_some() && found.len() > LARGEST;
        if !found.is_file() || is_large {
            return Err(gone("it is too large, or not an image"));
        }
        Ok(Self {
            name: image.to_string(),
            length: found.len(),
            modified: [found.mtime(), found.mtime_nsec()],
        })
    }

    /// An HTTP entity tag, unique to the file's state. The name is hashed, so that it is not revealed.
    pub fn tag(&self) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.length.to_le_bytes());
        for part in self.modified {
            hash.update(&part.to_le_bytes());
        }
        hash.update(self.name.as_bytes());
        format!("\"{}\"", &hash.finalize().to_hex()[..32])
    }
}

impl Thumbnail {
    /// The copy that an anchor set has, and its entity tag.
    ///
    /// # Errors
    /// When it is not a picture, so the file is damaged.
    pub fn stored(bytes: &[u8]) -> Result<(Self, String), Refusal> {
        let picture = ThumbnailImage::from_file(bytes);
        let picture = picture.ok_or_else(|| gone("the copy in the anchor set is damaged"))?;
        let tag = format!("\"{}\"", &blake3::hash(bytes).to_hex()[..32]);
        let thumbnail = Self {
            mime: picture.encoded().0,
            bytes: Bytes::copy_from_slice(bytes),
        };
        Ok((thumbnail, tag))
    }

    /// The thumbnail of a picture. It is encoded anew from pixels, so no other content of the file is sent.
    ///
    /// # Errors
    /// When the file no longer exists, or is not a picture.
    pub fn of(source: &ImageSource) -> Result<Self, Refusal> {
        let bytes = source
            .read(LARGEST)
            .map_err(|_| gone("it cannot be read any more"))?;
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
    let message = format!("the image of this pair cannot be shown: {why}");
    Refusal::not_found("no_picture", message)
}
