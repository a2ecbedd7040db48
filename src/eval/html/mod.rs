//! A page that shows predictions and the anchors behind them.
//!
//! | file | role |
//! |---|---|
//! | `mod.rs` | `contact_sheet` |
//! | `content.rs` | the contents of a page |
//! | `card.rs` | one image: its labels as bars, its anchors as pictures |
//! | `thumb.rs` | a thumbnail, embedded in the page |
//! | `escape.rs` | escapes text for the page |
//! | `style.css` | the style: light and dark, for print and for small screens |
//!
//! The page is one file without scripts: it can be mailed, opened from disk and printed. It asks
//! the browser to load nothing from elsewhere, and all text in it, captions above all, is escaped.

mod card;
mod content;
pub(super) mod escape;
mod thumb;

use std::fmt::Write as _;

pub(crate) use self::content::{
    AnchorCard, CounterfactualCard, ExplanationCard, ImageCard, LabelBar,
};
use self::escape::EscapedText;

/// The beginning of every page, up to its title.
const HEAD_BEGIN: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
"#;

/// Whether a file with this beginning is a page with this title.
pub(crate) fn is_sheet(head: &[u8], title: &str) -> bool {
    let begin = format!(
        "{HEAD_BEGIN}<title>{}</title>\n<style>\n",
        EscapedText(title)
    );
    head.starts_with(begin.as_bytes())
}

/// Writes the page: a title, facts about how the predictions were made (name and value), and a card
/// for each image.
pub(crate) fn contact_sheet(
    title: &str,
    facts: &[(String, String)],
    cards: &[ImageCard],
) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, title, facts, cards);
    page
}

fn write_page(
    page: &mut String,
    title: &str,
    facts: &[(String, String)],
    cards: &[ImageCard],
) -> std::fmt::Result {
    let title = EscapedText(title);
    write!(
        page,
        r#"{HEAD_BEGIN}<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
"#,
        style = include_str!("style.css"),
    )?;
    if !facts.is_empty() {
        writeln!(page, "<dl class=\"facts\">")?;
        for (name, value) in facts {
            writeln!(
                page,
                "<div><dt>{}</dt><dd>{}</dd></div>",
                EscapedText(name),
                EscapedText(value)
            )?;
        }
        writeln!(page, "</dl>")?;
    }
    writeln!(page, "</header>\n<main>")?;
    for (number, card) in cards.iter().enumerate() {
        card::write(page, number, card)?;
    }
    writeln!(
        page,
        r#"</main>
<footer>
<p>Percentages are a softmax over the labels that were given; they say nothing about other
labels. The similarity is the sum of the contributions of all anchor pairs, and of the calibration
if the space has one, so the amounts below an image are exact parts of it.</p>
</footer>
</body>
</html>"#
    )
}

#[cfg(test)]
mod tests;
