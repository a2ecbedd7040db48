//! Rebuilds a tombstone file from the log.
//!
//! The log gives a candidate; the checksum in the manifest proves it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::purge::alias;
use super::{aside, removals};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::tombstones::Tombstones;
use crate::anchors::stored::{content, layout};
use crate::modality::PerModality;

/// Makes the damaged files of removed pairs of these generations again where the log tells what was in
/// them, to the bit; returns what was done. A damaged one is kept aside.
///
/// # Errors
/// On an I/O error.
pub(crate) fn repair(set: &Path, generations: &[u64]) -> Result<Vec<String>, AnchorsError> {
    let mut mended = Vec::new();
    for &generation in generations {
        let name = layout::generation_name(generation);
        let Some(manifest) = if_whole(Manifest::read(set, &name))? else {
            continue;
        };
        let Err(error) = AnchorSet::removed_of(set, &manifest) else {
            continue;
        };
        error.into_damage()?;
        if let Some(path) = rebuild(set, &manifest)? {
            let path = path.display();
            mended.push(format!("{path}: damaged or missing, rebuilt from the log"));
        }
    }
    Ok(mended)
}

/// Makes the file that this manifest names again; none where what the log tells is not what was in it.
fn rebuild(set: &Path, manifest: &Manifest) -> Result<Option<PathBuf>, AnchorsError> {
    let (Some(named), Some(path)) = (&manifest.tombstones, manifest.tombstones_path(set)?) else {
        return Ok(None);
    };
    let Some(checksum) = &named.checksum else {
        return Ok(None);
    };
    let mut segments = Vec::with_capacity(manifest.segments.len());
    for entry in &manifest.segments {
        let Some(segment) = if_whole(Segment::open(set, entry, manifest))? else {
            return Ok(None);
        };
        segments.push(segment);
    }
    let removed = removals::logged(set, manifest.generation)?;
    // Among pairs with the same id, all but perhaps the last are removed.
    let mut last = HashMap::new();
    for (at, segment) in segments.iter().enumerate() {
        for row in 0..segment.len() {
            last.insert(segment.pair_id(row)?, (at, row));
        }
    }
    let mut gone = Tombstones::none(manifest.dims());
    for (at, segment) in segments.iter().enumerate() {
        for row in 0..segment.len() {
            let id = segment.pair_id(row)?;
            let is_last = last.get(id) == Some(&(at, row));
            if is_last && !removed.contains(id) && !removed.contains(&alias(id)) {
                continue;
            }
            let vectors = PerModality::of(|modality| segment.vectors(modality).vector(row));
            gone.remove(&manifest.segments, at, row, vectors);
        }
    }
    if gone.count() != named.removed {
        return Ok(None);
    }
    let scratch = tempfile::tempdir()?;
    let tried = scratch.path().join(&named.file);
    gone.write(&tried)?;
    if content::header(&tried)? != *checksum {
        return Ok(None);
    }
    aside::put(set, &layout::generations_folder(set), &named.file)?;
    gone.write(&path)?;
    Ok(Some(path))
}
