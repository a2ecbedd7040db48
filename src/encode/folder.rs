//! The files of a model folder in the Hugging Face / sentence-transformers layout.
//!
//! ```text
//! NAME/
//!   model.onnx  (or onnx/model.onnx; and the files with weights that it names)
//!   config.json
//!   image: preprocessor_config.json, or processor_config.json, or timm's config.json
//!   text:  tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json,
//!          sentence_bert_config.json, modules.json, 1_Pooling/config.json,
//!          config_sentence_transformers.json
//! ```

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::ModelError;
use super::onnx;
use super::options::EncoderOverrides;
pub(crate) use super::settings_file::SettingsFile;
use crate::disk;
use crate::modality::Modality;

/// The file in an installed folder that records its state at installation.
pub(crate) const RECORD: &str = "asif-model.json";

/// A folder that holds one encoder. Opening it reads nothing but the folder's listing.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    dir: PathBuf,
    name: String,
    modality: Modality,
}

/// Where the ONNX file is looked for.
const USUAL: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// The file that only an image encoder has.
const IMAGE_SIGN: &str = "preprocessor_config.json";

/// The one JSON file of a folder that is a list.
const MODULES: &str = "modules.json";

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
    /// Opens the folder `dir`.
    ///
    /// The modality of a folder with both halves of a two-tower model is that of the inputs of its ONNX
    /// file; see `open_file`.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when `dir` is not a folder, or belongs to neither modality.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::open_file(dir, None)
    }

    /// Opens the folder `dir`, whose ONNX file `onnx_file` (relative to it) will be used;
    /// without one, that which [`open`](Self::open) finds.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_file(
        dir: impl AsRef<Path>,
        onnx_file: Option<&Path>,
    ) -> Result<Self, ModelError> {
        let dir = std::path::absolute(dir.as_ref())?;
        if dir.exists() && !dir.is_dir() {
            return Err(ModelError::NotAFolder { path: dir });
        }
        if !dir.is_dir() {
            return Err(ModelError::NoFolder { path: dir });
        }
        let has = |file: &str| dir.join(file).is_file();
        let sentence = has("sentence_bert_config.json") || has("1_Pooling/config.json");
        let image = has(IMAGE_SIGN) || describes_pictures(&dir)?;
        let text = TEXT_SIGNS.iter().any(|f| has(f));
        let modality = if image && text {
            // The ONNX file decides which half it is; a processor config of both lies beside either.
            let both = if sentence {
                Modality::Text
            } else {
                Modality::Image
            };
            half_of(&dir, onnx_file)?.unwrap_or(both)
        } else if image {
            Modality::Image
        } else if text {
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

    /// The modality that the folder's files imply.
    pub(crate) fn modality(&self) -> Modality {
        self.modality
    }

    /// The folder's own name.
    pub(crate) fn name(&self) -> &str {
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
    pub(crate) fn onnx_path(&self, chosen: Option<&Path>) -> Result<PathBuf, ModelError> {
        if let Some(file) = chosen {
            let path = self.dir.join(file);
            // The name comes from a user or a record: `..` would lead to a model outside the folder.
            let inside = file
                .components()
                .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
            return if inside && path.is_file() {
                // Put together again without `.`, so that one file has one path.
                Ok(self.dir.join(file.components().collect::<PathBuf>()))
            } else {
                let advice = "name a file in the model folder, relative to it";
                Err(self.no_onnx_file(path, "the ONNX file that was asked for", advice))
            };
        }
        let usual = USUAL.map(|f| self.dir.join(f));
        // In the order of `USUAL`, so that a folder with both always gives the same model.
        usual.into_iter().find(|p| p.is_file()).ok_or_else(|| {
            let what = "model.onnx (or onnx/model.onnx)";
            self.no_onnx_file(self.dir.clone(), what, "export the model to ONNX")
        })
    }

    /// The error for an ONNX file that is not there: what to do is `otherwise`, or to name one that is.
    fn no_onnx_file(&self, path: PathBuf, what: &'static str, otherwise: &str) -> ModelError {
        let mut others: Vec<PathBuf> = walkdir::WalkDir::new(&self.dir)
            // Bounded, for the list is only for the message.
            .max_depth(3)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|e| e.path().extension().is_some_and(|end| end == "onnx"))
            .filter_map(|e| Some(e.path().strip_prefix(&self.dir).ok()?.to_owned()))
            .collect();
        others.sort();
        let listed: Vec<String> = others.iter().map(|o| o.display().to_string()).collect();
        let advice = match listed.is_empty() {
            true => otherwise.to_owned(),
            false => format!(
                "install one of the files that are there ({}) under a name, and use that name",
                listed.join(", ")
            ),
        };
        ModelError::OnnxFile {
            path,
            what,
            advice,
            folder: self.dir.clone(),
            others,
        }
    }

    /// The file `name` of the folder as JSON; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read or is not JSON.
    pub(crate) fn json(&self, name: &str) -> Result<Option<SettingsFile>, ModelError> {
        let path = self.dir.join(name);
        if !disk::has_file(&path)? {
            return Ok(None);
        }
        let text = fs_err::read(&path)?;
        // A pointer of Git LFS would be reported as damaged JSON otherwise.
        ModelError::refuse_stand_in(&path, &text)?;
        match serde_json::from_slice(&text) {
            Ok(value) => {
                let file = SettingsFile { path, value };
                // Of anything else every key would be absent.
                if name != MODULES && !file.value.is_object() {
                    let whole = "(top level)";
                    let found = "not an object";
                    return Err(file.bad(whole, found, "keys and values", "copy the file again"));
                }
                Ok(Some(file))
            }
            Err(source) => Err(ModelError::Json { path, source }),
        }
    }

    /// The files with weights that the ONNX file `onnx` of this folder names, sorted.
    ///
    /// # Errors
    /// When the ONNX file cannot be read, or a file is missing, too short or outside the folder.
    pub fn weight_files(&self, onnx: &Path) -> Result<Vec<PathBuf>, ModelError> {
        onnx::weight_files(&self.dir, onnx)
    }

    /// SHA-256 of the ONNX file `onnx` and of the weight files that it names, in hex, so that
    /// changed weights change the hash.
    ///
    /// Of files that are called as exporters call them (`NAME.onnx_data...`, `NAME.onnx.data...`)
    /// the bytes follow in the order of their names, as in anchor sets that were built before other names
    /// were known. Of others name and length follow as well, so that bytes cannot move between them.
    ///
    /// # Errors
    /// As [`weight_files`](Self::weight_files).
    pub fn model_sha256(&self, onnx: &Path) -> Result<String, ModelError> {
        let weights = self.weight_files(onnx)?;
        let name = onnx.file_name().unwrap_or_default().to_string_lossy();
        let usual = weights.iter().all(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let rest = file.strip_prefix(&*name);
            path.parent() == onnx.parent()
                && rest.is_some_and(|r| r.starts_with("_data") || r.starts_with(".data"))
        });
        // Without names and lengths, bytes moved from one file to another would give the same hash.
        let mut hash = Sha256::new();
        for path in [onnx]
            .into_iter()
            .chain(weights.iter().map(PathBuf::as_path))
        {
            if !usual {
                let relative = path.strip_prefix(&self.dir).unwrap_or(path);
                let relative = relative.to_string_lossy();
                hash.update((relative.len() as u64).to_le_bytes());
                hash.update(relative.as_bytes());
                hash.update(fs_err::metadata(path)?.len().to_le_bytes());
            }
            hash_file(&mut hash, path)?;
        }
        Ok(hex(hash))
    }

    /// The overrides that were recorded when the model was installed.
    ///
    /// # Errors
    /// When the record is there but cannot be read.
    pub(crate) fn overrides(&self) -> Result<EncoderOverrides, ModelError> {
        #[derive(Default, serde::Deserialize)]
        struct KeptOverrides {
            #[serde(default)]
            overrides: EncoderOverrides,
        }
        let Some(kept) = self.json(RECORD)? else {
            return Ok(EncoderOverrides::default());
        };
        serde_json::from_value(kept.value)
            .map(|k: KeptOverrides| k.overrides)
            .map_err(|source| ModelError::Json {
                path: kept.path,
                source,
            })
    }
}

/// The content of a file; `None` for a missing or malformed one, which other code reports.
/// Other I/O errors are passed on, because ignoring them could change the folder's modality.
fn unless_refused<T>(read: Result<T, ModelError>) -> Result<Option<T>, ModelError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(ModelError::Io(error)) if is_absent(&error) => Ok(None),
        Err(error @ ModelError::Io(_)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    [
        ErrorKind::NotFound,
        ErrorKind::NotADirectory,
        ErrorKind::IsADirectory,
    ]
    .contains(&error.kind())
}

/// Which half of a two-tower model an ONNX file is, by its inputs; `None` where they are ambiguous.
fn half_of(dir: &Path, chosen: Option<&Path>) -> Result<Option<Modality>, ModelError> {
    #[derive(Default, serde::Deserialize)]
    struct KeptChoices {
        #[serde(default)]
        overrides: EncoderOverrides,
    }
    let kept = || {
        let record = fs_err::read(dir.join(RECORD));
        let record = unless_refused(record.map_err(ModelError::from))?;
        let kept = record.and_then(|record| serde_json::from_slice::<KeptChoices>(&record).ok());
        Ok::<_, ModelError>(kept.and_then(|kept| kept.overrides.onnx_file))
    };
    let chosen = match chosen {
        Some(chosen) => Some(chosen.to_owned()),
        None => kept()?,
    };
    let usual = || USUAL.map(|f| dir.join(f)).into_iter().find(|p| p.is_file());
    let Some(file) = chosen.map(|file| dir.join(file)).or_else(usual) else {
        return Ok(None);
    };
    // A file that is no ONNX is reported by whoever opens it; the folder's other files decide here.
    let Some(summary) = unless_refused(onnx::OnnxSummary::read(&file))? else {
        return Ok(None);
    };
    let has = |name: &str| summary.inputs.iter().any(|i| i == name);
    // A model with both inputs is not one half, so its inputs do not tell.
    Ok(match (has("pixel_values"), has("input_ids")) {
        (true, false) => Some(Modality::Image),
        (false, true) => Some(Modality::Text),
        _ => None,
    })
}

/// Whether another file describes an image processor: a processor of both halves, or timm's settings.
fn describes_pictures(dir: &Path) -> Result<bool, ModelError> {
    let has = |file: &str, outer: &str, inner: Option<&str>| {
        let path = dir.join(file);
        if !path.is_file() {
            return Ok(false);
        }
        let text = unless_refused(fs_err::read(path).map_err(ModelError::from))?;
        let value = text.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let outer = value.as_ref().and_then(|value| value.get(outer));
        let is_there = |part: &Value| inner.is_none_or(|key| part.get(key).is_some());
        Ok::<_, ModelError>(outer.is_some_and(is_there))
    };
    Ok(has("processor_config.json", "image_processor", None)?
        || has("config.json", "pretrained_cfg", Some("input_size"))?)
}

fn hash_file(hash: &mut Sha256, path: &Path) -> Result<(), ModelError> {
    let mut buffer = vec![0u8; 1 << 18];
    let mut file = fs_err::File::open(path)?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// SHA-256 of `bytes` in hex.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hex(hash)
}

fn hex(hash: Sha256) -> String {
    let hash = hash.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
