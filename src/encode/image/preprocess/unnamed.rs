//! A `preprocessor_config.json` without a class, or with a trusted one: its keys are taken literally.

use super::by_class::{conv_next, of_class};
use super::classes::ProcessorLookup;
use super::model_types::of_model_type;
use super::steps::PreprocessSteps;
use super::values::{
    box_of, crop_part, filter_of, one_size, refuse_null, refuse_other_keys, refuse_other_square,
    refuse_the_unknown, three,
};
use super::{ImagePreprocessor, ResizeMode};
use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;
use crate::encode::image::resample::ResampleFilter;

/// Reads a file without a class. Its keys are taken literally; where the class of the model type would
/// interpret them differently, the file has to name one.
pub(super) fn unnamed(
    file: &SettingsFile,
    model_type: Option<&str>,
) -> Result<ImagePreprocessor, ModelError> {
    let model_type = model_type.unwrap_or("");
    let class = match of_model_type(model_type) {
        ProcessorLookup::Followed(class) => class,
        ProcessorLookup::Refused(why) => {
            return Err(file.bad(
                "image_processor_type",
                "absent",
                &format!(
                    "a class's name, since that of the model_type {model_type:?} of config.json \
                     cannot be followed: {why}"
                ),
                "use an encoder with a plain resize, crop and normalise, or correct model_type",
            ));
        }
        ProcessorLookup::Timm | ProcessorLookup::Unknown => {
            refuse_other_keys(file)?;
            return plain(file);
        }
    };
    let (found, read) = (plain(file), of_class(file, class));
    match (found, read) {
        (Ok(found), Ok(read)) if !same_steps(file, &found, &read) => Err(file.bad(
            "image_processor_type",
            "absent",
            &format!(
                "a class's name, since {}ImageProcessor, which belongs to the model_type \
                 {model_type:?} of config.json, reads these keys in its own way",
                class.name,
            ),
            &format!(
                "write \"image_processor_type\": \"{}ImageProcessor\" into the file, or correct \
                 model_type",
                class.name
            ),
        )),
        (Ok(found), Ok(_)) => {
            refuse_other_keys(file)?;
            Ok(found)
        }
        (Ok(_), Err(why)) => Err(file.bad(
            "image_processor_type",
            "absent",
            &format!(
                "a class's name, since {}ImageProcessor, which belongs to the model_type \
                 {model_type:?} of config.json, cannot do what the file says ({})",
                class.name,
                match &why {
                    ModelError::Setting {
                        key,
                        found,
                        expected,
                        ..
                    } => format!("`{key}` is {found}, expected {expected}"),
                    other => other.to_string(),
                }
            ),
            "name the class that the model was trained with, or correct model_type",
        )),
        // What only the class can read.
        (Err(_), Ok(read)) => {
            refuse_other_keys(file)?;
            Ok(read)
        }
        (Err(error), Err(_)) => Err(error),
    }
}

/// Whether two interpretations of the file give the same tensor. Keys that the file omits are ignored: a
/// folder may have been written for this program.
fn same_steps(file: &SettingsFile, one: &ImagePreprocessor, other: &ImagePreprocessor) -> bool {
    // A crop to the size that the picture has does nothing.
    let crop = |read: &ImagePreprocessor| match (read.resize, read.crop) {
        (ResizeMode::Exact(w, h), Some(crop)) if crop == (w, h) => None,
        (_, crop) => crop,
    };
    (file.get("size").is_none() || one.resize == other.resize)
        && (file.get("do_center_crop").is_none() && file.get("crop_size").is_none()
            || crop(one) == crop(other))
        && one.cut_first == other.cut_first
        && one.filter == other.filter
        && one.bgr == other.bgr
        && one.table == other.table
}

/// The keys as they are written, for a folder that names no class.
pub(super) fn plain(file: &SettingsFile) -> Result<ImagePreprocessor, ModelError> {
    refuse_the_unknown(file, &["do_flip_channel_order"])?;
    refuse_null(file, "do_normalize", "true")?;
    if file.get("crop_size").is_some() {
        refuse_null(file, "do_center_crop", "true")?;
    }
    let crop = match file
        .switch("do_center_crop")?
        .unwrap_or(file.get("crop_size").is_some())
    {
        true => Some(box_of(file, "crop_size")?),
        false => None,
    };
    let (resize, crop) = plain_resize(file, crop)?;
    let normalize = match file.switch("do_normalize")?.unwrap_or(true) {
        true => Some((three(file, "image_mean")?, three(file, "image_std")?)),
        false => None,
    };
    PreprocessSteps {
        resize,
        crop,
        filter: filter_of(file, ResampleFilter::Bilinear)?,
        normalize,
        bgr: file.switch("do_flip_channel_order")?.unwrap_or(false),
        ..PreprocessSteps::default()
    }
    .finish(file)
}

fn plain_resize(
    file: &SettingsFile,
    crop: Option<(u32, u32)>,
) -> Result<(ResizeMode, Option<(u32, u32)>), ModelError> {
    if !file
        .switch("do_resize")?
        .unwrap_or(file.get("size").is_some())
    {
        return Ok((ResizeMode::Keep, crop));
    }
    let size = file.get("size").ok_or_else(|| {
        file.bad(
            "size",
            "absent",
            "a size, since do_resize is true",
            "correct the file",
        )
    })?;
    let shortest = size.get("shortest_edge").is_some_and(|v| !v.is_null());
    let side = one_size(file, "size", size)?;
    refuse_other_square(file, crop.is_none())?;
    match (side, crop_part(file, None)?) {
        (Some(side), Some(part)) if crop.is_none() => conv_next(file, side, part),
        (Some(side), _) if shortest || crop.is_some() => Ok((ResizeMode::Shortest(side), crop)),
        (Some(side), _) => Ok((ResizeMode::Exact(side, side), crop)),
        (None, _) => {
            let (w, h) = box_of(file, "size")?;
            Ok((ResizeMode::Exact(w, h), crop))
        }
    }
}
