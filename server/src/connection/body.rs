//! Finds the end of a request's body, where the next head begins.

use super::head::BodyLength;

/// The most bytes of a chunk's size line, and of all trailers.
const LINE: usize = 8 << 10;

/// The most trailers: with more, hyper closes the connection without a response.
const TRAILERS: usize = super::head::HEADERS - 1;

/// The parser state of a body.
#[derive(Debug)]
pub(super) struct BodyTracker {
    at: BodyState,
    /// Bytes of the extensions of all chunks so far: hyper limits their total.
    extensions: usize,
}

/// The position within a body.
#[derive(Debug)]
enum BodyState {
    /// The remaining bytes.
    Bytes(u64),
    /// The size line of a chunk, as far as it was received.
    Size(Vec<u8>),
    /// The remaining bytes of a chunk.
    Chunk(u64),
    /// The line end after a chunk, with the number of its bytes that were received.
    ChunkEnd(usize),
    /// Trailers: the bytes of this line, of all lines, and the number of trailers.
    Trailers {
        line: usize,
        /// Whether the last byte was a carriage return, which a line feed must follow.
        is_return: bool,
        all: usize,
        count: usize,
    },
}

/// The result of [`BodyTracker::feed`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyProgress {
    /// All bytes belong to the body, and it goes on.
    More,
    /// The body ended after this many bytes.
    Ended(usize),
    /// The body is malformed.
    Malformed,
}

impl BodyTracker {
    /// The start of a body.
    pub fn of(length: BodyLength) -> Self {
        Self {
            at: match length {
                BodyLength::Known(bytes) => BodyState::Bytes(bytes),
                BodyLength::Chunked => BodyState::Size(Vec::new()),
            },
            extensions: 0,
        }
    }

    /// Consumes bytes of the body.
    pub fn feed(&mut self, bytes: &[u8]) -> BodyProgress {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            match &mut self.at {
                BodyState::Bytes(left) => {
                    // On 32-bit machines the rest may not fit; a part of it is enough for now.
                    let some = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= some as u64;
                    return match *left {
                        0 => BodyProgress::Ended(at + some),
                        _ => BodyProgress::More,
                    };
                }
                BodyState::Chunk(left) => {
                    let some = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= some as u64;
                    at += some;
                    if *left > 0 {
                        return BodyProgress::More;
                    }
                    // The line end of a chunk may arrive later than its last byte.
                    self.at = BodyState::ChunkEnd(0);
                }
                BodyState::ChunkEnd(came) => {
                    let Some(&byte) = rest.first() else {
                        return BodyProgress::More;
                    };
                    if byte != b"\r\n"[*came] {
                        return BodyProgress::Malformed;
                    }
                    at += 1;
                    self.at = match *came {
                        0 => BodyState::ChunkEnd(1),
                        _ => BodyState::Size(Vec::new()),
                    };
                }
                BodyState::Size(line) => {
                    let end = rest.iter().position(|byte| *byte == b'\n');
                    let some = end.map_or(rest.len(), |end| end + 1);
                    line.extend_from_slice(&rest[..some]);
                    at += some;
                    // A line without an end would grow without a bound.
                    if line.len() > LINE {
                        return BodyProgress::Malformed;
                    }
                    if end.is_none() {
                        return BodyProgress::More;
                    }
                    // hyper counts extensions over the whole body, and closes without an answer beyond its limit.
                    let behind = line.iter().position(|byte| *byte == b';');
                    self.extensions += behind.map_or(0, |at| line.len() - at);
                    if self.extensions > LINE {
                        return BodyProgress::Malformed;
                    }
                    self.at = match chunk_size(line) {
                        None => return BodyProgress::Malformed,
                        Some(0) => BodyState::Trailers {
                            line: 0,
                            is_return: false,
                            all: 0,
                            count: 0,
                        },
                        Some(size) => BodyState::Chunk(size),
                    };
                }
                BodyState::Trailers {
                    line,
                    is_return,
                    all,
                    count,
                } => {
                    let Some(&byte) = rest.first() else {
                        return BodyProgress::More;
                    };
                    at += 1;
                    *all += 1;
                    // hyper takes a line feed alone, and a return alone, for part of a line: where this ended the
                    // body and hyper did not, the bytes that follow would be a request for one of them only.
                    match (byte, *is_return) {
                        // An empty line ends the trailers, and with them the body.
                        (b'\n', true) if *line == 0 => return BodyProgress::Ended(at),
                        (b'\n', true) => {
                            *line = 0;
                            *count += 1;
                        }
                        (b'\n', false) | (_, true) => return BodyProgress::Malformed,
                        (b'\r', false) => {}
                        (_, false) => *line += 1,
                    }
                    *is_return = byte == b'\r';
                    if *all > LINE || *count > TRAILERS {
                        return BodyProgress::Malformed;
                    }
                }
            }
        }
    }
}

/// The size in the size line of a chunk; extensions after `;` are ignored.
fn chunk_size(line: &[u8]) -> Option<u64> {
    // Strictly CR LF: a lone LF is read differently by other programs (request smuggling).
    let text = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let digits = text.split(';').next()?.trim_end_matches([' ', '\t']);
    // `from_str_radix` would accept a sign.
    let hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes belong to the body, however it is split into pieces.
    fn ends(length: BodyLength, bytes: &[u8]) -> Option<usize> {
        let whole = BodyTracker::of(length).feed(bytes);
        for piece in 1..bytes.len() {
            let (mut left, mut at, mut last) = (BodyTracker::of(length), 0, BodyProgress::More);
            for part in bytes.chunks(piece) {
                last = match left.feed(part) {
                    BodyProgress::Ended(n) => BodyProgress::Ended(at + n),
                    fed => fed,
                };
                if last != BodyProgress::More {
                    break;
                }
                at += part.len();
            }
            assert_eq!(last, whole, "in pieces of {piece}");
        }
        match whole {
            BodyProgress::Ended(n) => Some(n),
            _ => None,
        }
    }

    #[test]
    fn bodies_end_where_they_say() {
        assert_eq!(ends(BodyLength::Known(3), b"abcGET"), Some(3));
        assert_eq!(ends(BodyLength::Known(9), b"abcGET"), None);
        let two = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nGET";
        assert_eq!(ends(BodyLength::Chunked, two), Some(two.len() - 3));
        let trailer = b"0\r\na: b\r\n\r\nGET";
        assert_eq!(ends(BodyLength::Chunked, trailer), Some(trailer.len() - 3));
        // At the limits above which hyper closes the connection.
        let trailers = |n: usize| [&b"0\r\n"[..], &b"a: b\r\n".repeat(n), b"\r\n"].concat();
        let most = trailers(TRAILERS);
        assert_eq!(ends(BodyLength::Chunked, &most), Some(most.len()));
        let many = b"1;abcdefghijklmnopqrstuvwxyz\r\n \r\n".repeat(LINE / 26);
        for bad in [trailers(TRAILERS + 1), many] {
            let fed = BodyTracker::of(BodyLength::Chunked).feed(&bad);
            assert_eq!(fed, BodyProgress::Malformed);
        }
        for bad in [
            &b"x\r\n"[..],
            b"-1\r\n",
            b"\r\n",
            b"1\n",
            b"1\r\nabc",
            b"11111111111111111\r\n",
            b"0\r\n\nGET",
            b"0\r\na: b\n\r\nGET",
            b"0\r\na: b\r\n\r\rGET",
            b"0\r\n\rGET",
        ] {
            assert_eq!(
                BodyTracker::of(BodyLength::Chunked).feed(bad),
                BodyProgress::Malformed
            );
        }
    }
}
