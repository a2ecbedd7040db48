//! Which language a caption is in.

/// The confidence above which a guess counts.
const SURE: f64 = 0.5;

/// The English name of the most probable language of `text`; `None` if it is too short or ambiguous.
///
/// By trigram frequencies (the `whatlang` crate): reliable for a sentence, not for two words.
pub(crate) fn language(text: &str) -> Option<&'static str> {
    let info = whatlang::detect(text)?;
    (info.confidence() > SURE).then(|| info.lang().eng_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_apart_and_crumbs_are_not_guessed() {
        assert_eq!(
            language("Two dogs are running across a green field with a red ball in their mouths."),
            Some("English")
        );
        assert_eq!(
            language(
                "Zwei Hunde laufen mit einem roten Ball über die Wiese, und ein kleiner Junge \
                 schaut ihnen dabei vergnügt zu."
            ),
            Some("German")
        );
        assert_eq!(
            language("二匹の犬が緑の野原を走っています。"),
            Some("Japanese")
        );
        assert_eq!(language("42"), None);
        assert_eq!(language(""), None);
    }
}
