//! Lines of bytes with a limit on their length, so that a file without line ends cannot take all
//! memory.

use std::io::{self, BufRead};

/// The longest line that is read, in bytes without its line end. A longer one is skipped.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// The UTF-8 byte order mark.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The result of [`next_line`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LineOutcome {
    /// A line is in the buffer, without its line end.
    Whole,
    /// A line over the limit was skipped; the buffer holds its beginning.
    TooLong,
    /// The input has ended.
    End,
}

/// Reads the next line into `buffer`, without its line end (`\n`, `\r\n`, or `\r` alone) and
/// without a byte order mark that it begins with.
pub(crate) fn next_line(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> io::Result<LineOutcome> {
    next_row(input, buffer, limit).map(|(line, _)| line)
}

/// As [`next_line`], with the line end, which is empty at the end of the input.
pub(super) fn next_row(
    input: &mut impl BufRead,
    buffer: &mut Vec<u8>,
    limit: usize,
) -> io::Result<(LineOutcome, &'static [u8])> {
    buffer.clear();
    let mut too_long = false;
    let mut any = false;
    let mut line_end: &[u8] = b"";
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        // A line of a file without an end is a line as well, but nothing at all is the end.
        any = true;
        let end = chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let text = &chunk[..end.unwrap_or(chunk.len())];
        // The rest of a long line is read and dropped, so that the next line begins where it should.
        let room = limit.saturating_sub(buffer.len());
        too_long |= text.len() > room;
        buffer.extend_from_slice(&text[..text.len().min(room)]);
        let Some(end) = end else {
            let used = chunk.len();
            input.consume(used);
            continue;
        };
        line_end = if chunk[end] == b'\n' { b"\n" } else { b"\r" };
        input.consume(end + 1);
        // The buffer may end between the two, so the next one is asked.
        if line_end == b"\r" && input.fill_buf()?.first() == Some(&b'\n') {
            input.consume(1);
            line_end = b"\r\n";
        }
        break;
    }
    // In the middle of a file it stems from concatenated files.
    if buffer.starts_with(BOM) {
        buffer.drain(..BOM.len());
    }
    let line = match (any, too_long) {
        (false, _) => LineOutcome::End,
        (true, true) => LineOutcome::TooLong,
        (true, false) => LineOutcome::Whole,
    };
    Ok((line, line_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8], limit: usize) -> Vec<(LineOutcome, Vec<u8>)> {
        let mut found = Vec::new();
        let mut buffer = Vec::new();
        loop {
            match next_line(&mut input, &mut buffer, limit).unwrap() {
                LineOutcome::End => return found,
                line => found.push((line, buffer.clone())),
            }
        }
    }

    #[test]
    fn line_ends_are_taken_off() {
        let lines = all(b"a\r\nb\n\n\rlast", 10);
        let texts: Vec<_> = lines.iter().map(|(_, text)| text.as_slice()).collect();
        assert_eq!(texts, [&b"a"[..], b"b", b"", b"", b"last"]);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_the_next_is_whole() {
        let lines = all(b"123\r\n1234\nab\n123456", 3);
        let kinds: Vec<_> = lines.iter().map(|(kind, _)| kind).collect();
        assert_eq!(
            kinds,
            [
                &LineOutcome::Whole,
                &LineOutcome::TooLong,
                &LineOutcome::Whole,
                &LineOutcome::TooLong
            ]
        );
        assert_eq!(lines[2].1, b"ab");
    }

    #[test]
    fn a_byte_order_mark_begins_no_line() {
        let lines = all(b"\xEF\xBB\xBFa\n\xEF\xBB\xBFb\nc\xEF\xBB\xBF\n", 10);
        let texts: Vec<_> = lines.iter().map(|(_, text)| text.as_slice()).collect();
        assert_eq!(texts, [&b"a"[..], b"b", b"c\xEF\xBB\xBF"]);
    }

    #[test]
    fn small_chunks_give_the_same_lines() {
        let text = b"one\r\ntwo\nthree";
        let mut input = io::BufReader::with_capacity(1, &text[..]);
        let mut buffer = Vec::new();
        for expected in [&b"one"[..], b"two", b"three"] {
            assert_eq!(
                next_line(&mut input, &mut buffer, 5).unwrap(),
                LineOutcome::Whole
            );
            assert_eq!(buffer, expected);
        }
        assert_eq!(
            next_line(&mut input, &mut buffer, 5).unwrap(),
            LineOutcome::End
        );
    }
}
