//! Paths as text, without loss.
//!
//! A file's name is bytes, and a record, a list and a message hold text. A byte that is not UTF-8 becomes
//! one character of a private range, and this character in a name becomes four such bytes, so every name has
//! exactly one text and every text one name. In JSON such a byte is written as Python writes it (PEP 383,
//! `surrogateescape`): 0xE9 as `\udce9`, so that lists written by Python's `os.walk` and `json` are read,
//! and those written here are read by Python.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The character of byte 0x00; those of 0x80 to 0xFF are used.
const BYTE_ZERO: u32 = 0x10_FE00;

/// The character that stands for a byte that is not UTF-8.
fn char_of(byte: u8) -> char {
    char::from_u32(BYTE_ZERO + u32::from(byte)).expect("the private range is of characters")
}

/// The byte that a character stands for.
pub(crate) fn byte_of(c: char) -> Option<u8> {
    let byte = u8::try_from(u32::from(c).checked_sub(BYTE_ZERO)?).ok()?;
    // Bytes below 0x80 are ASCII and always valid, so they have no character here.
    (byte >= 0x80).then_some(byte)
}

/// The text of a path.
pub fn text_of(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match byte_of(c) {
                None => text.push(c),
                // A name that has this very character: its bytes are told, so that it comes back.
                Some(_) => {
                    let mut utf8 = [0; 4];
                    text.extend(c.encode_utf8(&mut utf8).bytes().map(char_of));
                }
            }
        }
        text.extend(chunk.invalid().iter().copied().map(char_of));
    }
    text
}

/// The path that a text stands for.
pub(crate) fn path_of(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match byte_of(c) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes).into()
}

/// A line of JSON with lone surrogates from `\udc80` to `\udcff` as the characters of their bytes; `None` if it
/// has none. A pair of surrogates, which is one character, stays.
pub(crate) fn with_bytes_read(json: &str) -> Option<String> {
    let mut read = String::new();
    let (mut from, mut at) = (0, 0);
    let bytes = json.as_bytes();
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|&b| b == b'\\'))
    {
        at += found;
        let escape = |at: usize| {
            // `get`: six bytes from here may end within a character, which is no escape.
            let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
            u32::from_str_radix(digits, 16).ok()
        };
        match escape(at) {
            // A high surrogate: the low one that follows belongs to it and is skipped too.
            Some(0xD800..=0xDBFF) => at += 12,
            Some(lone @ 0xDC80..=0xDCFF) => {
                read.push_str(&json[from..at]);
                read.push(char_of((lone - 0xDC00) as u8));
                at += 6;
                from = at;
            }
            Some(_) => at += 6,
            // Any other escape, such as `\\`, is two bytes; else its second one would begin another.
            None => at += 2,
        }
    }
    (from > 0).then(|| {
        read.push_str(&json[from..]);
        read
    })
}

/// JSON with the characters of bytes as lone surrogates, the inverse of `with_bytes_read`.
pub fn with_bytes_written(json: String) -> String {
    if !json.chars().any(|c| byte_of(c).is_some()) {
        return json;
    }
    let mut written = String::with_capacity(json.len());
    for c in json.chars() {
        match byte_of(c) {
            Some(byte) => written.push_str(&format!("\\udc{byte:02x}")),
            None => written.push(c),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_in_latin_1_is_told_as_python_tells_it() {
        let path = Path::new(std::ffi::OsStr::from_bytes(b"caf\xE9.jpg"));
        let text = text_of(path);
        assert_eq!(path_of(&text), path);
        let json = with_bytes_written(serde_json::json!({"image": text}).to_string());
        assert_eq!(json, r#"{"image":"caf\udce9.jpg"}"#);
        let read = with_bytes_read(&json).unwrap();
        let read: serde_json::Value = serde_json::from_str(&read).unwrap();
        assert_eq!(read["image"], text);
    }

    #[test]
    fn pairs_of_surrogates_and_escaped_backslashes_stay() {
        for json in [
            r#""\ud83d\ude00""#,
            r#""\\udce9""#,
            r#""\n\u00e9\udc00""#,
            r#""\"#,
        ] {
            assert_eq!(with_bytes_read(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..40), c in any::<char>()) {
            let mut bytes = bytes;
            bytes.extend_from_slice(c.to_string().as_bytes());
            bytes.extend_from_slice("\u{10fe80}\u{10feff}".as_bytes());
            let path = PathBuf::from(OsString::from_vec(bytes));
            let text = text_of(&path);
            prop_assert_eq!(path_of(&text), path);
            let json = serde_json::Value::String(text.clone()).to_string();
            let json = with_bytes_written(json);
            let read = with_bytes_read(&json).unwrap_or(json);
            prop_assert_eq!(serde_json::from_str::<String>(&read).unwrap(), text);
        }
    }
}
