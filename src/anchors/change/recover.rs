//! Recovers or removes segments that killed writers left under hidden names.
//!
//! A hidden folder is a segment being written, removed, imported from another anchor set, or set aside while
//! another takes its name. It is removed unless a generation needs it: where a manifest names a
//! segment that is missing or damaged, a hidden folder with that content gets the name, and one from
//! which it could be completed stays for `repair`. While a manifest cannot be read, what may be its
//! segment stays too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::layout;
use crate::anchors::stored::layout::{IMAGE, PAIRS, TEXT};
use crate::anchors::stored::manifest::{self, Manifest, SegmentEntry};
use crate::anchors::stored::segment;
use crate::anchors::stored::takeover;
use crate::disk as fs;

/// Restores hidden segments that a manifest needs to their names and removes those that nothing
/// needs; returns the names given. The caller holds the lock.
///
/// # Errors
/// On an I/O error; nothing that is needed is removed then.
pub(crate) fn segments(set: &Path) -> Result<Vec<String>, AnchorsError> {
    let folder = layout::segments_folder(set);
    let hidden = hidden_folders(set)?;
    let mut given = Vec::new();
    if hidden.is_empty() {
        return Ok(given);
    }
    let (named, all_read) = named(set)?;
    let mut lacking: BTreeMap<String, SegmentEntry> = BTreeMap::new();
    for (id, entry) in named {
        if !segment::is_whole(&folder.join(&id), &entry)? {
            lacking.insert(id, entry);
        }
    }
    let mut left = Vec::new();
    for path in hidden {
        let of = segment::sound_name(&path)?.filter(|name| lacking.contains_key(name));
        let Some(name) = of else {
            left.push(path);
            continue;
        };
        let destination = folder.join(&name);
        takeover::rows(&destination, &path)?;
        // Its writer may have been killed before syncing it.
        fs::sync_tree(&path)?;
        fs::publish_folder(&path, &destination)?;
        lacking.remove(&name);
        given.push(name);
    }
    // While something is missing, any part may be what a repair rebuilds it from.
    let complete = all_read && lacking.is_empty();
    if !complete {
        let mut needless = Vec::new();
        for path in left {
            if !has_parts(&path)? {
                needless.push(path);
            }
        }
        left = needless;
    }
    if !left.is_empty() {
        // The folder in its place may be from a writer that was killed before syncing it.
        fs::sync_folder(&folder)?;
    }
    for path in left {
        fs::remove_hidden(&path)?;
    }
    Ok(given)
}

/// The folders, and files, with hidden names of writers among the segments.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn hidden_folders(set: &Path) -> Result<Vec<PathBuf>, AnchorsError> {
    let folder = layout::segments_folder(set);
    let names = fs::names(&folder)?.into_iter();
    let hidden = names.filter(|name| layout::is_hidden_segment(name));
    Ok(hidden.map(|name| folder.join(name)).collect())
}

/// Every segment that a manifest names, published or not, and whether all manifests could be read.
fn named(set: &Path) -> Result<(BTreeMap<String, SegmentEntry>, bool), AnchorsError> {
    let mut named = BTreeMap::new();
    let mut all_read = true;
    for generation in manifest::list(set)? {
        match if_whole(Manifest::read(set, &layout::generation_name(generation)))? {
            Some(manifest) => {
                named.extend(manifest.segments.into_iter().map(|s| (s.id.clone(), s)));
            }
            None => all_read = false,
        }
    }
    Ok((named, all_read))
}

/// Whether it contains an intact file that cannot be rebuilt from the others.
fn has_parts(folder: &Path) -> Result<bool, AnchorsError> {
    for name in [PAIRS, IMAGE, TEXT] {
        if fs::has_file(&folder.join(name))? {
            return Ok(true);
        }
    }
    Ok(false)
}
