//! Output files, and what they must not overwrite.
//!
//! A wildcard or a typing error can name a photo, a list of labels or a file of an anchor set as an output.
//! So the location, whether the command reads the file, and its present content are checked before any
//! work. Only a file that the same option may have written before is overwritten.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use asif::anchors::care::purge::{self, PurgeRequest};
use asif::anchors::stored::history;
use asif::anchors::stored::place::refuse_inside_set;
use asif::disk;
use asif::eval::{is_drawing, page};
use serde_json::{Map, Value};

use crate::errors::exit::BadInput;

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
}

/// An output, with the option that names it.
#[derive(Debug, Clone, Copy)]
pub struct OutputFile<'a> {
    option: &'static str,
    file: &'a Path,
    kind: OutputKind<'a>,
}

/// An output, if the option was given.
pub fn output<'a>(
    option: &'static str,
    file: &'a Option<PathBuf>,
    kind: OutputKind<'a>,
) -> Option<OutputFile<'a>> {
    let file = file.as_deref()?;
    Some(OutputFile { option, file, kind })
}

/// The most bytes that are read to recognise a file: the line of a pair may be long.
const HEAD: u64 = 16 << 20;

/// Characters that are shown of a file.
const SHOWN: usize = 30;

/// Refuses outputs that could not be written or would overwrite something else, before the work starts.
/// `inputs` are the files that the command reads.
///
/// # Errors
/// The first output that is a folder, is not in an existing folder, is inside an anchor set, is an input
/// or another output, or holds content that its option does not write.
pub fn check_outputs<'a>(
    outputs: impl IntoIterator<Item = Option<OutputFile<'a>>>,
    inputs: &[&Path],
) -> anyhow::Result<()> {
    let mut checked: Vec<OutputFile<'_>> = Vec::new();
    for output in outputs.into_iter().flatten() {
        let (file, option) = (output.file, output.option);
        refuse_dash(option, file, OutputPlace::File)?;
        disk::check_output(file)?;
        refuse_inside_set(file)?;
        let shown = file.display();
        let mut is_read = false;
        for input in inputs {
            is_read |= is_same(input, file)?;
        }
        if is_read {
            let said = format!(
                "{shown}: {option} would overwrite it, but this command reads it; name another file after \
                 {option}"
            );
            return Err(BadInput(said).into());
        }
        for other in &checked {
            if is_same(other.file, file)? {
                let said = format!(
                    "{shown}: both {} and {option} would write it; name two different files",
                    other.option
                );
                return Err(BadInput(said).into());
            }
        }
        let held = held_by(file, output.kind)?;
        if let Some(held) = held.filter(|held| !output.kind.writes(held)) {
            let found = format!(
                "it holds {}, not {}",
                what_it_is(&held),
                output.kind.wanted()
            );
            return Err(would_replace(option, file, &found));
        }
        checked.push(output);
    }
    Ok(())
}

/// Refuses to overwrite anything but a list of ids that this anchor set, or another known one, has or had.
/// Called once the anchor set is open, before the work.
///
/// # Errors
/// The first output that holds something else; when the log of the anchor set cannot be read.
pub fn check_ids<'a>(
    outputs: impl IntoIterator<Item = Option<OutputFile<'a>>>,
    set: &AnchorSet,
) -> anyhow::Result<()> {
    for OutputFile { option, file, .. } in outputs.into_iter().flatten() {
        let Some(held) = held_by(file, OutputKind::Ids)? else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(whole_lines(&held)) else {
            let found = format!("it holds {}, not a list of ids", what_it_is(&held));
            return Err(would_replace(option, file, &found));
        };
        let lines: Vec<&str> = text
            .strip_suffix('\n')
            .unwrap_or(text)
            .split('\n')
            .collect();
        if let Some(line) = purge::unknown_id(set, &lines)? {
            let line: String = line.chars().take(SHOWN).collect();
            let found = format!(
                "it holds {}, not a list of ids of this anchor set, which never had {line:?} as far as is known",
                what_it_is(&held)
            );
            let said = format!(
                "{}: {option} would overwrite it, but {found}; delete it if it is an old list, such as one of an \
                 earlier build, or name another file after {option}",
                file.display()
            );
            return Err(BadInput(said).into());
        }
    }
    Ok(())
}

/// Refuses to overwrite a receipt with statements that the new one will not have: a receipt is the proof
/// of a deletion. Returns the text of a receipt that may be overwritten.
///
/// # Errors
/// When the file holds such a receipt; when the log of the anchor set cannot be read.
pub fn check_receipt(
    file: &Option<PathBuf>,
    reference: Option<&str>,
    set: &Path,
    request: &PurgeRequest<'_>,
) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let Some(held) = held_by(file, OutputKind::Receipt)? else {
        return Ok(None);
    };
    match purge::why_kept(&held, set, request, reference)? {
        None => Ok(Some(held)),
        Some(why) => {
            let found = format!("the receipt that it holds {why}");
            Err(would_replace("--receipt", file, &found))
        }
    }
}

/// Refuses to overwrite a file that the log of an anchor set names as a source of its pairs.
///
/// # Errors
/// When it is one, or cannot be compared because the system denies access.
pub fn refuse_source(option: &str, file: &Path, set: &Path) -> anyhow::Result<()> {
    let Some(held) = disk::found(file)?.filter(std::fs::Metadata::is_file) else {
        return Ok(());
    };
    // A damaged log must not prevent an export.
    let changes = history::readable(set)?;
    let named = changes
        .iter()
        .flat_map(|change| change.detail.split(", ").chain([change.detail.as_str()]));
    for source in named.filter(|name| !name.is_empty()) {
        let found = match of_name(Path::new(source)) {
            Ok(found) => found,
            Err(error) => {
                let found =
                    format!("it may be a source of this anchor set, which its log names: {error}");
                return Err(would_replace(option, file, &found));
            }
        };
        if found.is_some_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino())) {
            let found = "pairs of this anchor set come from it, according to its log";
            return Err(would_replace(option, file, found));
        }
    }
    Ok(())
}

/// The file at a path; none if the text is too long for a path, because the log's details may be other
/// text than paths.
fn of_name(path: &Path) -> std::io::Result<Option<std::fs::Metadata>> {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput};
    match disk::found(path) {
        Err(error) if [InvalidFilename, InvalidInput].contains(&error.kind()) => Ok(None),
        found => found,
    }
}

/// Whether an option names a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputPlace {
    File,
    Folder,
}

/// Refuses `-`, which other programs take for standard output, as the name of an output.
///
/// # Errors
/// When it is that.
pub fn refuse_dash(option: &str, path: &Path, place: OutputPlace) -> anyhow::Result<()> {
    if path != Path::new("-") {
        return Ok(());
    }
    Err(BadInput(match place {
        OutputPlace::File => format!(
            "-: {option} takes the name of a file, and - is not one here; give ./- for a file of that name, \
             or /dev/stdout for standard output"
        ),
        OutputPlace::Folder => format!(
            "-: {option} takes the name of a folder, and - is not one here; give ./- for a folder of that name"
        ),
    })
    .into())
}

/// The error for an output that would overwrite something else.
fn would_replace(option: &str, file: &Path, found: &str) -> anyhow::Error {
    let said = format!(
        "{}: {option} would overwrite it, but {found}; name another file after {option}, or move this one away",
        file.display()
    );
    BadInput(said).into()
}

/// The beginning of a regular file that is not empty, or the whole of a receipt. None for other files, such
/// as devices, which are written to instead of replaced.
fn held_by(file: &Path, kind: OutputKind<'_>) -> anyhow::Result<Option<Vec<u8>>> {
    if !disk::has_file(file)? {
        return Ok(None);
    }
    let mut held = Vec::new();
    let mut rest = fs_err::File::open(file)?;
    rest.by_ref().take(HEAD).read_to_end(&mut held)?;
    if kind == OutputKind::Receipt && held.first() == Some(&b'{') {
        rest.read_to_end(&mut held)?;
    }
    Ok((!held.is_empty()).then_some(held))
}

/// The bytes read of a file without a last line that may be cut off.
fn whole_lines(head: &[u8]) -> &[u8] {
    let is_cut = head.len() as u64 == HEAD;
    let end = head.iter().rposition(|&b| b == b'\n').filter(|_| is_cut);
    end.map_or(head, |end| &head[..=end])
}

/// Whether two paths name the same file, or would once it is created.
///
/// # Errors
/// When the system denies access.
fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (found, wanted) = (of_name(one)?, of_name(other)?);
    let is_device = found.as_ref().is_some_and(|found| !found.is_file());
    let file = |found: Option<std::fs::Metadata>| found.filter(std::fs::Metadata::is_file);
    Ok(match (file(found), file(wanted)) {
        (Some(one), Some(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (None, None) => {
            let folder = |path: &Path| fs_err::canonicalize(disk::parent(path)).ok();
            !is_device && one.file_name() == other.file_name() && folder(one) == folder(other)
        }
        _ => false,
    })
}

impl OutputKind<'_> {
    /// Whether a file with this beginning may be of this kind.
    fn writes(self, head: &[u8]) -> bool {
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
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Page => "a page that asif wrote",
            Self::Drawing => "a drawing that asif wrote",
            Self::Pairs => "pairs that asif wrote",
            Self::Receipt => "a receipt that asif wrote",
            Self::Table(..) => "a table that this option writes",
            Self::Ids => "a list of ids",
        }
    }
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
fn what_it_is(head: &[u8]) -> String {
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
            assert_eq!(kind.writes(text.as_bytes()), is_own, "{kind:?} {text:?}");
        }
        assert_eq!(what_it_is(b"\x89PNG\r\n\x1a\n"), "a picture (PNG)");
        assert_eq!(what_it_is(b"\xff\xfe\0"), "binary data");
    }
}
