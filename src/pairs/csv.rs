//! CSV and TSV with a header.
//!
//! The image's column is called `image`, `image_path` or `file_name`, that of the text `captions`,
//! `caption` or `text` (in any case; of the text every column of one name counts). Where a header has
//! several such names, each row takes the first in this order that it has anything under; another
//! value under another one costs the row ([`Reason::KeysAlike`]). An `id` column is optional; all
//! columns but the first names' and the id become meta, blank cells left out.
//!
//! **Rows that repeat an image.** Lists like Flickr8k's write one row a caption. Rows that follow
//! one another with the same image and no id become one pair with all their captions; its origin
//! and its meta are those of the first row. Rows with an id are never merged,
//! and rows whose image is missing neither: each of them is passed over by itself.
//!
//! **Quotes that are broken** ([`records`](super::records)) cost the line they stand on: it is
//! passed over and named. Writers of TSV mostly do not quote at all, so there such a line is read as
//! it stands, its quotation marks as characters.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};
use fs_err::File;
use serde_json::{Map, Value};

use super::lines::MAX_LINE_BYTES;
use super::reader::look_for;
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
    let base = record::base_of(path);
    loop {
        let is_row = |line: &[u8]| {
            columns
                .as_ref()
                .is_some_and(|c: &Columns| c.is_row(line, &base))
        };
        let Some(found) = records.next(&mut raw, is_row)? else {
            break;
        };
        match columns {
            None if found.broken_quotes && delimiter != b'\t' => {
                let path = path.to_owned();
                return Err(PairsError::HeaderQuote { path });
            }
            None if raw.contains(&0) => {
                let path = path.to_owned();
                return Err(PairsError::Utf16 { path });
            }
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
        let count = (&self.bytes[self.read..]).read(buffer)?;
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
    image: ColumnGroup,
    captions: ColumnGroup,
    id: Option<usize>,
    meta: Vec<(usize, String)>,
    width: usize,
    delimiter: u8,
}

/// The columns that may hold one thing, by their names; at least one.
#[derive(Debug)]
struct ColumnGroup {
    role: &'static str,
    named: Vec<(&'static str, Vec<usize>)>,
}

impl ColumnGroup {
    /// The columns of the first name, which are those of all others where these have nothing else.
    fn first(&self) -> &[usize] {
        self.named.first().map_or(&[], |(_, columns)| columns)
    }
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
        let columns =
            Self::find(&header, delimiter).map_err(|missing| missing.into_error(path, &header))?;
        let mut single = std::collections::HashSet::new();
        for (number, name) in header.iter().enumerate() {
            let name = name.to_ascii_lowercase();
            if !name.is_empty()
                && !columns.captions.first().contains(&number)
                && single.contains(&name)
            {
                let path = path.to_owned();
                return Err(PairsError::ColumnTwice { path, name });
            }
            single.insert(name);
        }
        Ok(columns)
    }

    /// Whether a line within quotes is clearly a row of its own: it has as many fields as the
    /// header, and one that names an image.
    fn is_row(&self, line: &[u8], base: &Path) -> bool {
        let Ok(line) = str::from_utf8(line) else {
            return false;
        };
        let cells: Vec<&str> = line.split(char::from(self.delimiter)).collect();
        let names_image = |cell: &&str| {
            let cell = cell.trim().trim_matches('"');
            let path = Path::new(cell);
            !cell.is_empty()
                && (super::is_image_name(path) && !cell.contains(char::is_whitespace)
                    || base.join(path).is_file())
        };
        // Fields before the image may be quoted and hold separators. Behind a quotation mark, though,
        // the image may be that of the record whose quotes are open: `on a mat",a.jpg`.
        let open = line.split('"').next().unwrap_or_default();
        let (candidates, line) = match self.image.first() {
            [0, ..] => (1, line),
            _ => (cells.len(), open),
        };
        let named = line.split(char::from(self.delimiter)).take(candidates);
        cells.len() >= self.width && named.into_iter().any(|cell| names_image(&cell))
    }

    fn find(header: &[&str], delimiter: u8) -> Result<Self, MissingColumn> {
        let positions = |wanted: &str| -> Vec<usize> {
            let named = header.iter().enumerate();
            named
                .filter(|(_, name)| name.eq_ignore_ascii_case(wanted))
                .map(|(i, _)| i)
                .collect()
        };
        let group = |names: &'static [&'static str], role| {
            let named = names.iter().map(|name| (*name, positions(name)));
            let named: Vec<_> = named.filter(|(_, columns)| !columns.is_empty()).collect();
            match named.is_empty() {
                true => Err(MissingColumn {
                    role,
                    accepted: names,
                }),
                false => Ok(ColumnGroup { role, named }),
            }
        };
        let image = group(IMAGE_NAMES, "image")?;
        let captions = group(CAPTION_NAMES, "caption")?;
        let id = positions(ID_NAME).first().copied();
        let meta = header
            .iter()
            .enumerate()
            .filter(|(i, name)| {
                let is_read = image.first().contains(i) || captions.first().contains(i);
                !is_read && Some(*i) != id && !name.is_empty()
            })
            .map(|(i, name)| (i, (*name).to_owned()))
            .collect();
        Ok(Self {
            image,
            captions,
            id,
            meta,
            width: header.len(),
            delimiter,
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
        records.next(&mut raw, |_| false)?;
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
        let is_row = |line: &[u8]| self.columns.is_row(line, &self.base);
        let found = match self.records.next(&mut self.raw, is_row) {
            Ok(found) => found?,
            Err(error) => {
                self.ended = true;
                let origin = Origin {
                    file: self.path.clone(),
                    row: None,
                };
                let reason = Reason::of_io(error, |message| Reason::Broken { message });
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
        if self.raw.contains(&0) {
            return Err(Reason::NulByte);
        }
        let literal;
        let record = if !found.broken_quotes {
            let record = self.splitter.split(&self.raw);
            record.map_err(|error| Reason::Broken {
                message: error.to_string(),
            })?
        } else if self.columns.delimiter == b'\t' {
            literal = ByteRecord::from(self.raw.split(|&b| b == b'\t').collect::<Vec<_>>());
            &literal
        } else {
            return Err(Reason::Quotes);
        };
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
                            && open.written == draft.written
                            && look_for(&draft.image, &draft.written).is_ok() =>
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
        let written = self.values(&columns.image)?.into_iter().next();
        let written = written.ok_or(Reason::NoImage)?;
        let captions = record::trimmed(self.values(&columns.captions)?)?;
        let id = columns.id.map(|column| self.text(column));
        let id = id.filter(|id| !id.is_empty());
        let id = id.map(record::checked_id).transpose()?;
        let mut meta = Map::new();
        for (column, name) in &columns.meta {
            let value = self.text(*column);
            if !value.is_empty() {
                meta.insert(name.clone(), Value::String(value));
            }
        }
        Ok(Parts {
            id,
            written,
            captions,
            meta,
        })
    }

    /// What a row has in the columns of the first name that have anything.
    ///
    /// # Errors
    /// [`Reason::KeysAlike`] where those of another name have something else.
    fn values(&self, group: &ColumnGroup) -> Result<Vec<String>, Reason> {
        let mut found: Option<(&'static str, Vec<String>)> = None;
        for (name, columns) in &group.named {
            let values = columns.iter().map(|&column| self.text(column));
            let values: Vec<String> = values.filter(|value| !value.trim().is_empty()).collect();
            match &found {
                Some((key, known)) if values.iter().any(|value| !known.contains(value)) => {
                    return Err(Reason::KeysAlike {
                        key,
                        other: name,
                        role: group.role,
                    });
                }
                None if !values.is_empty() => found = Some((name, values)),
                _ => {}
            }
        }
        Ok(found.map_or_else(Vec::new, |(_, values)| values))
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
