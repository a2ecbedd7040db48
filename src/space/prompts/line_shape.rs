//! Recognises lists that are not names by the common shape of their entries: numbers or codes next to names,
//! rows of a table, settings, paths.
//!
//! All entries must have the shape, so that one name with a number in it (`7-Eleven`) stays a name.
//! Numbers separated by a space (`Boeing 737`, `12 Main Street`) are part of the name unless they count
//! up from 0 or 1.

use super::entries::{is_number, is_wordnet};
use super::line_marks::{
    has_web_code, is_conflict, is_file_name, is_marked, is_path, is_quoted, is_section,
    is_structure,
};

/// The shape of entries that are not a list of names or texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineShape {
    Coded,
    Header,
    Table,
    Quoted,
    Ended,
    Settings,
    Structure,
    FileNames,
    WebText,
    Marked,
    Conflict,
}

impl LineShape {
    /// A description that follows "this seems to be".
    pub(crate) fn seems(self) -> &'static str {
        match self {
            Self::Coded => "a list of classes with a number or a WordNet id beside each name",
            Self::Header => "a table with a header",
            Self::Table => "a table with several columns",
            Self::Quoted => "a list of texts in quotation marks, from a program",
            Self::Ended => "a list with a comma or semicolon behind each entry, from a program",
            Self::Settings => "a file of settings, as INI, with an equals sign on each line",
            Self::Structure => "part of a program or of a structured file, such as a .pbtxt",
            Self::FileNames => "a list of files or addresses",
            Self::Marked => "a list with a bullet or other marks of Markdown or HTML on each entry",
            Self::Conflict => "a file with the marks of a merge that was not finished",
            Self::WebText => {
                "text from a web page or a program, with codes such as &amp; or \\u00e9"
            }
        }
    }
}

/// The shape of entries; `None` if they may be names or texts. `entries` must have no blank ones.
pub(crate) fn shape_of(entries: &[&str]) -> Option<LineShape> {
    let entries: Vec<&str> = entries.iter().map(|entry| entry.trim()).collect();
    let (_, rest) = entries.split_first()?;
    let all = |test: fn(&str) -> bool| entries.iter().all(|entry| test(entry));
    if all(is_quoted) {
        return Some(LineShape::Quoted);
    }
    if entries.iter().any(|entry| is_conflict(entry)) {
        return Some(LineShape::Conflict);
    }
    if all(is_marked) {
        return Some(LineShape::Marked);
    }
    if entries.iter().any(|entry| is_structure(entry)) {
        return Some(LineShape::Structure);
    }
    if entries.iter().any(|entry| has_web_code(entry)) {
        return Some(LineShape::WebText);
    }
    if all(is_file_name) || all(is_path) {
        return Some(LineShape::FileNames);
    }
    if are_coded(&entries) {
        return Some(LineShape::Coded);
    }
    if rest.is_empty() {
        return None;
    }
    if has_header(&entries) {
        return Some(LineShape::Header);
    }
    let ends = |entry: &&str| entry.ends_with([',', ';']);
    if entries[..entries.len() - 1].iter().all(ends) {
        return Some(LineShape::Ended);
    }
    let has_setting = entries.iter().any(|entry| entry.contains('='));
    if has_setting && all(|entry| entry.contains('=') || is_section(entry)) {
        return Some(LineShape::Settings);
    }
    are_rows(&entries).then_some(LineShape::Table)
}

/// A number or a code beside a text.
struct CodedEntry<'a> {
    code: &'a str,
    divider: &'a str,
    text: &'a str,
}

/// Whether each entry is a number or a WordNet id with a text, on the same side of it.
fn are_coded(entries: &[&str]) -> bool {
    let before: Option<Vec<_>> = entries.iter().map(|entry| code_before(entry)).collect();
    let behind: Option<Vec<_>> = entries.iter().map(|entry| code_behind(entry)).collect();
    let coded = |sides: Option<Vec<CodedEntry>>, may_be_blank: bool| {
        sides.is_some_and(|sides| are_beside(&sides, may_be_blank))
    };
    coded(before, true)
        || coded(behind, false)
        || has_code_column(entries)
        || entries.len() > 1 && are_enumerated(entries)
}

/// `a) cat`, `b) dog`, and digits of other scripts or in circles.
fn are_enumerated(entries: &[&str]) -> bool {
    let is_lettered = |(letter, entry): (char, &&str)| {
        let mut begin = entry.trim_start_matches('(').chars();
        let is_next = begin
            .next()
            .is_some_and(|c| c.eq_ignore_ascii_case(&letter));
        is_next
            && matches!(begin.next(), Some(')' | '.'))
            && begin.next().is_some_and(char::is_whitespace)
    };
    let is_other_digit = |entry: &&str| {
        let first = entry.chars().next();
        first.is_some_and(|c| c.is_numeric() && !c.is_ascii_digit())
            && entry.chars().nth(1).is_some()
    };
    ('a'..='z').zip(entries).all(is_lettered) || entries.iter().all(is_other_digit)
}

/// `may_be_blank`: whether a space may separate number and text, as in `1 cat` but not in `cat 24`.
fn are_beside(sides: &[CodedEntry], may_be_blank: bool) -> bool {
    if sides.iter().all(|side| is_wordnet(side.code)) {
        return true;
    }
    if sides.len() < 2 || are_number_words(sides) {
        return false;
    }
    let mut texts: Vec<_> = sides.iter().map(|side| side.text).collect();
    texts.sort_unstable();
    let differ = texts.windows(2).all(|pair| pair[0] != pair[1]);
    // In `12 Main Street` and `1. FC` the number is part of the name, unless the numbers count up from
    // 0 or 1.
    let first = sides[0].code.parse::<usize>().ok();
    let codes = sides.iter().map(|side| side.code.parse::<usize>().ok());
    let ascend = first.is_some_and(|first| first < 2)
        && codes
            .collect::<Vec<_>>()
            .is_sorted_by(|a, b| a.is_some() && a < b);
    // `3.5 inch`, `16:9`, `1,000` and `0-2` are numbers in parts.
    let in_parts = |side: &CodedEntry| match may_be_blank {
        true => side.text.starts_with(|c: char| c.is_ascii_digit()),
        false => side.text.ends_with(|c: char| c.is_ascii_digit()),
    };
    // Two of `1 person`, `2 people` are too few to show that they are numbered; nobody counts from 0.
    let may_be_weak = sides.len() > 2 || first == Some(0) || !sides.iter().any(is_by_blank);
    let is_plain = |side: &CodedEntry| {
        let one = side.divider.chars().count() == 1 && !side.divider.contains(['\t', ';']);
        if one && in_parts(side) {
            return false;
        }
        let strong: &[char] = if may_be_blank {
            &['\t', ':', ';', ',', '|', '=', ')', ']', '>']
        } else {
            &['\t', ':', ';', ',', '|', '=']
        };
        let is_weak = side.divider == "." || side.divider.contains(char::is_whitespace);
        side.divider.contains(strong) || may_be_blank && may_be_weak && differ && ascend && is_weak
    };
    let numbers = sides.iter().map(|side| side.code.parse::<usize>().ok());
    let count = first.is_some_and(|first| first < 2)
        && differ
        && may_be_weak
        && !sides.iter().any(in_parts)
        && numbers
            .enumerate()
            .all(|(index, number)| number == first.map(|first| first + index));
    sides.iter().all(is_plain) || count
}

fn is_by_blank(side: &CodedEntry) -> bool {
    side.divider.trim().is_empty() && !side.divider.contains('\t')
}

/// Whether each entry begins with a number, as `3 cat` and `5. dog`, although they are not a
/// [numbered list](LineShape::Coded): the number may be part of the name.
pub(super) fn begin_with_numbers(entries: &[&str]) -> bool {
    let sides: Option<Vec<_>> = entries.iter().map(|entry| code_before(entry)).collect();
    let Some(sides) = sides.filter(|sides| sides.len() > 1) else {
        return false;
    };
    let mut texts: Vec<_> = sides.iter().map(|side| side.text).collect();
    texts.sort_unstable();
    texts.dedup();
    let is_apart = |side: &CodedEntry| side.divider.contains(char::is_whitespace);
    texts.len() == sides.len()
        && sides
            .iter()
            .all(|side| is_number(side.code) && is_apart(side))
}

/// `zero|0`: the number is another name of the same label.
fn are_number_words(sides: &[CodedEntry]) -> bool {
    const WORDS: [&str; 10] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    let is_word = |side: &CodedEntry| {
        let number = side.code.parse::<usize>().ok();
        let word = number.and_then(|number| WORDS.get(number));
        side.divider.contains('|') && word.is_some_and(|w| w.eq_ignore_ascii_case(side.text))
    };
    sides.iter().all(is_word)
}

/// `0: cat`, `(1) cat`, `class 0: cat`, `n01440764 tench`.
fn code_before(entry: &str) -> Option<CodedEntry<'_>> {
    const WORDS: [&str; 11] = [
        "class", "label", "cls", "index", "idx", "item", "entry", "number", "no", "nr", "id",
    ];
    let lower = entry.to_ascii_lowercase();
    let word = WORDS.iter().find(|word| lower.starts_with(**word));
    let after_word = word.and_then(|word| {
        let rest = entry[word.len()..].trim_start_matches(['.', ' ', '_', '#', '=', ':']);
        rest.starts_with(|c: char| c.is_ascii_digit())
            .then_some(rest)
    });
    let named = after_word.is_some();
    let start = after_word
        .unwrap_or(entry)
        .trim_start_matches(['(', '[', '#']);
    let end = start.find(|c: char| !c.is_alphanumeric())?;
    let (code, rest) = start.split_at(end);
    let begin = rest.find(|c: char| c.is_alphanumeric() || "\"'{([".contains(c))?;
    let (divider, text) = rest.split_at(begin);
    let named_by_blank = named && divider.chars().all(|c| c == ' ');
    let is_code = is_number(code) || is_wordnet(code);
    (is_code && !divider.is_empty() && !named_by_blank).then_some(CodedEntry {
        code,
        divider,
        text,
    })
}

/// `cat,0`, `cat (0)`, `cat n02119789`.
fn code_behind(entry: &str) -> Option<CodedEntry<'_>> {
    let entry = entry.trim_end_matches([')', ']', '}']);
    let begin = entry.rfind(|c: char| !c.is_alphanumeric())?;
    let begin = begin + entry[begin..].chars().next()?.len_utf8();
    let (rest, code) = entry.split_at(begin);
    let text = rest.trim_end_matches(|c: char| !c.is_alphanumeric() && !"\"'})]".contains(c));
    let is_code = is_number(code) || is_wordnet(code);
    (is_code && !text.is_empty()).then_some(CodedEntry {
        code,
        divider: &rest[text.len()..],
        text,
    })
}

const COLUMN_MARKS: [char; 4] = ['\t', ';', ',', '|'];

/// The cells of all entries, if each has as many as the first and more than one.
fn cells_of<'a>(entries: &[&'a str], mark: char) -> Option<Vec<Vec<&'a str>>> {
    let rows: Vec<Vec<&str>> = entries
        .iter()
        .map(|entry| entry.split(mark).map(str::trim).collect())
        .collect();
    let columns = rows.first()?.len();
    (columns > 1 && rows.iter().all(|row| row.len() == columns)).then_some(rows)
}

/// Whether one column of a table holds nothing but numbers with a fraction, signs or codes.
fn has_code_column(entries: &[&str]) -> bool {
    let is_value = |cell: &str| {
        let cell = cell.trim_matches('"').trim_end_matches('%');
        is_wordnet(cell)
            || cell.contains(|c: char| c.is_ascii_digit()) && cell.parse::<f64>().is_ok()
    };
    let in_columns = |mark: &char| {
        let rows = cells_of(entries, *mark);
        let all =
            |rows: &Vec<Vec<&str>>, column: usize| rows.iter().all(|row| is_value(row[column]));
        // If all columns are numbers, none is a code of a name; `1,000 islands` is a name; a bar
        // separates names.
        let is_table = |rows: Vec<Vec<&str>>| {
            let columns = rows[0].len();
            let begins = |row: &Vec<&str>| row[1].starts_with(|c: char| c.is_ascii_digit());
            if *mark == ',' && columns == 2 && is_value(rows[0][0]) && rows.iter().all(begins) {
                return false;
            }
            let coded = (0..columns).filter(|&column| all(&rows, column)).count();
            coded > 0 && coded < columns
        };
        *mark != '|' && rows.is_some_and(is_table)
    };
    entries.len() > 1 && COLUMN_MARKS.iter().any(in_columns)
}

/// Whether the first entry names columns.
fn has_header(entries: &[&str]) -> bool {
    let (first, rest) = (entries[0], &entries[1..]);
    let names_columns = |mark: &char| {
        first.contains(*mark)
            && first.split(*mark).all(is_column_name)
            && rest.iter().all(|entry| entry.contains(*mark))
    };
    if COLUMN_MARKS.iter().any(names_columns) {
        return true;
    }
    let words = first.split_whitespace();
    let is_word_row = words.clone().count() > 1 && words.clone().all(is_column_name);
    let divided = (first.contains(COLUMN_MARKS) || first.ends_with(':')) && rest.len() > 1;
    (divided || is_word_row) && code_before(first).is_none() && are_coded(rest)
}

fn is_column_name(cell: &str) -> bool {
    const NAMES: [&str; 42] = [
        "id",
        "ids",
        "idx",
        "index",
        "no",
        "nr",
        "num",
        "number",
        "label",
        "labels",
        "labelid",
        "labelname",
        "class",
        "classes",
        "cls",
        "classid",
        "classname",
        "name",
        "names",
        "category",
        "categories",
        "target",
        "description",
        "desc",
        "text",
        "title",
        "count",
        "counts",
        "n",
        "freq",
        "frequency",
        "total",
        "score",
        "probability",
        "prob",
        "percent",
        "support",
        "synset",
        "wnid",
        "code",
        "prompt",
        "prompts",
    ];
    let cell = cell.trim().trim_matches('"').to_ascii_lowercase();
    let mut words = cell.split(['_', '-', ' ', '.']);
    !cell.is_empty() && words.all(|word| NAMES.contains(&word))
}

/// Whether commas or semicolons split each entry into the same number of cells, without a space after
/// the comma as a name would have. Descriptions of labels are ignored.
fn are_rows(entries: &[&str]) -> bool {
    let entries: Vec<&str> = entries.iter().map(|entry| label_part(entry)).collect();
    let glued = |mark: char| {
        let is_glued = |entry: &&str| {
            let mut cells = entry.split(mark).skip(1);
            cells.all(|cell| cell.starts_with(|c: char| c.is_alphabetic() || c == '"'))
        };
        entries.iter().all(is_glued) && cells_of(&entries, mark).is_some()
    };
    glued(',') || glued(';')
}

/// An entry without the description after a tab or a colon.
fn label_part(entry: &str) -> &str {
    let label = entry.split('\t').next().unwrap_or_default();
    label.split(": ").next().unwrap_or_default()
}
