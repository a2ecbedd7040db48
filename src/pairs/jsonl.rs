//! One JSON object per line: `{"image": path, "captions": [..] or "caption": "..", ...meta}`.
//!
//! Blank lines are skipped. The image may also be called `image_path` or `file_name`, the
//! texts `text`. Of several such names in one record the first that has all that the others have is
//! taken, and the others are dropped; where none has, the row is skipped ([`RowRejection::KeysAlike`]). A duplicate
//! key, at any depth, and an integer that would be rounded skip the row too.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::checked::{CheckedValue, rounded_integer};
use super::input::{self, ListText};
use super::lines::{BOM, LineOutcome, MAX_LINE_BYTES, next_line};
use super::path_text::with_bytes_read;
use super::record;
use super::source::{DraftIterator, PairDraft, PairSource, base_of};
use super::{PairOptions, PairOrigin, PairsError, RowError, RowRejection};

/// A file whose lines are counted.
struct JsonlFile {
    path: PathBuf,
    options: PairOptions,
    rows: u64,
}

/// Counts the lines that are not blank.
pub(super) fn open(path: &Path, options: &PairOptions) -> Result<Box<dyn PairSource>, PairsError> {
    let rows = count(path)?;
    Ok(Box::new(JsonlFile {
        path: path.to_owned(),
        options: options.clone(),
        rows,
    }))
}

impl PairSource for JsonlFile {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn drafts(&mut self) -> io::Result<DraftIterator> {
        Ok(Box::new(JsonlReader::open(
            &self.path,
            self.options.clone(),
        )?))
    }
}

fn count(path: &Path) -> Result<u64, PairsError> {
    let mut input = input::open(path)?;
    let marked = |head: &[u8]| head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    // Without a byte order mark, the first letter has a zero byte beside it.
    let unmarked = |head: &[u8]| {
        let begin = &head[..head.len().min(4)];
        // All zero is not UTF-16 but a file of zeros, which the parser reports by line.
        begin.contains(&0) && begin.iter().any(|&byte| byte != 0)
    };
    let head = input.fill_buf()?;
    if marked(head) || unmarked(head) {
        return Err(PairsError::Utf16 {
            path: path.to_owned(),
        });
    }
    let mut rows = 0;
    let mut blank = true;
    let mut first = true;
    loop {
        let mut chunk = match input.fill_buf() {
            // One row is that where reading breaks off.
            Err(error) if input::is_damage(&error) && !first => return Ok(rows + 1),
            chunk => chunk?,
        };
        let length = chunk.len();
        if length == 0 {
            // A last line without an end counts too.
            return Ok(rows + u64::from(!blank));
        }
        // The mark would make a blank first line count as a row.
        if std::mem::take(&mut first) {
            chunk = chunk.strip_prefix(BOM).unwrap_or(chunk);
        }
        for &byte in chunk {
            if matches!(byte, b'\n' | b'\r') {
                rows += u64::from(!blank);
                blank = true;
            } else {
                blank &= byte.is_ascii_whitespace();
            }
        }
        input.consume(length);
    }
}

/// Reads a JSONL file line by line.
struct JsonlReader {
    input: ListText,
    path: PathBuf,
    options: PairOptions,
    base: PathBuf,
    line: Vec<u8>,
    row: u64,
    broken: bool,
}

impl JsonlReader {
    fn open(path: &Path, options: PairOptions) -> io::Result<Self> {
        Ok(Self {
            input: input::open(path)?,
            path: path.to_owned(),
            options,
            base: base_of(path),
            line: Vec::new(),
            row: 0,
            broken: false,
        })
    }

    fn parse(&self, text: &[u8]) -> Result<PairDraft, RowError> {
        let origin = self.origin();
        let object = match object_of(text) {
            Ok(object) => object,
            Err(reason) => return Err(RowError { origin, reason }),
        };
        record::from_json(object, &self.options, &self.base, origin)
    }

    fn origin(&self) -> PairOrigin {
        PairOrigin {
            file: self.path.clone(),
            row: Some(self.row),
        }
    }
}

impl Iterator for JsonlReader {
    type Item = Result<PairDraft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.broken {
            let found = next_line(&mut self.input, &mut self.line, MAX_LINE_BYTES);
            // Blank lines count, so that messages have the numbers that editors show.
            self.row += 1;
            let reason = match found {
                Ok(LineOutcome::End) => return None,
                Ok(LineOutcome::Whole) => {
                    let text = self.line.as_slice();
                    if text.trim_ascii().is_empty() {
                        continue;
                    }
                    return Some(self.parse(text));
                }
                Ok(LineOutcome::TooLong) => RowRejection::TooLong {
                    limit: MAX_LINE_BYTES,
                },
                Err(error) => {
                    // The position after a failed read is unknown, so nothing more is read.
                    self.broken = true;
                    RowRejection::broken(error)
                }
            };
            return Some(Err(RowError {
                origin: self.origin(),
                reason,
            }));
        }
        None
    }
}

/// The object of a line.
pub(crate) fn object_of(text: &[u8]) -> Result<Map<String, Value>, RowRejection> {
    let text = str::from_utf8(text).map_err(|error| RowRejection::Utf8 {
        at: error.valid_up_to() + 1,
    })?;
    // As Python writes names that are not UTF-8.
    let bytes_read = with_bytes_read(text);
    let text = bytes_read.as_deref().unwrap_or(text);
    let several = || {
        // How many values stand on the line, for files whose line ends were lost.
        let values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.take_while(Result::is_ok).count()
    };
    match serde_json::from_str(text) {
        Ok(CheckedValue {
            value: Value::Object(object),
            twice,
        }) => match (twice, rounded_integer(text)) {
            (Some(key), _) => Err(RowRejection::KeyTwice { key }),
            (None, Some(number)) => Err(RowRejection::Rounded {
                number: number.to_owned(),
            }),
            (None, None) => Ok(object),
        },
        Ok(CheckedValue { value, .. }) => Err(RowRejection::Type {
            what: "the line".to_owned(),
            expected: "a JSON object",
            found: record::type_name(&value),
        }),
        Err(error) => Err(RowRejection::Json {
            message: match several() {
                0 | 1 => record::json_message(&error),
                n => format!("{n} values on one line"),
            },
        }),
    }
}
