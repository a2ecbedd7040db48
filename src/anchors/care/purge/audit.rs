//! Finds pairs in generations, segments, the log, other anchor sets and files.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::alias::alias;
use super::needles::{NeedleKind, NeedleSet, NeedleTrace};
use super::removed::image_of;
use super::traces::PurgedPictures;
use super::{beside, stored};
use crate::anchors::care::elsewhere::{self, UsedImages};
use crate::anchors::change::select;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::change_record;
use crate::anchors::stored::change_record::{ChangeRecord, IdLine};
use crate::anchors::stored::history;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::witness;
use crate::filter::PairFilter;

/// All places where a pair was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairTraces {
    /// The pair's id.
    pub id: String,
    /// Whether it is live.
    pub live: bool,
    /// Kept generations in which it is live: those that a rollback or swap could bring back.
    pub generations: Vec<u64>,
    /// Segments that store its bytes, live or removed.
    pub segments: Vec<String>,
    /// Changes of the log that name it, by generation.
    pub log: Vec<u64>,
    /// Changes of the log that name it by its hash, because it was purged.
    pub purged: Vec<u64>,
    /// Other known anchor sets that contain a pair with this id ([`elsewhere`]).
    pub elsewhere: Vec<PathBuf>,
    /// Further files that mention it: in the anchor set, leftovers of killed commands beside it, the cache and
    /// the folders of uploads.
    pub files: Vec<NeedleTrace>,
}

impl PairTraces {
    /// Whether only the hash in the log is left of it.
    pub fn is_gone(&self) -> bool {
        let stored = self.live || !self.generations.is_empty() || !self.segments.is_empty();
        !stored && self.log.is_empty() && self.files.is_empty()
    }
}

/// Searches for pairs in everything an anchor set stores, in the embedding cache `cache`, and where the server
/// stored images of them. Of a damaged anchor set everything that can be read is searched.
///
/// # Errors
/// When the folder is not an anchor set, no generation opens, or the system denies reading a file.
pub fn audit(
    set: &Path,
    ids: &[String],
    cache: Option<&Path>,
) -> Result<Vec<PairTraces>, AnchorsError> {
    let mut traces: Vec<PairTraces> = ids
        .iter()
        .map(|id| PairTraces {
            id: id.clone(),
            live: false,
            generations: Vec::new(),
            segments: Vec::new(),
            log: Vec::new(),
            purged: Vec::new(),
            elsewhere: Vec::new(),
            files: Vec::new(),
        })
        .collect();
    let wanted: HashSet<String> = ids.iter().cloned().collect();
    for other in elsewhere::holding(set, &wanted)? {
        for trace in &mut traces {
            if other.ids.binary_search(&trace.id).is_ok() {
                trace.elsewhere.push(other.set.clone());
            }
        }
    }
    // The generation that answers, which is an older one where the live one is damaged.
    let (live, _) = AnchorSet::open_or_last_good(set)?;
    let answering = live.manifest().generation;
    for generation in witness::kept_or_published(set)?.0 {
        // The byte search below finds pairs in a damaged generation.
        let Some(opened) = if_whole(AnchorSet::open_generation(set, generation))? else {
            continue;
        };
        let (_, missing) = select::by_ids(&opened, &wanted)?;
        for trace in &mut traces {
            if !missing.contains(&trace.id) {
                trace.generations.push(generation);
                trace.live |= generation == answering;
            }
        }
    }
    stored::each(set, |name, record, _, _| {
        let named = traces.iter_mut().filter(|trace| trace.id == record.id);
        for trace in named {
            if trace.segments.last().is_none_or(|last| last != name) {
                trace.segments.push(name.to_owned());
            }
        }
    })?;
    for change in history::readable(set)? {
        let named: HashSet<String> = named(set, &change)?.into_iter().collect();
        for trace in &mut traces {
            if named.contains(&trace.id) {
                trace.log.push(change.generation);
            }
            if named.contains(&alias(&trace.id)) {
                trace.purged.push(change.generation);
            }
        }
    }
    find_in_files(set, &live, cache, &mut traces)?;
    Ok(traces)
}

/// Searches files for each pair's needles separately.
fn find_in_files(
    set: &Path,
    live: &AnchorSet,
    cache: Option<&Path>,
    traces: &mut [PairTraces],
) -> Result<(), AnchorsError> {
    for trace in traces.iter_mut().filter(|trace| !trace.live) {
        let mut needles = NeedleSet::of_request(std::slice::from_ref(&trace.id), None);
        let mut images = BTreeSet::new();
        stored::each(set, |_, record, segment, local| {
            if record.id == trace.id {
                needles.add_pair(record, segment, local);
                let image = image_of(record, segment, local).ok().flatten();
                let file = image.as_ref().and_then(|image| image.path());
                images.extend(file.map(|path| path.to_string_lossy().into_owned()));
            }
        })?;
        needles.leave_shared(live)?;
        let pictures = PurgedPictures::sort(&images, &BTreeSet::new(), &UsedImages::default());
        let mut folders = vec![set.to_owned()];
        folders.extend(cache.map(Path::to_owned));
        folders.extend(pictures.folders.iter().cloned());
        trace.files = needles.search(&folders)?.found;
        trace.files.extend(beside::search(set, &needles).0.found);
        let kinds = vec![NeedleKind::Image];
        // A file that cannot be read may be an upload.
        let unread = pictures.left.into_iter().filter(|left| left.unread);
        let unread = unread.map(|left| left.file);
        for file in pictures.uploads.into_iter().chain(unread) {
            if !trace.files.iter().any(|found| found.file == file) {
                let kinds = kinds.clone();
                trace.files.push(NeedleTrace { file, kinds });
            }
        }
    }
    Ok(())
}

/// The ids of all stored pairs, live or removed, that match a filter;
/// then the changes of the log whose arguments have one of its values, which is all that remains after a purge.
///
/// # Errors
/// When a generation or the log cannot be read.
pub fn find(set: &Path, filter: &PairFilter) -> Result<(Vec<String>, Vec<u64>), AnchorsError> {
    let mut ids = BTreeSet::new();
    stored::each(set, |_, record, _, _| {
        if select::is_match(filter, record) {
            ids.insert(record.id.clone());
        }
    })?;
    let mut named = Vec::new();
    for change in history::readable(set)? {
        let mut terms = filter.terms().into_iter();
        if terms.any(|(key, value)| {
            [value.clone(), alias(&value)]
                .iter()
                .any(|v| change.detail.contains(&format!("{key}={v}")))
        }) {
            named.push(change.generation);
        }
    }
    Ok((ids.into_iter().collect(), named))
}

/// The first of `ids` that no pair in this or another known anchor set has and its log does not name, as far
/// as it can be read. Of a damaged log the readable part is used.
///
/// # Errors
/// When a generation or the log cannot be read.
pub fn unknown_id<'a>(set: &AnchorSet, ids: &[&'a str]) -> Result<Option<&'a str>, AnchorsError> {
    let live: HashSet<String> = select::ids(set)?.into_iter().collect();
    let mut unknown: Vec<&str> = ids.to_vec();
    unknown.retain(|id| !live.contains(*id));
    if unknown.is_empty() {
        return Ok(None);
    }
    let mut had = HashSet::new();
    for change in history::readable(set.path())? {
        had.extend(if_whole(named(set.path(), &change))?.unwrap_or_default());
    }
    stored::each(set.path(), |_, record, _, _| {
        had.insert(record.id.clone());
    })?;
    unknown.retain(|id| !had.contains(*id) && !had.contains(&alias(id)));
    if unknown.is_empty() {
        return Ok(None);
    }
    // A label for the lists of several sets.
    let wanted: HashSet<String> = unknown.iter().map(|id| (*id).to_owned()).collect();
    let others = if_whole(elsewhere::holding(set.path(), &wanted))?.unwrap_or_default();
    had.extend(others.into_iter().flat_map(|other| other.ids));
    Ok(unknown.into_iter().find(|id| !had.contains(*id)))
}

/// The ids of a change, from its record or its id list.
pub(super) fn named(set: &Path, change: &ChangeRecord) -> Result<Vec<String>, AnchorsError> {
    let mut ids = [change.added_ids.clone(), change.removed_ids.clone()].concat();
    if change.ids_file.is_some() {
        let lines = change_record::read_ids(set, change.generation)?.into_iter();
        ids.extend(lines.map(|line| match line {
            IdLine::Added(id) | IdLine::Removed(id) => id,
        }));
    }
    Ok(ids)
}
