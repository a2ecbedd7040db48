//! CSV and TSV with a header.
//!
//! The image's column is called `image`, `image_path` or `file_name`, that of the text `captions`,
//! `caption` or `text` (in any case; the first that exists is taken, and every column of that very
//! name). An `id` column is optional; all other columns become meta, blank cells left out.
//!
//! **Rows that repeat an image.** Lists like Flickr8k's write one row a caption. Rows that follow
//! one another with the same image and no id become one pair with all their captions; its origin
//! and its meta are those of the first row. Rows with an id are never merged.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use fs_err::File;
use serde_json::{Map, Value};

use super::lines::MAX_LINE_BYTES;
use super::record::{self, CAPTION_NAMES, Draft, ID_NAME, IMAGE_NAMES};
use super::records::{Found, Records};
use super::{Origin, PairsError, Reason, RowError};

/// Checks the header and the quotes, and counts the rows below the header.
pub(super) fn survey(path: &Path, delimiter: u8) -> Result<u64, PairsError> {
    let mut input = BufReader::new(File::open(path)?);
    if matches!(input.fill_buf()?, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return Err(PairsError::Utf16 {
            path: path.to_owned(),
        });
    }
    let mut records = Records::new(input, delimiter, MAX_LINE_BYTES);
    let mut raw = Vec::new();
    let mut rows = 0;
    let mut columns = None;
    while let Some(found) = records.next(&mut raw)? {
        if found.open_quote {
            let origin = Origin {
                file: path.to_owned(),
                row: Some(found.line),
            };
            return Err(PairsError::OpenQuote { origin });
        }
        match columns {
            None => columns = Some(Columns::of_header(path, &raw, delimiter)?),
            Some(_) => rows += 1,
        }
    }
    match columns {
        Some(_) => Ok(rows),
        None => Columns::of_header(path, b"", delimiter).map(|_| 0),
    }
}

/// Splits records into fields. One reader of the csv crate is kept, because making it costs more
/// than a record.
struct Splitter {
    reader: csv::Reader<OneRecord>,
    record: ByteRecord,
}

/// A record's bytes with a line end, which tells the reader that it is whole.
#[derive(Default)]
struct OneRecord {
    bytes: Vec<u8>,
    read: usize,
}

impl Read for OneRecord {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes[self.read..].as_ref().read(buffer)?;
        self.read += count;
        Ok(count)
    }
}

impl Splitter {
    fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(OneRecord::default());
        Self {
            reader,
            record: ByteRecord::new(),
        }
    }

    /// The fields of one record of [`Records`].
    fn split(&mut self, raw: &[u8]) -> csv::Result<&ByteRecord> {
        let next = self.reader.get_mut();
        next.read = 0;
        next.bytes.clear();
        next.bytes.extend_from_slice(raw);
        next.bytes.push(b'\n');
        self.reader.read_byte_record(&mut self.record)?;
        Ok(&self.record)
    }
}

/// Which column holds what.
#[derive(Debug)]
struct Columns {
    image: usize,
    captions: Vec<usize>,
    id: Option<usize>,
    meta: Vec<(usize, String)>,
    width: usize,
}

/// The role that no column of a header has.
struct MissingColumn {
    role: &'static str,
    accepted: &'static [&'static str],
}

impl MissingColumn {
    fn into_error(self, path: &Path, header: &[&str]) -> PairsError {
        let separated = |separator| header.len() == 1 && header[0].contains(separator);
        let hint = if separated('\t') {
            "; the fields seem to be separated by tabs, so name the file .tsv"
        } else if separated(',') {
            "; the fields seem to be separated by commas, so name the file .csv"
        } else if separated(';') || separated('|') {
            "; the fields seem to be separated by another character, so save the file with commas"
        } else {
            "; rename a column, or add a first row that names them"
        };
        PairsError::Header {
            path: path.to_owned(),
            missing: self.role,
            accepted: self.accepted,
            found: header.iter().map(|&name| name.to_owned()).collect(),
            hint,
        }
    }
}

impl Columns {
    fn of_header(path: &Path, raw: &[u8], delimiter: u8) -> Result<Self, PairsError> {
        let mut splitter = Splitter::new(delimiter);
        let header = splitter.split(raw).map_err(io::Error::from)?;
        let header: Vec<_> = header
            .iter()
            .map(|name| str::from_utf8(name).map(str::trim))
            .collect::<Result<_, _>>()
            .map_err(|_| PairsError::HeaderEncoding {
                path: path.to_owned(),
            })?;
        Self::find(&header).map_err(|missing| missing.into_error(path, &header))
    }

    fn find(header: &[&str]) -> Result<Self, MissingColumn> {
        let positions = |wanted: &str| -> Vec<usize> {
            let named = header.iter().enumerate();
            named
                .filter(|(_, name)| name.eq_ignore_ascii_case(wanted))
                .map(|(i, _)| i)
                .collect()
        };
        let first = |names: &'static [&'static str], role| {
            names
                .iter()
                .map(|name| positions(name))
                .find(|found| !found.is_empty())
                .ok_or(MissingColumn {
                    role,
                    accepted: names,
                })
        };
        let image = first(IMAGE_NAMES, "image")?[0];
        let captions = first(CAPTION_NAMES, "caption")?;
        let id = positions(ID_NAME).first().copied();
        let meta = header
            .iter()
            .enumerate()
            .filter(|(i, name)| {
                *i != image && !captions.contains(i) && Some(*i) != id && !name.is_empty()
            })
            .map(|(i, name)| (i, (*name).to_owned()))
            .collect();
        Ok(Self {
            image,
            captions,
            id,
            meta,
            width: header.len(),
        })
    }
}

/// Reads a CSV file record by record.
pub(super) struct Csv {
    records: Records<BufReader<File>>,
    splitter: Splitter,
    columns: Columns,
    path: PathBuf,
    base: PathBuf,
    raw: Vec<u8>,
    /// A pair that the next row may still add a caption to.
    open: Option<Draft>,
    ended: bool,
}

impl Csv {
    pub(super) fn open(path: &Path, delimiter: u8) -> io::Result<Self> {
        let input = BufReader::new(File::open(path)?);
        let mut records = Records::new(input, delimiter, MAX_LINE_BYTES);
        let mut raw = Vec::new();
        records.next(&mut raw)?;
        // The survey has passed this header, so an error means that the file has changed since.
        let columns = Columns::of_header(path, &raw, delimiter).map_err(io::Error::other)?;
        let (path, base) = (path.to_owned(), record::base_of(path));
        Ok(Self {
            records,
            splitter: Splitter::new(delimiter),
            columns,
            path,
            base,
            raw,
            open: None,
            ended: false,
        })
    }

    /// The next record as a draft of its own; `None` at the end.
    fn row(&mut self) -> Option<Result<Draft, RowError>> {
        let found = match self.records.next(&mut self.raw) {
            Ok(found) => found?,
            Err(error) => {
                self.ended = true;
                let origin = Origin {
                    file: self.path.clone(),
                    row: None,
                };
                let reason = Reason::Broken {
                    message: error.to_string(),
                };
                return Some(Err(RowError { origin, reason }));
            }
        };
        let origin = Origin {
            file: self.path.clone(),
            row: Some(found.line),
        };
        Some(match self.parts(found) {
            Ok(parts) => Ok(parts.into_draft(&self.base, origin)),
            Err(reason) => Err(RowError { origin, reason }),
        })
    }

    fn parts(&mut self, found: Found) -> Result<Parts, Reason> {
        if found.too_long {
            return Err(Reason::TooLong {
                limit: MAX_LINE_BYTES,
            });
        }
        str::from_utf8(&self.raw).map_err(|error| Reason::Utf8 {
            at: error.valid_up_to() + 1,
        })?;
        let record = self.splitter.split(&self.raw);
        let record = record.map_err(|error| Reason::Broken {
            message: error.to_string(),
        })?;
        Fields {
            record,
            columns: &self.columns,
        }
        .read(found.lines)
    }
}

impl Iterator for Csv {
    type Item = Result<Draft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.row() {
                None => self.ended = true,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(draft)) => match &mut self.open {
                    Some(open)
                        if open.id.is_none()
                            && draft.id.is_none()
                            && open.written == draft.written =>
                    {
                        open.captions.extend(draft.captions);
                        open.rows += draft.rows;
                    }
                    open => {
                        if let Some(whole) = open.replace(draft) {
                            return Some(Ok(whole));
                        }
                    }
                },
            }
        }
        self.open.take().map(Ok)
    }
}

struct Fields<'a> {
    record: &'a ByteRecord,
    columns: &'a Columns,
}

struct Parts {
    id: Option<String>,
    written: String,
    captions: Vec<String>,
    meta: Map<String, Value>,
}

impl Fields<'_> {
    fn read(&self, lines: u64) -> Result<Parts, Reason> {
        let Self { record, columns } = self;
        if record.len() != columns.width {
            let (expected, found) = (columns.width, record.len());
            return Err(Reason::Fields {
                expected,
                found,
                lines,
            });
        }
        let written = self.text(columns.image);
        if written.is_empty() {
            return Err(Reason::NoImage);
        }
        let captions = columns.captions.iter().map(|&column| self.text(column));
        let captions = record::trimmed(captions)?;
        let id = columns.id.map(|column| self.text(column));
        let mut meta = Map::new();
        for (column, name) in &columns.meta {
            let value = self.text(*column);
            if !value.is_empty() {
                meta.insert(name.clone(), Value::String(value));
            }
        }
        Ok(Parts {
            id: id.filter(|id| !id.is_empty()),
            written,
            captions,
            meta,
        })
    }

    fn text(&self, column: usize) -> String {
        // The row is UTF-8 and was split at ASCII characters, so nothing is lost.
        let text = String::from_utf8_lossy(self.record.get(column).unwrap_or_default());
        text.trim().to_owned()
    }
}

impl Parts {
    fn into_draft(self, base: &Path, origin: Origin) -> Draft {
        let Self {
            id,
            written,
            captions,
            meta,
        } = self;
        Draft {
            id,
            image: base.join(&written),
            written,
            captions,
            meta,
            origin,
            rows: 1,
        }
    }
}
