//! The key of a cached embedding.

use crate::encode::image::decode::DECODING;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// The content hash of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentKey(pub(super) [u8; KEY_BYTES]);

impl ContentKey {
    /// The key of a text, by its bytes.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }

    /// The key of an image file's bytes as this version decodes them: embeddings of an older version, perhaps
    /// of an image that is rejected today, are not found.
    pub(crate) fn of_picture(file: &[u8]) -> Self {
        Self::of_decoding(file, DECODING)
    }

    /// The keys of an image file's bytes for this and all earlier versions of decoding, used to
    /// delete embeddings.
    pub(crate) fn of_picture_ever(file: &[u8]) -> impl Iterator<Item = Self> {
        (0..=DECODING).map(|version| Self::of_decoding(file, version))
    }

    fn of_decoding(file: &[u8], version: u32) -> Self {
        // The first version's keys had no version in them.
        if version == 0 {
            return Self::of(file);
        }
        let context = format!("asif 2026-11-29 picture decoding {version}");
        Self(blake3::derive_key(&context, file))
    }
}
