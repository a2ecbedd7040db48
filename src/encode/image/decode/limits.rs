//! Limits on the size of an image.

use std::time::Duration;

use image::ImageFormat;

use crate::encode::error::InputError;

/// The longest side that is accepted, in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// The largest decoded image that is accepted, in bytes.
pub const MAX_BYTES: u64 = 512 << 20;

/// Limits for one image, in addition to [`MAX_SIDE`] and [`MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// The maximum number of pixels.
    pub pixels: u64,
    /// How long to wait for memory that other images hold; indefinitely if `None`.
    pub patience: Option<Duration>,
}

impl Default for PictureLimits {
    /// Any number of pixels, and no time limit.
    fn default() -> Self {
        Self {
            pixels: u64::MAX,
            patience: None,
        }
    }
}

pub(super) fn too_large((width, height): (u32, u32)) -> InputError {
    InputError::TooLarge {
        width,
        height,
        max_side: MAX_SIDE,
        max_mib: MAX_BYTES >> 20,
    }
}

pub(super) fn label(format: ImageFormat) -> String {
    format!("{format:?}").to_uppercase()
}

pub(super) fn check_size(size: (u32, u32), bytes: u64) -> Result<(), InputError> {
    if size.0.max(size.1) > MAX_SIDE || bytes > MAX_BYTES {
        return Err(too_large(size));
    }
    Ok(())
}
