//! GIF: what its blocks say before the first frame is decoded.

/// The sizes that decoding the first frame depends on, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GifHeader {
    /// The canvas.
    pub canvas: (u32, u32),
    /// The first frame, which may be larger than the canvas.
    pub frame: (u32, u32),
}

impl GifHeader {
    /// Steps over the blocks up to the first frame; none when the file ends before it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let pair = bytes.get(at..at + 2)?;
            Some(u32::from(u16::from_le_bytes([pair[0], pair[1]])))
        };
        let canvas = (word(6)?, word(8)?);
        let mut at = 13 + palette(*bytes.get(10)?);
        loop {
            match *bytes.get(at)? {
                b',' => {
                    let frame = (word(at + 5)?, word(at + 7)?);
                    return Some(Self { canvas, frame });
                }
                b'!' => at = after_blocks(bytes, at + 2)?,
                _ => return None,
            }
        }
    }

    /// The most bytes that the decoder takes: the canvas in RGBA, and the frame in RGBA and as
    /// places of the palette. Texts and profiles in blocks before the frame are copied.
    pub fn cost(&self, file: usize) -> u64 {
        let pixels = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
        4 * pixels(self.canvas) + 5 * pixels(self.frame) + file as u64
    }
}

/// Bytes of the palette that flags announce.
fn palette(flags: u8) -> usize {
    match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    }
}

/// Where the blocks that begin at `at` are over.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    }
}
