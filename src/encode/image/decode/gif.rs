//! GIF: parses the blocks before the first frame.

use std::borrow::Cow;

use image::{DynamicImage, Rgba};

/// Everything that decoding the first frame depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GifHeader {
    /// The canvas, in pixels, as large as the frame needs it to be: many files have one that is too
    /// small for their frames, or has no size.
    pub canvas: (u32, u32),
    /// The first frame, in pixels.
    pub frame: (u32, u32),
    /// Where its upper left corner lies on the canvas.
    corner: (u32, u32),
    /// The colour of the canvas around it.
    around: [u8; 3],
    /// How many bytes of the file are passed to the decoder.
    length: usize,
}

impl GifHeader {
    /// Parses the blocks up to the first frame; `None` when the file ends before it.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            let pair = bytes.get(at..at + 2)?;
            Some(u32::from(u16::from_le_bytes([pair[0], pair[1]])))
        };
        let screen = (word(6)?, word(8)?);
        let all_colours = 13..13 + palette(*bytes.get(10)?);
        let (mut at, mut transparent) = (all_colours.end, 0);
        loop {
            match *bytes.get(at)? {
                b',' => break,
                b'!' => {
                    // A control block: length, flags, delay, transparent colour.
                    // The block of the frame's own control; others are passed over.
                    if let Some(&[0xF9, 4, flags, _, _, colour]) = bytes.get(at + 1..at + 7) {
                        transparent = if flags & 1 == 1 {
                            usize::from(colour)
                        } else {
                            0
                        };
                    }
                    at = after_blocks(bytes, at + 2)?;
                }
                _ => return None,
            }
        }
        let corner = (word(at + 1)?, word(at + 3)?);
        let frame = (word(at + 5)?, word(at + 7)?);
        let own_colours = at + 10..at + 10 + palette(*bytes.get(at + 9)?);
        let colours = match own_colours.is_empty() {
            true => all_colours,
            false => own_colours.clone(),
        };
        let around = bytes.get(colours).and_then(|colours| {
            let colour = colours.chunks_exact(3).nth(transparent)?;
            colour.try_into().ok()
        });
        // The palette is followed by the code size, then by the codes in blocks.
        let cut = after_blocks(bytes, own_colours.end + 1).is_none();
        Some(Self {
            canvas: (
                // Computed in 32 bits, where the sum of two 16-bit sides cannot overflow.
                screen.0.max(corner.0 + frame.0),
                screen.1.max(corner.1 + frame.1),
            ),
            frame,
            corner,
            // Without a palette there are no colours, and the decoder refuses the file.
            around: around.unwrap_or_default(),
            length: bytes.len() - if cut { end_marker(bytes) } else { 0 },
        })
    }

    /// The file for the decoder: with a canvas that the frame fits on, and without an end
    /// marker after truncated codes, which would be read as codes.
    pub(crate) fn file<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let bytes = bytes.get(..self.length).unwrap_or(bytes);
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX).to_le_bytes();
        let [[a, b], [c, d]] = [side(self.canvas.0), side(self.canvas.1)];
        match bytes.get(6..10) {
            Some(screen) if screen != [a, b, c, d] => {
                let mut file = bytes.to_vec();
                file.splice(6..10, [a, b, c, d]);
                Cow::Owned(file)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    /// Fills the canvas around the frame, which the decoder leaves black, with the background colour and
    /// its transparency.
    pub(crate) fn fill_around(&self, image: &mut DynamicImage) {
        let ((left, top), (width, height)) = (self.corner, self.frame);
        if (left, top) == (0, 0) && self.frame == self.canvas {
            return;
        }
        let [red, green, blue] = self.around;
        if let DynamicImage::ImageRgba8(pixels) = image {
            for (x, y, pixel) in pixels.enumerate_pixels_mut() {
                let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
                if !inside {
                    *pixel = Rgba([red, green, blue, 0]);
                }
            }
        }
    }

    /// The most bytes that the decoder takes: the canvas in RGBA, and the frame in RGBA and as
    /// places of the palette. Texts and profiles in blocks before the frame are copied, and so is a file
    /// whose canvas is too small.
    pub(crate) fn cost(&self, file: usize) -> u64 {
        let pixels = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
        4 * pixels(self.canvas) + 5 * pixels(self.frame) + 2 * file as u64
    }
}

/// Bytes of the palette that flags announce.
fn palette(flags: u8) -> usize {
    match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    }
}

/// The end of the blocks that begin at `at`.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *bytes.get(at)? {
            0 => return Some(at + 1),
            length => at += 1 + usize::from(length),
        }
    }
}

/// How many bytes at the end of a file look like a GIF's end: the block terminator and the trailer.
fn end_marker(bytes: &[u8]) -> usize {
    match bytes {
        [.., 0, b';'] => 2,
        [.., b';'] => 1,
        _ => 0,
    }
}
