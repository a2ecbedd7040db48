//! Labels that are something else: several on one line, headers of tables, lines of programs, and
//! numbers or codes in place of names.

use super::listed::is_wordnet;

/// What a file of lines seems to be, and what to do; `None` if it may be one label a line.
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
        return (parts.count() > 1).then_some((
            "several labels on one line",
            "write one label a line, or a single name that holds a comma as a JSON list in a .json file",
        ));
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
    let last = |line: &str| {
        line.rsplit_once(' ')
            .and_then(|(_, end)| end.parse::<usize>().ok())
    };
    let counts = |from: usize| {
        lines
            .iter()
            .enumerate()
            .all(|(i, line)| last(line) == Some(i + from))
    };
    (counts(0) || counts(1)).then_some((
        "a list of classes with a number beside each name",
        "write only the names, one a line, or names that end in numbers as a JSON list in a .json file",
    ))
}

/// What labels seem to be that are no names, and what to do.
pub(super) fn names(labels: &[String]) -> Option<(&'static str, &'static str)> {
    // `LABEL_0`: what a config says of classes that nobody has named.
    let unnamed = |label: &String| {
        let number = label
            .get(..6)
            .filter(|begin| begin.eq_ignore_ascii_case("label_"));
        number.is_some() && label.get(6..).is_some_and(is_number)
    };
    if labels.iter().all(unnamed) {
        return Some((
            "the numbers of classes that have no names, as a model without them has",
            "write what each class is called, one a line",
        ));
    }
    labels.iter().all(|label| is_wordnet(label)).then_some((
        "a list of WordNet ids, which are no names",
        "write what each class is called, one a line",
    ))
}

/// What a list of the command line seems to be, and what to do.
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
        Some((
            "several lines",
            "put them into a file and give it as --labels-file",
        ))
    } else if closed('[', ']') || closed('{', '}') {
        Some((
            "JSON",
            "separate the labels by commas alone, or put the JSON into a file and give it as --labels-file",
        ))
    } else if text.split(',').any(quoted) {
        Some((
            "a list with quotation marks, which would be part of the labels",
            "leave them out; names that hold a comma go into a JSON list in a file for --labels-file",
        ))
    } else if !text.contains(',') && text.split(';').filter(|p| !p.trim().is_empty()).count() > 1 {
        Some((
            "a list separated by semicolons",
            "separate the labels by commas, or put names with semicolons into a file for --labels-file",
        ))
    } else {
        None
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_json(line: &str) -> bool {
    let closed = |open, close| line.starts_with(open) && line.ends_with(close);
    (closed('{', '}') || closed('[', ']'))
        && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()
}

/// `names: [tench, cock]`.
fn is_yaml_list(line: &str) -> bool {
    let value = line.split_once(": ").map(|(_, value)| value.trim());
    value.is_some_and(|value| value.starts_with('[') && value.ends_with(']'))
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
