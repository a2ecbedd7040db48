//! Rows of JSONL, CSV and TSV.

use std::io::BufReader;
use std::path::Path;

use fs_err::File;
use serde_json::{Map, Value};

use super::row::{MetadataRow, RowIterator, RowResult, row_of};
use crate::pairs::{
    CsvRecords, FieldSplitter, LineOutcome, MAX_LINE_BYTES, RecordExtent, RowRejection, next_line,
    row_object,
};
use crate::vector_files::error::VectorFileError;

/// One object a line; blank lines are not rows.
pub(super) fn json_lines(path: &Path) -> Result<Box<dyn RowIterator>, VectorFileError> {
    Ok(Box::new(JsonRows {
        input: BufReader::new(File::open(path)?),
        line: Vec::new(),
        number: 0,
    }))
}

struct JsonRows {
    input: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl RowIterator for JsonRows {
    fn next_row(&mut self) -> Option<(u64, RowResult)> {
        loop {
            let found = next_line(&mut self.input, &mut self.line, MAX_LINE_BYTES);
            self.number += 1;
            let row = match found {
                Err(error) => Err(error.into()),
                Ok(LineOutcome::End) => return None,
                Ok(LineOutcome::TooLong) => Ok(Err(RowRejection::TooLong {
                    limit: MAX_LINE_BYTES,
                })),
                Ok(LineOutcome::Whole) => {
                    let text = self.line.as_slice();
                    if text.trim_ascii().is_empty() {
                        continue;
                    }
                    Ok(row_object(text).and_then(row_of))
                }
            };
            return Some((self.number, row));
        }
    }
}

/// A table with a header. A row whose quotes are broken costs its line, as in a list of pairs.
pub(super) fn table(path: &Path, delimiter: u8) -> Result<Box<dyn RowIterator>, VectorFileError> {
    let input = BufReader::new(File::open(path)?);
    let mut records = CsvRecords::new(input, delimiter, MAX_LINE_BYTES);
    let mut splitter = FieldSplitter::new(delimiter);
    let mut raw = Vec::new();
    let unusable =
        |expected: &str, found: &str| Err(VectorFileError::unusable(path, expected, found));
    const HEADER: &str = "a header that names the columns";
    let Some(found) = records.next(&mut raw, |_| false)? else {
        return unusable(HEADER, "none");
    };
    let header = match splitter.fields(&raw, found) {
        Ok(header) => header,
        Err(reason) => return unusable(HEADER, &format!("one that is {}", reason.kind())),
    };
    let cells = header.iter().map(|cell| cell_text(cell).map(str::to_owned));
    let header: Vec<String> = match cells.collect() {
        Ok(header) => header,
        Err(_) => return unusable("a header as UTF-8 text", "other bytes"),
    };
    if header.iter().all(String::is_empty) {
        return unusable(HEADER, "none");
    }
    for (at, name) in header.iter().enumerate() {
        if !name.is_empty() && header[..at].contains(name) {
            return unusable("columns with different names", &format!("{name:?} twice"));
        }
    }
    Ok(Box::new(TextTableRows {
        is_quoted: delimiter != b'\t',
        lines: 1,
        records,
        splitter,
        header,
        raw,
    }))
}

/// The text of a cell.
fn cell_text(cell: &[u8]) -> Result<&str, RowRejection> {
    let text = str::from_utf8(cell).map_err(|error| RowRejection::Utf8 {
        at: error.valid_up_to() + 1,
    })?;
    Ok(text.trim())
}

struct TextTableRows {
    /// Whether quoted fields may hold line ends. Writers of TSV mostly do not quote.
    is_quoted: bool,
    /// Lines of the row that was read last.
    lines: u64,
    records: CsvRecords<BufReader<File>>,
    splitter: FieldSplitter,
    header: Vec<String>,
    raw: Vec<u8>,
}

impl TextTableRows {
    fn row(&mut self, found: RecordExtent) -> Result<MetadataRow, RowRejection> {
        let record = self.splitter.fields(&self.raw, found)?;
        if self.header.len() != record.len() {
            return Err(RowRejection::Fields {
                expected: self.header.len(),
                found: record.len(),
                lines: found.lines,
            });
        }
        let mut object = Map::new();
        for (name, cell) in self.header.iter().zip(record) {
            let cell = cell_text(cell)?;
            if !name.is_empty() && !cell.is_empty() {
                object.insert(name.clone(), Value::from(cell));
            }
        }
        row_of(object)
    }
}

impl RowIterator for TextTableRows {
    fn next_row(&mut self) -> Option<(u64, RowResult)> {
        // A line of a TSV is always a row, so that no stray quote takes the row of another vector along.
        let is_quoted = self.is_quoted;
        let is_row = |_: &[u8]| !is_quoted;
        match self.records.next(&mut self.raw, is_row) {
            Ok(found) => {
                let found = found?;
                self.lines = found.lines;
                Some((found.line, Ok(self.row(found))))
            }
            Err(error) => Some((0, Err(error.into()))),
        }
    }

    fn lines(&self) -> u64 {
        self.lines
    }
}
