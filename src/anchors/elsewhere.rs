//! Other sets that hold a pair too.
//!
//! A purge changes one set, and `swap --from` lets two sets have one segment's files by hard links.
//! A set has no list of those that took from it, so this looks where it can: at the sets that the
//! log names as the source of a swap, and at those that lie in the same folder. Pairs are the same
//! where their ids are. A link that leads to neither is at least counted.

use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::AnchorsError;
use super::manifest::{self, Manifest};
use super::publish::{self, CURRENT};
use super::segment::{self, PAIRS};
use super::set::AnchorSet;
use super::{fs, history};

/// Another set that holds some of the pairs that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherSet {
    /// Its folder.
    pub set: PathBuf,
    /// Those of the pairs that it stores, live or removed, sorted.
    pub ids: Vec<String>,
    /// How many of them are live there.
    pub live: usize,
    /// Those that are live there, sorted.
    pub live_ids: Vec<String>,
    /// Why it, or a generation of it, could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A segment whose files have names that belong to no set that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownLinks {
    /// The segment.
    pub segment: String,
    /// How many other names its records have.
    pub links: u64,
    /// The records' inode, which `find -inum` finds on the same disk.
    pub inode: u64,
}

/// The other sets that store any of these pairs, or that could not be looked at.
///
/// # Errors
/// When the log of `set` cannot be read. What is wrong with another
/// set is said in its entry.
pub fn holding(set: &Path, ids: &HashSet<String>) -> Result<Vec<OtherSet>, AnchorsError> {
    let mut found = Vec::new();
    for other in known(set)? {
        let of_other = look(&other, ids);
        if !of_other.ids.is_empty() || of_other.problem.is_some() {
            found.push(of_other);
        }
    }
    Ok(found)
}

/// The paths of the images of all pairs that are live in the other sets, as far as these can be read.
///
/// # Errors
/// When the log of `set` cannot be read.
pub fn live_images(set: &Path) -> Result<HashSet<String>, AnchorsError> {
    let mut images = HashSet::new();
    for other in known(set)? {
        let Ok(opened) = AnchorSet::open(&other) else {
            continue;
        };
        for row in opened.live().rows() {
            if let Some((segment, local)) = opened.place(row) {
                let record = opened.segments()[segment].record(local);
                images.extend(record.map(|record| record.image));
            }
        }
    }
    Ok(images)
}

/// Which of these segments of `set` have hard links in folders of no known set.
///
/// # Errors
/// As [`holding`], and when a segment cannot be looked at.
pub fn unknown_links(
    set: &Path,
    segments: &BTreeSet<String>,
) -> Result<Vec<UnknownLinks>, AnchorsError> {
    let known = known(set)?;
    let records = |set: &Path, segment: &str| {
        let path = segment::folder(set).join(segment).join(PAIRS);
        fs_err::metadata(path)
    };
    let mut found = Vec::new();
    for segment in segments {
        let own = records(set, segment)?;
        let same = |other: &&PathBuf| {
            records(other, segment).is_ok_and(|m| (m.dev(), m.ino()) == (own.dev(), own.ino()))
        };
        let links = own.nlink().saturating_sub(1);
        let links = links.saturating_sub(known.iter().filter(same).count() as u64);
        if links > 0 {
            found.push(UnknownLinks {
                segment: segment.clone(),
                links,
                inode: own.ino(),
            });
        }
    }
    Ok(found)
}

/// The sets that the log names and those that lie beside `set`, by their real paths.
fn known(set: &Path) -> Result<BTreeSet<PathBuf>, AnchorsError> {
    if !set.is_dir() {
        publish::current(set)?;
    }
    let given = set;
    let set = fs_err::canonicalize(set)?;
    let mut known = BTreeSet::new();
    let is_set = |path: &Path| path.join(CURRENT).is_file();
    for change in history::read(&set)? {
        let source = super::swap::source(&change).map(fs_err::canonicalize);
        known.extend(source.and_then(Result::ok).filter(|path| is_set(path)));
    }
    // Also beside the link by which it was given.
    for folder in [&set, given].map(fs::parent) {
        // A folder that may not be read tells nothing; that is no reason to refuse.
        for name in fs::names(folder).unwrap_or_default() {
            let path = folder.join(&name);
            if !name.starts_with(fs::HIDDEN) && is_set(&path) {
                known.extend(fs_err::canonicalize(path));
            }
        }
    }
    known.remove(&set);
    Ok(known)
}

fn look(other: &Path, ids: &HashSet<String>) -> OtherSet {
    let mut found = BTreeSet::new();
    let mut live = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut look = || -> Result<(), AnchorsError> {
        let kept = manifest::kept(other)?;
        for &generation in &kept {
            let manifest = Manifest::read(other, &manifest::name(generation))?;
            let is_live = kept.last() == Some(&generation);
            let new = |id: &String| !seen.contains(id);
            if !is_live && !manifest.segments.iter().any(|entry| new(&entry.id)) {
                continue;
            }
            let opened = AnchorSet::from_manifest(other, manifest)?;
            let mut first = 0;
            let entries = opened.manifest().segments.iter();
            for (entry, segment) in entries.zip(opened.segments()) {
                let unseen = seen.insert(entry.id.clone());
                for local in 0..segment.len() {
                    if !unseen && !is_live {
                        break;
                    }
                    let id = segment.pair_id(local)?;
                    if ids.contains(id) {
                        found.insert(id.to_owned());
                        if is_live && opened.live().contains(first + local) {
                            live.insert(id.to_owned());
                        }
                    }
                }
                first += segment.len();
            }
        }
        Ok(())
    };
    let problem = look().err().map(|error| error.to_string());
    OtherSet {
        set: other.to_owned(),
        ids: found.into_iter().collect(),
        live: live.len(),
        live_ids: live.into_iter().collect(),
        problem,
    }
}
