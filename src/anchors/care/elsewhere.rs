//! Finds other anchor sets that contain the same pairs.
//!
//! A purge changes one anchor set, and `swap --from` shares a segment's files between two by hard links.
//! An anchor set has no list of the sets that took from it, so this searches the sets that the
//! log names as the source of a swap, and those in the same folder. Pairs are the same
//! if their ids are equal. A hard link to none of them is at least counted. A set that cannot be read
//! is not treated as absent: it may contain the pairs, and use their images.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::history;
use crate::anchors::stored::layout;
use crate::anchors::stored::layout::CURRENT;
use crate::anchors::stored::layout::PAIRS;
use crate::anchors::stored::manifest::{self, Manifest};
use crate::anchors::stored::publish;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::witness;
use crate::disk as fs;

/// Another anchor set that contains some of the requested pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherSet {
    /// Its folder.
    pub set: PathBuf,
    /// The requested pairs that it stores, live or removed, sorted.
    pub ids: Vec<String>,
    /// How many of these are live.
    pub live: usize,
    /// The ids of those that are live, sorted.
    pub live_ids: Vec<String>,
    /// Why it, or a generation of it, could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A segment whose files have hard links outside all known anchor sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownLinks {
    /// The segment.
    pub segment: String,
    /// How many further hard links its records file has.
    pub links: u64,
    /// The records' inode, which `find -inum` finds on the same disk.
    pub inode: u64,
}

/// The other anchor sets that store any of these pairs, or that could not be read.
///
/// # Errors
/// When the log of `set` cannot be read. A problem of another
/// anchor set is in its entry.
pub(crate) fn holding(set: &Path, ids: &HashSet<String>) -> Result<Vec<OtherSet>, AnchorsError> {
    let known = known(set)?;
    let looked = known.sets.iter().map(|other| look(other, ids));
    let refused = known.refused.into_iter().map(|(set, problem)| OtherSet {
        set,
        ids: Vec::new(),
        live: 0,
        live_ids: Vec::new(),
        problem: Some(problem),
    });
    let is_told = |other: &OtherSet| !other.ids.is_empty() || other.problem.is_some();
    Ok(looked.chain(refused).filter(is_told).collect())
}

/// The images that live pairs of anchor sets use.
#[derive(Debug, Default)]
pub(crate) struct UsedImages {
    /// The paths of the images.
    pub images: HashSet<String>,
    /// An anchor set, or a folder of them, that could not be read completely: its pairs may use any image.
    pub unread: Option<PathBuf>,
}

/// The paths of the images of all live pairs of the other anchor sets.
///
/// # Errors
/// When the log of `set` cannot be read. Another anchor set that cannot be read is returned in `unread`.
pub(crate) fn live_images(set: &Path) -> Result<UsedImages, AnchorsError> {
    let known = known(set)?;
    let mut used = UsedImages {
        // One name is enough for the message; any of them forbids deleting images.
        unread: known.refused.into_keys().chain(known.closed).next(),
        ..UsedImages::default()
    };
    for other in known.sets {
        match AnchorSet::open(&other).and_then(|opened| images_of(&opened)) {
            Ok(images) => used.images.extend(images),
            Err(_) => used.unread = Some(other),
        }
    }
    Ok(used)
}

/// The paths of the images of all live pairs of an anchor set.
///
/// # Errors
/// When a record is damaged.
pub(crate) fn images_of(set: &AnchorSet) -> Result<HashSet<String>, AnchorsError> {
    let mut images = HashSet::new();
    for (segment, local) in set.live_places() {
        let image = set.segments()[segment].image(local)?;
        let file = image.as_ref().and_then(|image| image.path());
        images.extend(file.map(|path| path.to_string_lossy().into_owned()));
    }
    Ok(images)
}

/// The segments among these of `set` with hard links outside all known anchor sets.
///
/// # Errors
/// As [`holding`], and when a segment cannot be examined.
pub(crate) fn unknown_links(
    set: &Path,
    segments: &BTreeSet<String>,
) -> Result<Vec<UnknownLinks>, AnchorsError> {
    let known = known(set)?.sets;
    let records = |set: &Path, segment: &str| {
        let path = layout::segments_folder(set).join(segment).join(PAIRS);
        fs_err::metadata(path)
    };
    let mut found = Vec::new();
    for segment in segments {
        let own = records(set, segment)?;
        let same = |other: &&PathBuf| {
            records(other, segment).is_ok_and(|m| (m.dev(), m.ino()) == (own.dev(), own.ino()))
        };
        // Every set has one link of its own, and each known set that shares the inode one more.
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

/// The other known anchor sets, by canonical path.
#[derive(Default)]
struct KnownSets {
    sets: BTreeSet<PathBuf>,
    /// Paths that may be anchor sets and could not be read, and why.
    refused: BTreeMap<PathBuf, String>,
    /// Folders whose names could not be read.
    closed: Vec<PathBuf>,
}

/// The anchor sets that the log names and those in the same folder as `set`.
fn known(set: &Path) -> Result<KnownSets, AnchorsError> {
    // Fails with the error of a missing set, and not with one about its canonical path.
    if !fs::has_folder(set)? {
        publish::current(set)?;
    }
    let given = set;
    let set = fs_err::canonicalize(set)?;
    let mut known = KnownSets::default();
    let mut add = |path: &Path, is_named: bool| match real_set(path) {
        Ok(found) => known.sets.extend(found),
        // Other entries may be unreadable: lost+found, folders of other users.
        Err(_) if !is_named => {}
        Err(error) => {
            let problem = error.to_string();
            known.refused.insert(path.to_owned(), problem);
        }
    };
    for change in history::readable(&set)? {
        if let Some(source) = change.taken_from_set() {
            add(source, true);
        }
    }
    // Also beside the link through which it was given.
    let folders = [&set, given].map(|set| {
        let folder = fs::parent(set);
        fs_err::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
    });
    for folder in BTreeSet::from(folders) {
        // An unreadable folder is not an error here: a purge reports it.
        let Ok(names) = fs::names(&folder) else {
            // Its sets may use the images of these pairs, which callers must know.
            known.closed.push(folder);
            continue;
        };
        for name in names.iter().filter(|name| !name.starts_with(fs::HIDDEN)) {
            add(&folder.join(name), name.ends_with(ENDING));
        }
    }
    // The set itself was found in its own folder.
    known.sets.remove(&set);
    Ok(known)
}

/// The conventional extension of anchor sets.
const ENDING: &str = ".asif";

/// The canonical path of an anchor set, even of a damaged one; `None` if there is none.
fn real_set(path: &Path) -> Result<Option<PathBuf>, AnchorsError> {
    let is_set = fs::has_folder(path)?
        && (fs::has_file(&path.join(CURRENT))? || !manifest::list(path)?.is_empty());
    let real = is_set.then(|| fs_err::canonicalize(path)).transpose();
    // Removed between the two questions: then it is no set.
    match real {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        real => Ok(real?),
    }
}

fn look(other: &Path, ids: &HashSet<String>) -> OtherSet {
    let mut found = BTreeSet::new();
    let mut live = BTreeSet::new();
    let mut seen = HashSet::new();
    let mut look = || -> Result<(), AnchorsError> {
        let kept = witness::kept(other)?;
        for &generation in &kept {
            let manifest = Manifest::read(other, &layout::generation_name(generation))?;
            let is_live = kept.last() == Some(&generation);
            let new = |id: &String| !seen.contains(id);
            // Segments are shared by generations, so each is read once; the live one always, for its removals.
            if !is_live && !manifest.segments.iter().any(|entry| new(&entry.id)) {
                continue;
            }
            let opened = AnchorSet::from_manifest(other, manifest)?;
            let mut first = 0;
            let entries = opened.manifest().segments.iter();
            for (entry, segment) in entries.zip(opened.segments()) {
                let unseen = seen.insert(entry.id.clone());
                for local in 0..segment.len() {
                    // Seen before: its ids are known, and only the live generation says which of them are live.
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
