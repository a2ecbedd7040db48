//! The table of formats. Messages, `--help` and the search for a list in a folder are derived from it.
//!
//! A new format is a module of its own, whose `open` scans a file once and returns a [`PairSource`], and
//! a row here. If [`super::other`] lists it as unsupported, it is removed there.

use std::path::Path;

use super::source::PairSource;
use super::{PairsError, csv, jsonl};

/// A format of files of pairs.
#[derive(Debug)]
pub struct PairFormat {
    /// What it is called.
    pub name: &'static str,
    /// The usual endings of names, without the dot, in lower case.
    pub endings: &'static [&'static str],
    /// Other endings that are taken for it.
    pub other_endings: &'static [&'static str],
    /// Its description in `--help`, line by line.
    pub help: &'static [&'static str],
    /// Scans a file once.
    pub(super) open: fn(&Path) -> Result<Box<dyn PairSource>, PairsError>,
}

/// All file formats, in the order of messages.
pub static FORMATS: &[PairFormat] = &[
    PairFormat {
        name: "JSONL",
        endings: &["jsonl"],
        other_endings: &["ndjson"],
        help: &[
            r#"one object a line: {"image": "a.jpg", "captions": ["a cat", "a grey cat"],"#,
            r#""id": "a", "source": "mine", "licence": "CC-BY-4.0"}"#,
            r#"or "caption": "a cat"; whatever else it says is kept"#,
        ],
        open: jsonl::open,
    },
    PairFormat {
        name: "CSV, TSV",
        endings: &["csv", "tsv"],
        other_endings: &[],
        help: &["a header with image and caption (.tsv with tabs); other columns are kept"],
        open: csv::open,
    },
];

/// The description of a folder in `--help`.
const FOLDER_HELP: &str = "images, each with a text file of the same name: cat.jpg, cat.txt";

/// Names of lists that describe the folder that contains them, in order of precedence. The last two
/// are those of the Hugging Face `imagefolder` layout.
pub(super) const LISTS: [&str; 5] = [
    "pairs.jsonl",
    "pairs.csv",
    "pairs.tsv",
    "metadata.jsonl",
    "metadata.csv",
];

/// The format of a file, by its name.
pub(super) fn named(path: &Path) -> Option<&'static PairFormat> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    FORMATS
        .iter()
        .find(|format| format.all_endings().any(|known| known == ending))
}

impl PairFormat {
    fn all_endings(&self) -> impl Iterator<Item = &'static str> {
        self.endings.iter().chain(self.other_endings).copied()
    }
}

/// The endings under which files are usually given.
pub(super) fn usual_endings() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().flat_map(|format| format.endings).copied()
}

/// All endings of files that are read.
pub(super) fn all_endings() -> impl Iterator<Item = &'static str> {
    FORMATS.iter().flat_map(PairFormat::all_endings)
}

/// `.jsonl, .csv or .tsv`, with `before` in front of each ending.
pub(super) fn either(before: &str, endings: impl Iterator<Item = &'static str>) -> String {
    let mut named: Vec<_> = endings.map(|ending| format!("{before}{ending}")).collect();
    match (named.pop(), named.is_empty()) {
        (Some(last), false) => format!("{} or {last}", named.join(", ")),
        (last, _) => last.unwrap_or_default(),
    }
}

/// The description of all sources of pairs in `--help`, one or more lines each.
pub fn sources_help() -> String {
    let files = FORMATS.iter().map(|format| {
        let ending = format.endings.first().copied().unwrap_or_default();
        (format!("pairs.{ending}"), format.help)
    });
    let folder = ("a folder".to_owned(), &[FOLDER_HELP][..]);
    let mut help = String::new();
    for (source, lines) in files.chain([folder]) {
        for (at, line) in lines.iter().enumerate() {
            let source = if at == 0 { source.as_str() } else { "" };
            help.push_str(&format!("  {source:<14}{line}\n"));
        }
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_as_a_sentence_says_them() {
        assert_eq!(either(".", usual_endings()), ".jsonl, .csv or .tsv");
        assert_eq!(either(".", all_endings()), ".jsonl, .ndjson, .csv or .tsv");
        assert_eq!(either("", ["a"].into_iter()), "a");
    }

    #[test]
    fn every_format_may_be_the_list_of_a_folder_and_stands_in_the_readme() {
        let readme = fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
        let readme = readme.unwrap();
        for format in FORMATS {
            assert!(
                readme.contains(&format!("| {} |", format.name)),
                "{format:?}"
            );
        }
        for ending in usual_endings() {
            assert!(
                LISTS.contains(&format!("pairs.{ending}").as_str()),
                "{ending}"
            );
        }
        for list in LISTS {
            assert!(named(Path::new(list)).is_some(), "{list}");
            assert!(readme.contains(&format!("`{list}`")), "{list}");
        }
    }
}
