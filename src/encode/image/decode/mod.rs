//! Bytes to RGB pixels, with limits, as Pillow's `Image.convert("RGB")` gives them.
//!
//! | content | here | Pillow |
//! |---|---|---|
//! | grey, palette, 1 bit | expanded | the same |
//! | alpha | dropped, the colours below stay | the same |
//! | CMYK JPEG | Adobe's inverted inks times black | the same within 1 |
//! | 16-bit colour PNG | high byte | the same |
//! | 16-bit grey PNG | high byte | clips to 255, which is white: a fault, not followed |
//! | colour profile, gamma | ignored | the same |
//! | animation | first frame | the same |
//! | canvas of a GIF around its first frame | its transparent colour, or its first one | the same |
//! | canvas of a GIF smaller than its first frame | enlarged | the same |
//! | end marker, trailer or last chunk missing, all rows present | read | mostly the same |
//! | the rest of a JPEG or PNG filled up with zeros, and no end marker | the zeros are not data | read as rows |
//! | rows missing, with or without an end marker | refused, with the number of rows present | refused, or read with grey rows |
//!
//! The format is detected by content, never by name. The headers tell how much memory decoding
//! will take; that much is reserved from the process's [`DecodeBudget`] before a decoder sees
//! the data. What pixels do not depend on (profiles, texts, thumbnails, further frames) is never
//! handed to a decoder, so that it cannot inflate.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the public functions, pixels to RGB |
//! | `limits` | limits on the size of an image |
//! | `pixels` | pixels from the decoders of the `image` crate |
//! | `budget` | [`DecodeBudget`]: memory for all concurrent decodes |
//! | `coded` | an image by its headers, for any format |
//! | `jpeg`, `png`, `webp`, `gif`, `bmp` | the header parser of a format, and whether all rows are present |
//! | `lossless` | memory of the prefix codes of a lossless WebP |

mod bmp;
mod budget;
mod coded;
mod gif;
mod jpeg;
mod limits;
mod lossless;
mod pixels;
mod png;
#[cfg(test)]
mod tests;
mod webp;

use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use super::super::error::InputError;
use crate::stand_in;
use budget::MemoryReservation;
pub use budget::{DEFAULT_LIMIT, DecodeBudget};
use coded::{CodedImage, kept};
use limits::label;
pub use limits::{MAX_BYTES, MAX_SIDE, PictureLimits};

/// The version of decoding, part of the keys of cached embeddings: to be raised by whoever changes which
/// files are pictures, or what is made of one. The embeddings of all pictures are then made again, and
/// sets stay as they are. Whoever changes a pixel of a sound picture raises the version in the encoder's
/// identity too, which sets look at.
pub(crate) const DECODING: u32 = 1;
/// Pixels, and the memory that is set aside for them as long as they live.
#[derive(Debug)]
pub struct DecodedImage<P> {
    pixels: P,
    _held: MemoryReservation,
}

impl<P> Deref for DecodedImage<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.pixels
    }
}

impl<P> DerefMut for DecodedImage<P> {
    fn deref_mut(&mut self) -> &mut P {
        &mut self.pixels
    }
}

/// Decodes one image; `upright` turns it as its EXIF orientation says. Waits for memory while other
/// pictures have it.
///
/// # Errors
/// As `decode_within`.
pub fn decode(bytes: &[u8], upright: bool) -> Result<DecodedImage<RgbImage>, InputError> {
    decode_within(bytes, upright, PictureLimits::default())
}

/// Decodes one image within limits; `upright` turns it as its EXIF orientation says.
///
/// # Errors
/// Every kind of [`InputError`] that concerns images. A header that announces more than the limits
/// is refused before its pixels are given memory.
pub(crate) fn decode_within(
    bytes: &[u8],
    upright: bool,
    limits: PictureLimits,
) -> Result<DecodedImage<RgbImage>, InputError> {
    let rgb = |image: DynamicImage, orientation: Orientation| {
        // Turning comes after the conversion: a turned copy of three bytes a pixel is the smallest.
        let rgb = to_rgb(image);
        if !upright || orientation == Orientation::NoTransforms {
            return rgb;
        }
        let mut turned = DynamicImage::ImageRgb8(rgb);
        turned.apply_orientation(orientation);
        turned.into_rgb8()
    };
    let (pixels, held) = decoded(bytes, false, limits, rgb)?;
    Ok(DecodedImage {
        pixels,
        _held: held,
    })
}

/// Decodes one image as a person is shown it: upright and with its transparency.
///
/// # Errors
/// As `decode_within`.
pub fn decode_shown(
    bytes: &[u8],
    limits: PictureLimits,
) -> Result<DecodedImage<DynamicImage>, InputError> {
    let shown = |mut image: DynamicImage, orientation: Orientation| {
        image.apply_orientation(orientation);
        image
    };
    let (pixels, held) = decoded(bytes, true, limits, shown)?;
    Ok(DecodedImage {
        pixels,
        _held: held,
    })
}

/// What `make` makes of the pixels, and the memory that is set aside for it.
fn decoded<P>(
    bytes: &[u8],
    transparent: bool,
    limits: PictureLimits,
    make: impl FnOnce(DynamicImage, Orientation) -> P,
) -> Result<(P, MemoryReservation), InputError> {
    let format = format_of(bytes)?;
    guarded(format, || {
        // Everything that memory depends on is read from headers, before a decoder runs.
        let coded = CodedImage::look(bytes, format, transparent)?;
        let mut held = coded.reserve(bytes.len(), transparent, limits)?;
        let (image, orientation) = coded.decode(bytes, format)?;
        let pixels = make(image, orientation);
        // The peak is over; what is kept are the pixels, and others may decode meanwhile.
        held.shrink_to(kept(coded.size(), transparent));
        Ok((pixels, held))
    })
}

/// How many bytes of memory decoding one image takes at its peak, by its headers.
///
/// # Errors
/// What `decode_within` would refuse it for without decoding it.
pub fn decoding_cost(bytes: &[u8], limits: PictureLimits) -> Result<u64, InputError> {
    let format = format_of(bytes)?;
    guarded(format, || {
        CodedImage::look(bytes, format, false)?.cost(bytes.len(), false, limits)
    })
}

fn format_of(bytes: &[u8]) -> Result<ImageFormat, InputError> {
    if bytes.is_empty() {
        return Err(InputError::Empty);
    }
    // A format that is recognised but not compiled in is refused by name.
    image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)
        .ok_or_else(|| match stand_in::said_of(bytes) {
            Some(said) => InputError::StandIn { said },
            None => InputError::NotAnImage {
                found: describe(bytes),
            },
        })
}

/// Decoders of other people's bytes are large; a panic in one is that image's trouble only.
fn guarded<T>(
    format: ImageFormat,
    work: impl FnOnce() -> Result<T, InputError>,
) -> Result<T, InputError> {
    // Unwind-safe: on a panic nothing of this call is used afterwards.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(InputError::Undecodable {
            format: label(format),
            reason: "the decoder gave up".to_owned(),
        })
    })
}

/// The three colours of every pixel in 8 bits; deeper samples keep their high byte.
fn to_rgb(image: DynamicImage) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let high = |v: u16| (v >> 8) as u8;
    let pixels: Vec<u8> = match image {
        DynamicImage::ImageRgb8(rgb) => return rgb,
        DynamicImage::ImageLuma8(i) => i.iter().flat_map(|&v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(i) => i.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgba8(i) => i.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect(),
        DynamicImage::ImageLuma16(i) => i.iter().flat_map(|&v| [high(v); 3]).collect(),
        DynamicImage::ImageLumaA16(i) => i.pixels().flat_map(|p| [high(p.0[0]); 3]).collect(),
        DynamicImage::ImageRgb16(i) => i.iter().map(|&v| high(v)).collect(),
        DynamicImage::ImageRgba16(i) => i
            .pixels()
            .flat_map(|p| [p.0[0], p.0[1], p.0[2]].map(high))
            .collect(),
        other => return other.into_rgb8(),
    };
    RgbImage::from_raw(width, height, pixels).expect("each pixel gave three bytes")
}

/// What bytes that are not an image look like, for a message.
fn describe(bytes: &[u8]) -> String {
    if let Ok(format) = image::guess_format(bytes) {
        return format!("{}, which is not supported", label(format));
    }
    // Enough to recognise a kind, and short enough that a huge file costs nothing.
    let head = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // The cut may lie within a character; what stands before it is text.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).ok(),
        Err(_) => None,
    };
    let printable = |c: char| !c.is_control() || c.is_whitespace();
    match text.map(str::trim_start) {
        Some(t) if t.starts_with("<svg") || t.starts_with("<?xml") => "SVG or XML".to_owned(),
        Some(t) if t.starts_with('<') => "HTML or XML".to_owned(),
        Some(t) if t.chars().all(printable) => "text".to_owned(),
        _ if head.get(4..8) == Some(b"ftyp") => "HEIC, AVIF or video".to_owned(),
        _ => {
            let first: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
            format!("unknown (it begins with {})", first.join(" "))
        }
    }
}
