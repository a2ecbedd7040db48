//! Rows of JSONL, CSV and TSV.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use fs_err::File;
use serde_json::{Map, Value};

use super::row::{MetadataRow, RowIterator, RowResult, row_of};
use crate::pairs::{LineOutcome, MAX_LINE_BYTES, RowRejection, next_line, row_object};
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

/// A table with a header.
pub(super) fn table(path: &Path, delimiter: u8) -> Result<Box<dyn RowIterator>, VectorFileError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        // Writers of TSV mostly do not quote.
        .quoting(delimiter != b'\t')
        .from_reader(BufReader::new(File::open(path)?));
    let header = reader.byte_headers().map_err(|error| broken(path, error))?;
    let header = header
        .iter()
        .map(|name| str::from_utf8(name).map(|name| name.trim().to_owned()));
    let header: Result<Vec<String>, _> = header.collect();
    let mut header = header
        .map_err(|_| VectorFileError::unusable(path, "a header as UTF-8 text", "other bytes"))?;
    if let Some(first) = header.first_mut() {
        *first = first.trim_start_matches('\u{FEFF}').to_owned();
    }
    if header.iter().all(String::is_empty) {
        return Err(VectorFileError::unusable(
            path,
            "a header that names the columns",
            "none",
        ));
    }
    for (at, name) in header.iter().enumerate() {
        if !name.is_empty() && header[..at].contains(name) {
            let found = format!("{name:?} twice");
            return Err(VectorFileError::unusable(
                path,
                "columns with different names",
                found,
            ));
        }
    }
    Ok(Box::new(TextTableRows {
        path: path.to_owned(),
        reader,
        header,
        record: csv::ByteRecord::new(),
    }))
}

fn broken(path: &Path, error: csv::Error) -> VectorFileError {
    let said = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        _ => VectorFileError::unusable(path, "a table", said),
    }
}

struct TextTableRows {
    path: PathBuf,
    reader: csv::Reader<BufReader<File>>,
    header: Vec<String>,
    record: csv::ByteRecord,
}

impl TextTableRows {
    fn row(&self) -> Result<MetadataRow, RowRejection> {
        let (expected, found) = (self.header.len(), self.record.len());
        if expected != found {
            return Err(RowRejection::Fields {
                expected,
                found,
                lines: 1,
            });
        }
        let mut object = Map::new();
        for (name, cell) in self.header.iter().zip(&self.record) {
            let cell = str::from_utf8(cell).map_err(|error| RowRejection::Utf8 {
                at: error.valid_up_to() + 1,
            })?;
            let cell = cell.trim();
            if !name.is_empty() && !cell.is_empty() {
                object.insert(name.clone(), Value::from(cell));
            }
        }
        row_of(object)
    }
}

impl RowIterator for TextTableRows {
    fn next_row(&mut self) -> Option<(u64, RowResult)> {
        let read = self.reader.read_byte_record(&mut self.record);
        let line = self.record.position().map_or(0, csv::Position::line);
        match read {
            Ok(false) => None,
            Ok(true) => Some((line, Ok(self.row()))),
            Err(error) => Some((line, Err(broken(&self.path, error)))),
        }
    }
}
