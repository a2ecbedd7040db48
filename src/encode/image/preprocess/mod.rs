//! `preprocessor_config.json`: how a picture becomes a tensor.
//!
//! The order is that of Hugging Face's image processors: resize, centre crop, rescale, normalise.
//! The size after resizing the short side is truncated, `int(size * long / short)`, and the crop
//! starts at `floor((side - crop) / 2)`; where the picture is smaller than the crop, the border is
//! black *before* normalising.
//!
//! Here are the steps. `settings` reads the file, in all the ways that it is written, with `unnamed`,
//! `values` and `steps`; `classes` has how Hugging Face's classes interpret the same keys, `model_types`
//! maps a model type to its class, `timm` reads timm's files, and `open_clip` checks those of OpenCLIP.

mod by_class;
mod classes;
mod model_types;
mod open_clip;
mod settings;
mod steps;
#[cfg(test)]
mod tests;
mod timm;
mod unnamed;
mod values;

use std::path::{Path, PathBuf};

use image::RgbImage;
use serde_json::{Value, json};

use super::resample::{CropWindow, ResampleFilter, resize};

/// The size of a picture after resizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResizeMode {
    /// The original size.
    Keep,
    /// The short side gets this length, the other keeps the proportion.
    Shortest(u32),
    /// Exactly this width and height, whatever the proportion.
    Exact(u32, u32),
}

/// From pixels to the model's input.
#[derive(Debug, Clone)]
pub struct ImagePreprocessor {
    resize: ResizeMode,
    crop: Option<(u32, u32)>,
    /// The part of the short side that is cut out, as a square or not, before resizing: width, height.
    cut_first: Option<(f64, f64)>,
    /// Whether an odd pixel beside the crop is divided as torchvision does, which rounds.
    rounded_crop: bool,
    filter: ResampleFilter,
    rescale: Option<f64>,
    /// Whether 1 is subtracted after rescaling.
    offset: bool,
    normalize: Option<([f64; 3], [f64; 3])>,
    /// Whether values are divided by the deviation once more.
    divided_again: bool,
    bgr: bool,
    /// The class whose keys were believed without knowing it.
    trusted: Option<String>,
    /// What was read, for messages: a file, and its keys that make the size.
    source: (PathBuf, &'static str),
    size: (u32, u32),
    /// The tensor's value for each 8-bit sample, by output channel.
    table: Box<[[f32; 256]; 3]>,
}

impl ImagePreprocessor {
    /// Width and height of the model's input.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// The file that was read, and the keys in it that make the size.
    pub(super) fn source(&self) -> (&Path, &'static str) {
        (&self.source.0, self.source.1)
    }

    /// How many values one picture's tensor has: 3 x height x width.
    pub(crate) fn values(&self) -> usize {
        3 * self.size.0 as usize * self.size.1 as usize
    }

    /// The settings that change a vector, for the encoder's identity.
    pub fn describe(&self) -> Value {
        let mut all = json!({
            "resize": match self.resize {
                ResizeMode::Keep => Value::Null,
                ResizeMode::Shortest(side) => json!({"shortest_edge": side}),
                ResizeMode::Exact(w, h) => json!({"width": w, "height": h}),
            },
            "crop": self.crop.map(|(w, h)| json!({"width": w, "height": h})),
            "filter": self.filter.name(),
            "rescale": self.rescale,
            "mean": self.normalize.map(|n| n.0),
            "std": self.normalize.map(|n| n.1),
            "channels": if self.bgr { "bgr" } else { "rgb" },
        });
        // Named only where they are done, so that other encoders keep their fingerprints.
        if let Some((width, height)) = self.cut_first {
            all["cut_first"] = json!({"width": width, "height": height});
        }
        for (step, done) in [
            ("rounded_crop", self.rounded_crop),
            ("rescale_offset", self.offset),
            ("include_top", self.divided_again),
        ] {
            if done {
                all[step] = json!(true);
            }
        }
        if let Some(class) = &self.trusted {
            all["trusted"] = json!(class);
        }
        all
    }

    /// The pixels that the model sees: resized and cropped, 8 bits.
    pub fn pixels(&self, image: &RgbImage) -> RgbImage {
        let Some((part_w, part_h)) = self.cut_first else {
            return self.resized(image);
        };
        let (w, h) = image.dimensions();
        let short = f64::from(w.min(h));
        let whole = |part: f64| (part * short) as u32;
        self.resized(&cut_out(image, whole(part_w).max(1), whole(part_h).max(1)))
    }

    fn resized(&self, image: &RgbImage) -> RgbImage {
        let (w, h) = image.dimensions();
        let (width, height) = match self.resize {
            ResizeMode::Keep => (w, h),
            ResizeMode::Exact(w, h) => (w, h),
            ResizeMode::Shortest(side) => {
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
                &CropWindow {
                    x: 0..width,
                    y: 0..height,
                },
            );
        };
        let (x, left) = cut(width, crop_w, self.rounded_crop);
        let (y, top) = cut(height, crop_h, self.rounded_crop);
        let part = resize(image, width, height, self.filter, &CropWindow { x, y });
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
fn table(
    rescale: Option<f64>,
    offset: f32,
    normalize: Option<([f64; 3], [f64; 3])>,
    divided_again: bool,
) -> Box<[[f32; 256]; 3]> {
    let mut table = Box::new([[0f32; 256]; 3]);
    for (channel, row) in table.iter_mut().enumerate() {
        for (sample, value) in row.iter_mut().enumerate() {
            // Pillow's arrays are rescaled and then normalised in 32 bits.
            let mut v = sample as f32;
            if let Some(factor) = rescale {
                v = (sample as f64 * factor) as f32;
            }
            v -= offset;
            if let Some((mean, std)) = normalize {
                v = (v - mean[channel] as f32) / std[channel] as f32;
                if divided_again {
                    v /= std[channel] as f32;
                }
            }
            *value = v;
        }
    }
    table
}

/// The part of a side of length `side` that a centred crop of `crop` keeps, and the width of the
/// black border before it.
fn cut(side: u32, crop: u32, rounded: bool) -> (std::ops::Range<u32>, i64) {
    if side >= crop {
        let twice = side - crop;
        // torchvision: int(round(twice / 2)), where Python rounds a half to the even number.
        let up = rounded && twice % 4 == 3;
        let start = twice / 2 + u32::from(up);
        (start..start + crop, 0)
    } else if rounded {
        (0..side, i64::from((crop - side) / 2))
    } else {
        // floor of a negative half: the odd pixel goes before the picture.
        (0..side, i64::from((crop - side).div_ceil(2)))
    }
}

/// The middle of a picture, with a black border where it is smaller.
fn cut_out(image: &RgbImage, crop_w: u32, crop_h: u32) -> RgbImage {
    let (w, h) = image.dimensions();
    let ((x, left), (y, top)) = (cut(w, crop_w, false), cut(h, crop_h, false));
    let part = image::imageops::crop_imm(image, x.start, y.start, x.end - x.start, y.end - y.start);
    let part = part.to_image();
    if part.dimensions() == (crop_w, crop_h) {
        return part;
    }
    let mut framed = RgbImage::new(crop_w, crop_h);
    image::imageops::replace(&mut framed, &part, left, top);
    framed
}
