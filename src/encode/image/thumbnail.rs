//! Small pictures that browsers show.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, RgbImage};

use super::decode::{PictureLimits, decode_shown};

/// A thumbnail in a format that browsers show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThumbnailImage {
    /// `image/jpeg` or `image/png`.
    pub(crate) mime: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A thumbnail could not be encoded.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a thumbnail of at most {max_side} pixels: {source}; try another size")]
pub struct ThumbnailError {
    /// The size asked for.
    pub max_side: u32,
    /// The error of the image library.
    pub source: image::ImageError,
}

/// JPEG quality: artefacts are invisible at this size, and a page of 100 images stays near 1 MB.
const QUALITY: u8 = 82;

/// Makes a thumbnail whose longer side has at most `max_side` pixels (at least 1); smaller images keep their
/// size. Images with transparency become PNG, all others JPEG.
///
/// `image` must be upright: the decoder applies the EXIF rotation.
///
/// # Errors
/// [`ThumbnailError`] if the thumbnail cannot be encoded.
pub fn thumbnail(image: &DynamicImage, max_side: u32) -> Result<ThumbnailImage, ThumbnailError> {
    // A side of 0 would make a picture without pixels, which no format holds.
    let max_side = max_side.max(1);
    let large = image.width().max(image.height()) > max_side;
    let small = if large {
        &image.thumbnail(max_side, max_side)
    } else {
        image
    };
    let mut bytes = Vec::new();
    // JPEG has no transparency and would show black instead.
    let mime = if image.color().has_alpha() {
        let small = small.to_rgba8();
        small
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .map(|()| "image/png")
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
        small
            .to_rgb8()
            .write_with_encoder(encoder)
            .map(|()| "image/jpeg")
    };
    let mime = mime.map_err(|source| ThumbnailError { max_side, source })?;
    Ok(ThumbnailImage {
        mime,
        bytes,
        width: small.width(),
        height: small.height(),
    })
}

/// The thumbnail of an image file that is decoded already, from which its pixels are taken if they are all of it:
/// a picture with transparency is decoded again.
///
/// `None` for a picture that cannot be shown.
pub(crate) fn thumbnail_file(
    bytes: &[u8],
    decoded: Option<&RgbImage>,
    max_side: u32,
) -> Option<Vec<u8>> {
    // No JPEG has transparency.
    let is_jpeg = bytes.starts_with(b"\xFF\xD8");
    let small = match decoded.filter(|_| is_jpeg) {
        Some(pixels) => thumbnail_of_rgb(pixels, max_side),
        None => {
            let shown = decode_shown(bytes, PictureLimits::default()).ok()?;
            thumbnail(&shown, max_side)
        }
    };
    small.ok().map(|small| small.bytes)
}

fn thumbnail_of_rgb(image: &RgbImage, max_side: u32) -> Result<ThumbnailImage, ThumbnailError> {
    let small;
    let (width, height) = image.dimensions();
    let image = match width.max(height) > max_side {
        true => {
            let ratio = f64::from(max_side) / f64::from(width.max(height));
            // A very long picture would round to a side of 0.
            let side = |length: u32| ((f64::from(length) * ratio).round() as u32).max(1);
            small = image::imageops::thumbnail(image, side(width), side(height));
            &small
        }
        false => image,
    };
    let mut bytes = Vec::new();
    let written = image.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY));
    written.map_err(|source| ThumbnailError { max_side, source })?;
    Ok(ThumbnailImage {
        mime: "image/jpeg",
        bytes,
        width: image.width(),
        height: image.height(),
    })
}

impl ThumbnailImage {
    /// One that was made before; `None` if the bytes are neither a JPEG nor a PNG file.
    pub fn from_file(bytes: &[u8]) -> Option<Self> {
        let reader = ImageReader::new(Cursor::new(bytes))
            // By content: the bytes come from a file without a name.
            .with_guessed_format()
            .ok()?;
        let mime = match reader.format()? {
            ImageFormat::Jpeg => "image/jpeg",
            ImageFormat::Png => "image/png",
            _ => return None,
        };
        let (width, height) = reader.into_dimensions().ok()?;
        Some(Self {
            mime,
            bytes: bytes.to_vec(),
            width,
            height,
        })
    }

    /// The picture's bytes and their MIME type.
    pub fn encoded(&self) -> (&'static str, &[u8]) {
        (self.mime, &self.bytes)
    }

    /// Width and height in pixels.
    #[cfg(test)]
    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Rgba};

    use super::*;

    #[test]
    fn large_pictures_shrink_and_small_ones_stay() {
        let wide = DynamicImage::new_rgb8(600, 40);
        assert_eq!(thumbnail(&wide, 300).unwrap().size(), (300, 20));
        let small = DynamicImage::new_luma8(5, 9);
        assert_eq!(thumbnail(&small, 300).unwrap().size(), (5, 9));
        let line = DynamicImage::new_rgb16(6000, 1);
        assert_eq!(thumbnail(&line, 100).unwrap().size(), (100, 1));
        assert_eq!(thumbnail(&small, 0).unwrap().size(), (1, 1));
    }

    #[test]
    fn every_kind_of_pixel_is_encoded_and_transparency_kept() {
        for image in [
            DynamicImage::new_luma8(20, 10),
            DynamicImage::new_luma16(20, 10),
            DynamicImage::new_rgb8(20, 10),
            DynamicImage::new_rgb16(20, 10),
            DynamicImage::new_rgb32f(20, 10),
        ] {
            let thumb = thumbnail(&image, 16).unwrap();
            let (mime, bytes) = thumb.encoded();
            assert_eq!(mime, "image/jpeg");
            let read = image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).unwrap();
            assert_eq!((read.width(), read.height()), (16, 8));
        }
        let clear = ImageBuffer::from_pixel(40, 20, Rgba([200_u8, 10, 10, 0]));
        let thumb = thumbnail(&clear.into(), 16).unwrap();
        let (mime, bytes) = thumb.encoded();
        assert_eq!(mime, "image/png");
        let read = image::load_from_memory_with_format(bytes, ImageFormat::Png).unwrap();
        assert_eq!(read.to_rgba8().get_pixel(3, 3)[3], 0);
    }
}
