//! `open_clip_config.json`: checked against the preprocessor file beside it, which takes precedence.

use serde_json::Value;

use super::{ImagePreprocessor, ResizeMode};
use crate::encode::error::ModelError;
use crate::encode::folder::SettingsFile;

impl ImagePreprocessor {
    /// Rejects an OpenCLIP `preprocess_cfg` that contradicts `file`, from which these steps were
    /// read. Absent keys are ignored.
    pub(super) fn agrees_with_open_clip(
        &self,
        other: &SettingsFile,
        file: &SettingsFile,
    ) -> Result<(), ModelError> {
        let part = |outer: &str, key: &str| {
            let value = other.get(outer)?.get(key)?;
            Some(value).filter(|v| !v.is_null())
        };
        let differs = |key: &str, found: &Value, expected: String| {
            let own = file.path.file_name().unwrap_or_default().display();
            Err(other.bad(
                key,
                &found.to_string(),
                &format!("{expected}, as {own} says"),
                "correct the file that is wrong, or remove open_clip_config.json",
            ))
        };
        for (key, own) in [
            ("mean", self.normalize.map(|n| n.0)),
            ("std", self.normalize.map(|n| n.1)),
        ] {
            let Some(found) = part("preprocess_cfg", key) else {
                continue;
            };
            let theirs: Option<Vec<f64>> = match found {
                Value::Array(list) => list.iter().map(Value::as_f64).collect(),
                one => one.as_f64().map(|v| vec![v; 3]),
            };
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
            let same = theirs.zip(own).is_some_and(|(theirs, own)| {
                theirs.len() == own.len() && theirs.iter().zip(&own).all(near)
            });
            if !same {
                let expected = own.map_or("absent".to_owned(), |own| format!("{own:?}"));
                return differs(&format!("preprocess_cfg.{key}"), found, expected);
            }
        }
        if let Some(found) = part("preprocess_cfg", "interpolation")
            && !found
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(self.filter.name()))
        {
            let expected = self.filter.name().to_owned();
            return differs("preprocess_cfg.interpolation", found, expected);
        }
        if let Some(found) = part("preprocess_cfg", "resize_mode") {
            let own = match self.resize {
                ResizeMode::Exact(..) => "squash",
                ResizeMode::Shortest(_) | ResizeMode::Keep => "shortest",
            };
            if found.as_str() != Some(own) {
                return differs("preprocess_cfg.resize_mode", found, own.to_owned());
            }
        }
        for (key, found) in [
            ("preprocess_cfg.size", part("preprocess_cfg", "size")),
            (
                "model_cfg.vision_cfg.image_size",
                part("model_cfg", "vision_cfg").and_then(|vision| vision.get("image_size")),
            ),
        ] {
            let Some(found) = found else { continue };
            // Height and width, or one number for both.
            let sides = match found {
                Value::Array(list) => list.iter().map(Value::as_u64).collect(),
                one => vec![one.as_u64(); 2],
            };
            let own = [self.size.1, self.size.0].map(|side| Some(u64::from(side)));
            if sides != own {
                let expected = format!("[{}, {}]", self.size.1, self.size.0);
                return differs(key, found, expected);
            }
        }
        Ok(())
    }
}
