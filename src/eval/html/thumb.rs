//! Thumbnails, embedded in a page.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat};

use super::escape::EscapedText;

/// A thumbnail in a format that browsers show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThumbnailImage {
    /// `image/jpeg` or `image/png`.
    mime: &'static str,
    bytes: Vec<u8>,
    width: u32,
    height: u32,
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
    let max_side = max_side.max(1);
    let large = image.width().max(image.height()) > max_side;
    let small = if large {
        &image.thumbnail(max_side, max_side)
    } else {
        image
    };
    let mut bytes = Vec::new();
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

impl ThumbnailImage {
    /// The picture's bytes and their MIME type.
    pub fn encoded(&self) -> (&'static str, &[u8]) {
        (self.mime, &self.bytes)
    }

    /// Width and height in pixels.
    #[cfg(test)]
    fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The thumbnail as an element with its alternative text. A PNG has transparency: the style sheet
    /// shows it whole and on a light background.
    pub(super) fn tag(&self, alt: &str) -> String {
        let class = if self.mime == "image/png" {
            " class=\"cutout\""
        } else {
            ""
        };
        format!(
            "<img{class} src=\"data:{};base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\">",
            self.mime,
            STANDARD.encode(&self.bytes),
            self.width,
            self.height,
            EscapedText(alt),
        )
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

    #[test]
    fn what_is_said_of_a_picture_is_escaped() {
        let thumb = thumbnail(&DynamicImage::new_rgb8(1, 1), 8).unwrap();
        let tag = thumb.tag("\" onerror=\"alert(1)");
        assert!(
            tag.contains("alt=\"&quot; onerror=&quot;alert(1)\""),
            "{tag}"
        );
        assert!(
            tag.starts_with("<img src=\"data:image/jpeg;base64,/9j/"),
            "{tag}"
        );
    }
}
