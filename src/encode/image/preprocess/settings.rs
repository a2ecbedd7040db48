//! `preprocessor_config.json`, in all the ways that model folders write it.

use serde_json::Value;

use super::ImagePreprocessor;
use super::by_class::of_class;
use super::classes::{ProcessorLookup, named};
use super::unnamed::{plain, unnamed};
use crate::encode::error::{EncoderChoice, ModelError};
use crate::encode::folder::{ModelFolder, SettingsFile};

const FILE: &str = "preprocessor_config.json";

impl ImagePreprocessor {
    /// Reads the folder's `preprocessor_config.json`, or the `image_processor` of its
    /// `processor_config.json`, or timm's `pretrained_cfg` in its `config.json`. With `trust` the keys
    /// of an unknown class are trusted.
    ///
    /// # Errors
    /// [`ModelError::Missing`] without any of them, [`ModelError::Setting`] for an unsupported
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
        file: &SettingsFile,
        model_type: Option<&str>,
        config: Option<&SettingsFile>,
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
            ProcessorLookup::Followed(class) => {
                let read = of_class(file, class)?;
                Ok(Self {
                    trusted: own,
                    ..read
                })
            }
            ProcessorLookup::Timm => match config.filter(|c| c.get("pretrained_cfg").is_some()) {
                Some(config) => Self::from_timm(config),
                None => Err(file.bad(
                    key,
                    name,
                    "pretrained_cfg in config.json, which this class reads",
                    "copy config.json from the model's source",
                )),
            },
            ProcessorLookup::Refused(why) => Err(file.bad(
                key,
                name,
                &format!("a class whose steps can be followed: {why}"),
                "use an encoder with a plain resize, crop and normalise",
            )),
            ProcessorLookup::Unknown if trust => {
                let mut plain = plain(file)?;
                plain.trusted = Some(name.to_owned());
                Ok(plain)
            }
            ProcessorLookup::Unknown => {
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

/// Whether the file names its processor class.
fn names_class(file: &SettingsFile) -> bool {
    let named = |key| file.get(key).is_some();
    named("image_processor_type") || named("feature_extractor_type")
}

/// The custom class (`auto_map`) that replaces `name`, where the file has one.
fn own_class<'a>(file: &'a SettingsFile, name: &str) -> Option<&'a str> {
    let entry = file.get("auto_map")?.get("AutoImageProcessor")?;
    let entries = entry
        .as_array()
        .map_or(std::slice::from_ref(entry), Vec::as_slice);
    let mut classes = entries.iter().filter_map(Value::as_str);
    classes.find(|class| class.rsplit('.').next() != Some(name))
}

/// The file that describes the preprocessing, where there is one.
fn described(folder: &ModelFolder) -> Result<Option<SettingsFile>, ModelError> {
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
    Ok(Some(SettingsFile {
        value: part.clone(),
        path: whole.path,
    }))
}
