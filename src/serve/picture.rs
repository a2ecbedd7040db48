//! Pictures as requests carry them.

use axum::body::Bytes;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::anchors::embed::Rejected;

/// A picture as it came.
#[derive(Debug, Clone)]
pub(super) enum Picture {
    /// The bytes of an image file.
    Bytes(Bytes),
    /// The same in base64, perhaps as a `data:` URL.
    Text(String),
}

impl Picture {
    /// The bytes of the image file.
    ///
    /// # Errors
    /// When a text is no base64, or names a picture elsewhere.
    pub fn bytes(self) -> Result<Bytes, Rejected> {
        let rejected = |reason: &str| Rejected {
            reason: reason.to_owned(),
        };
        let text = match self {
            Self::Bytes(bytes) => return Ok(bytes),
            Self::Text(text) => text,
        };
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err(rejected(
                "images are not fetched from elsewhere; send the file, or its bytes in base64",
            ));
        }
        let encoded = match text.strip_prefix("data:") {
            None => text.as_str(),
            Some(url) => match url.split_once(',') {
                Some((kind, data)) if kind.ends_with(";base64") => data,
                _ => {
                    return Err(rejected(
                        "a data URL of an image is data:image/...;base64,BYTES",
                    ));
                }
            },
        };
        // Line breaks are rare, and looking for them would cost as much as decoding.
        let decoded = LENIENT.decode(encoded).or_else(|error| {
            let whole: String = encoded.split_ascii_whitespace().collect();
            match whole.len() < encoded.len() {
                true => LENIENT.decode(whole),
                false => Err(error),
            }
        });
        decoded
            .map(Bytes::from)
            .map_err(|e| rejected(&format!("no base64: {e}; send the bytes of an image file")))
    }
}

/// With or without `=` at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Bytes, String> {
        let bytes = Picture::Text(text.to_owned()).bytes();
        bytes.map_err(|rejected| rejected.reason)
    }

    #[test]
    fn base64_is_read_in_all_forms_that_clients_write() {
        for text in [
            "aGVsbG8=",
            "aGVsbG8",
            "aGVs\nbG8=\n",
            "data:image/png;base64,aGVsbG8=",
            "data:;base64,aGVsbG8",
        ] {
            assert_eq!(read(text).unwrap(), "hello", "{text}");
        }
        for (text, word) in [
            ("a", "base64"),
            ("aGVs*", "base64"),
            ("data:image/png,hello", "data URL"),
            ("data:image/png", "data URL"),
            ("https://example.org/a.png", "not fetched"),
            ("file:///etc/passwd", "base64"),
        ] {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(word), "{text}: {reason}");
        }
        assert_eq!(read("").unwrap(), "", "which the decoder refuses");
    }
}
