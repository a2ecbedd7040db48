//! `preprocessor_config.json`, in all the ways that model folders write it.

use serde_json::Value;

use super::classes::{Named, OwnStep, ProcessorClass, named};
use super::steps::Steps;
use super::unnamed::{plain, unnamed};
use super::values::{
    box_of, crop_part, filter_of, one_size, refuse_null, refuse_other_square, refuse_the_unknown,
    scaled, three,
};
use super::{Preprocess, Resize};
use crate::encode::error::{EncoderChoice, ModelError};
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
        let read = Self::from_settings(&file, model_type, config.as_ref(), trust)?;
        if let Some(other) = folder.json("open_clip_config.json")?
            && !names_class(&file)
        {
            read.agrees_with_open_clip(&other, &file)?;
        }
        Ok(read)
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
        let own = own_class(file, name.unwrap_or("")).map(str::to_owned);
        if let Some(own) = own.as_ref().filter(|_| !trust) {
            let error = file.bad(
                "auto_map.AutoImageProcessor",
                own,
                "absent, or the class of image_processor_type: a class of the model's own may do \
                 other steps",
                "if it does what the keys say, have the keys trusted",
            );
            return Err(error.or_choose(EncoderChoice::TrustedPreprocessing));
        }
        let Some(name) = name else {
            let read = unnamed(file, model_type)?;
            return Ok(Self {
                trusted: own,
                ..read
            });
        };
        match named(name) {
            Named::Followed(class) => {
                let read = of_class(file, class)?;
                Ok(Self {
                    trusted: own,
                    ..read
                })
            }
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
            Named::Unknown => {
                let error = file.bad(
                    key,
                    name,
                    "an image processor class that is known here",
                    "if its size, crop_size, resample, image_mean and image_std mean what they say, \
                     have them trusted",
                );
                Err(error.or_choose(EncoderChoice::TrustedPreprocessing))
            }
        }
    }
}

/// Whether the file names the class that reads it.
fn names_class(file: &Settings) -> bool {
    let named = |key| file.get(key).is_some();
    named("image_processor_type") || named("feature_extractor_type")
}

/// The class of the model's own code that is meant instead of `name`, where the file has one.
fn own_class<'a>(file: &'a Settings, name: &str) -> Option<&'a str> {
    let entry = file.get("auto_map")?.get("AutoImageProcessor")?;
    let entries = entry
        .as_array()
        .map_or(std::slice::from_ref(entry), Vec::as_slice);
    let mut classes = entries.iter().filter_map(Value::as_str);
    classes.find(|class| class.rsplit('.').next() != Some(name))
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

/// The keys as `class` reads them.
pub(super) fn of_class(file: &Settings, class: &ProcessorClass) -> Result<Preprocess, ModelError> {
    let own: &[&str] = match class.step {
        OwnStep::ChannelFlip => &["do_flip_channel_order"],
        OwnStep::IncludeTop => &["include_top", "rescale_offset"],
        OwnStep::UnreadPadding => &["do_pad", "size_divisor"],
        _ => &[],
    };
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

/// Refuses null where the class's own value is not "no" or what null is read as.
fn refuse_nulls(file: &Settings, class: &ProcessorClass) -> Result<(), ModelError> {
    let cropped = class.crop.is_some_and(|(_, done)| done);
    for (key, matters) in [
        ("do_center_crop", cropped),
        ("do_normalize", class.normalize.is_some()),
        ("do_flip_channel_order", class.step == OwnStep::ChannelFlip),
        ("include_top", class.step == OwnStep::IncludeTop),
    ] {
        if matters {
            refuse_null(file, key, "true")?;
        }
    }
    if class.step == OwnStep::PoolFormerResize {
        refuse_null(file, "crop_pct", "0.9")?;
    }
    if class.filter != Filter::Bilinear {
        refuse_null(file, "resample", class.filter.name())?;
    }
    Ok(())
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
pub(super) fn conv_next(
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
