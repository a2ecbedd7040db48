//! Splits CSV into records, one slice of bytes each; the csv crate then splits a record into
//! fields.
//!
//! The crate could do both, but it does not report on which line a record begins after blank
//! lines or CRLF line ends, it takes a field of any length into memory, and a quote that never
//! closes takes all rows after it along. The rules of a well-quoted file are the crate's own: a quote
//! opens a quoted field at the beginning of a field only, `""` within is a quote, and `\r`, `\n` and
//! `\r\n` end a record outside quotes.
//!
//! **A record whose quotes are broken costs its first line only.** They are broken when a closing
//! quote is followed by anything but the separator or a line end, when a field never closes, takes
//! over [`MAX_ROW_LINES`] lines or the limit of bytes, or when the caller says that a line within
//! the quotes is a row of its own. The lines after the first are then read again, as records.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::lines::{self, BOM, LineOutcome};

/// The most lines that one record may span; it bounds how often a line is read again.
pub(super) const MAX_ROW_LINES: usize = 256;

/// What [`CsvRecords::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordExtent {
    /// The line, counted from 1, on which the record begins.
    pub(crate) line: u64,
    /// How many lines it spans.
    pub(crate) lines: u64,
    /// Whether it is longer than the limit; then only its beginning is in the buffer.
    pub(crate) too_long: bool,
    /// Whether its quotes are broken; then its first line is in the buffer.
    pub(crate) broken_quotes: bool,
}

/// The records of a CSV file; blank lines between them are skipped.
#[derive(Debug)]
pub(crate) struct CsvRecords<R> {
    input: R,
    delimiter: u8,
    limit: usize,
    /// Lines that were read.
    line: u64,
    /// Lines that were read and belong to a later record.
    ahead: VecDeque<InputLine>,
}

/// A line as it was read.
#[derive(Debug)]
struct InputLine {
    number: u64,
    text: Vec<u8>,
    end: &'static [u8],
    too_long: bool,
}

/// Parser state at a byte of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
enum FieldState {
    FieldStart,
    Bare,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of `""`.
    Quote,
    /// After a closing quote that no separator follows.
    Broken,
}

impl<R: BufRead> CsvRecords<R> {
    /// Records of at most `limit` bytes each.
    pub(crate) fn new(input: R, delimiter: u8, limit: usize) -> Self {
        Self {
            input,
            delimiter,
            limit,
            line: 0,
            ahead: VecDeque::new(),
        }
    }

    /// Reads the next record into `buffer`, without its line end; `None` at the end of the input.
    ///
    /// `is_row` decides whether a line within quotes is clearly a row of its own.
    pub(crate) fn next(
        &mut self,
        buffer: &mut Vec<u8>,
        is_row: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Option<RecordExtent>> {
        buffer.clear();
        let first = loop {
            match self.read_line()? {
                None => return Ok(None),
                // Blank lines between records are no rows.
                Some(line) if line.text.is_empty() && !line.too_long => {}
                Some(line) => break line,
            }
        };
        let mut at = self.walk(FieldState::FieldStart, &first.text);
        buffer.extend_from_slice(&first.text);
        let mut found = RecordExtent {
            line: first.number,
            lines: 1,
            too_long: first.too_long,
            broken_quotes: false,
        };
        // Only its beginning was kept, so its quotes tell nothing.
        if first.too_long {
            return Ok(Some(found));
        }
        let mut end = first.end;
        let mut taken: Vec<InputLine> = Vec::new();
        while at == FieldState::Quoted {
            // The line end belongs to the field whose quotes are open.
            buffer.extend_from_slice(end);
            let next = self.read_line()?;
            let fits = |line: &InputLine| {
                !line.too_long
                    && taken.len() + 1 < MAX_ROW_LINES
                    && buffer.len() + line.text.len() <= self.limit
                    && !is_row(&line.text)
            };
            match next {
                Some(line) if fits(&line) => {
                    at = self.walk(at, &line.text);
                    buffer.extend_from_slice(&line.text);
                    end = line.end;
                    found.lines += 1;
                    taken.push(line);
                }
                rest => {
                    taken.extend(rest);
                    at = FieldState::Broken;
                }
            }
        }
        if at == FieldState::Broken {
            // From the last to the first, so that they come back in their order.
            for line in taken.into_iter().rev() {
                self.ahead.push_front(line);
            }
            buffer.truncate(first.text.len());
            found.lines = 1;
            found.broken_quotes = true;
        }
        Ok(Some(found))
    }

    fn walk(&self, mut at: FieldState, text: &[u8]) -> FieldState {
        for &byte in text {
            at = match (at, byte) {
                (FieldState::Broken, _) => return FieldState::Broken,
                (FieldState::Quoted, b'"') => FieldState::Quote,
                (FieldState::Quoted, _) => FieldState::Quoted,
                (_, byte) if byte == self.delimiter => FieldState::FieldStart,
                // Two quotes within a quoted field are one quote, and the field goes on.
                (FieldState::FieldStart | FieldState::Quote, b'"') => FieldState::Quoted,
                (FieldState::Quote, _) => FieldState::Broken,
                _ => FieldState::Bare,
            };
        }
        at
    }

    fn read_line(&mut self) -> io::Result<Option<InputLine>> {
        if let Some(line) = self.ahead.pop_front() {
            return Ok(Some(line));
        }
        let mut text = Vec::new();
        let (line, end) = lines::next_row(&mut self.input, &mut text, self.limit)?;
        if line == LineOutcome::End {
            return Ok(None);
        }
        self.line += 1;
        if self.line == 1 && text.starts_with(BOM) {
            text.drain(..BOM.len());
        }
        Ok(Some(InputLine {
            number: self.line,
            text,
            end,
            too_long: line == LineOutcome::TooLong,
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], capacity: usize, limit: usize) -> Vec<(Vec<u8>, RecordExtent)> {
        let input = io::BufReader::with_capacity(capacity, text);
        let mut records = CsvRecords::new(input, b',', limit);
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        while let Some(one) = records
            .next(&mut buffer, |line| line.starts_with(b"row,"))
            .unwrap()
        {
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
    fn a_line_over_the_limit_is_passed_over_whole() {
        let found = all(b"abc\nabcdef\nabcd\nxyz\n", 2, 3);
        let long: Vec<_> = found.iter().map(|(_, one)| one.too_long).collect();
        assert_eq!(long, [false, true, true, false]);
        assert_eq!(found[3].0, b"xyz");
        assert_eq!(found[3].1.line, 4);
    }

    /// The lines, and whether the quotes are broken.
    fn rows(text: &str) -> Vec<(String, u64, bool)> {
        let all = all(text.as_bytes(), 3, 64).into_iter();
        let one = |(raw, found): (Vec<u8>, RecordExtent)| {
            let text = String::from_utf8(raw).unwrap();
            (text, found.line, found.broken_quotes)
        };
        all.map(one).collect()
    }

    #[test]
    fn broken_quotes_cost_their_first_line_only() {
        let row = |text: &str, line, broken| (text.to_owned(), line, broken);
        // Never closed.
        assert_eq!(
            rows("a,b\n1,\"x\n2,y\n"),
            [
                row("a,b", 1, false),
                row("1,\"x", 2, true),
                row("2,y", 3, false)
            ]
        );
        // Closed by the quote that opens the next one.
        assert_eq!(
            rows("1,\"x\n2,y\n3,\"z\n4,\"a\nb\"\n"),
            [
                row("1,\"x", 1, true),
                row("2,y", 2, false),
                row("3,\"z", 3, true),
                row("4,\"a\nb\"", 4, false)
            ]
        );
        // Closed at the end of a row that is clearly another.
        assert_eq!(
            rows("1,\"x\nrow,5\"\n"),
            [row("1,\"x", 1, true), row("row,5\"", 2, false)]
        );
        // Text behind the closing quote.
        assert_eq!(
            rows("1,\"x\" y\n2,z\n"),
            [row("1,\"x\" y", 1, true), row("2,z", 2, false)]
        );
    }

    #[test]
    fn a_row_of_too_many_lines_is_broken() {
        let text = format!("1,\"x{}\"\n", "\n".repeat(MAX_ROW_LINES));
        let found = all(text.as_bytes(), 64, 10_000);
        assert!(found[0].1.broken_quotes && found[0].0 == b"1,\"x");
    }

    proptest! {
        /// The records are those of the csv crate, whatever the text and the size of the chunks.
        #[test]
        fn records_are_those_of_the_csv_crate(
            fields in prop::collection::vec(("[a\",\r\n ]{0,6}", any::<bool>()), 0..12),
            capacity in 1_usize..9,
        ) {
            let quoted = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
            let text: String = fields
                .iter()
                .map(|(field, row_ends)| quoted(field) + if *row_ends { "\n" } else { "," })
                .collect();
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
