//! Pictures in requests.

use axum::body::Bytes;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use asif::embed::InputRejection;

/// A picture as it was sent.
#[derive(Debug, Clone)]
pub(crate) enum RequestPicture {
    /// The bytes of an image file.
    Bytes(Bytes),
    /// The same in base64, possibly as a `data:` URL; or an `http:` or `https:` URL to fetch it from.
    Text(String),
}

impl RequestPicture {
    /// The URL to fetch the picture from, if it was not sent itself.
    pub fn address(&self) -> Option<&str> {
        let Self::Text(text) = self else {
            return None;
        };
        let scheme = |name: &str| {
            let head = text.as_bytes().get(..name.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()))
        };
        (scheme("http://") || scheme("https://")).then_some(text)
    }

    /// The bytes of the image file, if they were sent.
    ///
    /// # Errors
    /// When a text is not base64, or is a URL.
    pub fn bytes(&self) -> Result<Bytes, InputRejection> {
        let rejected = |reason: &str| InputRejection::from(reason.to_owned());
        // A fetched picture was replaced by its bytes before.
        if self.address().is_some() {
            return Err(rejected(
                "images are not fetched by URL here; send the bytes in base64",
            ));
        }
        let text = match self {
            Self::Bytes(bytes) => return Ok(bytes.clone()),
            Self::Text(text) => text,
        };
        let encoded = match text.strip_prefix("data:") {
            None => text.as_str(),
            Some(url) => match url.split_once(',') {
                Some((kind, data)) if kind.ends_with(";base64") => data,
                _ => {
                    return Err(rejected(
                        "the data URL is not valid; expected data:image/...;base64,BYTES",
                    ));
                }
            },
        };
        // Line breaks are rare, and searching for them would cost as much as decoding.
        let decoded = LENIENT.decode(encoded).or_else(|error| {
            let whole: String = encoded.split_ascii_whitespace().collect();
            match whole.len() < encoded.len() {
                true => LENIENT.decode(whole),
                false => Err(error),
            }
        });
        decoded
            .map(Bytes::from)
            .map_err(|e| rejected(&format!("not base64: {e}; send the bytes of an image file")))
    }
}

/// Whether a text is the `data:` URL of a picture, and not a text that begins with `data:`.
pub(crate) fn is_data_url(text: &str) -> bool {
    let Some(url) = text.strip_prefix("data:") else {
        return false;
    };
    let encoded = |(kind, _): (&str, &str)| kind.ends_with(";base64");
    url.starts_with("image/") || url.split_once(',').is_some_and(encoded)
}

/// Accepts base64 with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Bytes, String> {
        let bytes = RequestPicture::Text(text.to_owned()).bytes();
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
        let address = |text: &str| RequestPicture::Text(text.to_owned()).address().is_some();
        assert!(address("https://example.org/a.png") && address("HTTP://example.org"));
        assert!(!address("data:,http://") && !address("http") && !address("héhttp://"));
        for (text, word) in [
            ("a", "base64"),
            ("aGVs*", "base64"),
            ("data:image/png,hello", "data URL"),
            ("data:image/png", "data URL"),
            ("https://example.org/a.png", "not fetched by URL here"),
            ("file:///etc/passwd", "base64"),
        ] {
            let reason = read(text).unwrap_err();
            assert!(reason.contains(word), "{text}: {reason}");
        }
        assert_eq!(read("").unwrap(), "", "refused later by the decoder");
        assert!(is_data_url("data:;base64,aGVsbG8=") && is_data_url("data:image/png"));
        for text in ["data: a cat, a dog", "data", "a data:;base64,", "data:,"] {
            assert!(!is_data_url(text), "{text}");
        }
    }
}
