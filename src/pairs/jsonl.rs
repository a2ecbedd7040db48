//! One JSON object a line: `{"image": path, "captions": [..] or "caption": "..", ...meta}`.
//!
//! Blank lines are passed over. The image may also be called `image_path` or `file_name`, the
//! texts `text`; of several such names in one record the first in this order is taken, and the
//! others stay in its meta.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use fs_err::File;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::lines::{BOM, Line, MAX_LINE_BYTES, next_line};
use super::record::{self, Draft};
use super::{Origin, PairsError, Reason, RowError};

/// Counts the lines that are not blank.
pub(super) fn survey(path: &Path) -> Result<u64, PairsError> {
    let mut input = BufReader::new(File::open(path)?);
    let marked = |head: &[u8]| head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF");
    // Without a mark, the first letter has a byte of zero beside it.
    let unmarked = |head: &[u8]| {
        let begin = &head[..head.len().min(4)];
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
        let mut chunk = input.fill_buf()?;
        let length = chunk.len();
        if length == 0 {
            return Ok(rows + u64::from(!blank));
        }
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
pub(super) struct Jsonl {
    input: BufReader<File>,
    path: PathBuf,
    base: PathBuf,
    line: Vec<u8>,
    row: u64,
    broken: bool,
}

impl Jsonl {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            input: BufReader::new(File::open(path)?),
            path: path.to_owned(),
            base: record::base_of(path),
            line: Vec::new(),
            row: 0,
            broken: false,
        })
    }

    fn parse(&self, text: &[u8]) -> Result<Draft, RowError> {
        let origin = self.origin();
        let object = match object_of(text) {
            Ok(object) => object,
            Err(reason) => return Err(RowError { origin, reason }),
        };
        record::from_json(object, &self.base, origin)
    }

    fn origin(&self) -> Origin {
        Origin {
            file: self.path.clone(),
            row: Some(self.row),
        }
    }
}

impl Iterator for Jsonl {
    type Item = Result<Draft, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.broken {
            let found = next_line(&mut self.input, &mut self.line, MAX_LINE_BYTES);
            self.row += 1;
            let reason = match found {
                Ok(Line::End) => return None,
                Ok(Line::Whole) => {
                    let text = self.line.as_slice();
                    if text.trim_ascii().is_empty() {
                        continue;
                    }
                    return Some(self.parse(text));
                }
                Ok(Line::TooLong) => Reason::TooLong {
                    limit: MAX_LINE_BYTES,
                },
                Err(error) => {
                    self.broken = true;
                    Reason::of_io(error, |message| Reason::Broken { message })
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
pub(crate) fn object_of(text: &[u8]) -> Result<Map<String, Value>, Reason> {
    let text = str::from_utf8(text).map_err(|error| Reason::Utf8 {
        at: error.valid_up_to() + 1,
    })?;
    let several = || {
        let values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.take_while(Result::is_ok).count()
    };
    match serde_json::from_str(text) {
        Ok(RowValue::Object(object)) => Ok(object),
        Ok(RowValue::Twice(key)) => Err(Reason::KeyTwice { key }),
        Ok(RowValue::Other(found)) => Err(Reason::Type {
            what: "the line".to_owned(),
            expected: "a JSON object",
            found: record::type_name(&found),
        }),
        Err(error) => Err(Reason::Json {
            message: match several() {
                0 | 1 => record::json_message(&error),
                n => format!("{n} values on one line"),
            },
        }),
    }
}

/// A line of JSON. serde_json's own map would keep the last of two values with one key.
enum RowValue {
    Object(Map<String, Value>),
    /// An object with this key twice.
    Twice(String),
    Other(Value),
}

impl<'de> Deserialize<'de> for RowValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RowValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RowValue, A::Error> {
        let mut map = Map::new();
        let mut twice = None;
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            if map.insert(key.clone(), value).is_some() {
                twice = twice.or(Some(key));
            }
        }
        Ok(twice.map_or(RowValue::Object(map), RowValue::Twice))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RowValue, A::Error> {
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RowValue::Other(Value::Array(Vec::new())))
    }

    fn visit_str<E>(self, text: &str) -> Result<RowValue, E> {
        Ok(RowValue::Other(text.into()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<RowValue, E> {
        Ok(RowValue::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RowValue, E> {
        Ok(RowValue::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RowValue, E> {
        Ok(RowValue::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<RowValue, E> {
        Ok(RowValue::Other(value.into()))
    }

    fn visit_unit<E>(self) -> Result<RowValue, E> {
        Ok(RowValue::Other(Value::Null))
    }
}
