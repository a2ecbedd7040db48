//! JPEG, decoded to the same bytes as libjpeg-turbo, which Pillow uses.
//!
//! Decoders differ in how they enlarge colour that is stored at half size. `image`'s decoder rounds
//! otherwise there, which moves an embedding to a cosine of 0.9987 at worst on real photographs;
//! `libjpeg-turbo-rs` gives the identical pixels. It is asked only for what nearly every file is: 8
//! bits, Huffman coded, grey or three colours in an ordinary sampling. The rest (CMYK, and what it
//! refuses) is left to `image`.

use image::RgbImage;
use image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

use super::decode::{MAX_BYTES, MAX_SIDE};

/// More scans than any encoder writes; each costs a pass over the picture.
const MAX_SCANS: usize = 256;

/// What the headers of a JPEG say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Width and height in pixels, of the first frame.
    pub size: (u32, u32),
    /// Whether an end-of-image marker follows the coded data.
    pub complete: bool,
    /// Whether the exact decoder is asked.
    ordinary: bool,
}

impl Header {
    /// Steps over the segments up to the scan; `None` when they make no sense, or end before it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut frame = None;
        let mut at = 2;
        loop {
            // Bytes between segments are skipped, as libjpeg does.
            while *bytes.get(at)? != 0xFF {
                at += 1;
            }
            let marker = *bytes.get(at + 1)?;
            match marker {
                0xFF => at += 1,
                0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
                0xD9 => return None,
                0xDA => break,
                _ => {
                    let length = usize::from(word(bytes, at + 2)?);
                    let segment = bytes.get(at + 4..at + 2 + length)?;
                    // SOF0..SOF15, without DHT, JPG and DAC, which lie among them.
                    if matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC) {
                        frame.get_or_insert((marker, segment));
                    }
                    at += 2 + length;
                }
            }
        }
        let (kind, frame) = frame?;
        let size = (u32::from(word(frame, 3)?), u32::from(word(frame, 1)?));
        // Inside coded data FF is always stuffed, so FF D9 is the end. A thumbnail in a segment has
        // an end of its own, which is why the search begins at the scan.
        let complete = bytes[at..].windows(2).rev().any(|w| w == [0xFF, 0xD9]);
        Some(Self {
            size,
            complete,
            ordinary: ordinary(kind, frame),
        })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let &[high, low] = bytes.get(at..at + 2)? else {
        return None;
    };
    Some(u16::from_be_bytes([high, low]))
}

/// Whether a frame is baseline, extended or progressive, of 8 bits, and grey or three colours of
/// which the last two are stored in full, half or quarter size.
fn ordinary(kind: u8, frame: &[u8]) -> bool {
    let samplings: Vec<u8> = frame
        .get(6..)
        .unwrap_or(&[])
        .chunks_exact(3)
        .map(|component| component[1])
        .collect();
    let usual = match samplings[..] {
        [_] => true,
        [first, 0x11, 0x11] => matches!(first, 0x11 | 0x21 | 0x12 | 0x22),
        _ => false,
    };
    matches!(kind, 0xC0..=0xC2)
        && frame.first() == Some(&8)
        && frame
            .get(5)
            .is_some_and(|&n| usize::from(n) == samplings.len())
        && usual
}

/// The pixels and the EXIF orientation; `None` when another decoder should try.
pub(super) fn decode(bytes: &[u8], header: &Header) -> Option<(RgbImage, Orientation)> {
    if !header.ordinary {
        return None;
    }
    let limits = DecodeLimits {
        max_width: MAX_SIDE as usize,
        max_height: MAX_SIDE as usize,
        max_pixels: MAX_BYTES / 3,
        max_scans: MAX_SCANS,
        // Coefficients of a progressive picture take two bytes where a sample takes one.
        max_memory: Some(4 * MAX_BYTES),
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).ok()?;
    decoder.set_output_format(PixelFormat::Rgb);
    let orientation = decoder
        .exif_orientation()
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms);
    let image = decoder.decode_image().ok()?;
    let (width, height) = (
        u32::try_from(image.width).ok()?,
        u32::try_from(image.height).ok()?,
    );
    Some((RgbImage::from_raw(width, height, image.data)?, orientation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat};

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let mut out = std::io::Cursor::new(Vec::new());
        DynamicImage::from(picture)
            .write_to(&mut out, ImageFormat::Jpeg)
            .unwrap();
        out.into_inner()
    }

    #[test]
    fn the_header_tells_size_and_completeness() {
        let bytes = jpeg(70, 30);
        let header = Header::read(&bytes).unwrap();
        assert_eq!(
            (header.size, header.complete, header.ordinary),
            ((70, 30), true, true)
        );
        assert_eq!(decode(&bytes, &header).unwrap().0.dimensions(), (70, 30));
        let cut = Header::read(&bytes[..bytes.len() - 1]).unwrap();
        assert!(!cut.complete);
        assert_eq!(Header::read(&bytes[..20]), None);
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end() {
        let bytes = jpeg(16, 16);
        let mut with_thumbnail = bytes[..2].to_vec();
        with_thumbnail.extend_from_slice(&[0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9]);
        with_thumbnail.extend_from_slice(&bytes[2..bytes.len() - 2]);
        assert!(!Header::read(&with_thumbnail).unwrap().complete);
        with_thumbnail.extend_from_slice(&[0xFF, 0xD9]);
        assert!(Header::read(&with_thumbnail).unwrap().complete);
    }

    #[test]
    fn unusual_frames_are_left_to_another_decoder() {
        let frame = |factors: &[u8], bits: u8| {
            let mut f = vec![bits, 0, 9, 0, 9, factors.len() as u8];
            factors
                .iter()
                .for_each(|&s| f.extend_from_slice(&[1, s, 0]));
            f
        };
        assert!(ordinary(0xC2, &frame(&[0x22, 0x11, 0x11], 8)));
        assert!(!ordinary(0xC0, &frame(&[0x22, 0x11, 0x11, 0x22], 8)));
        assert!(!ordinary(0xC0, &frame(&[0x22, 0x21, 0x11], 8)));
        assert!(!ordinary(0xC9, &frame(&[0x22, 0x11, 0x11], 8)));
        assert!(!ordinary(0xC1, &frame(&[0x11], 12)));
    }
}
