//! What every part works on: a set, images, and the encoders themselves.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use asif::anchors::AnchorSet;
use asif::embed::Embedder;
use asif::encode::{EncoderOptions, ImageEncoder, TextEncoder, registry, runtime};
use asif::modality::Modality;
use serde_json::Value;

use crate::support;

pub fn build(folder: &Path, name: &str, records: &[Value], space: &str) -> Result<PathBuf> {
    let pairs = support::write_jsonl(folder, &format!("{name}.jsonl"), records);
    let set = folder.join(format!("{name}.asif"));
    let mut command = support::asif();
    command.args(["build", "--quiet", "--space", space, "--pairs"]);
    // The embeddings of the quick start are there already.
    command.env_remove("ASIF_CACHE");
    let done = support::run(command.arg(pairs).arg("--out").arg(&set));
    ensure!(done.code == Some(0), "{}", done.err);
    Ok(set)
}

pub fn read_images(folder: Option<&Path>) -> Result<Vec<Vec<u8>>> {
    const MOST: usize = 64;
    let photos = support::home().root().join("demo/photos");
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder.unwrap_or(&photos))
        .into_iter()
        .filter_map(|entry| Some(entry.ok()?.into_path()))
        .filter(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"))
        .collect();
    files.sort();
    let step = files.len().div_ceil(MOST).max(1);
    let images: Vec<Vec<u8>> = files
        .iter()
        .step_by(step)
        .map(fs_err::read)
        .collect::<Result<_, _>>()?;
    ensure!(!images.is_empty(), "no images; give --images DIR");
    Ok(images)
}

/// The encoders as the server opens them.
pub fn embedder(index: &Path) -> Result<Embedder> {
    let home = support::home();
    runtime::load(None, &home)?;
    let set = AnchorSet::open(index)?;
    let options = EncoderOptions::throughput();
    let name = |modality| set.encoder(modality).identity.name.clone();
    Ok(Embedder::new(
        registry::open_all(&home, &name(Modality::Image), Modality::Image, |folder| {
            ImageEncoder::open(folder, &options)
        })?,
        registry::open_all(&home, &name(Modality::Text), Modality::Text, |folder| {
            TextEncoder::open(folder, &options)
        })?,
        options.sessions,
    ))
}
