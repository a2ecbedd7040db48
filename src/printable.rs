//! Makes untrusted text safe to print on a terminal.
//!
//! Captions, ids, file names and messages that quote them may hold bytes that a terminal interprets:
//! escape sequences, line ends, characters that reverse the writing direction. The command
//! line passes all human-readable output through [`lines`], and each value of a list through
//! [`line()`]. Machine-readable output (`--json`, exports) is exact and bypasses both.

use std::borrow::Cow;

use crate::pairs::path_text::byte_of;

/// Whether a terminal would interpret this character instead of showing it, or it could mislead a reader:
/// control characters (C0, DEL, C1), line and paragraph separators, the characters that force a
/// writing direction (Unicode UAX 9), invisible ones (`is_unseen`), and those that stand for bytes that
/// are not UTF-8 ([`path_text`](crate::pairs::path_text)).
pub fn is_obeyed(character: char) -> bool {
    character.is_control()
        || is_unseen(character)
        || byte_of(character).is_some()
        || matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

/// Whether a character is invisible, so that two texts that differ only by it look the same: zero-width
/// spaces and joiners, byte order marks, soft hyphens, direction marks, tags, fillers.
///
/// The joiners U+200C and U+200D are none: emoji and several scripts are written with them.
pub(crate) fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2060}'..='\u{2065}'
            | '\u{206A}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
    )
}

/// Such a character as it is shown: `\n`, `\t`, `\r`, `\x1b`, `\u{202e}`.
pub(crate) fn escape(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        '\r' => "\\r".to_owned(),
        ascii if ascii.is_ascii() => format!("\\x{:02x}", u32::from(ascii)),
        other => match byte_of(other) {
            Some(byte) => format!("\\x{byte:02x}"),
            None => other.escape_unicode().to_string(),
        },
    }
}

/// One line: every character that [`is_obeyed`], the line end too, as `escape` shows it.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_obeyed)
}

/// Several lines: the same, but line ends stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_obeyed(c))
}

/// The first of these in quotes, and how many more there are.
pub(crate) fn first_of(all: &[String], shown: usize, between: &str) -> String {
    let first: Vec<String> = all
        .iter()
        .take(shown)
        .map(|one| format!("{one:?}"))
        .collect();
    let first = first.join(between);
    match all.len().saturating_sub(shown) {
        0 => first,
        more => format!("{first}, and {more} more"),
    }
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match is_escaped(character) {
            true => shown.push_str(&escape(character)),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// No column is padded to more characters than this; a longer cell overflows its column.
pub(crate) const WIDEST: usize = 80;

/// `text` with blanks behind it up to `width` characters, or `WIDEST` if that is less.
///
/// The width of a column comes from data. The formatter's own `{:width$}` panics above 65,535, and one
/// long cell would pad every row of a table to its length.
pub fn padded(text: &str, width: usize) -> String {
    let missing = width.min(WIDEST).saturating_sub(text.chars().count());
    let mut padded = String::with_capacity(text.len() + missing);
    padded.push_str(text);
    padded.extend(std::iter::repeat_n(' ', missing));
    padded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        let text =
            "a\nb\t\u{1b}[31m\u{0}\u{7f}\u{9b}\u{202e}\u{2028}caf\u{e9} \u{1f468}\u{200d}\u{1f33e}";
        let shown =
            "b\\t\\x1b[31m\\x00\\x7f\\u{9b}\\u{202e}\\u{2028}caf\u{e9} \u{1f468}\u{200d}\u{1f33e}";
        assert_eq!(line(text), format!("a\\n{shown}"));
        assert_eq!(lines(text), format!("a\n{shown}"));
        assert!(matches!(line("plain \\n"), Cow::Borrowed("plain \\n")));
    }

    #[test]
    fn what_leaves_no_mark_is_shown() {
        let unseen = "\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{200f}\u{2060}\u{2064}\u{3164}\u{feff}\u{e0041}";
        let shown = line(unseen).into_owned();
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(shown.matches("\\u{").count(), unseen.chars().count());
        assert_eq!(line("\u{feff}3.jpg"), "\\u{feff}3.jpg");
    }

    #[test]
    fn a_width_has_a_bound() {
        assert_eq!(padded("caf\u{e9}", 6), "caf\u{e9}  ");
        assert_eq!(padded("long", 2), "long");
        assert_eq!(padded("", 1 << 40).len(), WIDEST);
    }

    proptest! {
        #[test]
        fn nothing_that_is_obeyed_is_left(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(is_obeyed));
            prop_assert!(!lines(&text).chars().any(|c| c != '\n' && is_obeyed(c)));
            let plain = text.chars().filter(|c| !is_obeyed(*c)).count();
            prop_assert!(line(&text).chars().count() >= plain);
        }
    }
}
