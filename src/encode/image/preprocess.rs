//! `preprocessor_config.json`: how a picture becomes a tensor.
//!
//! The order is that of Hugging Face's image processors: resize, centre crop, rescale, normalise.
//! The size after resizing the short side is truncated, `int(size * long / short)`, and the crop
//! starts at `floor((side - crop) / 2)`; where the picture is smaller than the crop, the border is
//! black *before* normalising.

use image::RgbImage;
use serde_json::{Value, json};

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, Settings};
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

/// The largest side of a model's input that is believed, in pixels.
const MAX_INPUT: u64 = 4096;

impl Preprocess {
    /// Reads the folder's `preprocessor_config.json`.
    ///
    /// # Errors
    /// [`ModelError::Missing`] without that file, [`ModelError::Setting`] for what cannot be
    /// followed.
    pub fn read(folder: &ModelFolder) -> Result<Self, ModelError> {
        let file = folder
            .json("preprocessor_config.json")?
            .ok_or_else(|| ModelError::Missing {
                path: folder.dir().join("preprocessor_config.json"),
                what: "the description of the image preprocessing",
                advice: "copy it from the model's source: it has size, crop, mean and deviation",
            })?;
        Self::from_settings(&file)
    }

    fn from_settings(file: &Settings) -> Result<Self, ModelError> {
        refuse_the_unknown(file)?;
        let kind = match file.text("image_processor_type")? {
            Some(kind) => kind,
            None => file.text("feature_extractor_type")?.unwrap_or(""),
        };
        let crop = match file
            .switch("do_center_crop")?
            .unwrap_or(file.get("crop_size").is_some())
        {
            true => Some(box_of(file, "crop_size")?),
            false => None,
        };
        let (resize, crop) = resize_of(file, crop)?;
        let size = match (crop, resize) {
            (Some(size), _) => size,
            (None, Resize::Exact(w, h)) => (w, h),
            (None, Resize::Keep | Resize::Shortest(_)) => {
                return Err(file.bad(
                    "crop_size",
                    "absent",
                    "a size, since the pictures would come out in different sizes",
                    "set do_center_crop and crop_size, or size with height and width",
                ));
            }
        };
        let filter = match file.get("resample") {
            None => usual_filter(kind),
            Some(code) => code.as_u64().and_then(Filter::from_code).ok_or_else(|| {
                file.bad(
                    "resample",
                    &code.to_string(),
                    "0 to 5, as Pillow counts",
                    "correct the file",
                )
            })?,
        };
        let rescale = match file.switch("do_rescale")?.unwrap_or(true) {
            true => Some(file.number("rescale_factor")?.unwrap_or(1.0 / 255.0)),
            false => None,
        };
        let normalize = match file.switch("do_normalize")?.unwrap_or(true) {
            true => Some((three(file, "image_mean")?, three(file, "image_std")?)),
            false => None,
        };
        if normalize.is_some_and(|(_, std)| std.contains(&0.0)) {
            return Err(file.bad(
                "image_std",
                "0",
                "three numbers above 0",
                "correct the file",
            ));
        }
        let bgr = file.switch("do_flip_channel_order")?.unwrap_or(false);
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
        Ok(Self {
            resize,
            crop,
            filter,
            rescale,
            normalize,
            bgr,
            size,
            table,
        })
    }

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

fn resize_of(
    file: &Settings,
    crop: Option<(u32, u32)>,
) -> Result<(Resize, Option<(u32, u32)>), ModelError> {
    if !file
        .switch("do_resize")?
        .unwrap_or(file.get("size").is_some())
    {
        return Ok((Resize::Keep, crop));
    }
    let size = file.get("size").ok_or_else(|| {
        file.bad(
            "size",
            "absent",
            "a size, since do_resize is true",
            "correct the file",
        )
    })?;
    let shortest = size.get("shortest_edge").and_then(Value::as_u64);
    let side = match (size.as_u64(), shortest) {
        (Some(side), _) | (None, Some(side)) => Some(pixels_of(file, "size", side)?),
        (None, None) => None,
    };
    match (side, file.number("crop_pct")?) {
        // ConvNeXt: the short side grows by 1/crop_pct and the middle is cut out, except at 384
        // and more, where the whole picture is squeezed into the square.
        (Some(side), Some(part)) if crop.is_none() => {
            if !(part > 0.0 && part <= 1.0) {
                return Err(file.bad(
                    "crop_pct",
                    &part.to_string(),
                    "above 0, at most 1",
                    "correct the file",
                ));
            }
            if side < 384 {
                let short = (f64::from(side) / part) as u32;
                Ok((Resize::Shortest(short), Some((side, side))))
            } else {
                Ok((Resize::Exact(side, side), None))
            }
        }
        (Some(side), _) if shortest.is_some() || crop.is_some() => {
            Ok((Resize::Shortest(side), crop))
        }
        (Some(side), _) => Ok((Resize::Exact(side, side), crop)),
        (None, _) => {
            let (w, h) = box_of(file, "size")?;
            Ok((Resize::Exact(w, h), crop))
        }
    }
}

/// A size given as one number or as height and width.
fn box_of(file: &Settings, key: &str) -> Result<(u32, u32), ModelError> {
    let value = file.get(key).cloned().unwrap_or(Value::Null);
    let side = |name: &str| value.get(name).and_then(Value::as_u64);
    let (w, h) = match (value.as_u64(), side("width"), side("height")) {
        (Some(side), ..) => (side, side),
        (None, Some(w), Some(h)) => (w, h),
        _ => {
            return Err(file.bad(
                key,
                &value.to_string(),
                "a number, {\"height\", \"width\"} or, for size, {\"shortest_edge\"}",
                "correct the file",
            ));
        }
    };
    Ok((pixels_of(file, key, w)?, pixels_of(file, key, h)?))
}

fn pixels_of(file: &Settings, key: &str, side: u64) -> Result<u32, ModelError> {
    match u32::try_from(side) {
        Ok(ok) if (1..=MAX_INPUT).contains(&side) => Ok(ok),
        _ => Err(file.bad(
            key,
            &side.to_string(),
            &format!("1 to {MAX_INPUT} pixels"),
            "correct the file",
        )),
    }
}

fn three(file: &Settings, key: &str) -> Result<[f64; 3], ModelError> {
    let value = file.get(key).cloned().unwrap_or(Value::Null);
    let read = || -> Option<[f64; 3]> {
        if let Some(one) = value.as_f64() {
            return Some([one; 3]);
        }
        let list: Option<Vec<f64>> = value.as_array()?.iter().map(Value::as_f64).collect();
        list?.try_into().ok()
    };
    read().ok_or_else(|| {
        file.bad(
            key,
            &value.to_string(),
            "three numbers",
            "copy the file from the model's source",
        )
    })
}

/// What a file that does not name its filter means: the default of its Hugging Face class.
fn usual_filter(kind: &str) -> Filter {
    let bicubic = [
        "CLIP",
        "Siglip",
        "Blip",
        "ChineseCLIP",
        "Bit",
        "Deit",
        "DeiT",
        "Levit",
    ];
    if bicubic.iter().any(|name| kind.starts_with(name)) {
        Filter::Bicubic
    } else {
        Filter::Bilinear
    }
}

/// Refuses steps that would change the pixels and are not built here.
fn refuse_the_unknown(file: &Settings) -> Result<(), ModelError> {
    for key in [
        "do_pad",
        "rescale_offset",
        "include_top",
        "do_convert_grayscale",
        "do_thumbnail",
    ] {
        if file.switch(key).ok().flatten() == Some(true) {
            return Err(file.bad(
                key,
                "true",
                "false or absent: this step is not supported",
                "export the model with a plain resize, crop and normalise",
            ));
        }
    }
    for key in ["longest_edge", "max_height", "max_width"] {
        if file
            .get("size")
            .is_some_and(|size| size.get(key).is_some_and(|v| !v.is_null()))
        {
            return Err(file.bad(
                &format!("size.{key}"),
                "set",
                "absent: pictures would come out in different sizes",
                "use shortest_edge with a crop, or height and width",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Preprocess, ModelError> {
        Preprocess::from_settings(&Settings {
            path: "preprocessor_config.json".into(),
            value,
        })
    }

    const NORM: &str = r#""image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]"#;

    fn with(rest: &str) -> Result<Preprocess, ModelError> {
        read(serde_json::from_str(&format!("{{{NORM}, {rest}}}")).unwrap())
    }

    #[test]
    fn every_way_to_write_a_size() {
        let p = with(r#""size": 224"#).unwrap();
        assert_eq!(
            (p.resize, p.crop, p.size),
            (Resize::Exact(224, 224), None, (224, 224))
        );
        let p = with(r#""size": 256, "crop_size": 224"#).unwrap();
        assert_eq!(
            (p.resize, p.crop),
            (Resize::Shortest(256), Some((224, 224)))
        );
        let p =
            with(r#""size": {"shortest_edge": 256}, "crop_size": {"height": 200, "width": 224}"#);
        assert_eq!(p.unwrap().size, (224, 200));
        let p = with(r#""size": {"height": 96, "width": 128}, "do_center_crop": false"#).unwrap();
        assert_eq!((p.resize, p.size), (Resize::Exact(128, 96), (128, 96)));
        let p = with(r#""size": {"shortest_edge": 224}, "crop_pct": 0.875"#).unwrap();
        assert_eq!(
            (p.resize, p.crop),
            (Resize::Shortest(256), Some((224, 224)))
        );
        let p = with(r#""size": {"shortest_edge": 384}, "crop_pct": 0.875"#).unwrap();
        assert_eq!((p.resize, p.crop), (Resize::Exact(384, 384), None));
        let p = with(r#""do_resize": false, "crop_size": 64"#).unwrap();
        assert_eq!((p.resize, p.size), (Resize::Keep, (64, 64)));
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_its_key() {
        for (rest, key) in [
            (r#""size": {"shortest_edge": 224}"#, "crop_size"),
            (r#""size": {"longest_edge": 224}"#, "longest_edge"),
            (r#""size": 224, "resample": 9"#, "resample"),
            (r#""size": 0"#, "size"),
            (r#""size": 9999999"#, "size"),
            (r#""size": 224, "do_pad": true"#, "do_pad"),
            (r#""size": 224, "do_resize": "yes""#, "do_resize"),
            (r#""size": 224, "image_std": [0.5, 0, 0.5]"#, "image_std"),
            (r#""size": 224, "image_mean": [0.5]"#, "image_mean"),
            (
                r#""size": 224, "crop_pct": 0, "crop_size": null"#,
                "crop_pct",
            ),
        ] {
            let error = with(rest).unwrap_err().to_string();
            assert!(
                error.contains(key) && error.contains("preprocessor_config.json"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_picture_smaller_than_the_crop_gets_a_black_border() {
        let p = with(r#""do_resize": false, "crop_size": 5, "do_normalize": false"#).unwrap();
        let out = p.pixels(&RgbImage::from_pixel(2, 8, image::Rgb([9, 8, 7])));
        assert_eq!(out.dimensions(), (5, 5));
        for (x, _, pixel) in out.enumerate_pixels() {
            let inside = (2..4).contains(&x);
            assert_eq!(pixel.0, if inside { [9, 8, 7] } else { [0; 3] }, "{x}");
        }
    }

    #[test]
    fn values_are_rescaled_normalised_and_in_planes() {
        let p =
            read(json!({"size": 2, "image_mean": [0.5, 0.25, 0.0], "image_std": [0.5, 1.0, 2.0]}))
                .unwrap();
        let image = RgbImage::from_fn(2, 2, |x, y| {
            image::Rgb([(x * 255) as u8, (y * 255) as u8, 51])
        });
        let t = p.tensor(&p.pixels(&image));
        assert_eq!(&t[..4], &[-1.0, 1.0, -1.0, 1.0]);
        assert_eq!(&t[4..8], &[-0.25, -0.25, 0.75, 0.75]);
        assert!(t[8..].iter().all(|v| (v - 0.1).abs() < 1e-7));
        let p = read(json!({"size": 2, "do_normalize": false, "do_rescale": false, "do_flip_channel_order": true}))
            .unwrap();
        assert_eq!(p.tensor(&image)[..4], [51.0; 4]);
    }
}
