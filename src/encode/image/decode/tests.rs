//! Contents, limits, and pictures that lack something.

use std::io::Cursor;

use super::*;
use asif_index::random::SplitMix64;
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
    assert_eq!(*decode(&png, true).unwrap(), photo().into_rgb8());
    for (bytes, expected) in [
        (&b"just some words\n"[..], "text"),
        (b"<p>404", "HTML"),
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
    for (bytes, expected) in [
        (&b"<!doctype html><p>404"[..], "HTML"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid x\n",
            "`git lfs pull`",
        ),
        (b"404: Not Found", "a server answered"),
    ] {
        let error = decode(bytes, true).unwrap_err();
        assert!(
            matches!(&error, InputError::StandIn { said } if said.contains(expected)),
            "{error}"
        );
        assert!(!error.to_string().contains("convert"), "{error}");
    }
    assert_eq!(decode(b"", true).unwrap_err(), InputError::Empty);
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
    let mut random = SplitMix64::new(1);
    let mut noise = |n: usize| -> Vec<u8> { (0..n).map(|_| random.bits() as u8).collect() };
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
