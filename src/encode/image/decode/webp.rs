//! WebP: the chunks that pixels depend on, in a file of their own.
//!
//! The decoder reads sizes from chunk headers and takes memory for them, and it refuses files for
//! faults in chunks that no pixel depends on. So it is given a file with nothing
//! else: the image with its transparency, or the first frame of an animation. Whether these chunks
//! are complete decides, not the length in the file header.

use image::metadata::Orientation;

use super::super::super::error::InputError;
use super::lossless;

/// Flags of an extended header: the image has transparency, or is an animation.
const ALPHA: u8 = 0x10;
const ANIMATION: u8 = 0x02;
/// Bytes of a frame before its chunks.
const FRAME_HEADER: usize = 16;

/// The header data of a WebP, from its chunks.
#[derive(Debug)]
pub(super) struct WebpChunks {
    /// Width and height in pixels, of the canvas.
    pub size: (u32, u32),
    /// The EXIF orientation.
    pub orientation: Orientation,
    /// The file for the decoder.
    pub reduced: Vec<u8>,
    animated: bool,
    /// The prefix codes of lossless pictures within, in bytes of memory; 0 where all is lossy.
    codes: u64,
}

/// A RIFF chunk: its name, and its data as far as present.
#[derive(Debug, Clone, Copy)]
struct RiffChunk<'a> {
    name: [u8; 4],
    data: &'a [u8],
    /// The declared length of its data.
    length: usize,
}

impl WebpChunks {
    /// Parses the chunks; `None` when the first is unknown, which the
    /// decoder rejects with its own message. `transparent` keeps the transparency of a still image.
    ///
    /// # Errors
    /// [`InputError::Truncated`] when the file ends within the picture, or the first frame.
    pub(crate) fn read(bytes: &[u8], transparent: bool) -> Result<Option<Self>, InputError> {
        let mut chunks = RiffChunk::all(bytes.get(12..).unwrap_or(&[]));
        let Some(first) = chunks.next() else {
            return Ok(None);
        };
        let still = |size: Option<(u32, u32)>| {
            let made = size.map(|size| Self {
                size,
                orientation: Orientation::NoTransforms,
                reduced: riff(&[first]),
                animated: false,
                codes: first.codes(size),
            });
            // Whether the data is whole is decided by its own chunk, not by the length of the file.
            first.whole().map(|()| made)
        };
        match &first.name {
            b"VP8 " => still(lossy_size(first.data)),
            b"VP8L" => still(lossless_size(first.data)),
            b"VP8X" => Self::extended(first, chunks, transparent),
            _ => Ok(None),
        }
    }

    fn extended<'a>(
        header: RiffChunk<'a>,
        chunks: impl Iterator<Item = RiffChunk<'a>>,
        transparent: bool,
    ) -> Result<Option<Self>, InputError> {
        let &[flags, _, _, _, a, b, c, d, e, f, ..] = header.data else {
            return Ok(None);
        };
        let size = (
            1 + u32::from_le_bytes([a, b, c, 0]),
            1 + u32::from_le_bytes([d, e, f, 0]),
        );
        let animated = flags & ANIMATION != 0;
        let (mut alpha, mut picture, mut control, mut exif) = (None, None, None, None);
        for chunk in chunks {
            // The first of each kind counts, and what no pixel depends on is passed over.
            let place = match &chunk.name {
                b"ALPH" => &mut alpha,
                b"ANIM" => &mut control,
                b"EXIF" => &mut exif,
                b"ANMF" if animated => &mut picture,
                b"VP8 " | b"VP8L" if !animated => &mut picture,
                _ => continue,
            };
            place.get_or_insert(chunk);
        }
        let Some(picture) = picture else {
            return Err(truncated("its coded data is missing".to_owned()));
        };
        picture.whole()?;
        // Without transparency wanted, the decoder need not read it.
        let alpha = alpha.filter(|_| transparent && !animated && &picture.name == b"VP8 ");
        // The transparency of a lossless picture is within it, and a frame's is mixed into the canvas.
        let clear = alpha.is_some() || animated || &picture.name == b"VP8L";
        // Flags must agree with the chunks that are kept, or the decoder refuses the file.
        let mut kept = [0; 10];
        kept.copy_from_slice(&header.data[..10]);
        kept[0] = flags & ANIMATION | if clear { flags & ALPHA } else { 0 };
        let header = RiffChunk {
            data: &kept,
            length: kept.len(),
            ..header
        };
        let control = control.filter(|_| animated);
        let parts: Vec<RiffChunk<'_>> = [Some(header), control, alpha, Some(picture)]
            .into_iter()
            .flatten()
            .collect();
        let frame = picture.data.get(FRAME_HEADER..).unwrap_or(&[]);
        let codes = match animated {
            true => {
                // A frame may be smaller than the canvas and has codes of its own.
                let size = frame_size(picture.data).unwrap_or(size);
                RiffChunk::all(frame).map(|chunk| chunk.codes(size)).sum()
            }
            false => picture.codes(size) + alpha.map_or(0, |alpha| alpha.codes(size)),
        };
        let told = exif.and_then(|exif| Orientation::from_exif_chunk(exif.data));
        Ok(Some(Self {
            size,
            orientation: told.unwrap_or(Orientation::NoTransforms),
            reduced: riff(&parts),
            animated,
            codes,
        }))
    }

    /// The most bytes that decoding takes: planes and pixels of a lossy picture; scratch and pixels of
    /// a lossless one, or of transparency; for an animation frame and canvas too. Then RGB.
    pub(crate) fn cost(&self) -> u64 {
        let pixels = u64::from(self.size.0) * u64::from(self.size.1);
        let a_pixel = match (self.animated, self.codes) {
            (true, _) => 16,
            (false, 0) => 5,
            (false, _) => 11,
        };
        // Whole blocks of 16 x 16 are decoded, which matters where a side is short.
        let border = 16 * u64::from(self.size.0 + self.size.1);
        2 * self.reduced.len() as u64 + self.codes + a_pixel * (pixels + border)
    }
}

impl<'a> RiffChunk<'a> {
    /// The chunks of a list; the last may be truncated.
    fn all(mut list: &'a [u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (head, rest) = list.split_first_chunk::<8>()?;
            let &[a, b, c, d, e, f, g, h] = head;
            let length = u32::from_le_bytes([e, f, g, h]) as usize;
            let data = rest.get(..length).unwrap_or(rest);
            // A chunk of odd length is followed by a padding byte.
            list = rest.get(length.saturating_add(length & 1)..).unwrap_or(&[]);
            Some(Self {
                name: [a, b, c, d],
                data,
                length,
            })
        })
    }

    fn whole(&self) -> Result<(), InputError> {
        let (there, all) = (self.data.len(), self.length);
        match there < all {
            true => Err(truncated(format!(
                "{there} of {all} bytes of its coded data are there"
            ))),
            false => Ok(()),
        }
    }

    /// Memory of this chunk's prefix codes; at least one byte if it may have any.
    /// `size` is that of the picture that it belongs to.
    fn codes(&self, size: (u32, u32)) -> u64 {
        let codes = match &self.name {
            b"VP8L" => lossless::code_bytes(self.data, None),
            // The first byte gives the compression method.
            b"ALPH" if self.data.first().is_some_and(|how| how & 3 == 1) => {
                lossless::code_bytes(&self.data[1..], Some(size))
            }
            b"ALPH" => None,
            _ => return 0,
        };
        codes.unwrap_or(1).max(1)
    }
}

/// Builds a file from these chunks.
fn riff(chunks: &[RiffChunk<'_>]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    for chunk in chunks {
        file.extend_from_slice(&chunk.name);
        file.extend_from_slice(&(chunk.data.len() as u32).to_le_bytes());
        file.extend_from_slice(chunk.data);
        file.resize(file.len().next_multiple_of(2), 0);
    }
    let length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    file
}

/// The same for a frame of an animation.
fn frame_size(data: &[u8]) -> Option<(u32, u32)> {
    let &[a, b, c, d, e, f] = data.get(6..12)? else {
        return None;
    };
    let side = |bytes| 1 + u32::from_le_bytes(bytes);
    Some((side([a, b, c, 0]), side([d, e, f, 0])))
}

fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let &[_, _, _, 0x9D, 0x01, 0x2A, a, b, c, d, ..] = data else {
        return None;
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    Some((side(a, b), side(c, d)))
}

fn lossless_size(data: &[u8]) -> Option<(u32, u32)> {
    let &[0x2F, a, b, c, d, ..] = data else {
        return None;
    };
    let bits = u32::from_le_bytes([a, b, c, d]);
    Some((1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
}

fn truncated(reason: String) -> InputError {
    InputError::Truncated {
        format: "WEBP".to_owned(),
        reason,
    }
}
