//! Small pictures of anchors, for pages.

use std::path::Path;

use axum::body::Bytes;

use super::error::Refusal;
use crate::encode::image::decode::decode_shown;
use crate::eval::html::thumbnail;

/// The longest side, in pixels.
const SIDE: u32 = 256;
/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// A small picture and its type.
#[derive(Debug, Clone)]
pub(super) struct Thumbnail {
    /// `image/jpeg` or `image/png`.
    pub mime: &'static str,
    /// The file.
    pub bytes: Bytes,
}

impl Thumbnail {
    /// Of the picture at `path`, which must come from an anchor's record. What is no picture is
    /// never told: only pixels go out.
    ///
    /// # Errors
    /// When there is no such file any more, or it is no picture.
    pub fn of(path: &Path) -> Result<Self, Refusal> {
        let gone = |why: String| {
            let message = format!("the picture of this pair cannot be shown: {why}");
            Refusal::not_found("no_picture", message)
        };
        let size = fs_err::metadata(path).map_err(|_| gone("its file is not there".into()))?;
        if !size.is_file() || size.len() > LARGEST {
            return Err(gone("its file is too large".into()));
        }
        let bytes = fs_err::read(path).map_err(|_| gone("its file cannot be read".into()))?;
        let picture = decode_shown(&bytes).map_err(|e| gone(e.to_string()))?;
        let small = thumbnail(&picture, SIDE);
        let small = small.map_err(|e| Refusal::internal(e.to_string()))?;
        let (mime, bytes) = small.encoded();
        Ok(Self {
            mime,
            bytes: Bytes::copy_from_slice(bytes),
        })
    }
}
