//! JPEG, decoded to the same bytes as libjpeg-turbo, which Pillow uses.
//!
//! Decoders differ in how they enlarge colour that is stored at half size. `image`'s decoder rounds
//! differently there, which moves an embedding to a cosine of 0.9987 at worst on real photographs;
//! `libjpeg-turbo-rs` gives the identical pixels. It is used only for what nearly every file is: 8
//! bits, Huffman coded, grey or three colours in an ordinary sampling. The pixels of the rest (CMYK,
//! and what it does not support) come from `image`.
//!
//! Whether an image is complete is decided by its coded data, never by its end marker:
//!
//! | coded data | here | Pillow |
//! |---|---|---|
//! | all rows, no end marker | read | refused, or read if any bytes follow |
//! | ends before the last row, with or without an end marker | refused | refused, or read with grey rows |
//! | a stretch between restart markers is short or missing | refused | read with grey rows |
//! | progressive: a scan ends early | refused | refused, or read |
//! | progressive: the last scans are missing, the end marker is there | read, less sharp | the same |
//! | progressive: the last scans are missing, no end marker | refused | the same |
//! | a colour component in no scan | refused | read as grey |
//! | an invalid code | refused | read with noise |
//! | anything after the end marker (another JPEG, MPO) | skipped | the same |

mod markers;

use std::borrow::Cow;

use image::RgbImage;
use image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits, DecodeWarning, Decoder, JpegError, PixelFormat};

pub(super) use self::markers::JpegHeader;
use self::markers::MAX_SCANS;
use super::super::super::error::InputError;
use super::limits::{MAX_BYTES, MAX_SIDE};

/// The pixels and the EXIF orientation; `None` when another decoder has to decode the image, which may then
/// assume that every row is present, as far as this decoder can tell.
///
/// # Errors
/// [`InputError::Truncated`] when rows or colours are missing, [`InputError::Undecodable`] when the
/// coded data is damaged.
pub(super) fn decode(
    bytes: &[u8],
    header: &JpegHeader,
) -> Result<Option<(RgbImage, Orientation)>, InputError> {
    if header.size.0 == 0 || header.size.1 == 0 {
        let (width, height) = header.size;
        // A height of 0 means that the number of rows follows the first scan (DNL), which no encoder writes.
        return Err(damaged(format!("its header says {width}x{height} pixels")));
    }
    if let Some(reason) = &header.lacking {
        return Err(truncated(reason.clone()));
    }
    let bytes = bytes.get(..header.length).unwrap_or(bytes);
    // The decoder requires the end marker, though no pixel depends on it.
    let bytes = match header.ended {
        true => Cow::Borrowed(bytes),
        false => Cow::Owned([bytes, &[0xFF, 0xD9]].concat()),
    };
    let ordinary = header.is_ordinary();
    let run = |lenient: bool| -> Result<_, JpegError> {
        let mut decoder = Decoder::new_with_limits(&bytes, limits())?;
        decoder.set_lenient(lenient);
        if ordinary {
            decoder.set_output_format(PixelFormat::Rgb);
        }
        Ok((decoder.exif_orientation(), decoder.decode_image()?))
    };
    let (orientation, image) = match run(false) {
        Ok(decoded) => decoded,
        Err(JpegError::Unsupported(_)) => return Ok(None),
        // Decodes again, only to find where the data becomes invalid.
        Err(error) => {
            let warnings = run(true).map(|(_, image)| image.warnings);
            return Err(explain(&error, &warnings.unwrap_or_default(), header));
        }
    };
    if !ordinary {
        return Ok(None);
    }
    let orientation = orientation.and_then(Orientation::from_exif);
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let (width, height) = header.size;
    Ok(RgbImage::from_raw(width, height, image.data).map(|pixels| (pixels, orientation)))
}

/// The fault of coded data that the decoder rejected with `error`.
fn explain(error: &JpegError, warnings: &[DecodeWarning], header: &JpegHeader) -> InputError {
    let height = header.size.1;
    let mut damage: Option<u64> = None;
    for warning in warnings {
        match warning {
            DecodeWarning::TruncatedData {
                decoded_mcus,
                total_mcus,
            } => {
                let rows = header.rows(*decoded_mcus, *total_mcus);
                return truncated(format!(
                    "its coded data ends after {rows} of {height} rows, or has a gap there"
                ));
            }
            DecodeWarning::HuffmanError { mcu_y, .. } => {
                let row = *mcu_y as u64 * 8 * header.largest_sampling().1;
                damage.get_or_insert(row.min(height.into()));
            }
            _ => {}
        }
    }
    match (damage, error) {
        (Some(row), _) => damaged(format!(
            "its coded data is damaged after {row} of {height} rows"
        )),
        (None, JpegError::UnexpectedEof) => truncated(format!(
            "its coded data ends before {height} rows are there"
        )),
        (None, error) => damaged(error.to_string()),
    }
}

fn limits() -> DecodeLimits {
    DecodeLimits {
        max_width: MAX_SIDE as usize,
        max_height: MAX_SIDE as usize,
        max_pixels: MAX_BYTES / 3,
        max_scans: MAX_SCANS,
        // Coefficients of a progressive picture take two bytes where a sample takes one.
        max_memory: Some(4 * MAX_BYTES),
    }
}

fn damaged(reason: String) -> InputError {
    InputError::Undecodable {
        format: "JPEG".to_owned(),
        reason,
    }
}

fn truncated(reason: String) -> InputError {
    InputError::Truncated {
        format: "JPEG".to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::markers::JpegComponent;
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
    fn the_header_tells_size_and_end() {
        let bytes = jpeg(70, 30);
        let header = JpegHeader::read(&bytes).unwrap();
        assert_eq!((header.size, header.ended), ((70, 30), true));
        assert_eq!((header.length, &header.lacking), (bytes.len(), &None));
        let (pixels, _) = decode(&bytes, &header).unwrap().unwrap();
        assert_eq!(pixels.dimensions(), (70, 30));
        let cut = JpegHeader::read(&bytes[..bytes.len() - 1]).unwrap();
        assert!(!cut.ended && cut.lacking.is_none());
        assert_eq!(JpegHeader::read(&bytes[..20]), None);
    }

    #[test]
    fn a_frame_without_rows_is_refused() {
        for grey in [true, false] {
            let picture =
                DynamicImage::from(RgbImage::from_pixel(16, 16, image::Rgb([9, 80, 200])));
            let picture = if grey {
                DynamicImage::from(picture.to_luma8())
            } else {
                picture
            };
            let mut bytes = std::io::Cursor::new(Vec::new());
            picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
            let mut bytes = bytes.into_inner();
            let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
            bytes[frame + 5..frame + 7].copy_from_slice(&[0, 0]);
            let header = JpegHeader::read(&bytes).unwrap();
            let error = decode(&bytes, &header).unwrap_err();
            assert!(error.to_string().contains("16x0"), "{error}");
        }
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end() {
        let bytes = jpeg(16, 16);
        let mut with_thumbnail = bytes[..2].to_vec();
        with_thumbnail.extend_from_slice(&[0xFF, 0xE1, 0, 6, 0xFF, 0xD8, 0xFF, 0xD9]);
        with_thumbnail.extend_from_slice(&bytes[2..]);
        with_thumbnail.extend_from_slice(b"anything");
        let header = JpegHeader::read(&with_thumbnail).unwrap();
        assert_eq!(header.length, with_thumbnail.len() - 8);
        assert!(decode(&with_thumbnail, &header).unwrap().is_some());
    }

    #[test]
    fn unusual_frames_are_left_to_another_decoder() {
        let header = |kind: u8, bits: u8, samplings: &[(u8, u8)]| {
            let component = |&sampling| JpegComponent { id: 1, sampling };
            JpegHeader {
                size: (9, 9),
                kind,
                bits,
                components: samplings.iter().map(component).collect(),
                ended: true,
                length: 0,
                lacking: None,
            }
        };
        assert!(header(0xC2, 8, &[(2, 2), (1, 1), (1, 1)]).is_ordinary());
        assert!(!header(0xC0, 8, &[(2, 2), (1, 1), (1, 1), (2, 2)]).is_ordinary());
        assert!(!header(0xC0, 8, &[(2, 2), (2, 1), (1, 1)]).is_ordinary());
        assert!(!header(0xC9, 8, &[(2, 2), (1, 1), (1, 1)]).is_ordinary());
        assert!(!header(0xC1, 12, &[(1, 1)]).is_ordinary());
    }
}
