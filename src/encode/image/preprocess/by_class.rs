//! The preprocessing steps of a processor class, from its keys.

use super::classes::{ClassStep, ProcessorClass};
use super::steps::PreprocessSteps;
use super::values::{
    box_of, crop_part, filter_of, one_size, refuse_null, refuse_other_square, refuse_the_unknown,
    scaled, three,
};
use super::{ImagePreprocessor, ResizeMode};
use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;
use crate::encode::image::resample::ResampleFilter;
use serde_json::Value;

/// The keys as `class` reads them.
pub(super) fn of_class(
    file: &SettingsFile,
    class: &ProcessorClass,
) -> Result<ImagePreprocessor, ModelError> {
    // Keys that this class reads, or is known to ignore, and that others are refused for.
    let own: &[&str] = match class.step {
        ClassStep::ChannelFlip => &["do_flip_channel_order"],
        ClassStep::IncludeTop => &["include_top", "rescale_offset"],
        ClassStep::UnreadPadding => &["do_pad", "size_divisor"],
        _ => &[],
    };
    // First, so that an unsupported step is named and not a consequence of it.
    refuse_the_unknown(file, own)?;
    refuse_nulls(file, class)?;
    refuse_other_square(file, class.square)?;
    let crop = match class.crop {
        None => {
            if file.switch("do_center_crop")? == Some(true) {
                return Err(file.bad(
                    "do_center_crop",
                    "true",
                    &format!(
                        "false or absent, since {}ImageProcessor has no crop",
                        class.name
                    ),
                    "name the class that the model was trained with",
                ));
            }
            None
        }
        // Without `crop_size` the class crops to a default of its own.
        Some((side, done)) => match file.switch("do_center_crop")?.unwrap_or(done) {
            true if file.get("crop_size").is_some() => Some(box_of(file, "crop_size")?),
            true => Some((side, side)),
            false => None,
        },
    };
    let mut steps = PreprocessSteps {
        crop,
        filter: filter_of(file, class.filter)?,
        ..PreprocessSteps::default()
    };
    if file.switch("do_resize")?.unwrap_or(true) {
        class_resize(file, class, &mut steps)?;
    }
    if class.step == ClassStep::ChannelFlip {
        steps.bgr = file.switch("do_flip_channel_order")?.unwrap_or(true);
    }
    match (class.normalize, file.switch("do_normalize")?) {
        (None, Some(true)) => {
            return Err(file.bad(
                "do_normalize",
                "true",
                &format!(
                    "false or absent, since {}ImageProcessor does not",
                    class.name
                ),
                "name the class that the model was trained with",
            ));
        }
        (None, _) | (Some(_), Some(false)) => {}
        (Some((mean, std)), _) => {
            let or = |key, usual| match file.get(key) {
                Some(_) => three(file, key),
                None => Ok(usual),
            };
            steps.normalize = Some((or("image_mean", mean)?, or("image_std", std)?));
        }
    }
    if class.step == ClassStep::IncludeTop {
        steps.divided_again = file.switch("include_top")?.unwrap_or(true);
        steps.offset = file.switch("rescale_offset")?.unwrap_or(false);
    }
    steps.finish(file)
}

/// Rejects null where the class's default is neither "no" nor what null means.
fn refuse_nulls(file: &SettingsFile, class: &ProcessorClass) -> Result<(), ModelError> {
    // Null matters only where the class would otherwise do something.
    let cropped = class.crop.is_some_and(|(_, done)| done);
    for (key, matters) in [
        ("do_center_crop", cropped),
        ("do_normalize", class.normalize.is_some()),
        (
            "do_flip_channel_order",
            class.step == ClassStep::ChannelFlip,
        ),
        ("include_top", class.step == ClassStep::IncludeTop),
    ] {
        if matters {
            refuse_null(file, key, "true")?;
        }
    }
    if class.step == ClassStep::PoolFormerResize {
        refuse_null(file, "crop_pct", "0.9")?;
    }
    if class.filter != ResampleFilter::Bilinear {
        refuse_null(file, "resample", class.filter.name())?;
    }
    Ok(())
}

fn class_resize(
    file: &SettingsFile,
    class: &ProcessorClass,
    steps: &mut PreprocessSteps,
) -> Result<(), ModelError> {
    let square = Value::from(class.side);
    let size = file.get("size").unwrap_or(&square);
    let by_edge = size.get("shortest_edge").is_some_and(|v| !v.is_null());
    // EfficientFormer's class is square but accepts the key.
    if by_edge && class.square && class.name != "EfficientFormer" {
        return Err(file.bad(
            "size",
            &size.to_string(),
            &format!(
                "height and width, which {}ImageProcessor asks for",
                class.name
            ),
            "copy the file again, or name the class that the model was trained with",
        ));
    }
    let side = one_size(file, "size", size)?;
    if let Some(side) = side.filter(|_| by_edge || !class.square) {
        match class.step {
            ClassStep::LevitResize => {
                steps.resize =
                    // 256/224 is written into LeViT's class, not into its files.
                    ResizeMode::Shortest(scaled(file, "size", 256.0 / 224.0 * f64::from(side))?);
            }
            ClassStep::PoolFormerResize => {
                let part = crop_part(file, Some(0.9))?.unwrap_or(1.0);
                let short = scaled(file, "crop_pct", f64::from(side) / part)?;
                steps.resize = ResizeMode::Shortest(short);
            }
            ClassStep::ConvNextResize => {
                let part = crop_part(file, Some(224.0 / 256.0))?.unwrap_or(1.0);
                (steps.resize, steps.crop) = conv_next(file, side, part)?;
            }
            _ => steps.resize = ResizeMode::Shortest(side),
        }
        return Ok(());
    }
    // A single number of a square class is both sides.
    let (w, h) = match side {
        Some(side) => (side, side),
        None => box_of(file, "size")?,
    };
    steps.resize = ResizeMode::Exact(w, h);
    match class.step {
        ClassStep::ConvNextResize => {
            // ConvNeXt derives its crop from the short side, and height with width say none.
            return Err(file.bad(
                "size",
                &size.to_string(),
                "shortest_edge, which ConvNextImageProcessor asks for",
                "copy the file again from the model's source",
            ));
        }
        ClassStep::PoolFormerResize => {
            let part = crop_part(file, Some(0.9))?.unwrap_or(1.0);
            let divided = |side: u32| scaled(file, "crop_pct", f64::from(side) / part);
            steps.resize = match w == h {
                // A square is resized by its short side, so the aspect ratio stays.
                true => ResizeMode::Shortest(divided(w)?),
                false => ResizeMode::Exact(divided(w)?, divided(h)?),
            };
        }
        ClassStep::PerceiverCrop => {
            if let Some((crop_w, crop_h)) = steps.crop.take() {
                let part = |size: u32, crop: u32| f64::from(size) / f64::from(crop);
                steps.cut_first = Some((part(w, crop_w), part(h, crop_h)));
            }
        }
        _ => {}
    }
    Ok(())
}

/// The short side grows by `1 / part` and the middle is cut out, except at 384 and more, where the
/// whole picture is squeezed into the square.
pub(super) fn conv_next(
    file: &SettingsFile,
    side: u32,
    part: f64,
) -> Result<(ResizeMode, Option<(u32, u32)>), ModelError> {
    if side < 384 {
        let short = scaled(file, "crop_pct", f64::from(side) / part)?;
        Ok((ResizeMode::Shortest(short), Some((side, side))))
    } else {
        Ok((ResizeMode::Exact(side, side), None))
    }
}
