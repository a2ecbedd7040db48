//! Installing a model: its files are copied and tested, and the copy is renamed into place at the end.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{InstalledEncoder, check_name, examine, examine_with, size_of};
use crate::disk;
use crate::encode::error::ModelError;
use crate::encode::folder::ModelFolder;
use crate::encode::folder::RECORD;
use crate::encode::options::{EncoderOptions, EncoderOverrides};
use crate::home::DataFolder;

/// Installs a copy of the model folder `dir` as `name`: the ONNX file with its weights, the JSON and
/// text files, nothing else. The source folder is opened and tested first, so that messages name its
/// files, and the copy is tested before it gets its name. ONNX Runtime must be loaded. `overrides` are
/// recorded with the copy, take precedence over those of `dir`, and apply whenever it is opened.
///
/// # Errors
/// [`ModelError::BadName`], [`ModelError::NameTaken`], and all errors of opening.
pub fn add(
    home: &DataFolder,
    name: &str,
    dir: &Path,
    given: &EncoderOverrides,
) -> Result<InstalledEncoder, ModelError> {
    check_name(name)?;
    let root = home.models();
    let target = root.join(name);
    if disk::found(&target)?.is_some() {
        return Err(ModelError::NameTaken {
            name: name.to_owned(),
            path: target,
        });
    }
    let folder = ModelFolder::open_file(dir, given.onnx_file.as_deref())?;
    let options = EncoderOptions::latency().or(given).or(&folder.overrides()?);
    let original = examine_with(&folder, &options, |_| Ok(()), |_| Ok(()))?.0;

    disk::create_dir_all(&root)?;
    let _lock = lock(&root)?;
    disk::step(&root)?;
    let staging = tempfile::Builder::new().prefix(ADDING).tempdir_in(&root)?;
    // The folder's own name appears in messages and in the identity.
    let copy = staging.path().join(name);
    copy_model(&folder, &options, &copy)?;
    // Opening reads the overrides from the record, so they are written before the rest of the record exists.
    let overrides = options.overrides();
    write_record(&copy, &serde_json::json!({ "overrides": overrides }))?;
    let record = examine(&ModelFolder::open(&copy)?)?;
    if (
        &record.model_sha256,
        &record.tokenizer_sha256,
        &record.canary,
    ) != (
        &original.model_sha256,
        &original.tokenizer_sha256,
        &original.canary,
    ) {
        return Err(ModelError::Changed {
            path: folder.dir().to_owned(),
        });
    }
    write_record(&copy, &record)?;
    disk::sync_tree(&copy)?;
    match disk::rename_new(&copy, &target) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let name = name.to_owned();
            return Err(ModelError::NameTaken { name, path: target });
        }
        named => named?,
    }
    disk::sync_folder(&root)?;
    Ok(InstalledEncoder {
        name: name.to_owned(),
        modality: record.modality,
        dim: record.dim,
        bytes: size_of(&target)?,
        path: target,
    })
}

/// Prefix of the names of folders of models being installed.
const ADDING: &str = ".adding-";

/// One model is installed at a time, so anything under a hidden name was left by a killed installation; it
/// is removed.
fn lock(root: &Path) -> Result<fs_err::File, ModelError> {
    disk::fault::arm();
    let path = root.join(".LOCK");
    disk::step(&path)?;
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let file = options.open(path)?;
    file.lock()?;
    for name in disk::names(root)? {
        if name.starts_with(ADDING) {
            disk::remove_hidden(&root.join(name))?;
        }
    }
    Ok(file)
}

fn write_record(dir: &Path, record: &impl Serialize) -> Result<(), ModelError> {
    let path = dir.join(RECORD);
    match serde_json::to_vec_pretty(record) {
        Ok(text) => Ok(fs_err::write(path, text)?),
        Err(source) => Err(ModelError::Json { path, source }),
    }
}

/// Copies the files that an encoder needs; links become files, so that the copy is self-contained.
fn copy_model(folder: &ModelFolder, options: &EncoderOptions, to: &Path) -> Result<(), ModelError> {
    let onnx = folder.onnx_path(options.onnx_file.as_deref())?;
    let mut files = vec![onnx.clone()];
    files.extend(folder.weight_files(&onnx)?);
    for dir in [None, Some("1_Pooling")] {
        let dir = dir.map_or_else(|| folder.dir().to_owned(), |d| folder.dir().join(d));
        files.extend(small_files(&dir)?);
    }
    if let Some(modules) = folder.json("modules.json")? {
        for module in modules.value.as_array().into_iter().flatten() {
            let sub = module.get("path").and_then(|p| p.as_str()).unwrap_or("");
            let plain = !sub.is_empty() && check_name(sub).is_ok();
            if plain && disk::has_folder(&folder.dir().join(sub))? {
                files.extend(small_files(&folder.dir().join(sub))?);
            }
        }
    }
    files.sort();
    files.dedup();
    for file in files {
        let relative = file.strip_prefix(folder.dir()).unwrap_or(&file).to_owned();
        let target = to.join(relative);
        if let Some(parent) = target.parent() {
            fs_err::create_dir_all(parent)?;
        }
        fs_err::copy(&file, &target)?;
    }
    Ok(())
}

/// The JSON, text and licence files directly in `dir`.
fn small_files(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let mut found = Vec::new();
    if !disk::has_folder(dir)? {
        return Ok(found);
    }
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        let wanted = [".json", ".txt", ".md"]
            .iter()
            .any(|end| name.ends_with(end))
            || name.starts_with("license")
            || name.starts_with("notice");
        if wanted && name != RECORD && disk::has_file(&path)? {
            found.push(path);
        }
    }
    Ok(found)
}
