//! BMP: checks that all rows are present, which the decoder does not do for every compression.

use std::borrow::Cow;

use super::super::super::error::InputError;

// Escape codes of the run-length coding, which follow a zero.
const END_OF_ROW: u8 = 0;
const END_OF_PICTURE: u8 = 1;
const DELTA: u8 = 2;

/// The fields of a BMP header.
struct BmpHeader {
    /// Pixels of a row.
    width: u64,
    rows: u64,
    bits: u64,
    compression: u32,
    /// Where the pixels begin.
    offset: usize,
}

/// A BMP with all of its rows.
#[derive(Debug)]
pub(super) struct BmpRows<'a> {
    /// Width and height in pixels; `(0, 0)` for an unknown header.
    pub size: (u32, u32),
    /// The file for the decoder, with a missing end completed.
    pub file: Cow<'a, [u8]>,
}

impl<'a> BmpRows<'a> {
    /// Counts the rows.
    ///
    /// # Errors
    /// [`InputError::Truncated`] when there are fewer than the header announces. Any other fault
    /// is left to the decoder.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, InputError> {
        let header = BmpHeader::read(bytes);
        let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
        let size = header.as_ref().map(|h| (side(h.width), side(h.rows)));
        // An unknown header is judged by the decoder, which rejects it or knows it.
        let file = match header {
            Some(header) => completed(bytes, &header)?,
            None => Cow::Borrowed(bytes),
        };
        Ok(Self {
            size: size.unwrap_or_default(),
            file,
        })
    }
}

/// The file, with the padding of the last row or the end code where only that is missing.
fn completed<'a>(bytes: &'a [u8], header: &BmpHeader) -> Result<Cow<'a, [u8]>, InputError> {
    let data = bytes.get(header.offset..).unwrap_or(&[]);
    match header.compression {
        1 | 2 => {
            let (rows, open_end) = run_length_rows(data, header);
            return match (rows < header.rows, open_end) {
                (true, _) => Err(header.truncated(rows)),
                (false, None) => Ok(Cow::Borrowed(bytes)),
                (false, Some(end)) => {
                    let codes = &bytes[..header.offset + end];
                    // Only the end code is missing, so all pixels are there and the decoder is given one.
                    Ok(Cow::Owned([codes, &[0, END_OF_PICTURE]].concat()))
                }
            };
        }
        0 | 3 => {}
        _ => return Ok(Cow::Borrowed(bytes)),
    }
    // Rounded up to whole bytes, then to four: BMP pads each row.
    let filled = (header.width * header.bits).div_ceil(8);
    let stride = filled.next_multiple_of(4);
    let length = data.len() as u64;
    // Width and rows come from the header; their product may overflow.
    match header.rows.checked_mul(stride) {
        Some(whole) if length < whole => {
            let missing = whole - length;
            // More is missing than the padding of the last row: pixels are gone.
            if missing > stride - filled {
                return Err(header.truncated(length / stride.max(1)));
            }
            // Rows are filled up to a multiple of four bytes.
            let padding = &[0; 3][..missing as usize];
            Ok(Cow::Owned([bytes, padding].concat()))
        }
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

impl BmpHeader {
    /// `None` for a header that the decoder rejects too.
    fn read(bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| {
            let four = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
        };
        let word = |at: usize| long(at).map(|v| v & 0xFFFF);
        let offset = usize::try_from(long(10)?).ok()?;
        let (width, rows, bits, compression) = match long(14)? {
            // The oldest header has 16-bit sides and no compression.
            12 => (word(18)?, word(20)?, word(24)?, 0),
            40.. => {
                // A negative height means rows from top to bottom.
                let rows = long(22)?.cast_signed().unsigned_abs();
                (long(18)?, rows, word(28)?, long(30)?)
            }
            _ => return None,
        };
        Some(Self {
            width: width.into(),
            rows: rows.into(),
            bits: bits.into(),
            compression,
            offset,
        })
    }

    fn truncated(&self, rows: u64) -> InputError {
        InputError::Truncated {
            format: "BMP".to_owned(),
            reason: format!("it has {rows} of {} rows", self.rows),
        }
    }
}

/// How many rows the run-length codes fill, and where they end if no end code does. A row that is
/// left before its end counts, since the next one may begin.
fn run_length_rows(data: &[u8], header: &BmpHeader) -> (u64, Option<usize>) {
    let (mut at, mut row, mut x) = (0, 0u64, 0u64);
    let full = |row: u64, x: u64| row + u64::from(x >= header.width);
    while let Some(&[first, second]) = data.get(at..at + 2) {
        at += 2;
        match (first, second) {
            (0, END_OF_ROW) => (row, x) = (row + 1, 0),
            (0, END_OF_PICTURE) => return (full(row, x), None),
            (0, DELTA) => {
                // A code cut in half leaves what was complete before it.
                let Some(&[right, down]) = data.get(at..at + 2) else {
                    return (full(row, x), Some(at - 2));
                };
                at += 2;
                (row, x) = (row + u64::from(down), x + u64::from(right));
            }
            (0, count) => {
                let count = usize::from(count);
                let bytes = match header.compression {
                    1 => count,
                    _ => count.div_ceil(2),
                };
                // Literal runs are padded to an even number of bytes.
                let end = at + bytes.next_multiple_of(2);
                if end > data.len() {
                    return (full(row, x), Some(at - 2));
                }
                (at, x) = (end, x + count as u64);
            }
            (count, _) => x += u64::from(count),
        }
    }
    (full(row, x), Some(at))
}
