//! An image by its headers: the memory that decoding takes, and its pixels.

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};

use super::super::super::error::InputError;
use super::bmp::BmpRows;
use super::budget::{BudgetDenial, DecodeBudget, MemoryReservation};
use super::gif::GifHeader;
use super::jpeg::{self, JpegHeader};
use super::limits::{PictureLimits, check_size, label};
use super::pixels::read;
use super::png::PngChunks;
use super::webp::WebpChunks;

/// Reserved in addition to what the image size requires: tables and windows of decoders.
const TABLES: u64 = 1 << 20;
/// The widest model input that resizing is expected to produce.
const MODEL_WIDTH: u64 = 512;

/// An image with parsed headers.
pub(super) enum CodedImage<'a> {
    Jpeg(JpegHeader),
    Png(PngChunks<'a>),
    Webp(WebpChunks),
    Gif(GifHeader),
    Bmp(BmpRows<'a>),
    /// Anything that the decoder will reject with its own message.
    Other,
}

impl<'a> CodedImage<'a> {
    pub(crate) fn look(
        bytes: &'a [u8],
        format: ImageFormat,
        transparent: bool,
    ) -> Result<Self, InputError> {
        Ok(match format {
            ImageFormat::Jpeg => {
                let header = JpegHeader::read(bytes);
                Self::Jpeg(header.ok_or_else(|| InputError::Truncated {
                    format: label(format),
                    reason: "its headers end before the coded data begins".to_owned(),
                })?)
            }
            ImageFormat::Png => Self::Png(PngChunks::read(bytes)?),
            ImageFormat::WebP => {
                WebpChunks::read(bytes, transparent)?.map_or(Self::Other, Self::Webp)
            }
            ImageFormat::Gif => GifHeader::read(bytes).map_or(Self::Other, Self::Gif),
            ImageFormat::Bmp => Self::Bmp(BmpRows::read(bytes)?),
            _ => Self::Other,
        })
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        match self {
            Self::Jpeg(header) => header.size,
            Self::Png(chunks) => chunks.size,
            Self::Webp(chunks) => chunks.size,
            Self::Gif(header) => header.canvas,
            Self::Bmp(rows) => rows.size,
            Self::Other => (0, 0),
        }
    }

    /// The memory that decoding takes at its peak.
    pub(crate) fn cost(
        &self,
        file: usize,
        transparent: bool,
        limits: PictureLimits,
    ) -> Result<u64, InputError> {
        let size @ (width, height) = self.size();
        // Checked before multiplying by sides, which are untrusted here.
        // With 0 bytes only the sides are checked, for the product is not known to be sound yet.
        check_size(size, 0)?;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > limits.pixels {
            return Err(InputError::TooManyPixels {
                width,
                height,
                max_pixels: limits.pixels,
            });
        }
        check_size(size, 3 * pixels)?;
        let decoding = match self {
            Self::Jpeg(header) => header.cost(file),
            Self::Png(chunks) => {
                // PNG rows may have 16 bits a sample, so its own size counts, not that of the result.
                check_size(size, chunks.pixels_bytes())?;
                chunks.pixels_bytes() + chunks.scratch() + 3 * pixels
            }
            Self::Webp(chunks) => chunks.cost(),
            Self::Gif(header) => {
                check_size(size, 4 * pixels)?;
                // A frame may be larger than the canvas, and both are decoded.
                check_size(header.frame, {
                    4 * u64::from(header.frame.0) * u64::from(header.frame.1)
                })?;
                header.cost(file) + 3 * pixels
            }
            Self::Bmp(rows) => 4 * pixels + 3 * pixels + rows.file.len() as u64,
            Self::Other => 0,
        };
        // Applying the EXIF orientation makes a second copy.
        let turning = if transparent { 8 } else { 6 } * pixels;
        // The largest of the phases, not their sum: one ends before the next begins.
        Ok(decoding.max(turning).max(kept(size, transparent)) + TABLES)
    }

    /// Reserves that memory.
    pub(crate) fn reserve(
        &self,
        file: usize,
        transparent: bool,
        limits: PictureLimits,
    ) -> Result<MemoryReservation, InputError> {
        let (width, height) = self.size();
        let cost = self.cost(file, transparent, limits)?;
        let budget = DecodeBudget::process();
        budget
            .take(cost, limits.patience)
            .map_err(|denial| match denial {
                BudgetDenial::NeverFits(limit) => InputError::OverBudget {
                    width,
                    height,
                    needed_mib: cost.div_ceil(1 << 20),
                    limit_mib: limit >> 20,
                },
                BudgetDenial::Busy => InputError::DecodersBusy,
            })
    }

    pub(crate) fn decode(
        &self,
        bytes: &[u8],
        format: ImageFormat,
    ) -> Result<(DynamicImage, Orientation), InputError> {
        let upright = |image| (image, Orientation::NoTransforms);
        match self {
            Self::Jpeg(header) => match jpeg::decode(bytes, header)? {
                Some((rgb, orientation)) => Ok((rgb.into(), orientation)),
                // What the fast decoder is not known to do right goes to the general one.
                None => read(bytes, format),
            },
            Self::Png(chunks) => Ok((chunks.decode()?, chunks.orientation)),
            Self::Webp(chunks) => {
                let (image, _) = read(&chunks.reduced, format)?;
                Ok((image, chunks.orientation))
            }
            Self::Bmp(rows) => read(&rows.file, format).map(|(image, _)| upright(image)),
            Self::Gif(header) => {
                let (mut image, _) = read(&header.file(bytes), format)?;
                header.fill_around(&mut image);
                Ok(upright(image))
            }
            Self::Other => read(bytes, format).map(|(image, _)| upright(image)),
        }
    }
}

/// The memory an image holds once it is decoded: its pixels, and the intermediate rows of resizing.
pub(super) fn kept((width, height): (u32, u32), transparent: bool) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    let a_pixel = if transparent { 8 } else { 3 };
    a_pixel * pixels + 3 * MODEL_WIDTH * u64::from(width.max(height))
}
