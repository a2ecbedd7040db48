//! Checks the form of a file of labels or templates: rejects files of another format, and notes lines
//! that may not be read as intended.

use std::path::Path;

use serde_json::Value;

use super::entries::{ends_with, lines_of};
use super::error::{PromptPlace, PromptsError};
use super::line_shape::shape_of;
use super::mistaken;
use crate::stand_in::stand_in_of_texts;

const AS_LABELS: &str = "write one label a line, or a JSON list of labels in a .json file";
const AS_NAMES: &str = "write only the names, one a line; if these are the names, a JSON list in a \
                        .json file; or names with descriptions as JSON lines, {\"label\": \"0\", \
                        \"prompts\": [\"a round ring\"]}, in a .jsonl file";
const AS_LINES: &str = "write only the templates, one a line, or if these are the templates, a JSON list \
                        in a .json file";
const AS_TEMPLATES: &str = "write one template a line, such as: a photo of a {}.";

/// The most characters of a label with its names, of a prompt, and of a template. Text encoders read some
/// hundred words at most and ignore the rest, so a longer text is a whole document given by mistake.
pub const MAX_PROMPT_CHARS: usize = 4_096;

/// Refuses a text that is longer than any label or prompt.
///
/// # Errors
/// [`PromptsError::TooLong`].
pub(super) fn refuse_long(at: impl Fn() -> PromptPlace, text: &str) -> Result<(), PromptsError> {
    // No text has more characters than bytes.
    if text.len() <= MAX_PROMPT_CHARS {
        return Ok(());
    }
    match text.chars().count() {
        0..=MAX_PROMPT_CHARS => Ok(()),
        found => Err(PromptsError::TooLong {
            at: at(),
            found,
            allowed: MAX_PROMPT_CHARS,
        }),
    }
}

fn other(path: &Path, seems: impl Into<String>, advice: &'static str) -> PromptsError {
    PromptsError::OtherForm {
        path: path.to_owned(),
        seems: seems.into(),
        advice,
    }
}

/// Rejects binary files: images, archives, spreadsheets.
pub(super) fn refuse_binary(path: &Path, bytes: &[u8]) -> Result<(), PromptsError> {
    let is_text_of_utf16 = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    let is_text_of_utf32 = bytes.starts_with(b"\xFF\xFE\0\0") || bytes.starts_with(b"\0\0\xFE\xFF");
    if is_text_of_utf16 || is_text_of_utf32 {
        let seems = if is_text_of_utf32 {
            "UTF-32 text"
        } else {
            "UTF-16 text"
        };
        return Err(other(path, seems, "save the file as UTF-8"));
    }
    let seems = if bytes.starts_with(b"PAR1") {
        "a Parquet file"
    } else if bytes.starts_with(b"PK\x03\x04") {
        "a ZIP archive or a spreadsheet"
    } else if bytes.starts_with(b"\x1F\x8B") {
        "compressed with gzip"
    } else if image::guess_format(bytes).is_ok() && str::from_utf8(bytes).is_err() {
        "an image"
    } else if bytes.iter().take(4096).any(|&byte| byte == 0) {
        "binary data"
    } else {
        return Ok(());
    };
    Err(other(path, seems, "give a text file with one entry a line"))
}

/// Rejects placeholders of files, such as Git LFS pointers.
pub(super) fn refuse_stand_in(path: &Path, bytes: &[u8]) -> Result<(), PromptsError> {
    match stand_in_of_texts(bytes) {
        Some((seems, advice)) => Err(other(path, seems, advice)),
        None => Ok(()),
    }
}

/// Rejects NUL characters.
pub(super) fn refuse_nul(file: Option<&Path>, text: &str) -> Result<(), PromptsError> {
    if !text.contains('\0') {
        return Ok(());
    }
    let seems = "text with a NUL character, which names and prompts must not contain";
    let advice = "take it out";
    Err(match file {
        Some(path) => other(path, seems, advice),
        None => PromptsError::ListForm { seems, advice },
    })
}

/// Whether a text is intended as one JSON value, or as a literal of a program.
pub(super) fn is_document(text: &str) -> bool {
    let text = text.trim();
    let closed =
        |open, close| text.starts_with(open) && text.trim_end_matches(';').ends_with(close);
    closed('{', '}') && !text.starts_with("{}") && !text.starts_with("{c}") || closed('[', ']')
}

/// The templates of a JSON list; `None` for a file with one template a line.
pub(super) fn templates(path: &Path, text: &str) -> Result<Option<Vec<String>>, PromptsError> {
    refuse_markup(path, text, AS_TEMPLATES)?;
    if ends_with(path, "json") || is_document(text) {
        return match serde_json::from_str(text) {
            Ok(Value::Array(values)) => {
                let texts = values.into_iter().map(|value| match value {
                    Value::String(text) => Some(text),
                    _ => None,
                });
                let list = texts.collect::<Option<Vec<_>>>();
                let seems = "a JSON list whose entries are not all templates";
                list.map(Some)
                    .ok_or_else(|| other(path, seems, AS_TEMPLATES))
            }
            Ok(_) => Err(other(
                path,
                "a JSON file that is not a list",
                "give a JSON list of templates, [\"a photo of a {}.\", ...], or one template a line",
            )),
            Err(_) => Err(other(
                path,
                "part of a program, or broken JSON",
                AS_TEMPLATES,
            )),
        };
    }
    let lines: Vec<&str> = lines_of(text).map(|(_, line)| line.trim()).collect();
    let quoted = |line: &&str| {
        ["\"", "'", "f\"", "f'", "lambda "]
            .iter()
            .any(|open| line.starts_with(open))
            && ["\"", "'", "\",", "',"]
                .iter()
                .any(|close| line.ends_with(close))
    };
    if !lines.is_empty() && lines.iter().all(quoted) {
        let seems = "a list of texts in quotation marks, from a program or JSON Lines";
        return Err(other(
            path,
            seems,
            "write one template a line, without the quotation marks",
        ));
    }
    if lines.iter().any(|line| are_several_templates(line)) {
        let seems = "a list with several templates on one line";
        return Err(other(path, seems, AS_LINES));
    }
    if let Some(shape) = shape_of(&lines) {
        return Err(other(path, shape.seems(), AS_LINES));
    }
    Ok(None)
}

/// `a {},b {}`, each with a placeholder.
fn are_several_templates(line: &str) -> bool {
    let has_place = |part: &str| part.contains("{}") || part.contains("{c}");
    line.split([',', ';']).count() > 1 && line.split([',', ';']).all(has_place)
}

/// Rejects files that are neither lines of text nor JSON.
fn refuse_markup(path: &Path, text: &str, advice: &'static str) -> Result<(), PromptsError> {
    if text.trim_start().starts_with("<?xml") {
        return Err(other(path, "an XML file", advice));
    }
    if ends_with(path, "yaml") || ends_with(path, "yml") {
        return Err(other(path, "a YAML file", advice));
    }
    let mut lines = lines_of(text).map(|(_, line)| line.trim()).peekable();
    let bullets = |line: &str| {
        ["- ", "* ", "+ ", "• "]
            .iter()
            .any(|sign| line.starts_with(sign))
    };
    if lines.peek().is_some() && lines.all(bullets) {
        return Err(other(
            path,
            "a list with a bullet on each line, as in YAML",
            advice,
        ));
    }
    Ok(())
}

/// Rejects a file of labels, one a line, whose form shows that it is something else.
pub(super) fn refuse_other_labels(path: &Path, text: &str) -> Result<(), PromptsError> {
    refuse_markup(path, text, AS_LABELS)?;
    let lines: Vec<&str> = lines_of(text).map(|(_, line)| line.trim()).collect();
    if let Some((seems, advice)) = mistaken::lines(&lines) {
        return Err(other(path, seems, advice));
    }
    if is_document(text) {
        return Err(other(path, "part of a program, or broken JSON", AS_LABELS));
    }
    if has_yaml_block(text) {
        return Err(other(path, "a YAML file", AS_LABELS));
    }
    let Some(first) = lines.first() else {
        return Ok(());
    };
    if ends_with(path, "csv") && lines.iter().any(|line| line.contains([',', ';'])) {
        return Err(other(path, "a table in CSV", AS_LABELS));
    }
    if ends_with(path, "csv") || ends_with(path, "tsv") {
        let cell = first
            .split('\t')
            .next()
            .unwrap_or_default()
            .trim_matches('"');
        let names = [
            "label",
            "labels",
            "class",
            "classes",
            "name",
            "id",
            "index",
            "class_name",
        ];
        if names.contains(&cell.to_ascii_lowercase().as_str()) {
            return Err(other(
                path,
                "a table with a header",
                "take the header out, and leave one label a line, after a tab perhaps a description",
            ));
        }
    }
    if let Some(shape) = shape_of(&lines) {
        return Err(other(path, shape.seems(), AS_NAMES));
    }
    Ok(())
}

/// A key alone on its line, with a list or a block under it: `names:`, then `  0: cat` or `- cat`.
fn has_yaml_block(text: &str) -> bool {
    let lines: Vec<&str> = lines_of(text).map(|(_, line)| line.trim_end()).collect();
    let is_key = |line: &str| {
        let line = line.split(" #").next().unwrap_or_default().trim();
        line.ends_with(':') && line.len() > 1 && !line.contains(' ')
    };
    let under = |line: &str| line.starts_with([' ', '\t']) || line.starts_with("- ");
    lines
        .windows(2)
        .any(|pair| is_key(pair[0]) && under(pair[1]))
}

/// A note on lines taken as comments although the text follows `#` directly, as in hashtags.
pub(super) fn comments(path: &Path, text: &str) -> Option<String> {
    if ends_with(path, "json") || ends_with(path, "jsonl") {
        return None;
    }
    let tags: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            let after = line.strip_prefix('#').and_then(|rest| rest.chars().next());
            after.is_some_and(|next| !next.is_whitespace() && next != '#' && next != '!')
        })
        .collect();
    let first = tags.first()?;
    let lines = if tags.len() == 1 {
        "line was"
    } else {
        "lines were"
    };
    Some(format!(
        "{}: {} {lines} taken as comments because of the leading #, such as {first:?}; for literal \
         text write a JSON list, [{first:?}, ...], in a .json file",
        path.display(),
        tags.len()
    ))
}
