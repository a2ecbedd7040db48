//! What the files of outputs hold, and whether a file is one that the same option wrote.

use std::path::Path;

use asif::anchors::care::purge;
use asif::eval::predictions::PredictionFormat;
use asif::eval::{is_drawing, is_matrix, is_picture, page};
use serde_json::{Map, Value};

/// The most bytes that are read to recognise a file: the line of a pair may be long.
pub(super) const HEAD: u64 = 16 << 20;

/// Characters that are shown of a file.
pub(super) const SHOWN: usize = 30;

/// The content of an output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputKind<'a> {
    /// A page of images and labels.
    Page,
    /// A drawing of curves.
    Drawing,
    /// Pairs, as JSON lines.
    Pairs,
    /// The receipt of a purge.
    Receipt,
    /// A table with these column names, and further numbered ones with this prefix.
    Table(&'a str, Option<&'a str>),
    /// Ids, one per line: see [`check_ids`].
    Ids,
    /// Inputs with their answers.
    Predictions(PredictionFormat),
    /// A confusion matrix as a table.
    Matrix,
    /// A confusion matrix as a picture.
    MatrixPicture,
}

impl OutputKind<'_> {
    /// Whether a file with this beginning may be of this kind.
    pub(super) fn writes(self, file: &Path, head: &[u8]) -> bool {
        match self {
            Self::Page => page::is_page(head),
            Self::Drawing => is_drawing(head),
            Self::Pairs => is_export(head),
            Self::Receipt => purge::is_receipt(head),
            Self::Table(columns, others) => {
                let first = head.split(|&b| b == b'\n').next().unwrap_or_default();
                let rest = first.strip_prefix(columns.as_bytes());
                rest.and_then(|rest| std::str::from_utf8(rest).ok())
                    .is_some_and(|rest| match others {
                        Some(begin) => are_numbered(rest, begin),
                        None => rest.is_empty(),
                    })
            }
            // Decided by `check_ids`, which knows the anchor set.
            Self::Ids => true,
            Self::Predictions(format) => format.is_own(file, head),
            Self::Matrix => is_matrix(head),
            Self::MatrixPicture => is_picture(head),
        }
    }

    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Page => "a page that asif wrote",
            Self::Drawing => "a drawing that asif wrote",
            Self::Pairs => "pairs that asif wrote",
            Self::Receipt => "a receipt that asif wrote",
            Self::Table(..) => "a table that this option writes",
            Self::Ids => "a list of ids",
            Self::Predictions(_) => "predictions that asif wrote",
            Self::Matrix => "a confusion matrix that asif wrote",
            Self::MatrixPicture => "a picture of a confusion matrix that asif drew",
        }
    }
}

/// The bytes read of a file without a last line that may be cut off.
pub(super) fn whole_lines(head: &[u8]) -> &[u8] {
    let is_cut = head.len() as u64 == HEAD;
    let end = head.iter().rposition(|&b| b == b'\n').filter(|_| is_cut);
    end.map_or(head, |end| &head[..=end])
}

/// Whether these are column names with this prefix, numbered from 1.
fn are_numbered(names: &str, begin: &str) -> bool {
    let mut parts = names.split(begin);
    let are_numbers = |(n, part): (usize, &str)| part == (n + 1).to_string();
    parts.next() == Some("") && parts.enumerate().all(are_numbers)
}

/// Whether these lines have the exact form of `asif anchors export`: sorted keys, no blanks between tokens,
/// captions as a list.
fn is_export(head: &[u8]) -> bool {
    let Some(lines) = whole_lines(head).strip_suffix(b"\n") else {
        return false;
    };
    let are_texts = |values: &Vec<Value>| !values.is_empty() && values.iter().all(Value::is_string);
    // Digits are not compared: parsing may change the last digit of a float.
    let form = |line: &[u8]| -> Vec<u8> {
        let is_number = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
        line.iter().copied().filter(|b| !is_number(b)).collect()
    };
    lines.split(|&b| b == b'\n').all(|line| {
        let Ok(pair) = serde_json::from_slice::<Map<String, Value>>(line) else {
            return false;
        };
        let text = |key| pair.get(key).and_then(Value::as_str);
        text("id").is_some_and(|id| !id.is_empty())
            && text("image").is_some_and(|image| !image.is_empty())
            && pair
                .get("captions")
                .and_then(Value::as_array)
                .is_some_and(are_texts)
            && form(Value::Object(pair.clone()).to_string().as_bytes()) == form(line)
    })
}

/// The content of a file, in a few words.
pub(super) fn what_it_is(head: &[u8]) -> String {
    if let Some(format) = image::guess_format(head).ok().map(|f| format!("{f:?}")) {
        return format!("a picture ({})", format.to_uppercase());
    }
    let begin = &head[..head.len().min(SHOWN * 4)];
    let text = match std::str::from_utf8(begin) {
        Ok(text) => text,
        // Cut within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&begin[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return "binary data".to_owned(),
    };
    let shown: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(SHOWN)
        .collect();
    match text.contains('\0') {
        true => "binary data".to_owned(),
        false => format!("a text that begins with {shown:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_option_writes_is_replaced_by_it() {
        use OutputKind::{Drawing, Page, Pairs, Receipt, Table};
        let boilerplate = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 440\">";
        let pair = "{\"captions\":[\"a\"],\"id\":\"p\",\"image\":\"/a.png\",\"x\":1.5}\n";
        let receipt = "{\"format\": \"f\", \"made_by\": \"a\", \"requested_ids\": []}\n";
        for (kind, text, is_own) in [
            (Page, boilerplate, false),
            (Page, "\u{89}PNG\r\n", false),
            (Pairs, pair, true),
            (Pairs, &pair.replace("1.5", "0.30000000000000004"), true),
            (Pairs, &pair.replace("/a.png", "a.png"), true),
            (Pairs, &pair.replace("\"id\"", " \"id\""), false),
            (Pairs, &pair.replace("captions", "text"), false),
            (Pairs, &pair.replace("[\"a\"]", "\"a\""), false),
            (Pairs, &format!("{pair}# mine\n"), false),
            (Pairs, pair.trim(), false),
            (
                Pairs,
                "{\"id\":\"p\",\"image\":\"/a.png\",\"captions\":[\"a\"]}\n",
                false,
            ),
            (Receipt, receipt, false),
            (Receipt, pair, false),
            (Table("a,b", None), "a,b\n1,2,3\n", true),
            (Table("a,b", None), "a,b,mine\n1,2,3\n", false),
            (Table("a,b", Some(",x_")), "a,b,x_1,x_2\n1,2,3\n", true),
            (Table("a,b", Some(",x_")), "a,b\n", true),
            (Table("a,b", Some(",x_")), "a,b,x_1,mine\n", false),
            (Table("a,b", Some(",x_")), "a,b,mine\n", false),
            (Drawing, svg, false),
        ] {
            let file = Path::new("");
            assert_eq!(
                kind.writes(file, text.as_bytes()),
                is_own,
                "{kind:?} {text:?}"
            );
        }
        assert_eq!(what_it_is(b"\x89PNG\r\n\x1a\n"), "a picture (PNG)");
        assert_eq!(what_it_is(b"\xff\xfe\0"), "binary data");
    }
}
