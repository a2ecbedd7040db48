//! The preprocessing of timm's models: `pretrained_cfg` in config.json, as `timm.data` makes the
//! transform for evaluation of it (`resolve_data_config`, `transforms_imagenet_eval`).

use serde_json::Value;

use super::steps::PreprocessSteps;
use super::values::{crop_part, filter_of, scaled, three};
use super::{ImagePreprocessor, ResizeMode};
use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;
use crate::encode::image::resample::ResampleFilter;

/// timm's names of keys that both have.
const RENAMED: [(&str, &str); 3] = [
    ("interpolation", "resample"),
    ("mean", "image_mean"),
    ("std", "image_std"),
];

impl ImagePreprocessor {
    /// Reads `pretrained_cfg` of the folder's config.json.
    pub(super) fn from_timm(config: &SettingsFile) -> Result<Self, ModelError> {
        let read = Self::of_pretrained(config).map(|mut read| {
            read.source.1 = "pretrained_cfg.input_size";
            read
        });
        read.map_err(|error| match error {
            // The key as the file has it.
            ModelError::Setting {
                path,
                key,
                found,
                expected,
                advice,
                choice,
            } if !key.starts_with("pretrained_cfg") => ModelError::Setting {
                path,
                key: format!(
                    "pretrained_cfg.{}",
                    RENAMED
                        .iter()
                        .find(|(_, ours)| *ours == key)
                        .map_or(key.as_str(), |(theirs, _)| theirs)
                ),
                found,
                expected,
                advice,
                choice,
            },
            other => other,
        })
    }

    fn of_pretrained(config: &SettingsFile) -> Result<Self, ModelError> {
        let value = config.get("pretrained_cfg").cloned().unwrap_or(Value::Null);
        // The usual reader takes the keys that both have, under its own names.
        let mut file = SettingsFile {
            path: config.path.clone(),
            value,
        };
        for (theirs, ours) in RENAMED {
            if let (Some(value), Some(map)) =
                (file.get(theirs).cloned(), file.value.as_object_mut())
            {
                map.insert(ours.to_owned(), value);
            }
        }
        let side = |at: usize| {
            let size = file.get("input_size");
            let side = size.and_then(|s| s.get(at)).and_then(Value::as_u64);
            side.filter(|s| (1..=2048).contains(s)).map(|s| s as u32)
        };
        let size = file
            .get("input_size")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let (Some(3), Some(height), Some(width), 3) = (side(0), side(1), side(2), size) else {
            return Err(file.bad(
                "pretrained_cfg.input_size",
                &file.get("input_size").unwrap_or(&Value::Null).to_string(),
                "[3, height, width], at most 2048 pixels a side",
                "copy config.json from the model's source",
            ));
        };
        let part = crop_part(&file, Some(0.875))?.unwrap_or(0.875);
        let larger = |side: u32| scaled(&file, "crop_pct", (f64::from(side) / part).floor());
        let squeezed = ResizeMode::Exact(larger(width)?, larger(height)?);
        let resize = match file.text("crop_mode")?.unwrap_or("center") {
            "center" if width == height => ResizeMode::Shortest(larger(width)?),
            "squash" => squeezed,
            other => {
                return Err(file.bad(
                    "pretrained_cfg.crop_mode",
                    other,
                    "squash, or center with a square input_size",
                    "use a model with one of these",
                ));
            }
        };
        PreprocessSteps {
            resize,
            crop: Some((width, height)),
            filter: filter_of(&file, ResampleFilter::Bicubic)?,
            normalize: Some((three(&file, "image_mean")?, three(&file, "image_std")?)),
            rounded_crop: true,
            ..PreprocessSteps::default()
        }
        .finish(&file)
    }
}
