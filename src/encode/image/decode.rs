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
//!
//! The format is told by the content, never by a name.

use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::super::error::InputError;
use super::jpeg::{self, Header};

/// The longest side that is accepted, in pixels.
pub const MAX_SIDE: u32 = 16_384;
/// The largest decoded image that is accepted, in bytes.
pub const MAX_BYTES: u64 = 512 << 20;

/// Decodes one image; `upright` turns it as its EXIF orientation says.
///
/// # Errors
/// Every kind of [`InputError`] that concerns images. A header that announces more than the limits
/// is refused before its pixels are given memory.
pub fn decode(bytes: &[u8], upright: bool) -> Result<RgbImage, InputError> {
    let (rgb, orientation) = guarded(bytes, |format| match format {
        ImageFormat::Jpeg => read_jpeg(bytes),
        _ => read(bytes, format, upright).map(|(image, turned)| (to_rgb(image), turned)),
    })?;
    if !upright || orientation == Orientation::NoTransforms {
        return Ok(rgb);
    }
    let mut turned = DynamicImage::ImageRgb8(rgb);
    turned.apply_orientation(orientation);
    Ok(turned.into_rgb8())
}

/// Decodes one image as a person is shown it: upright and with its transparency.
///
/// # Errors
/// As [`decode`].
pub fn decode_shown(bytes: &[u8]) -> Result<DynamicImage, InputError> {
    let (mut image, orientation) = guarded(bytes, |format| match format {
        ImageFormat::Jpeg => read_jpeg(bytes).map(|(rgb, turned)| (rgb.into(), turned)),
        _ => read(bytes, format, true),
    })?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// What `read` makes of bytes whose format is known.
fn guarded<T>(
    bytes: &[u8],
    read: impl FnOnce(ImageFormat) -> Result<T, InputError>,
) -> Result<T, InputError> {
    if bytes.is_empty() {
        return Err(InputError::Empty);
    }
    let format = image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)
        .ok_or_else(|| InputError::NotAnImage {
            found: describe(bytes),
        })?;
    let label = label(format);
    // Decoders of other people's bytes are large; a panic in one is that image's trouble only.
    catch_unwind(AssertUnwindSafe(|| read(format))).unwrap_or_else(|_| {
        Err(InputError::Undecodable {
            format: label,
            reason: "the decoder gave up".to_owned(),
        })
    })
}

fn read_jpeg(bytes: &[u8]) -> Result<(RgbImage, Orientation), InputError> {
    let truncated = |reason: &str| InputError::Truncated {
        format: label(ImageFormat::Jpeg),
        reason: reason.to_owned(),
    };
    let header = Header::read(bytes)
        .ok_or_else(|| truncated("its headers end before the coded picture begins"))?;
    check_size(
        header.size,
        3 * u64::from(header.size.0) * u64::from(header.size.1),
    )?;
    if !header.complete {
        // The decoders would fill the missing part with grey and say nothing.
        return Err(truncated("it has no end-of-image marker"));
    }
    match jpeg::decode(bytes, &header) {
        Some(decoded) => Ok(decoded),
        None => read(bytes, ImageFormat::Jpeg, true).map(|(image, turned)| (to_rgb(image), turned)),
    }
}

fn check_size(size: (u32, u32), bytes: u64) -> Result<(), InputError> {
    if size.0.max(size.1) > MAX_SIDE || bytes > MAX_BYTES {
        return Err(too_large(size));
    }
    Ok(())
}

fn read(
    bytes: &[u8],
    format: ImageFormat,
    upright: bool,
) -> Result<(DynamicImage, Orientation), InputError> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader
        .into_decoder()
        .map_err(|e| explain(e, format, (0, 0)))?;
    let size @ (width, height) = decoder.dimensions();
    check_size(size, decoder.total_bytes())?;
    if width == 0 || height == 0 {
        return Err(InputError::Undecodable {
            format: label(format),
            reason: format!("its size is {width}x{height}"),
        });
    }
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    decoder
        .set_limits(limits)
        .map_err(|e| explain(e, format, size))?;
    let orientation = match upright {
        true => decoder.orientation().unwrap_or(Orientation::NoTransforms),
        false => Orientation::NoTransforms,
    };
    let image = DynamicImage::from_decoder(decoder).map_err(|e| explain(e, format, size))?;
    Ok((image, orientation))
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
    RgbImage::from_raw(width, height, pixels).unwrap_or_default()
}

fn too_large((width, height): (u32, u32)) -> InputError {
    InputError::TooLarge {
        width,
        height,
        max_side: MAX_SIDE,
        max_mib: MAX_BYTES >> 20,
    }
}

fn label(format: ImageFormat) -> String {
    format!("{format:?}").to_uppercase()
}

fn explain(error: ImageError, format: ImageFormat, size: (u32, u32)) -> InputError {
    let format = label(format);
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::DimensionError | LimitErrorKind::InsufficientMemory => too_large(size),
            _ => InputError::Undecodable {
                format,
                reason: limit.to_string(),
            },
        },
        ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => InputError::Truncated {
            format,
            reason: "the data ends before the image does".to_owned(),
        },
        other => InputError::Undecodable {
            format,
            reason: other.to_string(),
        },
    }
}

/// What bytes that are no image look like, for a message.
fn describe(bytes: &[u8]) -> String {
    if let Ok(format) = image::guess_format(bytes) {
        return format!("{}, which is not supported", label(format));
    }
    let head = &bytes[..bytes.len().min(512)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
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

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayAlphaImage, ImageBuffer, Luma, Rgb, Rgba};

    fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    fn photo() -> DynamicImage {
        RgbImage::from_fn(40, 30, |x, y| {
            Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8])
        })
        .into()
    }

    /// A PNG that is only a header with the given size.
    fn png_header(width: u32, height: u32) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut ihdr = b"IHDR".to_vec();
        ihdr.extend_from_slice(&width.to_be_bytes());
        ihdr.extend_from_slice(&height.to_be_bytes());
        ihdr.extend_from_slice(&[8, 2, 0, 0, 0]);
        let mut crc = !0u32;
        for byte in &ihdr {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0xEDB8_8320
                } else {
                    crc >> 1
                };
            }
        }
        png.extend_from_slice(&13u32.to_be_bytes());
        png.extend_from_slice(&ihdr);
        png.extend_from_slice(&(!crc).to_be_bytes());
        png.extend_from_slice(&0u32.to_be_bytes());
        png.extend_from_slice(b"IDAT");
        png
    }

    #[test]
    fn the_content_decides_not_the_name() {
        let png = encode(&photo(), ImageFormat::Png);
        assert_eq!(decode(&png, true).unwrap(), photo().into_rgb8());
        for (bytes, expected) in [
            (&b"just some words\n"[..], "text"),
            (b"<!doctype html><p>404", "HTML"),
            (b"II*\0\x08\0\0\0................", "TIFF"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
            (b"\x01\x02\x03\x04\x05", "01 02 03"),
        ] {
            let error = decode(bytes, true).unwrap_err();
            assert!(
                matches!(&error, InputError::NotAnImage { found } if found.contains(expected)),
                "{error}"
            );
        }
        assert_eq!(decode(b"", true), Err(InputError::Empty));
    }

    #[test]
    fn a_giant_header_is_refused_with_its_size() {
        let error = decode(&png_header(30_000, 30_000), true).unwrap_err();
        assert!(
            matches!(
                error,
                InputError::TooLarge {
                    width: 30_000,
                    height: 30_000,
                    ..
                }
            ),
            "{error}"
        );
        // Each side is allowed, the whole is not: 16,384 x 16,384 x 3 bytes.
        let error = decode(&png_header(MAX_SIDE, MAX_SIDE), true).unwrap_err();
        assert!(matches!(error, InputError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn truncation_is_noticed_in_every_format() {
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::WebP,
            ImageFormat::Bmp,
        ] {
            let whole = encode(&photo(), format);
            assert!(decode(&whole, true).is_ok());
            for keep in [whole.len() / 4, whole.len() / 2, whole.len() * 9 / 10] {
                let error = decode(&whole[..keep], true).unwrap_err();
                assert!(
                    matches!(
                        error,
                        InputError::Truncated { .. } | InputError::Undecodable { .. }
                    ),
                    "{format:?} {keep}: {error}"
                );
            }
        }
        let jpeg = encode(&photo(), ImageFormat::Jpeg);
        assert!(matches!(
            decode(&jpeg[..jpeg.len() - 2], true),
            Err(InputError::Truncated { .. })
        ));
    }

    #[test]
    fn every_pixel_layout_becomes_rgb() {
        let deep = ImageBuffer::<Luma<u16>, _>::from_fn(9, 9, |x, y| Luma([(x * 7000 + y) as u16]));
        let png = encode(&DynamicImage::ImageLuma16(deep), ImageFormat::Png);
        let rgb = decode(&png, true).unwrap();
        assert_eq!(rgb.get_pixel(3, 2).0, [(21_002u16 >> 8) as u8; 3]);

        let clear = ImageBuffer::from_fn(9, 9, |x, _| Rgba([x as u8, 90, 200, 0]));
        let png = encode(&DynamicImage::ImageRgba8(clear), ImageFormat::Png);
        assert_eq!(decode(&png, true).unwrap().get_pixel(5, 5).0, [5, 90, 200]);

        let grey = GrayAlphaImage::from_fn(9, 9, |_, y| image::LumaA([y as u8, 17]));
        let png = encode(&DynamicImage::ImageLumaA8(grey), ImageFormat::Png);
        assert_eq!(decode(&png, true).unwrap().get_pixel(0, 4).0, [4; 3]);
    }

    #[test]
    fn noise_after_a_signature_is_an_error_and_never_a_panic() {
        let mut seed = 1u32;
        let mut noise = |n: usize| -> Vec<u8> {
            (0..n)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect()
        };
        for start in [
            &b"\xFF\xD8\xFF\xE0"[..],
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"BM",
            b"RIFF\0\0\0\0WEBP",
        ] {
            for n in [0, 1, 40, 4000] {
                let mut bytes = start.to_vec();
                bytes.extend(noise(n));
                assert!(decode(&bytes, true).is_err());
            }
        }
    }
}
