//! Sources of anchor pairs, one file a format, all streaming.
//!
//! ```text
//! paths -> open: looks at each file once (header, number of rows)
//!       -> Draft:  what a source wrote in one place       (jsonl, csv, folder)
//!       -> Pair:   id settled, image found on disk        (reader)
//!       or RowError: which row, and why it is passed over (row_error)
//! ```
//!
//! | file | role |
//! |---|---|
//! | `mod.rs` | [`Pair`], [`Origin`] and [`open`] |
//! | `reader.rs` | [`PairReader`]: several sources in order, ids, the look for each image |
//! | `record.rs` | names of the fields, how captions and ids are read, what sources hand over |
//! | `jsonl.rs` | one JSON object a line |
//! | `csv.rs` | CSV and TSV with a header; `csv/columns.rs` the header, `csv/fields.rs` a row |
//! | `records.rs` | CSV records as slices of bytes, with their lines |
//! | `folder.rs` | images with a `.txt` of the same stem |
//! | `other.rs` | files of formats that are not read, by their first bytes and names |
//! | `checked.rs` | JSON of which nothing is lost silently |
//! | `lines.rs` | lines of bytes with a limit on their length |
//! | `error.rs` | [`PairsError`]: nothing can be read |
//! | `row_error.rs` | [`RowError`]: one row cannot be used, and why |
//!
//! # What every format shares
//! * **Image paths** are relative to the folder of the file that names them; absolute paths are
//!   taken as they are. For a folder they are relative to that folder.
//! * **Ids.** The record's own `id` (text or integer) if it has one; a second row with the same id
//!   is an error that names both rows. Otherwise the image path as written, and where that is
//!   taken already, the same with `#2`, `#3`, ... in the order of reading. A row that is passed
//!   over for another reason keeps its id, so mending it later moves nobody else's.
//! * **Captions** are trimmed, and blank ones dropped; a pair has at least one. One that is a JSON list
//!   of texts is read as that list; another list than one of numbers, and an object, cost the row.
//! * **Everything else** in the record is kept as [`Pair::meta`]; in JSON a key twice or a whole number
//!   that would be rounded costs the row.
//! * UTF-8 only; a byte order mark is accepted, and `\n`, `\r\n` or `\r` as line ends.
//! * **Nothing is left out in silence**: what is not a pair is a [`RowError`] with its place.

mod beside;
mod checked;
mod csv;
mod error;
mod folder;
mod id;
mod jsonl;
mod lines;
mod other;
mod reader;
mod record;
mod records;
mod row_error;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::image_source::ImageSource;

pub(crate) use self::beside::composed;
pub(crate) use self::checked::CheckedValue;
pub use self::error::PairsError;
pub(crate) use self::error::reading_advice;
pub use self::folder::IMAGE_EXTENSIONS;
pub(crate) use self::folder::{ending_of, is_image, is_image_name};
pub use self::id::MAX_ID_BYTES;
pub use self::id::id_fault;
pub(crate) use self::jsonl::object_of as row_object;
pub use self::lines::MAX_LINE_BYTES;
pub(crate) use self::other::other_format;
pub use self::reader::PairReader;
pub(crate) use self::record::{json_message, type_name};
pub(crate) use self::row_error::named_ending;
pub use self::row_error::{Reason, RowError, Skipped};

/// Where a pair was written down: a file, and a row where the file has rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file that holds the row; for a folder of images, the image.
    pub file: PathBuf,
    /// The line, counted from 1, on which the row begins (in a CSV file the header is line 1).
    pub row: Option<u64>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.row {
            Some(row) => write!(f, ", row {row}"),
            None => Ok(()),
        }
    }
}

/// One anchor pair: an image and the texts that speak of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Unique among the pairs of one [`PairReader`].
    pub id: String,
    /// The image; one that is no bytes was a file when the pair was read.
    pub image: ImageSource,
    /// At least one; trimmed, none blank.
    pub captions: Vec<String>,
    /// What else the record says: source, licence, label, ...
    pub meta: Map<String, Value>,
    /// Where the pair was written down.
    pub origin: Origin,
}

/// Opens sources of pairs, to be read in the order given.
///
/// Each path is a `.jsonl`/`.ndjson` file, a `.csv`/`.tsv` file with a header, or a folder of
/// images. A folder that holds a list of its own (`pairs.jsonl`, `pairs.csv`, `pairs.tsv`,
/// `metadata.jsonl` or `metadata.csv`, the first of these that exists) is read through that list; its
/// images that the list does not name are rows that are left out.
///
/// Every file is read once here, to count its rows and to check its header; nothing is kept.
///
/// # Errors
/// [`PairsError`]: a path is missing, of an unknown kind, cannot be read or is given twice, a
/// header lacks a column, or there is no row at all.
pub fn open(paths: &[PathBuf]) -> Result<PairReader, PairsError> {
    let mut sources = Vec::with_capacity(paths.len());
    let mut given = std::collections::HashSet::new();
    for path in paths {
        let canonical = fs_err::canonicalize(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                PairsError::Missing { path: path.clone() }
            }
            _ => PairsError::Read { source },
        })?;
        if !given.insert(canonical) {
            return Err(PairsError::GivenTwice { path: path.clone() });
        }
        sources.push(Source::survey(path)?);
    }
    if sources.iter().all(|source| source.rows == 0) {
        return Err(PairsError::NoPairs {
            paths: paths.to_vec(),
        });
    }
    Ok(PairReader::new(sources))
}

/// How a source is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Jsonl,
    Csv { delimiter: u8 },
    Folder,
}

/// A source that was looked at and can be read.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    format: Format,
    rows: u64,
    /// The folder, and the list's name, of a list that was found in a folder.
    listed: Option<(PathBuf, &'static str)>,
}

/// Lists that stand for the folder they lie in, in the order they are looked for. The last two
/// are those of the Hugging Face `imagefolder` layout.
const LISTS: [&str; 5] = [
    "pairs.jsonl",
    "pairs.csv",
    "pairs.tsv",
    "metadata.jsonl",
    "metadata.csv",
];

impl Source {
    fn survey(path: &Path) -> Result<Self, PairsError> {
        let by_name = format_of(path);
        if fs_err::metadata(path)?.is_dir() {
            if by_name.is_some() {
                return Err(PairsError::FolderForFile {
                    path: path.to_owned(),
                });
            }
            let list = LISTS.into_iter().find(|name| path.join(name).is_file());
            return match list {
                Some(name) => {
                    let mut source = Self::survey(&path.join(name))?;
                    source.listed = Some((path.to_owned(), name));
                    Ok(source)
                }
                None => Ok(Self {
                    listed: None,
                    path: path.to_owned(),
                    format: Format::Folder,
                    rows: folder::count(path),
                }),
            };
        }
        if !fs_err::metadata(path)?.is_file() {
            return Err(PairsError::DeviceForFile {
                path: path.to_owned(),
            });
        }
        if let Some((format, advice)) = other_format(path)? {
            let path = path.to_owned();
            return Err(PairsError::OtherFormat {
                path,
                format,
                advice,
            });
        }
        let format = by_name.ok_or_else(|| PairsError::UnknownFormat {
            path: path.to_owned(),
        })?;
        let rows = match format {
            Format::Csv { delimiter } => csv::survey(path, delimiter)?,
            _ => jsonl::survey(path)?,
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            rows,
            listed: None,
        })
    }

    fn start(&self) -> std::io::Result<record::Drafts> {
        Ok(match self.format {
            Format::Jsonl => Box::new(jsonl::Jsonl::open(&self.path)?),
            Format::Csv { delimiter } => Box::new(csv::Csv::open(&self.path, delimiter)?),
            Format::Folder => Box::new(folder::Folder::open(&self.path)),
        })
    }
}

fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "csv" => Some(Format::Csv { delimiter: b',' }),
        "tsv" => Some(Format::Csv { delimiter: b'\t' }),
        _ => None,
    }
}

/// The folder of data for development, or `None` and a line that says so.
#[cfg(test)]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn test_data() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("ASIF_TEST_DATA").map_or_else(default, PathBuf::from);
    if data.is_dir() {
        return Some(data);
    }
    println!(
        "skipped: no test data at {}; set ASIF_TEST_DATA",
        data.display()
    );
    None
}

#[cfg(test)]
mod csv_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod kinds_tests;
#[cfg(test)]
mod tests;
