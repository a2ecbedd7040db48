//! What lies in a model folder: the Hugging Face / sentence-transformers layout.
//!
//! ```text
//! NAME/
//!   model.onnx  (or onnx/model.onnx; weights in model.onnx_data beside it)
//!   config.json
//!   image: preprocessor_config.json
//!   text:  tokenizer.json, tokenizer_config.json, sentence_bert_config.json,
//!          modules.json, 1_Pooling/config.json, config_sentence_transformers.json
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Modality;
use super::error::ModelError;

/// A folder that holds one encoder. Opening it reads nothing but the folder's listing.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    dir: PathBuf,
    name: String,
    modality: Modality,
}

/// The files that only a text encoder has.
const TEXT_SIGNS: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "modules.json",
    "vocab.txt",
    "1_Pooling/config.json",
];

impl ModelFolder {
    /// Looks at the folder `dir`.
    ///
    /// A folder with both halves of a two-tower model counts as a text encoder only when it has
    /// sentence-transformers files; each half can be opened with `--onnx-file`.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when `dir` is not a folder, or has no sign of either modality.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, ModelError> {
        let dir = std::path::absolute(dir.as_ref())?;
        if !dir.is_dir() {
            return Err(ModelError::Missing {
                path: dir,
                what: "the model folder",
                advice: "name a folder that holds model.onnx, or an encoder that `asif models` lists",
            });
        }
        let has = |file: &str| dir.join(file).is_file();
        let sentence = has("sentence_bert_config.json") || has("1_Pooling/config.json");
        let modality = if has("preprocessor_config.json") && !sentence {
            Modality::Image
        } else if TEXT_SIGNS.iter().any(|f| has(f)) {
            Modality::Text
        } else {
            return Err(ModelError::Missing {
                path: dir,
                what: "preprocessor_config.json (image encoder) or tokenizer.json (text encoder)",
                advice: "copy it from the model's source: it says how inputs are prepared",
            });
        };
        let name = dir.file_name().map_or_else(
            || dir.display().to_string(),
            |n| n.to_string_lossy().into_owned(),
        );
        Ok(Self {
            dir,
            name,
            modality,
        })
    }

    /// What the folder's files say that the encoder reads.
    pub fn modality(&self) -> Modality {
        self.modality
    }

    /// The folder's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder, as an absolute path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The ONNX file: `model.onnx`, else `onnx/model.onnx`.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when there is neither.
    pub fn model_path(&self) -> Result<PathBuf, ModelError> {
        self.onnx_path(None)
    }

    /// The ONNX file: `chosen` (relative to the folder) where one is given, else as
    /// [`model_path`](Self::model_path).
    ///
    /// # Errors
    /// [`ModelError::Missing`] when it is not there.
    pub fn onnx_path(&self, chosen: Option<&Path>) -> Result<PathBuf, ModelError> {
        if let Some(file) = chosen {
            let path = self.dir.join(file);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(ModelError::Missing {
                    path,
                    what: "the ONNX file that was asked for",
                    advice: "name a file relative to the model folder",
                })
            };
        }
        let usual = ["model.onnx", "onnx/model.onnx"].map(|f| self.dir.join(f));
        usual
            .into_iter()
            .find(|p| p.is_file())
            .ok_or_else(|| ModelError::Missing {
                path: self.dir.clone(),
                what: "model.onnx (or onnx/model.onnx)",
                advice: "export the model to ONNX, or name the file: `asif models add NAME DIR --onnx-file`",
            })
    }

    /// The file `name` of the folder as JSON; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read or is no JSON.
    pub fn json(&self, name: &str) -> Result<Option<Settings>, ModelError> {
        let path = self.dir.join(name);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs_err::read(&path)?;
        match serde_json::from_slice(&text) {
            Ok(value) => Ok(Some(Settings { path, value })),
            Err(source) => Err(ModelError::Json { path, source }),
        }
    }

    /// SHA-256 of the ONNX file `onnx` in hex. Where external weights lie beside it
    /// (`NAME.onnx_data...` or `NAME.onnx.data...`), their bytes follow in the order of their names,
    /// so that a changed weight file changes the hash.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn model_sha256(&self, onnx: &Path) -> Result<String, ModelError> {
        let mut files = vec![onnx.to_owned()];
        files.extend(external_weights(onnx)?);
        sha256(&files)
    }

    /// SHA-256 of `tokenizer.json` in hex; `None` without that file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tokenizer_sha256(&self) -> Result<Option<String>, ModelError> {
        let path = self.dir.join("tokenizer.json");
        if path.is_file() {
            sha256(&[path]).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// The weight files that belong to `onnx`, sorted by name.
pub(crate) fn external_weights(onnx: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let (Some(parent), Some(file)) = (onnx.parent(), onnx.file_name()) else {
        return Ok(Vec::new());
    };
    let file = file.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in fs_err::read_dir(parent)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        let rest = name.strip_prefix(&file);
        if rest.is_some_and(|r| r.starts_with("_data") || r.starts_with(".data")) && path.is_file()
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn sha256(files: &[PathBuf]) -> Result<String, ModelError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0u8; 1 << 18];
    for path in files {
        let mut file = fs_err::File::open(path)?;
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// A JSON file of the folder, which knows its path for messages.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub value: Value,
}

impl Settings {
    /// The value of `key` at the top level; `None` when it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// The switch `key`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is something else than true or false.
    pub fn switch(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// The number `key`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is no number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// The text `key`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is no text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        self.typed(key, "a text", Value::as_str)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| self.bad(key, &value.to_string(), expected, "correct the file")),
        }
    }

    /// The error for a value of `key` that cannot be followed.
    pub fn bad(&self, key: &str, found: &str, expected: &str, advice: &str) -> ModelError {
        ModelError::Setting {
            path: self.path.clone(),
            key: key.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
            advice: advice.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        dir
    }

    #[test]
    fn the_modality_is_read_from_the_files() {
        let image = folder(&[("preprocessor_config.json", "{}")]);
        assert_eq!(
            ModelFolder::open(image.path()).unwrap().modality(),
            Modality::Image
        );
        let text = folder(&[("tokenizer_config.json", "{}")]);
        assert_eq!(
            ModelFolder::open(text.path()).unwrap().modality(),
            Modality::Text
        );
        let neither = folder(&[("model.onnx", "x")]);
        let error = ModelFolder::open(neither.path()).unwrap_err().to_string();
        assert!(error.contains("preprocessor_config.json"), "{error}");
    }

    #[test]
    fn the_onnx_file_is_found_in_either_place() {
        let dir = folder(&[("tokenizer.json", "{}")]);
        let model = ModelFolder::open(dir.path()).unwrap();
        assert!(matches!(
            model.model_path(),
            Err(ModelError::Missing { .. })
        ));
        fs_err::create_dir_all(dir.path().join("onnx")).unwrap();
        fs_err::write(dir.path().join("onnx/model.onnx"), "a").unwrap();
        assert!(model.model_path().unwrap().ends_with("onnx/model.onnx"));
        fs_err::write(dir.path().join("model.onnx"), "b").unwrap();
        assert!(!model.model_path().unwrap().ends_with("onnx/model.onnx"));
        assert!(model.onnx_path(Some(Path::new("other.onnx"))).is_err());
    }

    #[test]
    fn external_weights_change_the_hash() {
        let dir = folder(&[("tokenizer.json", "{}"), ("model.onnx", "abc")]);
        let model = ModelFolder::open(dir.path()).unwrap();
        let onnx = model.model_path().unwrap();
        let plain = model.model_sha256(&onnx).unwrap();
        assert_eq!(
            plain,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        fs_err::write(dir.path().join("model.onnx_data"), "weights").unwrap();
        assert_ne!(model.model_sha256(&onnx).unwrap(), plain);
    }

    #[test]
    fn broken_json_names_the_file() {
        let dir = folder(&[("tokenizer.json", "{}"), ("config.json", "{oops")]);
        let model = ModelFolder::open(dir.path()).unwrap();
        let error = model.json("config.json").unwrap_err().to_string();
        assert!(
            error.contains("config.json") && error.contains("line 1"),
            "{error}"
        );
        assert!(model.json("modules.json").unwrap().is_none());
    }
}
