//! Files that a command is told to write: what they must not replace.
//!
//! A wildcard or a slip of the hand names a photo, a list of labels or a file of a set as an output. All
//! of it is looked at before any work: where the file would lie, whether the command reads it, and what
//! it holds now. Only what the same option may have written before is replaced.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use asif::anchors::place::refuse_inside_set;
use asif::disk;

use super::exit::BadInput;

/// What an output holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OutputKind {
    /// A page of images and labels.
    Page,
    /// A drawing of curves.
    Drawing,
    /// Pairs, as JSON lines.
    Pairs,
    /// The receipt of a purge.
    Receipt,
    /// A table whose first line begins so.
    Table(&'static str),
    /// Ids, one a line.
    Ids,
}

/// An output, with the option that names it.
#[derive(Debug, Clone, Copy)]
pub struct OutputFile<'a> {
    option: &'static str,
    file: &'a Path,
    kind: OutputKind,
}

/// An output that was asked for, or not.
pub fn output<'a>(
    option: &'static str,
    file: &'a Option<PathBuf>,
    kind: OutputKind,
) -> Option<OutputFile<'a>> {
    let file = file.as_deref()?;
    Some(OutputFile { option, file, kind })
}

/// The most that is read of a file to know what it is: a pair's line may be long.
const HEAD: u64 = 16 << 20;

/// Refuses outputs that could not be written or would replace something else, before the work whose
/// outcome they are to hold. `inputs` are the files that the command reads.
///
/// # Errors
/// The first that is a folder, lies in none or in a set, is an input or another output, or holds what
/// its option does not write.
pub fn check_outputs<'a>(
    outputs: impl IntoIterator<Item = Option<OutputFile<'a>>>,
    inputs: &[&Path],
) -> anyhow::Result<()> {
    let mut checked: Vec<OutputFile<'_>> = Vec::new();
    for output in outputs.into_iter().flatten() {
        let (file, option) = (output.file, output.option);
        disk::check_output(file)?;
        refuse_inside_set(file)?;
        let shown = file.display();
        if inputs.iter().any(|input| is_same(input, file)) {
            let said = format!(
                "{shown}: {option} would replace it, but this command reads it; name another file after \
                 {option}"
            );
            return Err(BadInput(said).into());
        }
        if let Some(other) = checked.iter().find(|other| is_same(other.file, file)) {
            let said = format!(
                "{shown}: both {} and {option} would write it; name two files",
                other.option
            );
            return Err(BadInput(said).into());
        }
        if let Some(found) = output.stranger()? {
            let said = format!(
                "{shown}: {option} would replace it, but it holds {found}, not {}; name another file after \
                 {option}, or move this one away",
                output.kind.wanted()
            );
            return Err(BadInput(said).into());
        }
        checked.push(output);
    }
    Ok(())
}

/// Whether two paths lead to one file, or will.
fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| fs_err::metadata(path).ok().filter(|found| found.is_file());
    match (file(one), file(other)) {
        (Some(one), Some(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (None, None) => {
            let folder = |path: &Path| fs_err::canonicalize(disk::parent(path)).ok();
            let is_device = fs_err::metadata(one).is_ok();
            !is_device && one.file_name() == other.file_name() && folder(one) == folder(other)
        }
        _ => false,
    }
}

impl OutputFile<'_> {
    /// What the file holds, if that is nothing that its option writes. What is no regular file is
    /// written to, not replaced.
    fn stranger(&self) -> anyhow::Result<Option<String>> {
        if !fs_err::metadata(self.file).is_ok_and(|found| found.is_file()) {
            return Ok(None);
        }
        let mut head = Vec::new();
        fs_err::File::open(self.file)?
            .take(HEAD)
            .read_to_end(&mut head)?;
        let is_own = head.is_empty() || self.kind.writes(&head);
        Ok((!is_own).then(|| what_it_is(&head)))
    }
}

impl OutputKind {
    /// Whether a file that begins so may be one of these.
    fn writes(self, head: &[u8]) -> bool {
        const PAGE: &[u8] =
            b"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
        let first = head.split(|&b| b == b'\n').next().unwrap_or_default();
        let has = |line: &[u8], keys: &[&str]| {
            let object: Option<serde_json::Map<String, serde_json::Value>> =
                serde_json::from_slice(line).ok();
            object.is_some_and(|object| keys.iter().all(|key| object.contains_key(*key)))
        };
        match self {
            Self::Page => head.starts_with(PAGE),
            Self::Drawing => head.starts_with(b"<svg xmlns=\"http://www.w3.org/2000/svg\""),
            Self::Pairs => has(first, &["id", "image", "captions"]),
            Self::Receipt => has(head, &["format", "made_by", "requested_ids"]),
            Self::Table(header) => first.starts_with(header.as_bytes()),
            Self::Ids => is_list_of_ids(head),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Page => "a page that asif wrote",
            Self::Drawing => "a drawing that asif wrote",
            Self::Pairs => "pairs that asif wrote",
            Self::Receipt => "a receipt that asif wrote",
            Self::Table(_) => "a table that this option writes",
            Self::Ids => "a list of ids",
        }
    }
}

/// Lines that may be ids. Pages, JSON and tables of pairs are texts too, and are none.
fn is_list_of_ids(head: &[u8]) -> bool {
    let whole = match head.iter().rposition(|&b| b == b'\n') {
        Some(end) => &head[..end],
        None => head,
    };
    let Ok(text) = std::str::from_utf8(whole) else {
        return false;
    };
    let Some(first) = text.lines().next() else {
        return true;
    };
    let names =
        |cell: &str| ["image", "caption", "captions"].contains(&cell.trim().trim_matches('"'));
    let cells = first.split([',', '\t', ';']);
    let is_table = cells.filter(|cell| names(cell)).count() > 1;
    let is_json =
        first.starts_with(['{', '[']) && serde_json::from_str::<serde_json::Value>(first).is_ok();
    let is_marked = ["<!", "<?", "<html", "<svg", "#!", "# "]
        .iter()
        .any(|mark| first.starts_with(mark));
    let is_code = is_json || is_marked || first.trim() == "{" || first.trim() == "[";
    let is_id = |line: &str| !line.trim().is_empty() && !line.contains(char::is_control);
    !is_table && !is_code && text.lines().all(is_id)
}

/// What a file holds, in a few words.
fn what_it_is(head: &[u8]) -> String {
    const SHOWN: usize = 30;
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
        Err(_) => return "no text".to_owned(),
    };
    let shown: String = text
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(SHOWN)
        .collect();
    match text.contains('\0') {
        true => "no text".to_owned(),
        false => format!("a text that begins with {shown:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_option_writes_is_replaced_by_it() {
        use OutputKind::{Drawing, Ids, Page, Pairs, Receipt, Table};
        let page = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
        let pair = "{\"captions\":[\"a\"],\"id\":\"p\",\"image\":\"a.png\"}\n{";
        let receipt = "{\n\"format\": \"f\",\n\"made_by\": \"a\",\n\"requested_ids\": []\n}\n";
        for (kind, text, is_own) in [
            (Page, page, true),
            (Page, "<!doctype html>\n<html><body>mine", false),
            (Page, "\u{89}PNG\r\n", false),
            (Pairs, pair, true),
            (Pairs, "{\"image\":\"a.png\",\"caption\":\"mine\"}\n", false),
            (Pairs, "the old report\n", false),
            (Receipt, receipt, true),
            (Receipt, pair, false),
            (Table("a,b"), "a,b,c\n1,2,3\n", true),
            (Table("a,b"), "image,caption\n", false),
            (Drawing, "<svg xmlns=\"http://www.w3.org/2000/svg\" ", true),
            (Drawing, "<svg width=\"1\">", false),
            (Ids, "p0\nphoto 7, the second\n", true),
            (Ids, "image,caption\na.png,a dog\n", false),
            (Ids, pair, false),
            (Ids, "p0\n\0\n", false),
            (Ids, "[cat] 1\n#12\n", true),
            (Ids, "#12\nimage_caption_01\n", true),
            (Ids, "image_caption_01\n", true),
            (Ids, "{\n\"a\": 1\n}\n", false),
            (Ids, "# mine\nx\n", false),
        ] {
            assert_eq!(kind.writes(text.as_bytes()), is_own, "{kind:?} {text:?}");
        }
        assert_eq!(what_it_is(b"\x89PNG\r\n\x1a\n"), "a picture (PNG)");
        assert_eq!(what_it_is(b"\xff\xfe\0"), "no text");
    }
}
