//! A picture of few colours: boxes and letters.

use super::letters::{WIDTH, dots, drawn};

/// Dots from one letter to the next.
pub(super) const STEP: usize = WIDTH + 1;
/// Dots of a line of letters, with descenders.
pub(super) const LINE: usize = 8;

/// The way in which letters follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WritingDirection {
    Right,
    Up,
}

/// Pixels as numbers of colours, `[height, width]`.
pub(super) struct PixelCanvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) pixels: Vec<u8>,
}

impl PixelCanvas {
    pub(super) fn new(width: usize, height: usize, colour: u8) -> Self {
        Self {
            width,
            height,
            pixels: vec![colour; width * height],
        }
    }

    /// Fills a box; what is outside the picture is left out.
    pub(super) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: u8) {
        let (right, bottom) = ((x + width).min(self.width), (y + height).min(self.height));
        for row in y..bottom {
            let begin = row * self.width;
            if x < right {
                self.pixels[begin + x..begin + right].fill(colour);
            }
        }
    }

    /// Writes at most `most` letters of `text`, whose dots have `scale` pixels. The place is the upper left corner of
    /// the first letter, seen in the direction of writing.
    pub(super) fn write(
        &mut self,
        (x, y): (usize, usize),
        direction: WritingDirection,
        scale: usize,
        colour: u8,
        letters: &[char],
    ) {
        for (at, letter) in letters.iter().enumerate() {
            for (column, bits) in dots(*letter).iter().enumerate() {
                for row in (0..LINE).filter(|row| bits >> row & 1 == 1) {
                    let (along, across) = ((at * STEP + column) * scale, row * scale);
                    match direction {
                        WritingDirection::Right => {
                            self.fill(x + along, y + across, scale, scale, colour);
                        }
                        WritingDirection::Up => {
                            // Letters that would leave the picture at its upper edge are left out.
                            if let Some(y) = y.checked_sub(along + scale) {
                                self.fill(x + across, y, scale, scale, colour);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Writes a whole text to the right.
    pub(super) fn print(&mut self, place: (usize, usize), scale: usize, colour: u8, text: &str) {
        let letters = drawn(text, usize::MAX);
        self.write(place, WritingDirection::Right, scale, colour, &letters);
    }
}

/// The pixels that some letters are long.
pub(super) fn length(letters: usize, scale: usize) -> usize {
    (letters * STEP).saturating_sub(1) * scale
}
