//! The table of formats. Messages, `--help` and the search for a list in a folder are derived from it.
//!
//! A new format is a module of its own, whose `open` scans a file once and returns a [`PairSource`], and
//! a row here. Its rows among the formats that are not read, if it has any, go.

use std::path::Path;

use super::endings::{ending_of, unpacked_ending};
use super::source::PairSource;
use super::{PairOptions, PairsError, csv, json, jsonl, shards, token};

/// Scans a file once.
pub(super) type OpenSource = fn(&Path, &PairOptions) -> Result<Box<dyn PairSource>, PairsError>;

/// A format of files of pairs.
#[derive(Debug)]
pub struct PairFormat {
    /// What it is called.
    pub name: &'static str,
    /// The usual endings of names, without the dot, in lower case.
    pub endings: &'static [&'static str],
    /// Other endings that are taken for it.
    pub other_endings: &'static [&'static str],
    /// Whether the files are text.
    pub is_text: bool,
    /// Whether files are read with `.gz` or `.zst` behind the ending too.
    pub packed: bool,
    /// Its description in `--help`, line by line.
    pub help: &'static [&'static str],
    /// Scans a file once.
    pub(super) open: OpenSource,
}

/// All file formats, in the order of messages.
pub static FORMATS: &[PairFormat] = &[
    PairFormat {
        name: "JSONL",
        endings: &["jsonl"],
        other_endings: &["ndjson"],
        is_text: true,
        packed: true,
        help: &[
            r#"one object a line: {"image": "a.jpg", "captions": ["a cat", "a grey cat"],"#,
            r#""id": "a", "source": "mine", "licence": "CC-BY-4.0"}"#,
            r#"or "caption": "a cat"; other fields are kept; also .jsonl.gz, .jsonl.zst"#,
        ],
        open: jsonl::open,
    },
    PairFormat {
        name: "CSV, TSV",
        endings: &["csv", "tsv"],
        other_endings: &[],
        is_text: true,
        packed: true,
        help: &[
            "a header with image and caption (.tsv with tabs); other columns are kept;",
            "also .csv.gz, .tsv.zst and so on",
        ],
        open: csv::open,
    },
    PairFormat {
        name: "JSON",
        endings: &["json"],
        other_endings: &[],
        is_text: true,
        packed: true,
        help: &["a list of objects like those of JSONL: [{...}, {...}], or COCO captions"],
        open: json::open,
    },
    PairFormat {
        name: "Flickr token",
        endings: &["token"],
        other_endings: &["token.txt"],
        is_text: true,
        packed: true,
        help: &["image.jpg#0, a tab and a caption on each line, as of Flickr8k and Flickr30k"],
        open: token::open,
    },
    #[cfg(feature = "parquet")]
    PairFormat {
        name: "Parquet",
        endings: &["parquet"],
        other_endings: &[],
        is_text: false,
        packed: false,
        help: &[
            "columns image and caption; the image is a path, bytes, or {bytes, path}",
            "as Hugging Face datasets write it, or jpg, png or webp of img2dataset",
        ],
        open: super::parquet::open,
    },
    PairFormat {
        name: "WebDataset",
        endings: &["tar"],
        other_endings: &["tgz"],
        is_text: false,
        packed: true,
        help: &[
            "000.jpg (.png, .webp) with 000.txt, 000.json or both; also .tar.gz, .tar.zst;",
            "several as shards/{00000..00150}.tar",
        ],
        open: shards::open,
    },
];

/// The description of a folder of archives or tables in `--help`.
const SHARDS_HELP: &str = "archives or Parquet files, which are read one after another";
/// The description of a folder in `--help`.
const FOLDER_HELP: &str = "images, each with a text file of the same name: cat.jpg, cat.txt";

/// Names of lists that describe the folder that contains them, in order of precedence. The last
/// are those of the Hugging Face `imagefolder` layout.
pub(super) const LISTS: [&str; 8] = [
    "pairs.jsonl",
    "pairs.csv",
    "pairs.tsv",
    "pairs.json",
    "pairs.parquet",
    "metadata.jsonl",
    "metadata.csv",
    "metadata.parquet",
];

const AS_JSONL: &str =
    "write it as .jsonl: {\"image\": \"a.jpg\", \"caption\": \"a cat\"} on each line";
const AS_PARQUET: &str = "name it .parquet; a program without this format reads .jsonl";
const AS_TAR: &str = "name it .tar if its members are pairs, 000.jpg and 000.txt, else unpack it and give the folder";
const UNPACK: &str = "unpack it and give the folder, or the {formats} file in it";
pub(super) const IMAGE: &str = "give the folder that it lies in, with a .txt file beside each image, or a list of \
                     images and captions as {formats}";
pub(super) const COCO: &str = "name the file .json";

/// Formats that are not read, by their first bytes: offset, bytes, format, advice.
pub(super) const UNREAD_BEGINNINGS: &[(usize, &[u8], &str, &str)] = &[
    (0, b"PAR1", "a Parquet file", AS_PARQUET),
    (
        0,
        b"BZh",
        "compressed with bzip2",
        "unpack it with `bunzip2`",
    ),
    (
        0,
        b"\xFD7zXZ",
        "compressed with xz",
        "unpack it with `unxz`",
    ),
    (
        0,
        b"PK\x03\x04",
        "a ZIP archive or a spreadsheet",
        "unpack it, or save the sheet as CSV",
    ),
    (0, b"7z\xBC\xAF", "a 7z archive", UNPACK),
    (0, b"\x93NUMPY", "a NumPy array", AS_JSONL),
    (0, b"ARROW1", "an Arrow file", AS_JSONL),
    (0, b"SQLite format 3", "an SQLite database", AS_JSONL),
    (0, b"\x89HDF", "an HDF5 file", AS_JSONL),
    (0, b"%PDF", "a PDF document", AS_JSONL),
    (0, b"\x80\x02", "a Python pickle", AS_JSONL),
    (0, b"\x80\x04", "a Python pickle", AS_JSONL),
    (0, b"\x80\x05", "a Python pickle", AS_JSONL),
    (257, b"ustar", "a tar archive", AS_TAR),
];

/// Formats that are not read, by the ending of the name: endings, format, advice.
pub(super) const UNREAD_ENDINGS: &[(&[&str], &str, &str)] = &[
    (&["tar.xz", "tar.bz2", "zip"], "an archive", UNPACK),
    (&["npy", "npz"], "a NumPy array", AS_JSONL),
    (&["arrow", "feather"], "an Arrow file", AS_JSONL),
    (&["html", "htm"], "a page of HTML", AS_JSONL),
    (&["xml"], "an XML file", AS_JSONL),
    (&["yaml", "yml"], "a YAML file", AS_JSONL),
    (
        &["xls", "xlsx", "ods"],
        "a spreadsheet",
        "save the sheet as CSV",
    ),
    (&["tfrecord"], "a TFRecord file", AS_JSONL),
    (&["pkl", "pickle"], "a Python pickle", AS_JSONL),
];

/// The format of a file, by its name.
pub(super) fn named(path: &Path) -> Option<&'static PairFormat> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let (ending, unpacked) = (ending_of(path), unpacked_ending(path));
    let plain = name.strip_suffix(&ending)?;
    let plain = format!("{plain}{unpacked}");
    FORMATS.iter().find(|format| {
        let name = if format.packed { &plain } else { &name };
        let is_of = |known: &str| {
            name.strip_suffix(known)
                .is_some_and(|rest| rest.ends_with('.'))
        };
        format.all_endings().any(is_of)
    })
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
    let folder = ("a folder".to_owned(), &[FOLDER_HELP, SHARDS_HELP][..]);
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
        assert_eq!(
            either(".", usual_endings()),
            ".jsonl, .csv, .tsv, .json, .token, .parquet or .tar"
        );
        assert_eq!(
            either(".", all_endings()),
            ".jsonl, .ndjson, .csv, .tsv, .json, .token, .token.txt, .parquet, .tar or .tgz"
        );
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
        for ending in usual_endings().filter(|ending| !["tar", "token"].contains(ending)) {
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
