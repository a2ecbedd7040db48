//! Canary images drawn by integer arithmetic: identical on every machine.

use image::{Rgb, RgbImage};

/// The image that [`ImageEncoder::canary`](super::ImageEncoder::canary) encodes.
pub(super) fn picture() -> RgbImage {
    drawn(320, 240, 0)
}

/// Images with other colours and shapes, drawn lazily.
pub(super) fn others() -> impl Iterator<Item = RgbImage> {
    let plain = [[12, 34, 200], [250, 240, 10]];
    let plain = plain.map(|colour| move || RgbImage::from_pixel(64, 48, Rgb(colour)));
    let shapes = std::iter::once_with(|| drawn(240, 320, 3));
    shapes.chain(plain.into_iter().map(|draw| draw()))
}

/// Stripes, discs and a ramp, by integer arithmetic: the same everywhere.
pub(super) fn drawn(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (x.abs_diff(width / 3 + 5 * seed), y.abs_diff(height / 2));
        let disc = dx * dx + dy * dy < (height / 4).pow(2);
        let stripe = ((x + (seed + 1) * y) / 16).is_multiple_of(2);
        let ramp = (x * 255 / width) as u8;
        match (disc, stripe) {
            (true, _) => Rgb([230, 60, (seed * 40 % 256) as u8]),
            (false, true) => Rgb([ramp, 120, 200]),
            (false, false) => Rgb([ramp, (y * 255 / height) as u8, 40]),
        }
    })
}
