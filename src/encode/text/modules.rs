//! The module chain of sentence-transformers, and its pooling settings.

use serde_json::Value;

use super::super::error::{EncoderChoice, ModelError};
use super::super::folder::{ModelFolder, SettingsFile};
use super::super::options::Pooling;

/// The prefix of sentence-transformers' own module types.
const SENTENCE_TRANSFORMERS: &str = "sentence_transformers.";

/// The chain of sentence-transformers modules.
pub(super) struct ModuleChain {
    /// The folder of the pooling module.
    pub pooling: Option<String>,
    /// The file that names it; `None` where it is only found at its usual path.
    named_by: Option<SettingsFile>,
    /// The first unsupported module, with the reason.
    pub refused: Option<String>,
}

impl ModuleChain {
    /// Reads modules.json.
    pub(crate) fn read(folder: &ModelFolder) -> Result<Self, ModelError> {
        let Some(file) = folder.json("modules.json")? else {
            let usual = folder.dir().join("1_Pooling/config.json").is_file();
            return Ok(Self {
                pooling: usual.then(|| "1_Pooling".to_owned()),
                named_by: None,
                refused: None,
            });
        };
        let list = file.value.as_array().ok_or_else(|| {
            file.bad(
                "(top level)",
                "not a list",
                "a list of modules",
                "copy the file again",
            )
        })?;
        let mut modules = Self {
            pooling: None,
            named_by: None,
            refused: None,
        };
        let mut refused = Vec::new();
        for module in list {
            let text = |key: &str| match module.get(key) {
                None | Some(Value::Null) => Ok(""),
                Some(Value::String(text)) => Ok(text.as_str()),
                Some(other) => Err(file.bad(key, &other.to_string(), "a text", "correct the file")),
            };
            let path = text("path")?;
            let plain = |path: &str| {
                let mut parts = std::path::Path::new(path).components();
                parts.all(|c| matches!(c, std::path::Component::Normal(_)))
            };
            if !plain(path) {
                return Err(file.bad(
                    "path",
                    path,
                    "a folder in the model folder",
                    "correct the file",
                ));
            }
            let kind = text("type")?;
            let name = kind.rsplit('.').next().unwrap_or(kind);
            // A custom class may do anything, whatever its name.
            let own = name != kind && !kind.starts_with(SENTENCE_TRANSFORMERS);
            if own || !["Transformer", "Normalize", "Pooling"].contains(&name) {
                refused.push(format!("`{}`", if own { kind } else { name }));
            }
            match name {
                "Transformer" if !path.is_empty() => {
                    return Err(file.bad(
                        "path",
                        path,
                        "empty for the transformer, whose files are read from the model folder itself",
                        "move the files of that folder up and set the path to \"\"",
                    ));
                }
                "Transformer" if modules.pooling.is_some() => {
                    return Err(file.bad(
                        "type",
                        "Transformer after Pooling",
                        "the transformer first",
                        "correct the file",
                    ));
                }
                "Transformer" | "Normalize" => {}
                "Pooling" if modules.pooling.is_some() => {
                    return Err(file.bad(
                        "type",
                        "Pooling twice",
                        "one Pooling",
                        "correct the file",
                    ));
                }
                "Pooling" => modules.pooling = Some(path.to_owned()),
                _ => {}
            }
        }
        modules.refused = (!refused.is_empty()).then(|| {
            format!(
                "modules.json has a module ({}) that the ONNX file's token vectors do not contain; \
                 export the model with a `sentence_embedding` output that includes it",
                refused.join(", ")
            )
        });
        modules.named_by = Some(file);
        Ok(modules)
    }

    /// The file of the pooling module in the folder `dir`.
    ///
    /// # Errors
    /// When it cannot be read, or modules.json names it and it is not there: another output than the
    /// pooled one would be read for it.
    pub(crate) fn pooling_config(
        &self,
        folder: &ModelFolder,
        dir: &str,
    ) -> Result<Option<SettingsFile>, ModelError> {
        let name = format!("{dir}/config.json");
        match (folder.json(&name)?, &self.named_by) {
            (None, Some(_)) => Err(ModelError::Missing {
                path: folder.dir().join(name),
                what: "the settings of the pooling module that modules.json names",
                advice: "copy it from the model's source: it says how token vectors become one",
            }),
            (file, _) => Ok(file),
        }
    }
}

/// The pooling in the module's file.
pub(super) fn pooling_of(file: &SettingsFile) -> Result<Pooling, ModelError> {
    let refuse = |found: &str| {
        let expected = "one of mean, cls, max";
        let advice = "choose one if you know that it fits the model";
        let error = file.bad("pooling_mode", found, expected, advice);
        error.or_choose(EncoderChoice::Pooling)
    };
    // Newer files name the mode, older ones have a switch for each.
    if let Some(mode) = file.text("pooling_mode")? {
        // sentence-transformers writes it small before it looks.
        return mode.to_lowercase().parse().map_err(|_| refuse(mode));
    }
    let mut on = Vec::new();
    if let Some(map) = file.value.as_object() {
        for (key, value) in map {
            let Some(mode) = key.strip_prefix("pooling_mode_") else {
                continue;
            };
            if !value.is_null() && file.switch(key)? == Some(true) {
                on.push(mode);
            }
        }
    }
    match on[..] {
        // Dividing by the square root of the length gives the same direction as the mean.
        ["mean_tokens" | "mean_sqrt_len_tokens"] => Ok(Pooling::Mean),
        ["cls_token"] => Ok(Pooling::Cls),
        ["max_tokens"] => Ok(Pooling::Max),
        [] => Err(refuse("absent")),
        _ => Err(refuse(&on.join(" and "))),
    }
}
