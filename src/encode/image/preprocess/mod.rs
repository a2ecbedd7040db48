//! `preprocessor_config.json`: how a picture becomes a tensor.
//!
//! The order is that of Hugging Face's image processors: resize, centre crop, rescale, normalise.
//! The size after resizing the short side is truncated, `int(size * long / short)`, and the crop
//! starts at `floor((side - crop) / 2)`; where the picture is smaller than the crop, the border is
//! black *before* normalising.
//!
//! Here are the steps; `settings` reads the file, in all the ways that it is written.

mod settings;
#[cfg(test)]
mod tests;

use image::RgbImage;
use serde_json::{Value, json};

use super::resample::{Filter, Window, resize};

/// The size of a picture after resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// As it is.
    Keep,
    /// The short side gets this length, the other keeps the proportion.
    Shortest(u32),
    /// Exactly this width and height, whatever the proportion.
    Exact(u32, u32),
}

/// From pixels to the model's input.
#[derive(Debug, Clone)]
pub struct Preprocess {
    resize: Resize,
    crop: Option<(u32, u32)>,
    filter: Filter,
    rescale: Option<f64>,
    normalize: Option<([f64; 3], [f64; 3])>,
    bgr: bool,
    size: (u32, u32),
    /// The tensor's value for each 8-bit sample, by output channel.
    table: Box<[[f32; 256]; 3]>,
}

impl Preprocess {
    /// Width and height of the model's input.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// How many values one picture's tensor has: 3 x height x width.
    pub fn values(&self) -> usize {
        3 * self.size.0 as usize * self.size.1 as usize
    }

    /// The settings that change a vector, for the encoder's identity.
    pub fn describe(&self) -> Value {
        json!({
            "resize": match self.resize {
                Resize::Keep => Value::Null,
                Resize::Shortest(side) => json!({"shortest_edge": side}),
                Resize::Exact(w, h) => json!({"width": w, "height": h}),
            },
            "crop": self.crop.map(|(w, h)| json!({"width": w, "height": h})),
            "filter": self.filter.name(),
            "rescale": self.rescale,
            "mean": self.normalize.map(|n| n.0),
            "std": self.normalize.map(|n| n.1),
            "channels": if self.bgr { "bgr" } else { "rgb" },
        })
    }

    /// The pixels that the model sees: resized and cropped, 8 bits.
    pub fn pixels(&self, image: &RgbImage) -> RgbImage {
        let (w, h) = image.dimensions();
        let (width, height) = match self.resize {
            Resize::Keep => (w, h),
            Resize::Exact(w, h) => (w, h),
            Resize::Shortest(side) => {
                let long = |long: u32, short: u32| {
                    let exact = u64::from(side) * u64::from(long) / u64::from(short.max(1));
                    u32::try_from(exact).unwrap_or(u32::MAX)
                };
                if w <= h {
                    (side, long(h, w))
                } else {
                    (long(w, h), side)
                }
            }
        };
        let Some((crop_w, crop_h)) = self.crop else {
            return resize(
                image,
                width,
                height,
                self.filter,
                &Window {
                    x: 0..width,
                    y: 0..height,
                },
            );
        };
        let (x, left) = cut(width, crop_w);
        let (y, top) = cut(height, crop_h);
        let part = resize(image, width, height, self.filter, &Window { x, y });
        if part.dimensions() == (crop_w, crop_h) {
            return part;
        }
        let mut framed = RgbImage::new(crop_w, crop_h);
        image::imageops::replace(&mut framed, &part, left, top);
        framed
    }

    /// The tensor of one picture, `[3, height, width]` row-major.
    pub fn tensor(&self, pixels: &RgbImage) -> Vec<f32> {
        let raw: &[u8] = pixels.as_raw();
        let mut out = Vec::with_capacity(self.values());
        for (channel, table) in self.table.iter().enumerate() {
            let sample = if self.bgr { 2 - channel } else { channel };
            out.extend(raw.chunks_exact(3).map(|p| table[usize::from(p[sample])]));
        }
        out
    }
}

/// The tensor's value for each 8-bit sample, by channel.
fn table(rescale: Option<f64>, normalize: Option<([f64; 3], [f64; 3])>) -> Box<[[f32; 256]; 3]> {
    let mut table = Box::new([[0f32; 256]; 3]);
    for (channel, row) in table.iter_mut().enumerate() {
        for (sample, value) in row.iter_mut().enumerate() {
            // Pillow's arrays are rescaled and then normalised in 32 bits.
            let mut v = sample as f32;
            if let Some(factor) = rescale {
                v = (sample as f64 * factor) as f32;
            }
            if let Some((mean, std)) = normalize {
                v = (v - mean[channel] as f32) / std[channel] as f32;
            }
            *value = v;
        }
    }
    table
}

/// The part of a side of length `side` that a centred crop of `crop` keeps, and the width of the
/// black border before it.
fn cut(side: u32, crop: u32) -> (std::ops::Range<u32>, i64) {
    if side >= crop {
        let start = (side - crop) / 2;
        (start..start + crop, 0)
    } else {
        // floor of a negative half: the odd pixel goes before the picture.
        (0..side, i64::from((crop - side).div_ceil(2)))
    }
}
