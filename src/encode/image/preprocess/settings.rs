//! `preprocessor_config.json`, in all the ways that model folders write it.

use serde_json::Value;

use super::classes::{Named, OwnStep, ProcessorClass, named, of_model_type};
use super::steps::Steps;
use super::values::{box_of, crop_part, filter_of, one_size, refuse_the_unknown, scaled, three};
use super::{Preprocess, Resize};
use crate::encode::error::ModelError;
use crate::encode::folder::{ModelFolder, Settings};
use crate::encode::image::resample::Filter;

const FILE: &str = "preprocessor_config.json";

impl Preprocess {
    /// Reads the folder's `preprocessor_config.json`, or the `image_processor` of its
    /// `processor_config.json`, or timm's `pretrained_cfg` in its `config.json`. With `trust` the keys
    /// of a class that is not known are believed.
    ///
    /// # Errors
    /// [`ModelError::Missing`] without any of them, [`ModelError::Setting`] for what cannot be
    /// followed.
    pub fn read(folder: &ModelFolder, trust: bool) -> Result<Self, ModelError> {
        let config = folder.json("config.json")?;
        let Some(file) = described(folder)? else {
            return match config {
                Some(config) if config.get("pretrained_cfg").is_some() => Self::from_timm(&config),
                _ => Err(ModelError::Missing {
                    path: folder.dir().join(FILE),
                    what: "the description of the image preprocessing",
                    advice: "copy it from the model's source: it has size, crop, mean and deviation",
                }),
            };
        };
        let model_type = match &config {
            Some(config) => config.text("model_type")?,
            None => None,
        };
        Self::from_settings(&file, model_type, config.as_ref(), trust)
    }

    pub(super) fn from_settings(
        file: &Settings,
        model_type: Option<&str>,
        config: Option<&Settings>,
        trust: bool,
    ) -> Result<Self, ModelError> {
        let mut key = "image_processor_type";
        let mut name = file.text(key)?;
        if name.is_none() {
            key = "feature_extractor_type";
            name = file.text(key)?;
        }
        let Some(name) = name else {
            return unnamed(file, model_type);
        };
        match named(name) {
            Named::Followed(class) => of_class(file, class),
            Named::Timm => match config.filter(|c| c.get("pretrained_cfg").is_some()) {
                Some(config) => Self::from_timm(config),
                None => Err(file.bad(
                    key,
                    name,
                    "pretrained_cfg in config.json, which this class reads",
                    "copy config.json from the model's source",
                )),
            },
            Named::Refused(why) => Err(file.bad(
                key,
                name,
                &format!("a class whose steps can be followed: {why}"),
                "use an encoder with a plain resize, crop and normalise",
            )),
            Named::Unknown if trust => {
                let mut plain = plain(file)?;
                plain.trusted = Some(name.to_owned());
                Ok(plain)
            }
            Named::Unknown => Err(file.bad(
                key,
                name,
                "an image processor class that is known here",
                "if its size, crop_size, resample, image_mean and image_std mean what they say, use \
                 --trust-preprocessing",
            )),
        }
    }
}

/// The file that describes the preprocessing, where there is one.
fn described(folder: &ModelFolder) -> Result<Option<Settings>, ModelError> {
    let plain = folder.json(FILE)?;
    let Some(whole) = folder.json("processor_config.json")? else {
        return Ok(plain);
    };
    let Some(part) = whole.get("image_processor").filter(|part| part.is_object()) else {
        return Ok(plain);
    };
    if let Some(plain) = plain {
        return if plain.value == *part {
            Ok(Some(plain))
        } else {
            Err(whole.bad(
                "image_processor",
                "not what preprocessor_config.json says",
                "the same in both files",
                "remove the file that is older",
            ))
        };
    }
    Ok(Some(Settings {
        value: part.clone(),
        path: whole.path,
    }))
}

/// A file that names no class. Its keys mean what they say; where the class of the model's type would
/// read them otherwise, the file has to name one.
fn unnamed(file: &Settings, model_type: Option<&str>) -> Result<Preprocess, ModelError> {
    let class = model_type.and_then(of_model_type);
    let found = plain(file);
    let Some((class, Ok(read))) = class.map(|class| (class, of_class(file, class))) else {
        return found;
    };
    // What the file leaves out is not asked for: a folder may have been written for here.
    let otherwise = |found: &Preprocess| {
        (file.get("size").is_some() && found.resize != read.resize) || found.filter != read.filter
    };
    match found {
        Ok(found) if otherwise(&found) => Err(file.bad(
            "image_processor_type",
            "absent",
            &format!(
                "a class's name, since {}ImageProcessor, which belongs to the model_type {:?} of \
                 config.json, reads these keys in its own way",
                class.name,
                model_type.unwrap_or("")
            ),
            &format!(
                "write \"image_processor_type\": \"{}ImageProcessor\" into the file, or correct \
                 model_type",
                class.name
            ),
        )),
        Ok(found) => Ok(found),
        // What only the class can read.
        Err(_) => Ok(read),
    }
}

/// The keys as they are written, for a folder that names no class.
fn plain(file: &Settings) -> Result<Preprocess, ModelError> {
    refuse_the_unknown(file, &["do_flip_channel_order"])?;
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
    Steps {
        resize,
        crop,
        filter: filter_of(file, Filter::Bilinear)?,
        normalize,
        bgr: file.switch("do_flip_channel_order")?.unwrap_or(false),
        ..Steps::default()
    }
    .finish(file)
}

fn plain_resize(
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
    let shortest = size.get("shortest_edge").is_some_and(|v| !v.is_null());
    let side = one_size(file, "size", size)?;
    match (side, crop_part(file, None)?) {
        (Some(side), Some(part)) if crop.is_none() => conv_next(file, side, part),
        (Some(side), _) if shortest || crop.is_some() => Ok((Resize::Shortest(side), crop)),
        (Some(side), _) => Ok((Resize::Exact(side, side), crop)),
        (None, _) => {
            let (w, h) = box_of(file, "size")?;
            Ok((Resize::Exact(w, h), crop))
        }
    }
}

/// The keys as `class` reads them.
fn of_class(file: &Settings, class: &ProcessorClass) -> Result<Preprocess, ModelError> {
    let own: &[&str] = match class.step {
        OwnStep::ChannelFlip => &["do_flip_channel_order"],
        OwnStep::IncludeTop => &["include_top", "rescale_offset"],
        _ => &[],
    };
    refuse_the_unknown(file, own)?;
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
        Some((side, done)) => match file.switch("do_center_crop")?.unwrap_or(done) {
            true if file.get("crop_size").is_some() => Some(box_of(file, "crop_size")?),
            true => Some((side, side)),
            false => None,
        },
    };
    let mut steps = Steps {
        crop,
        filter: filter_of(file, class.filter)?,
        ..Steps::default()
    };
    if file.switch("do_resize")?.unwrap_or(true) {
        class_resize(file, class, &mut steps)?;
    }
    if class.step == OwnStep::ChannelFlip {
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
    if class.step == OwnStep::IncludeTop {
        steps.divided_again = file.switch("include_top")?.unwrap_or(true);
        steps.offset = file.switch("rescale_offset")?.unwrap_or(false);
    }
    steps.finish(file)
}

fn class_resize(
    file: &Settings,
    class: &ProcessorClass,
    steps: &mut Steps,
) -> Result<(), ModelError> {
    let square = Value::from(class.side);
    let size = file.get("size").unwrap_or(&square);
    let by_edge = size.get("shortest_edge").is_some_and(|v| !v.is_null());
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
            OwnStep::LevitResize => {
                steps.resize =
                    Resize::Shortest(scaled(file, "size", 256.0 / 224.0 * f64::from(side))?);
            }
            OwnStep::PoolFormerResize => {
                let part = crop_part(file, Some(0.9))?.unwrap_or(1.0);
                let short = scaled(file, "crop_pct", f64::from(side) / part)?;
                steps.resize = Resize::Shortest(short);
            }
            OwnStep::ConvNextResize => {
                let part = crop_part(file, Some(224.0 / 256.0))?.unwrap_or(1.0);
                (steps.resize, steps.crop) = conv_next(file, side, part)?;
            }
            _ => steps.resize = Resize::Shortest(side),
        }
        return Ok(());
    }
    let (w, h) = match side {
        Some(side) => (side, side),
        None => box_of(file, "size")?,
    };
    steps.resize = Resize::Exact(w, h);
    match class.step {
        OwnStep::ConvNextResize => {
            return Err(file.bad(
                "size",
                &size.to_string(),
                "shortest_edge, which ConvNextImageProcessor asks for",
                "copy the file again from the model's source",
            ));
        }
        OwnStep::PoolFormerResize => {
            let part = crop_part(file, Some(0.9))?.unwrap_or(1.0);
            let divided = |side: u32| scaled(file, "crop_pct", f64::from(side) / part);
            steps.resize = match w == h {
                true => Resize::Shortest(divided(w)?),
                false => Resize::Exact(divided(w)?, divided(h)?),
            };
        }
        OwnStep::PerceiverCrop => {
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
fn conv_next(
    file: &Settings,
    side: u32,
    part: f64,
) -> Result<(Resize, Option<(u32, u32)>), ModelError> {
    if side < 384 {
        let short = scaled(file, "crop_pct", f64::from(side) / part)?;
        Ok((Resize::Shortest(short), Some((side, side))))
    } else {
        Ok((Resize::Exact(side, side), None))
    }
}
