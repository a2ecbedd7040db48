//! Validation of ids: one rule for every source of pairs.
//!
//! Ids appear in lists, one per line, and on command lines. One that contains a line end, or that looks
//! like another, could not be used there.

use crate::printable::{is_obeyed, is_unseen};

/// The maximum length of an explicit id, in bytes.
pub const MAX_ID_BYTES: usize = 4_096;

/// Why a text cannot be an id and what to do, as the end of a sentence that begins with the id;
/// `None` of one that can.
pub fn id_fault(id: &str) -> Option<String> {
    let is_seen = |c: char| !c.is_whitespace() && !matches!(c, '\u{200C}' | '\u{200D}');
    if id.chars().any(char::is_control) {
        Some("has a control character, such as NUL or a line end; remove it".to_owned())
    } else if !id.chars().any(|c| is_seen(c) && !is_unseen(c)) {
        Some("is blank; omit it to get one".to_owned())
    } else if id.chars().any(is_obeyed) {
        let what = "has a Unicode line end, or a character that changes the writing direction or is \
        invisible; remove it";
        Some(what.to_owned())
    } else if id.len() > MAX_ID_BYTES {
        let bytes = id.len();
        Some(format!(
            "has {bytes} bytes, at most {MAX_ID_BYTES} are taken; shorten it"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_lists_is_no_id() {
        let bad = [
            "a\0b",
            "a\nb",
            "a\rb",
            "\u{1b}[31m",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{202e}b",
            "a\u{200b}",
            "\u{feff}a",
            "\u{200b}",
            " ",
            "\u{200d}",
        ];
        for id in bad {
            assert!(id_fault(id).is_some(), "{id:?}");
        }
        assert!(id_fault(&"x".repeat(MAX_ID_BYTES + 1)).is_some());
        for id in [
            "a",
            "caf\u{e9} 1",
            "a/b#2",
            "\u{1f468}\u{200d}\u{1f33e}",
            &"x".repeat(MAX_ID_BYTES),
        ] {
            assert_eq!(id_fault(id), None, "{id:?}");
        }
    }
}
