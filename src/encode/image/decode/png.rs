//! PNG, row by row.
//!
//! Only the chunks that pixels depend on reach the decoder: header, palette, transparency, image
//! data. Profiles, texts, animation frames and all other chunks are skipped without
//! being inflated, since no pixel depends on them. An image is complete when all its rows are
//! present: neither the last chunk nor the chunk checksum of image data is required, as long as the data's
//! own checksum is right.

use std::cell::Cell;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom};

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, InterlaceInfo};

use super::super::super::error::InputError;
use super::limits::{MAX_BYTES, too_large};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The last chunk.
const END: &[u8] = b"\0\0\0\0IEND\xAE\x42\x60\x82";
/// This many zeros at the end of a file are not part of a chunk, but what an incomplete download left
/// unwritten.
const FILLING: usize = 16;
/// The compressed bytes after the last row that are read for the sake of the data's checksum. Each
/// may inflate a thousandfold.
const TAIL: usize = 64 << 10;

/// The decoder's messages about truncated data, for which it has no error kind.
const ENDINGS: [&str; 2] = ["not have enough data", "InsufficientInput"];

/// The header data of a PNG, from its chunks.
#[derive(Debug)]
pub(super) struct PngChunks<'a> {
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Bytes of a pixel once palettes and few bits are expanded.
    pixel_bytes: u64,
    /// The EXIF orientation.
    pub orientation: Orientation,
    /// The parts of the file that pixels depend on, in order, for the decoder.
    parts: Vec<&'a [u8]>,
    /// The image data of all chunks, and how long it is.
    data: Vec<&'a [u8]>,
    length: u32,
    interlaced: bool,
}

impl<'a> PngChunks<'a> {
    /// Parses the chunks.
    ///
    /// # Errors
    /// [`InputError::Truncated`] when the file ends before image data begins, and
    /// [`InputError::Undecodable`] when a chunk that pixels depend on is damaged.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, InputError> {
        let zeros = bytes.iter().rev().take_while(|&&byte| byte == 0).count();
        let filled_up = if zeros < FILLING { 0 } else { zeros };
        let bytes = &bytes[..bytes.len() - filled_up];
        // A last chunk that was appended to truncated image data is not part of it.
        let limit = bytes.strip_suffix(END).unwrap_or(bytes).len();
        let mut at = SIGNATURE.len();
        let mut parts = vec![SIGNATURE];
        let (mut header, mut orientation) = (None, None);
        let mut transparent = false;
        let mut data: Vec<&[u8]> = Vec::new();
        while let Some(head) = bytes.get(at..at + 8) {
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let kind = &head[4..];
            let end = (at + 8).saturating_add(length);
            if kind == b"IDAT" {
                // As much as there is: the file may end within.
                data.push(bytes.get(at + 8..end.min(limit)).unwrap_or_default());
                if end.saturating_add(4) > limit {
                    break;
                }
            }
            let Some(whole) = bytes.get(at..end.saturating_add(4)) else {
                break;
            };
            let checked = &whole[4..8 + length];
            let sound = || crc(checked).to_be_bytes() == whole[8 + length..];
            match kind {
                b"IHDR" | b"PLTE" | b"tRNS" if data.is_empty() => {
                    if !sound() {
                        let name = String::from_utf8_lossy(kind);
                        return Err(damaged(format!("its {name} chunk is damaged")));
                    }
                    if kind == b"IHDR" && header.is_none() {
                        header = Some(&checked[4..]);
                    }
                    transparent |= kind == b"tRNS";
                    parts.push(whole);
                }
                b"eXIf" if orientation.is_none() => {
                    let told = Orientation::from_exif_chunk(&checked[4..]);
                    orientation = Some(told.unwrap_or(Orientation::NoTransforms));
                }
                b"IEND" => break,
                _ => {}
            }
            at = end + 4;
        }
        let Some(&[a, b, c, d, e, f, g, h, depth, color, _, _, interlace]) = header else {
            return Err(truncated("its header is missing or is cut".to_owned()));
        };
        let channels = match (color, transparent) {
            (0, false) => 1,
            (0, true) | (4, _) => 2,
            (2 | 3, false) => 3,
            _ => 4,
        };
        // One chunk for all image data, however many it came in.
        let length: usize = data.iter().map(|part| part.len()).sum();
        let Ok(length) = u32::try_from(length) else {
            return Err(damaged("its image data is too long".to_owned()));
        };
        Ok(Self {
            size: (
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            ),
            pixel_bytes: channels * if depth == 16 { 2 } else { 1 },
            orientation: orientation.unwrap_or(Orientation::NoTransforms),
            parts,
            data,
            length,
            interlaced: interlace != 0,
        })
    }

    /// The most bytes that the pixels take before they become RGB.
    pub(crate) fn pixels_bytes(&self) -> u64 {
        u64::from(self.size.0) * u64::from(self.size.1) * self.pixel_bytes
    }

    /// The most bytes that decoding takes beside the pixels: the chunk list, a few rows and the
    /// window of the inflater.
    pub(crate) fn scratch(&self) -> u64 {
        let row = u64::from(self.size.0) * self.pixel_bytes;
        (2 * self.data.len() * size_of::<&[u8]>()) as u64 + 4 * row + (1 << 20)
    }

    /// The pixels as they are stored, palettes and few bits expanded to 8 bits.
    ///
    /// # Errors
    /// [`InputError::Truncated`] with how many rows there are; [`InputError::Undecodable`].
    pub(crate) fn decode(&self) -> Result<DynamicImage, InputError> {
        if self.length == 0 {
            return Err(truncated("it has no image data".to_owned()));
        }
        match self.decode_with(None) {
            // If only the data's own checksum is truncated, any bytes in its place end the stream as
            // well, and no pixel depends on what it is.
            Err(error @ InputError::Truncated { .. }) => {
                let hash = |image: DynamicImage| blake3::hash(image.as_bytes());
                let zeros = self.decode_with(Some([0; 4])).map(hash);
                match (zeros, self.decode_with(Some([0xFF; 4]))) {
                    (Ok(zeros), Ok(ones)) if zeros == blake3::hash(ones.as_bytes()) => Ok(ones),
                    _ => Err(error),
                }
            }
            decoded => decoded,
        }
    }

    /// Decodes with these bytes appended to the data.
    fn decode_with(&self, fill: Option<[u8; 4]>) -> Result<DynamicImage, InputError> {
        let filled_up = fill.is_some();
        let fill: &[u8] = fill.as_ref().map_or(&[], |fill| fill);
        let length = (self.length.saturating_add(fill.len() as u32)).to_be_bytes();
        let mut parts = self.parts.clone();
        parts.extend([&length, &b"IDAT"[..]]);
        parts.extend(&self.data);
        // Chunk checksums are ignored.
        parts.extend([fill, &[0; 4], b"\0\0\0\0IEND\0\0\0\0"]);
        let read = Cell::new(0);
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let source = PartsReader {
            parts: &parts,
            part: 0,
            at: 0,
            read: &read,
        };
        // Texts and profiles could inflate far beyond the picture.
        let mut options = DecodeOptions::default();
        options.set_ignore_text_chunk(true);
        options.set_ignore_iccp_chunk(true);
        options.set_ignore_crc(true);
        options.set_ignore_adler32(filled_up);
        let mut decoder = Decoder::new_with_options(source, options);
        decoder.set_limits(png::Limits {
            // Not more than was set aside for this picture.
            bytes: usize::try_from(self.scratch()).unwrap_or(usize::MAX),
        });
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().map_err(|e| self.explain(e, None))?;
        let (color, depth) = reader.output_color_type();
        let line = reader.output_line_size(self.size.0).unwrap_or(usize::MAX);
        let length = reader.output_buffer_size().unwrap_or(usize::MAX);
        // The decoder's own size is checked, for it depends on its transformations.
        if length as u64 > MAX_BYTES {
            return Err(too_large(self.size));
        }
        let mut pixels = vec![0; length];
        let mut scratch = vec![0; if self.interlaced { line } else { 0 }];
        for done in 0..self.rows() {
            let row = match self.interlaced {
                true => &mut scratch[..],
                false => &mut pixels[done as usize * line..][..line],
            };
            let interlace = reader.read_row(row);
            let interlace = interlace.map_err(|e| self.explain(e, Some(done)))?;
            if let Some(InterlaceInfo::Adam7(pass)) = interlace {
                let bits = color.samples() as u8 * depth as u8;
                png::expand_interlaced_row(&mut pixels, line, &scratch, &pass, bits);
            }
        }
        if filled_up || total - read.get() <= TAIL {
            // A row past the last one must not exist, so asking for it reads the end of the data.
            match reader.read_row(&mut vec![0; line]) {
                Ok(_) => {}
                Err(error) => return Err(self.explain(error, Some(self.rows()))),
            }
        }
        assemble(self.size, color, depth, pixels)
            .ok_or_else(|| damaged("its pixels do not fill it".to_owned()))
    }

    /// The number of coded rows; for an interlaced image those of all its passes.
    fn rows(&self) -> u64 {
        match self.interlaced {
            true => interlaced_rows(self.size),
            false => self.size.1.into(),
        }
    }

    /// Converts a decoder error after this many rows, or before the first.
    fn explain(&self, error: DecodingError, rows: Option<u64>) -> InputError {
        let ended = match &error {
            DecodingError::IoError(e) => e.kind() == ErrorKind::UnexpectedEof,
            // The compressed stream is complete, but too short for the image.
            DecodingError::Format(e) => {
                let said = e.to_string();
                ENDINGS.iter().any(|ending| said.contains(ending))
            }
            _ => false,
        };
        let of = self.rows();
        let kind = if self.interlaced {
            "interlaced rows"
        } else {
            "rows"
        };
        match (error, rows) {
            (DecodingError::LimitsExceeded, _) => too_large(self.size),
            (_, Some(rows)) if ended => {
                truncated(format!("its image data ends after {rows} of {of} {kind}"))
            }
            (_, None) if ended => truncated("the data ends before the image does".to_owned()),
            (error, None) => damaged(error.to_string()),
            (error, Some(rows)) => damaged(format!("{error}, after {rows} of {of} {kind}")),
        }
    }
}

/// The rows of all passes of an interlaced picture; a pass without columns has none.
fn interlaced_rows((width, height): (u32, u32)) -> u64 {
    const PASSES: [[u32; 4]; 7] = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
    ];
    let rows = PASSES.iter().map(|&[x, y, _, down]| match width > x {
        true => u64::from(height.saturating_sub(y).div_ceil(down)),
        false => 0,
    });
    rows.sum()
}

fn assemble(
    (width, height): (u32, u32),
    color: ColorType,
    depth: BitDepth,
    pixels: Vec<u8>,
) -> Option<DynamicImage> {
    let deep = |pixels: Vec<u8>| -> Vec<u16> {
        let pairs = pixels.chunks_exact(2);
        pairs.map(|p| u16::from_be_bytes([p[0], p[1]])).collect()
    };
    macro_rules! buffer {
        ($pixels:expr) => {
            ImageBuffer::from_raw(width, height, $pixels)?.into()
        };
    }
    Some(match (color, depth) {
        (ColorType::Grayscale, BitDepth::Eight) => DynamicImage::ImageLuma8(buffer!(pixels)),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => DynamicImage::ImageLumaA8(buffer!(pixels)),
        (ColorType::Rgb, BitDepth::Eight) => DynamicImage::ImageRgb8(buffer!(pixels)),
        (ColorType::Rgba, BitDepth::Eight) => DynamicImage::ImageRgba8(buffer!(pixels)),
        (ColorType::Grayscale, BitDepth::Sixteen) => {
            DynamicImage::ImageLuma16(buffer!(deep(pixels)))
        }
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => {
            DynamicImage::ImageLumaA16(buffer!(deep(pixels)))
        }
        (ColorType::Rgb, BitDepth::Sixteen) => DynamicImage::ImageRgb16(buffer!(deep(pixels))),
        (ColorType::Rgba, BitDepth::Sixteen) => DynamicImage::ImageRgba16(buffer!(deep(pixels))),
        _ => return None,
    })
}

/// Some parts of a file, one after another.
struct PartsReader<'a> {
    parts: &'a [&'a [u8]],
    part: usize,
    at: usize,
    /// How many bytes were read.
    read: &'a Cell<usize>,
}

impl BufRead for PartsReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while let Some(part) = self.parts.get(self.part) {
            if self.at < part.len() {
                return Ok(&part[self.at..]);
            }
            (self.part, self.at) = (self.part + 1, 0);
        }
        Ok(&[])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
        self.read.set(self.read.get() + amount);
    }
}

impl Read for PartsReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl Seek for PartsReader<'_> {
    /// Required by the decoder's trait bound, never called.
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// CRC-32 as PNG has it. Only of small chunks, so that a table would not pay.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

fn truncated(reason: String) -> InputError {
    InputError::Truncated {
        format: "PNG".to_owned(),
        reason,
    }
}

fn damaged(reason: String) -> InputError {
    InputError::Undecodable {
        format: "PNG".to_owned(),
        reason,
    }
}
