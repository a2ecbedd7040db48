//! `preprocessor_config.json`, in all the ways that model folders write it.

use serde_json::Value;

use super::{Preprocess, Resize, table};
use crate::encode::error::ModelError;
use crate::encode::folder::{ModelFolder, Settings};
use crate::encode::image::resample::Filter;

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

    pub(super) fn from_settings(file: &Settings) -> Result<Self, ModelError> {
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
        Ok(Self {
            resize,
            crop,
            filter,
            rescale,
            normalize,
            bgr,
            size,
            table: table(rescale, normalize),
        })
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
        if file.switch(key)? == Some(true) {
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
