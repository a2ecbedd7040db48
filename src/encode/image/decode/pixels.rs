//! Pixels from the decoders of the `image` crate.

use std::io::{Cursor, ErrorKind};

use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::limits::{MAX_BYTES, MAX_SIDE, check_size, label, too_large};
use crate::encode::error::InputError;

pub(super) fn read(
    bytes: &[u8],
    format: ImageFormat,
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
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|e| explain(e, format, size))?;
    Ok((image, orientation))
}

fn explain(error: ImageError, format: ImageFormat, size: (u32, u32)) -> InputError {
    let label = label(format);
    let truncated = || InputError::Truncated {
        format: label.clone(),
        reason: "the data ends before the image does".to_owned(),
    };
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::DimensionError | LimitErrorKind::InsufficientMemory => too_large(size),
            _ => InputError::Undecodable {
                reason: limit.to_string(),
                format: label,
            },
        },
        ImageError::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => truncated(),
        other => {
            let reason = other.to_string();
            // The GIF decoder has no error kind for it, only these texts.
            let ends = ["image truncated", "Unexpected End of File"];
            match format == ImageFormat::Gif && ends.iter().any(|end| reason.contains(end)) {
                true => truncated(),
                false => InputError::Undecodable {
                    format: label,
                    reason,
                },
            }
        }
    }
}
