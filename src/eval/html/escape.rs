//! Escapes text for the page. All text from outside goes through it.

use std::fmt::{self, Display, Write as _};

use crate::printable::{escape, is_obeyed};

/// Text from outside, escaped for use inside an element or inside an attribute in double quotes. Not for
/// style sheets, URLs or unquoted attributes.
///
/// Line breaks and tabs become spaces. Other control characters, which HTML does not allow, and characters
/// that override the direction of writing, which would reorder the text after them, are shown as by
/// [`printable`](crate::printable).
pub(in crate::eval) struct EscapedText<'a>(pub(in crate::eval) &'a str);

impl Display for EscapedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                obeyed if is_obeyed(obeyed) => f.write_str(&escape(obeyed))?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_becomes_text() {
        let hostile = "<script>alert('x')</script> & \" \u{202e}evil\u{0}\n";
        assert_eq!(
            EscapedText(hostile).to_string(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot; \\u{202e}evil\\x00 "
        );
    }

    proptest! {
        /// Nothing is left that could open a tag, close an attribute or begin an unfinished entity.
        #[test]
        fn nothing_dangerous_is_left(text in any::<String>()) {
            let escaped = EscapedText(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            prop_assert!(!escaped.chars().any(is_obeyed));
            for after in escaped.split('&').skip(1) {
                let entity = after.split(';').next().unwrap_or_default();
                prop_assert!(["amp", "lt", "gt", "quot", "#39"].contains(&entity));
            }
        }
    }
}
