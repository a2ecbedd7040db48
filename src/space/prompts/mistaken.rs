//! Recognises input that is not labels: several labels on one line, headers of tables, lines of programs, and
//! numbers or codes in place of names.

use std::path::Path;

use super::entries::{ends_with, is_number, is_wordnet};
use super::line_shape::{LineShape, begin_with_numbers, shape_of};

const SEVERAL: (&str, &str) = (
    "several labels on one line",
    "write one label a line, or a single name that holds a comma as a JSON list in a .json file",
);

/// What a file of lines seems to be, with advice; `None` if it may be one label a line.
pub(super) fn lines(lines: &[&str]) -> Option<(&'static str, &'static str)> {
    const AS_LINES: &str = "write one label a line, or a JSON list of labels in a .json file";
    let first = lines.first()?;
    let all = |test: fn(&str) -> bool| lines.iter().all(|line| test(line));
    if lines.iter().any(|line| is_json(line)) {
        return Some((
            "JSON on lines of its own",
            "name the file .jsonl if each line is {\"label\": \"a cat\"}, else write one label a line",
        ));
    }
    if all(|line| line.starts_with('<') && line.ends_with('>')) {
        return Some(("a list in HTML or XML", AS_LINES));
    }
    if *first == "---" || lines.iter().any(|line| is_yaml_list(line)) {
        return Some(("a YAML file", AS_LINES));
    }
    if is_assignment(first) {
        return Some(("part of a program", AS_LINES));
    }
    if let [only] = lines {
        let name = only.split(['\t']).next().unwrap_or_default();
        let name = name.split(": ").next().unwrap_or_default();
        let parts = name
            .split([',', ';'])
            .filter(|part| !part.trim().is_empty());
        let parts: Vec<&str> = match parts.clone().count() {
            0 | 1 => only.split([',', ';']).collect(),
            _ => return Some(SEVERAL),
        };
        // `0: cat, 1: dog`, not a description with commas.
        return (shape_of(&parts) == Some(LineShape::Coded) && parts.len() > 1).then_some(SEVERAL);
    }
    let headers = [
        "label",
        "labels",
        "class",
        "classes",
        "class name",
        "class_name",
        "classname",
        "category",
        "name",
        "names",
        "label_name",
        "category_name",
    ];
    if headers.contains(&first.to_ascii_lowercase().as_str()) {
        return Some((
            "a table with a header",
            "take the header out, or if it is a label, write a JSON list in a .json file",
        ));
    }
    None
}

/// What labels that are not names seem to be, with advice.
pub(super) fn names<S: AsRef<str>>(labels: &[S]) -> Option<(&'static str, &'static str)> {
    // `LABEL_0`: the default names of unnamed classes in a model's config.
    let unnamed = |label: &str| {
        let label = label.to_ascii_lowercase();
        let number = ["label", "class", "cls"]
            .iter()
            .find_map(|word| label.strip_prefix(word));
        let number = number.and_then(|rest| rest.strip_prefix(['_', '-', ' ']));
        number.is_some_and(is_number)
    };
    if labels.iter().all(|label| unnamed(label.as_ref())) {
        return Some((
            "class numbers, as in a model without class names",
            "write the name of each class, one a line",
        ));
    }
    let mut labels = labels.iter().map(AsRef::as_ref);
    labels.all(is_wordnet).then_some((
        "a list of WordNet ids instead of names",
        "write the name of each class, one a line",
    ))
}

/// What a list on the command line seems to be, with advice.
pub(super) fn list(list: &str) -> Option<(&'static str, &'static str)> {
    let text = list.trim();
    let closed = |open, close| text.starts_with(open) && text.ends_with(close);
    let quoted = |entry: &str| {
        let entry = entry.trim();
        ['"', '\'']
            .iter()
            .any(|&mark| entry.starts_with(mark) || entry.ends_with(mark))
    };
    if text.contains(['\n', '\r']) {
        Some(("several lines", "put them into a file of labels"))
    } else if closed('[', ']') || closed('{', '}') {
        Some((
            "JSON",
            "separate the labels by commas alone, or put the JSON into a file of labels",
        ))
    } else if text.split(',').any(quoted) {
        Some((
            "a list with quotation marks, which would be part of the labels",
            "leave them out; names that hold a comma go into a JSON list in a file of labels",
        ))
    } else if shape_of(&[text]) == Some(LineShape::WebText) {
        Some((LineShape::WebText.seems(), ALONE))
    } else if !text.contains(',') && text.split(';').filter(|p| !p.trim().is_empty()).count() > 1 {
        Some((
            "a list separated by semicolons",
            "separate the labels by commas, or put names with semicolons into a file of labels",
        ))
    } else if text.split(',').any(has_placeholder) {
        Some((
            "templates",
            "pass them as templates, in a file, and here the labels alone",
        ))
    } else if !text.contains(',') && is_label_file(text) {
        Some((
            "the name of a file",
            "give it as a file of labels, or a label of that name in a file",
        ))
    } else {
        let entries: Vec<&str> = text.split(',').map(str::trim).collect();
        let entries = if entries.len() > 1 {
            entries
        } else {
            vec![text]
        };
        let shape = shape_of(&entries).map(|shape| (shape.seems(), ALONE));
        shape.or_else(|| {
            let called = "give the name of each class, separated by commas";
            names(&entries).map(|(seems, _)| (seems, called))
        })
    }
}

const ALONE: &str = "give the names alone, separated by commas; if these are the names, write a JSON \
                     list in a .json file of labels";

/// Whether a list is the name of a file: by its extension, or because the file exists.
fn is_label_file(text: &str) -> bool {
    let name = text.trim_start_matches('@');
    let endings = [
        "txt", "json", "jsonl", "ndjson", "csv", "tsv", "yaml", "yml", "names", "pbtxt",
    ];
    let path = Path::new(name);
    let ends = |ending: &&str| ends_with(path, ending);
    endings.iter().any(ends) || name.contains(['/', '\\', '.']) && path.is_file()
}

/// Whether a text has a placeholder for the class name, in the syntax of this program or another.
pub(super) fn has_placeholder(text: &str) -> bool {
    const WORDS: [&str; 15] = [
        "",
        "c",
        "cls",
        "class",
        "classname",
        "class_name",
        "label",
        "label_name",
        "name",
        "category",
        "object",
        "noun",
        "text",
        "concept",
        "word",
    ];
    let names = |inner: &str| WORDS.contains(&inner.trim().to_ascii_lowercase().as_str());
    let between = |open: char, close: char, test: &dyn Fn(&str) -> bool| {
        let mut inner = text.split(open).skip(1);
        inner.any(|rest| rest.split_once(close).is_some_and(|(inner, _)| test(inner)))
    };
    let word = |inner: &str| inner.len() > 2 && names(inner);
    let is_format = |(at, mark): (usize, &str)| {
        let is_word = |c: char| c.is_alphanumeric();
        let before = text[..at].ends_with(is_word);
        let behind = text[at + mark.len()..].starts_with(is_word);
        !before && !behind
    };
    let variable = |rest: &str| {
        let rest = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next();
        rest.is_some_and(word)
    };
    between('{', '}', &|inner| names(inner) || is_number(inner))
        || between('<', '>', &word)
        || between('[', ']', &word)
        || text.contains("%(") && text.contains(")s")
        || text.match_indices("%s").any(is_format)
        || text.split('$').skip(1).any(variable)
}

/// A note on labels that are numbers, which may be digits in images, or classes whose names are elsewhere.
pub(crate) fn numbers<S: AsRef<str>>(labels: &[S]) -> Option<String> {
    let all = labels.iter().all(|label| is_number(label.as_ref()));
    let first = labels.first().filter(|_| all)?.as_ref();
    Some(format!(
        "all labels are numbers, such as {first:?}, and are used as numbers seen in an image; if they \
         stand for classes, give the class names"
    ))
}

/// A note on labels that each begin with a number, which may only be an index.
pub(super) fn numbered(labels: &[String]) -> Option<String> {
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let first = labels.first().filter(|_| begin_with_numbers(&labels))?;
    Some(format!(
        "all labels begin with a number, such as {first:?}, which is used as part of the name; remove \
         the numbers if they only count the labels"
    ))
}

fn is_json(line: &str) -> bool {
    let closed = |open, close| line.starts_with(open) && line.ends_with(close);
    (closed('{', '}') || closed('[', ']'))
        && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

/// `names: [tench, cock]`.
fn is_yaml_list(line: &str) -> bool {
    let value = line.split_once(": ").map(|(_, value)| value.trim());
    let list = |value: &str| {
        value.starts_with('[') && (value.len() == 1 || value.ends_with([']', ',']))
            || value.starts_with('{') && value.contains(": ") && value.ends_with(['}', ','])
    };
    value.is_some_and(list)
}

/// `labels = ["tench", "cock"]`, or its first line.
fn is_assignment(line: &str) -> bool {
    line.split_once('=').is_some_and(|(name, value)| {
        let name = name.trim();
        let value = value.trim_start();
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        !name.is_empty()
            && name.chars().all(is_name)
            && ["[", "{", "(", "\"", "'"]
                .iter()
                .any(|open| value.starts_with(open))
    })
}
