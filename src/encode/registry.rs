//! The encoders installed under the home folder: `models/NAME/`.

mod install;

use crate::encode::folder::RECORD;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ensemble::{self, Encoder, Ensemble};
use super::error::{EncodeError, ModelError};
use super::folder::ModelFolder;
use super::options::{EncoderOptions, EncoderOverrides};
use super::{ImageEncoder, TextEncoder};
use crate::disk;
use crate::home::DataFolder;
use crate::modality::Modality;

pub use install::add;

/// The content of [`RECORD`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct InstallRecord {
    /// SHA-256 of the model, as [`ModelFolder::model_sha256`] counts it.
    pub model_sha256: String,
    /// SHA-256 of the tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer_sha256: Option<String>,
    /// What it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<Modality>,
    /// The length of its vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dim: Option<usize>,
    /// The first numbers of the canary's vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Vec<f32>>,
    /// Settings that override the folder's own files.
    #[serde(default, skip_serializing_if = "EncoderOverrides::is_empty")]
    pub overrides: EncoderOverrides,
}

/// An encoder under the home folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstalledEncoder {
    /// Its name: the folder's.
    pub name: String,
    /// What it reads; `None` for a folder that is not a model folder.
    pub modality: Option<Modality>,
    /// The length of its vectors, where the folder records it.
    pub dim: Option<usize>,
    /// Size on disk.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// All installed encoders, by name. A missing home folder has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn installed(home: &DataFolder) -> Result<Vec<InstalledEncoder>, ModelError> {
    let root = home.models();
    let mut found = Vec::new();
    if !root.is_dir() {
        return Ok(found);
    }
    for entry in fs_err::read_dir(&root)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        // Installations in progress have names with a dot.
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        let folder = match ModelFolder::open(&path) {
            Ok(folder) => Some(folder),
            // Out of file descriptors or memory, each folder would look like no model folder.
            Err(ModelError::Io(error)) if disk::is_exhausted(&error) => return Err(error.into()),
            Err(_) => None,
        };
        let dim = record(&path)?.and_then(|r| r.dim);
        found.push(InstalledEncoder {
            modality: folder.map(|f| f.modality()),
            dim,
            bytes: size_of(&path)?,
            name,
            path,
        });
    }
    // A listing has no order of its own.
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The record of an installed folder, where it has one.
///
/// # Errors
/// When it is there but cannot be read.
pub(crate) fn record(dir: &Path) -> Result<Option<InstallRecord>, ModelError> {
    let path = dir.join(RECORD);
    if !disk::has_file(&path)? {
        return Ok(None);
    }
    let text = fs_err::read(&path)?;
    ModelError::refuse_stand_in(&path, &text)?;
    match serde_json::from_slice(&text) {
        Ok(record) => Ok(Some(record)),
        Err(source) => Err(ModelError::Json { path, source }),
    }
}

/// Creates the record of a model folder by opening it and encoding the canary.
///
/// # Errors
/// As opening an encoder.
pub(crate) fn examine(folder: &ModelFolder) -> Result<InstallRecord, ModelError> {
    let options = EncoderOptions::latency();
    examine_with(folder, &options, |_| Ok(()), |_| Ok(())).map(|(record, ())| record)
}

/// [`examine`] with `options`, which also calls a closure with the opened encoder.
pub(super) fn examine_with<R>(
    folder: &ModelFolder,
    options: &EncoderOptions,
    ask_image: impl FnOnce(&ImageEncoder) -> Result<R, EncodeError>,
    ask_text: impl FnOnce(&TextEncoder) -> Result<R, EncodeError>,
) -> Result<(InstallRecord, R), ModelError> {
    let (identity, canary, answer) = match folder.modality() {
        Modality::Image => {
            let encoder = ImageEncoder::open(folder, options)?;
            (
                encoder.identity().clone(),
                encoder.canary()?,
                ask_image(&encoder)?,
            )
        }
        Modality::Text => {
            let encoder = TextEncoder::open(folder, options)?;
            (
                encoder.identity().clone(),
                encoder.canary()?,
                ask_text(&encoder)?,
            )
        }
    };
    let record = InstallRecord {
        model_sha256: identity.model_sha256,
        tokenizer_sha256: identity.tokenizer_sha256,
        modality: Some(identity.modality),
        dim: Some(identity.dim),
        // Eight numbers tell models apart; a whole vector would only fill the record.
        canary: Some(canary.into_iter().take(8).collect()),
        overrides: folder.overrides()?,
    };
    Ok((record, answer))
}

/// Finds the folder of an encoder: a path when `name_or_dir` has a separator or is a folder with a
/// model, else an installed encoder's name.
///
/// # Errors
/// [`ModelError::NotInstalled`], which lists the installed encoders.
pub fn resolve(
    home: &DataFolder,
    name_or_dir: &str,
    modality: Modality,
) -> Result<PathBuf, ModelError> {
    let path = Path::new(name_or_dir);
    let is_path = name_or_dir.contains(std::path::is_separator);
    let has_model = |dir: &Path| ModelFolder::open(dir).is_ok_and(|f| f.model_path().is_ok());
    if is_path || has_model(path) {
        return ModelFolder::open(path).map(|f| f.dir().to_owned());
    }
    let all = installed(home)?;
    if let Some(found) = all.iter().find(|i| i.name == name_or_dir) {
        return Ok(found.path.clone());
    }
    // An existing folder that is not a name: the error says what is missing in it.
    if path.exists() {
        let folder = ModelFolder::open(path)?;
        return folder.model_path().map(|_| folder.dir().to_owned());
    }
    let names: Vec<_> = all
        .iter()
        .filter(|i| i.modality == Some(modality))
        .map(|i| i.name.as_str())
        .collect();
    let installed = if names.is_empty() {
        format!(
            "none is installed under {}; install one, or give a model folder's path",
            home.models().display()
        )
    } else {
        format!(
            "installed are {}; or give a model folder's path",
            names.join(", ")
        )
    };
    Err(ModelError::NotInstalled {
        name: name_or_dir.to_owned(),
        modality,
        installed,
    })
}

/// Opens the encoders that `named` lists: one, or several as `ensemble::parse` reads them. A
/// model folder whose path contains `+` or `:` is taken literally.
///
/// # Errors
/// As [`resolve`] and `open`; [`ModelError::Ensemble`] when they cannot be combined.
pub fn open_all<E: Encoder>(
    home: &DataFolder,
    named: &str,
    modality: Modality,
    open: impl Fn(&ModelFolder) -> Result<E, ModelError>,
) -> Result<Ensemble<E>, ModelError> {
    let one = |name: &str| open(&ModelFolder::open(&resolve(home, name, modality)?)?);
    // Before the name is taken apart, for a folder's path may contain `+` or `:`.
    if Path::new(named).is_dir() {
        return Ok(one(named)?.into());
    }
    let members = ensemble::parse(named)?;
    let members = members
        .iter()
        .map(|(name, weight)| Ok((one(name)?, *weight)));
    Ensemble::new(members.collect::<Result<_, ModelError>>()?)
}

fn check_name(name: &str) -> Result<(), ModelError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // A name becomes a folder, and stands in lists with `+` and `:` between names.
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(fine) {
        return Err(ModelError::BadName {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// The bytes of the files in a folder.
fn size_of(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(dir) {
        let found = entry?.metadata()?;
        bytes += if found.is_file() { found.len() } else { 0 };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_what_cannot_be_read_is_not_zero() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a"), [0; 5]).unwrap();
        assert_eq!(size_of(folder.path()).unwrap(), 5);
        assert!(size_of(&folder.path().join("gone")).is_err());
    }

    #[test]
    fn names_cannot_leave_the_folder() {
        for bad in ["", "..", ".hidden", "a/b", "a\\b", "ä", "a b"] {
            assert!(
                matches!(check_name(bad), Err(ModelError::BadName { .. })),
                "{bad}"
            );
        }
        assert!(check_name("all-MiniLM-L6-v2").is_ok());
    }

    #[test]
    fn a_name_that_is_not_installed_lists_what_is() {
        let dir = tempfile::tempdir().unwrap();
        let home = DataFolder::at(dir.path());
        assert!(installed(&home).unwrap().is_empty());
        let error = resolve(&home, "clip", Modality::Image)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("clip") && error.contains("none is installed"),
            "{error}"
        );

        let model = home.models().join("tiny");
        fs_err::create_dir_all(&model).unwrap();
        fs_err::write(model.join("preprocessor_config.json"), "{}").unwrap();
        let error = resolve(&home, "clip", Modality::Image)
            .unwrap_err()
            .to_string();
        assert!(error.contains("installed are tiny"), "{error}");
        assert_eq!(resolve(&home, "tiny", Modality::Image).unwrap(), model);
        let error = resolve(&home, "./nowhere", Modality::Image)
            .unwrap_err()
            .to_string();
        assert!(error.contains("nowhere"), "{error}");
        assert_eq!(installed(&home).unwrap()[0].modality, Some(Modality::Image));
    }

    #[test]
    fn a_taken_name_is_refused_before_anything_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let home = DataFolder::at(dir.path());
        fs_err::create_dir_all(home.models().join("tiny")).unwrap();
        let error = add(&home, "tiny", dir.path(), &EncoderOverrides::default()).unwrap_err();
        assert!(matches!(error, ModelError::NameTaken { .. }), "{error}");
    }
}
