//! The one way of text into the page.

use std::fmt::{self, Display, Write as _};

/// Text from outside, written so that it is only text: inside an element, and inside an attribute
/// in double quotes. Not for style sheets, addresses or unquoted attributes.
///
/// Control characters, which HTML does not allow, become U+FFFD; line breaks and tabs become blanks;
/// characters that force a direction of writing are dropped, because one left open would turn round
/// what stands behind it.
pub(in crate::eval) struct Text<'a>(pub(in crate::eval) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' | '\n' | '\r' => f.write_char(' ')?,
                // Embeddings, overrides and isolates (Unicode UAX 9).
                '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
                control if control.is_control() => f.write_char('\u{FFFD}')?,
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
            Text(hostile).to_string(),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot; evil\u{fffd} "
        );
    }

    proptest! {
        /// Nothing is left that could open a tag, close an attribute or begin an unfinished entity.
        #[test]
        fn nothing_dangerous_is_left(text in any::<String>()) {
            let escaped = Text(&text).to_string();
            prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\0']));
            for after in escaped.split('&').skip(1) {
                let entity = after.split(';').next().unwrap_or_default();
                prop_assert!(["amp", "lt", "gt", "quot", "#39"].contains(&entity));
            }
        }
    }
}
