//! Splits CSV into records, one slice of bytes each; the csv crate then splits a record into
//! fields.
//!
//! The crate could do both, but it does not say on which line a record begins once there are blank
//! lines or CRLF line ends, it takes a field of any length into memory, and a quote that never
//! closes is the end of the file to it. The rules here are the crate's own: a quote opens a quoted
//! field at the beginning of a field only, `""` within is a quote, and `\r`, `\n` and `\r\n` end a
//! record outside quotes.

use std::io::{self, BufRead};

use super::lines::BOM;

/// What [`Records::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The line, counted from 1, on which the record begins.
    pub(super) line: u64,
    /// The lines that it takes up.
    pub(super) lines: u64,
    /// Whether it is longer than the limit; then only its beginning is in the buffer.
    pub(super) too_long: bool,
    /// Whether the input ended within a quoted field.
    pub(super) open_quote: bool,
}

/// The records of a CSV file; blank lines between them are passed over.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    delimiter: u8,
    limit: usize,
    line: u64,
    begun: bool,
}

/// Where in a record a byte stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    RecordStart,
    FieldStart,
    Bare,
    Quoted,
    /// Behind a quote inside a quoted field: its end, or the first half of `""`.
    Quote,
}

impl<R: BufRead> Records<R> {
    /// Records of at most `limit` bytes each.
    pub(super) fn new(input: R, delimiter: u8, limit: usize) -> Self {
        Self {
            input,
            delimiter,
            limit,
            line: 1,
            begun: false,
        }
    }

    /// Reads the next record into `buffer`, without its line end; `None` at the end of the input.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Found>> {
        buffer.clear();
        let mut at = At::RecordStart;
        let mut first_line = self.line;
        let mut too_long = false;
        let found = |line, lines, too_long, open_quote| {
            Ok(Some(Found {
                line,
                lines,
                too_long,
                open_quote,
            }))
        };
        loop {
            let mut chunk = self.input.fill_buf()?;
            let length = chunk.len();
            if length == 0 {
                return match at {
                    At::RecordStart => Ok(None),
                    at => {
                        let lines = self.line - first_line + 1;
                        found(first_line, lines, too_long, at == At::Quoted)
                    }
                };
            }
            if !std::mem::replace(&mut self.begun, true) {
                chunk = chunk.strip_prefix(BOM).unwrap_or(chunk);
            }
            let skipped = length - chunk.len();
            let mut ended = None;
            let mut from = 0;
            for (position, &byte) in chunk.iter().enumerate() {
                let line_end = matches!(byte, b'\r' | b'\n') && at != At::Quoted;
                if line_end && at != At::RecordStart {
                    // The line end itself is left to the next call, which passes over it.
                    ended = Some(position);
                    break;
                }
                self.line += u64::from(byte == b'\n');
                if line_end {
                    from = position + 1;
                    continue;
                }
                if at == At::RecordStart {
                    first_line = self.line;
                }
                at = match (at, byte) {
                    (At::Quoted, b'"') => At::Quote,
                    (At::Quoted, _) => At::Quoted,
                    (_, byte) if byte == self.delimiter => At::FieldStart,
                    (At::RecordStart | At::FieldStart | At::Quote, b'"') => At::Quoted,
                    _ => At::Bare,
                };
            }
            let text = &chunk[from..ended.unwrap_or(chunk.len())];
            let room = self.limit.saturating_sub(buffer.len());
            too_long |= text.len() > room;
            buffer.extend_from_slice(&text[..text.len().min(room)]);
            let used = skipped + ended.unwrap_or(chunk.len());
            self.input.consume(used);
            if ended.is_some() {
                return found(first_line, self.line - first_line + 1, too_long, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], capacity: usize, limit: usize) -> Vec<(Vec<u8>, Found)> {
        let input = io::BufReader::with_capacity(capacity, text);
        let mut records = Records::new(input, b',', limit);
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        while let Some(one) = records.next(&mut buffer).unwrap() {
            found.push((buffer.clone(), one));
        }
        found
    }

    #[test]
    fn lines_are_those_an_editor_shows() {
        let text = b"a,b\r\n\r\n1,\"x\r\ny\"\r\n\n2,z";
        let lines: Vec<_> = all(text, 64, 64)
            .iter()
            .map(|(_, found)| (found.line, found.lines))
            .collect();
        assert_eq!(lines, [(1, 1), (3, 2), (6, 1)]);
    }

    #[test]
    fn a_record_over_the_limit_is_passed_over_whole() {
        let found = all(b"abc\n\"a\nbc\",d\nabcd\nxyz\n", 2, 3);
        let long: Vec<_> = found.iter().map(|(_, one)| one.too_long).collect();
        assert_eq!(long, [false, true, true, false]);
        assert_eq!(found[3].0, b"xyz");
        assert_eq!(found[3].1.line, 5);
    }

    #[test]
    fn an_open_quote_is_noticed() {
        let found = all(b"a,b\n1,\"x\n2,y\n", 64, 64);
        assert_eq!(
            found[1].1,
            Found {
                line: 2,
                lines: 3,
                too_long: false,
                open_quote: true
            }
        );
    }

    proptest! {
        /// The records are those of the csv crate, whatever the text and the size of the chunks.
        #[test]
        fn records_are_those_of_the_csv_crate(text in "[a\",\r\n ]{0,40}", capacity in 1_usize..9) {
            let mut whole = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let expected: Vec<_> = whole.byte_records().map(Result::unwrap).collect();
            let mut found = Vec::new();
            for (record, _) in all(text.as_bytes(), capacity, 1000) {
                let mut one = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .flexible(true)
                    .from_reader(record.as_slice());
                found.extend(one.byte_records().map(Result::unwrap));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
