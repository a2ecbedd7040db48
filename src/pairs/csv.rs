//! CSV and TSV with a header.
//!
//! The image's column is called `image`, `image_path` or `file_name`, that of the text `captions`,
//! `caption` or `text` (in any case; of the text every column of one name counts). Where a header has
//! several such names, each row takes the first in this order that has all that the others have; where
//! none has, the row is skipped ([`RowRejection::KeysAlike`]). An `id` column is optional; all columns but these
//! become meta, blank cells left out.
//!
//! **Rows that repeat an image.** Lists like Flickr8k's write one row a caption. Rows that follow
//! one another with the same image and no id become one pair with all their captions; its origin
//! and its meta are those of the first row. Rows with an id are never merged,
//! and neither are rows whose image is missing: each is skipped by itself.
//!
//! **Quotes that are broken** ([`records`](super::records)) cost the line that contains them: it is
//! skipped and reported. Writers of TSV mostly do not quote at all, so there such a line is read as
//! is, with its quotation marks as characters.

mod columns;
mod fields;
mod splitter;

use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};

use self::columns::CsvColumns;
use self::fields::{CsvRow, RowFields};
pub(crate) use self::splitter::FieldSplitter;
use super::endings::unpacked_ending;
use super::input::{self, ListText};
use super::lines::MAX_LINE_BYTES;
use super::records::{CsvRecords, RecordExtent};
use super::source::{DraftIterator, PairDraft, PairSource, base_of, look_for};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection};

/// A file whose header is checked and whose rows are counted.
struct CsvFile {
    path: PathBuf,
    delimiter: u8,
    options: PairOptions,
    rows: u64,
}

/// Checks the header and the quotes, and counts the rows below the header. Fields are separated by tabs
/// where the name ends in `.tsv`, perhaps with `.gz` or `.zst` behind it, else by commas.
pub(super) fn open(path: &Path, options: &PairOptions) -> Result<Box<dyn PairSource>, PairsError> {
    let delimiter = match unpacked_ending(path).as_str() {
        "tsv" => b'\t',
        _ => b',',
    };
    let rows = survey(path, delimiter, options)?;
    let path = path.to_owned();
    Ok(Box::new(CsvFile {
        path,
        delimiter,
        options: options.clone(),
        rows,
    }))
}

impl PairSource for CsvFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        Ok(Box::new(CsvReader::open(
            &self.path,
            self.delimiter,
            &self.options,
        )?))
    }
}

fn survey(path: &Path, delimiter: u8, options: &PairOptions) -> Result<u64, PairsError> {
    let mut input = input::open(path)?;
    // Excel saves "Unicode text" as UTF-16, which would be read as one column of garbage.
    if matches!(input.fill_buf()?, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return Err(PairsError::Utf16 {
            path: path.to_owned(),
        });
    }
    let mut records = CsvRecords::new(input, delimiter, MAX_LINE_BYTES);
    let mut raw = Vec::new();
    let mut rows = 0;
    let mut columns = None;
    let base = base_of(path);
    loop {
        let is_row = |line: &[u8]| {
            columns
                .as_ref()
                .is_some_and(|c: &CsvColumns| c.is_row(line, &base))
        };
        let found = match records.next(&mut raw, is_row) {
            // One row is that where reading breaks off.
            Err(error) if input::is_damage(&error) && columns.is_some() => return Ok(rows + 1),
            found => found?,
        };
        let Some(found) = found else {
            break;
        };
        match columns {
            // In a comma file broken quotes would shift the header's columns, so nothing is guessed.
            None if found.broken_quotes && delimiter != b'\t' => {
                let path = path.to_owned();
                return Err(PairsError::HeaderQuote { path });
            }
            // UTF-16 without a mark: a zero byte in every ASCII letter.
            None if raw.contains(&0) => {
                let path = path.to_owned();
                return Err(PairsError::Utf16 { path });
            }
            None => columns = Some(CsvColumns::of_header(path, &raw, delimiter, options)?),
            Some(_) => rows += 1,
        }
    }
    match columns {
        Some(_) => Ok(rows),
        // An empty file gives the error of a header without columns.
        None => CsvColumns::of_header(path, b"", delimiter, options).map(|_| 0),
    }
}

/// Reads a CSV file record by record.
struct CsvReader {
    records: CsvRecords<ListText>,
    splitter: FieldSplitter,
    columns: CsvColumns,
    path: PathBuf,
    base: PathBuf,
    raw: Vec<u8>,
    /// A pair that the next row may still add a caption to.
    open: Option<PairDraft>,
    ended: bool,
}

impl CsvReader {
    fn open(path: &Path, delimiter: u8, options: &PairOptions) -> io::Result<Self> {
        let input = input::open(path)?;
        let mut records = CsvRecords::new(input, delimiter, MAX_LINE_BYTES);
        let mut raw = Vec::new();
        records.next(&mut raw, |_| false)?;
        // Counting the rows checked this header, so an error means that the file has changed since.
        let columns = CsvColumns::of_header(path, &raw, delimiter, options);
        let columns = columns.map_err(io::Error::other)?;
        let (path, base) = (path.to_owned(), base_of(path));
        Ok(Self {
            records,
            splitter: FieldSplitter::new(delimiter),
            columns,
            path,
            base,
            raw,
            open: None,
            ended: false,
        })
    }

    /// The next record as a draft of its own; `None` at the end.
    fn row(&mut self) -> Option<Result<PairDraft, RowError>> {
        let is_row = |line: &[u8]| self.columns.is_row(line, &self.base);
        let found = match self.records.next(&mut self.raw, is_row) {
            Ok(found) => found?,
            Err(error) => {
                self.ended = true;
                let origin = PairOrigin {
                    file: self.path.clone(),
                    row: None,
                };
                let reason = RowRejection::broken(error);
                return Some(Err(RowError { origin, reason }));
            }
        };
        let origin = PairOrigin {
            file: self.path.clone(),
            row: Some(found.line),
        };
        Some(match self.parts(found) {
            Ok(parts) => Ok(parts.into_draft(&self.base, origin)),
            Err(reason) => Err(RowError { origin, reason }),
        })
    }

    fn parts(&mut self, found: RecordExtent) -> Result<RowFields, RowRejection> {
        let record = self.splitter.fields(&self.raw, found)?;
        CsvRow {
            record,
            columns: &self.columns,
        }
        .read(found.lines)
    }
}

impl Iterator for CsvReader {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.row() {
                None => self.ended = true,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(draft)) => match &mut self.open {
                    Some(open)
                        // Rows with an id are pairs of their own, even with the same image.
                        if open.id.is_none()
                            && draft.id.is_none()
                            && open.written == draft.written
                            // A missing image is reported for each of its rows.
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
        // The last pair waited for a further caption.
        self.open.take().map(Ok)
    }
}
