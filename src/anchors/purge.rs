//! Where a pair has left traces, and their end.
//!
//! A removal takes a pair's influence at once and keeps its bytes for rollback. A purge takes the
//! bytes: older generations go, segments that store removed pairs are written again without them,
//! the cached embeddings of those pairs are forgotten, and the log names them by a hash, so that it
//! still proves what happened without telling of whom. Pictures that the server wrote for them are
//! deleted, values of filters and rows of sources that speak of them go, and then every byte of the set,
//! the cache and the folders of uploads is searched. Other sets are not changed; those that are known
//! to hold the pairs too are named ([`elsewhere`]). Copies and backups are not reached.
//!
//! | file | role |
//! |---|---|
//! | `needles` | what identifies purged pairs and the request, and the search for it in bytes |
//! | `traces` | the log, lists of rows left out, uploaded pictures |
//! | `receipt` | [`DeletionReceipt`], the answer to a request for deletion |

mod needles;
mod receipt;
mod traces;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cache::{ContentKey, Directions, EmbeddingCache};
use super::elsewhere::{self, OtherSet, UnknownLinks};
use super::error::AnchorsError;
use super::history::{self, Change, IdLine};
use super::manifest::{self, EncoderEntry, Manifest};
use super::plan::GraphPolicy;
use super::records::Record;
use super::segment::{Segment, SegmentWriter};
use super::select::{self, Filter};
use super::set::AnchorSet;
use super::writer::{Next, Receipt, WriteOptions, Writer};
use super::{aside, fs, publish};
use crate::encode::Modality;
use needles::Needles;
use traces::Pictures;

pub use needles::{ByteSearch, NeedleKind, NeedleTrace};
pub use receipt::{DeletionReceipt, RequestedTerm};
pub use traces::PictureLeft;

/// Where a pair is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Traces {
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
    /// Changes of the log that name it by its hash: it was purged.
    pub purged: Vec<u64>,
    /// Other sets that hold a pair of this id, as far as they are known ([`elsewhere`]).
    pub elsewhere: Vec<PathBuf>,
    /// Further files that hold something of it: of the set, the cache and the folders of uploads.
    pub files: Vec<NeedleTrace>,
}

impl Traces {
    /// Whether nothing but the hash in the log is left of it.
    pub fn is_gone(&self) -> bool {
        let stored = self.live || !self.generations.is_empty() || !self.segments.is_empty();
        !stored && self.log.is_empty() && self.files.is_empty()
    }
}

/// What the log calls a purged pair, and the value of a filter: `blake3:` and the first 32 hex digits of
/// the BLAKE3 hash of its UTF-8 bytes.
pub fn alias(id: &str) -> String {
    format!("blake3:{}", &blake3::hash(id.as_bytes()).to_hex()[..32])
}

/// Looks for pairs in all that a set keeps, in the folder `cache` of embeddings, and where the server
/// wrote pictures of them.
///
/// # Errors
/// When the folder is not a set, or a generation, the log or a file cannot be read.
pub fn audit(
    set: &Path,
    ids: &[String],
    cache: Option<&Path>,
) -> Result<Vec<Traces>, AnchorsError> {
    let mut traces: Vec<Traces> = ids
        .iter()
        .map(|id| Traces {
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
    let kept = manifest::kept(set)?;
    let mut seen = HashSet::new();
    for &generation in &kept {
        let opened = AnchorSet::open_generation(set, generation)?;
        let (_, missing) = select::by_ids(&opened, &wanted)?;
        for trace in &mut traces {
            if !missing.contains(&trace.id) {
                trace.generations.push(generation);
                trace.live |= kept.last() == Some(&generation);
            }
        }
        for (entry, segment) in opened.manifest().segments.iter().zip(opened.segments()) {
            if seen.insert(entry.id.clone()) {
                let stored: Result<HashSet<&str>, _> =
                    (0..segment.len()).map(|i| segment.pair_id(i)).collect();
                let stored = stored?;
                for trace in &mut traces {
                    if stored.contains(trace.id.as_str()) {
                        trace.segments.push(entry.id.clone());
                    }
                }
            }
        }
    }
    for change in history::read(set)? {
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
    find_in_files(set, cache, &mut traces)?;
    Ok(traces)
}

/// Searches files for what the pairs are known by, each pair by itself.
fn find_in_files(
    set: &Path,
    cache: Option<&Path>,
    traces: &mut [Traces],
) -> Result<(), AnchorsError> {
    let live = AnchorSet::open(set)?;
    for trace in traces.iter_mut().filter(|trace| !trace.live) {
        let mut needles = Needles::of_request(std::slice::from_ref(&trace.id), None);
        let mut images = BTreeSet::new();
        stored(set, |record, segment, local| {
            if record.id == trace.id {
                needles.add_pair(record, segment, local);
                images.insert(record.image.clone());
            }
        })?;
        needles.leave_shared(&live)?;
        let pictures = Pictures::sort(&images, &HashSet::new());
        let mut folders = vec![set.to_owned()];
        folders.extend(cache.map(Path::to_owned));
        folders.extend(pictures.folders.iter().cloned());
        trace.files = needles.search(&folders)?.found;
        let kinds = vec![NeedleKind::Image];
        for file in pictures.uploads {
            if !trace.files.iter().any(|found| found.file == file) {
                let kinds = kinds.clone();
                trace.files.push(NeedleTrace { file, kinds });
            }
        }
    }
    Ok(())
}

/// The ids of all pairs that a kept generation stores, live or removed, and that a filter lets through;
/// then the changes of the log that were given one of its values, which is all that is left after a purge.
///
/// # Errors
/// When a generation or the log cannot be read.
pub fn find(set: &Path, filter: &Filter) -> Result<(Vec<String>, Vec<u64>), AnchorsError> {
    let mut ids = BTreeSet::new();
    stored(set, |record, _, _| {
        if filter.matches(record) {
            ids.insert(record.id.clone());
        }
    })?;
    let mut named = Vec::new();
    for change in history::read(set)? {
        let mut terms = filter.terms().iter();
        if terms.any(|(key, value)| {
            [value.clone(), alias(value)]
                .iter()
                .any(|v| change.detail.contains(&format!("{key}={v}")))
        }) {
            named.push(change.generation);
        }
    }
    Ok((ids.into_iter().collect(), named))
}

/// Shows each pair that a kept generation stores, once a segment.
fn stored(set: &Path, mut show: impl FnMut(&Record, &Segment, usize)) -> Result<(), AnchorsError> {
    let mut seen = HashSet::new();
    for generation in manifest::kept(set)? {
        let opened = AnchorSet::open_generation(set, generation)?;
        for (entry, segment) in opened.manifest().segments.iter().zip(opened.segments()) {
            if seen.insert(entry.id.clone()) {
                for local in 0..segment.len() {
                    show(&segment.record(local)?, segment, local);
                }
            }
        }
    }
    Ok(())
}

/// The ids that a change names, itself or in its file.
fn named(set: &Path, change: &Change) -> Result<Vec<String>, AnchorsError> {
    let mut ids = [change.added_ids.clone(), change.removed_ids.clone()].concat();
    if change.ids_file.is_some() {
        let lines = history::read_ids(set, change.generation)?.into_iter();
        ids.extend(lines.map(|line| match line {
            IdLine::Added(id) | IdLine::Removed(id) => id,
        }));
    }
    Ok(ids)
}

/// What a purge did, or under `dry_run` would do.
#[derive(Debug, Clone, Serialize)]
pub struct PurgeReport {
    /// The record.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// Removed pairs whose bytes were in the set.
    pub purged: u64,
    /// Generations that are no longer kept.
    pub generations_dropped: Vec<u64>,
    /// Segments that were written again.
    pub segments_rewritten: u64,
    /// Cached embeddings that were forgotten.
    pub embeddings_forgotten: u64,
    /// Other sets that hold such pairs too, or could not be looked at; they were not changed.
    pub elsewhere: Vec<OtherSet>,
    /// Segments with removed pairs whose files have a name in a folder that is no known set.
    pub unknown_links: Vec<UnknownLinks>,
    /// Pictures that the server had written for these pairs, and that were deleted.
    pub uploads_deleted: u64,
    /// Pictures of these pairs that were left where they are.
    pub pictures_left: Vec<PictureLeft>,
    /// Records of the log and lines of its lists of ids that were written anew.
    pub log_lines_rewritten: u64,
    /// Rows that were taken from the lists of rows left out.
    pub skip_rows_removed: u64,
    /// What was found of the pairs and the request afterwards, by reading every byte; none under
    /// `dry_run`.
    pub search: Option<ByteSearch>,
    /// The hashes of the ids of all pairs that were purged or asked for.
    #[serde(skip)]
    pub hashes: Vec<String>,
}

/// What is to be purged.
#[derive(Debug, Clone, Copy)]
pub struct PurgeRequest<'a> {
    /// Pairs that must not be live.
    pub ids: &'a [String],
    /// Whose values must not be found afterwards; no live pair may have them.
    pub filter: Option<&'a Filter>,
    /// The folder of cached embeddings.
    pub cache: Option<&'a Path>,
    /// Whether segments that are written again get graphs.
    pub graphs: GraphPolicy,
    /// Say what would happen, and change nothing.
    pub dry_run: bool,
}

/// Removed pairs and what is to be forgotten of them, by encoder.
#[derive(Default)]
struct Gone {
    ids: HashSet<String>,
    pairs: HashSet<(String, usize)>,
    caches: HashMap<String, Forget>,
    /// The contents, whichever encoder read them.
    keys: HashSet<ContentKey>,
    images: BTreeSet<String>,
    needles: Needles,
}

#[derive(Default)]
struct Forget {
    dim: usize,
    keys: HashSet<ContentKey>,
    vectors: Directions,
}

/// Deletes the bytes of every pair that is not live: see the module. A purge that was interrupted is
/// finished by the next one.
///
/// # Errors
/// [`AnchorsError::StillLive`] for a pair that was asked for; when a kept generation, the cache or a file
/// cannot be read, somebody else writes, or the disk refuses.
pub fn purge(set: &Path, request: &PurgeRequest<'_>) -> Result<PurgeReport, AnchorsError> {
    let dry_run = request.dry_run;
    let options = WriteOptions { dry_run, keep: 1 };
    let mut writer = Writer::begin(set, &options)?;
    let live = writer.live()?;
    let mut ids = request.ids.to_vec();
    if let Some(filter) = request.filter {
        ids.extend(find(set, filter)?.0);
    }
    let ids = ids.as_slice();
    let live_ids: HashSet<String> = select::ids(&live)?.into_iter().collect();
    if let Some(id) = ids.iter().find(|id| live_ids.contains(*id)) {
        return Err(AnchorsError::StillLive {
            path: set.to_owned(),
            id: id.clone(),
        });
    }
    let kept = manifest::kept(set)?;
    let mut gone = gone(set, &live, &kept)?;
    gone.needles.add_request(ids, request.filter);
    // While the segments still have their names.
    let segments: BTreeSet<String> = gone.pairs.iter().map(|(id, _)| id.clone()).collect();
    let unknown_links = elsewhere::unknown_links(set, &segments)?;
    let wanted = gone.ids.iter().chain(ids).cloned().collect();
    let elsewhere = elsewhere::holding(set, &wanted)?;
    let mut used = elsewhere::live_images(set)?;
    used.extend(live_images(&live)?);
    let pictures = Pictures::sort(&gone.images, &used);
    writer.mark("find");
    let mut manifest = live.manifest().clone();
    let rewritten = rewrite(&live, &mut manifest, request.graphs, dry_run)?;
    manifest.tombstones = None;
    manifest.parent = None;
    manifest.restored = None;
    writer.mark("rewrite");
    let purged = gone.pairs.len() as u64;
    let licences = manifest.licences.clone();
    let next = Next {
        manifest,
        tombstones: None,
        command: "audit --purge",
        detail: format!("the bytes of {purged} removed pairs"),
        moved: (0, 0),
        ids: (Vec::new(), Vec::new()),
    };
    let (mut forgotten, mut log_lines, mut skip_rows, mut uploads) = (0, 0, 0, 0);
    if !dry_run {
        // Before anything that would let a second attempt find less to forget.
        uploads = pictures.delete()?;
        if let Some(folder) = request.cache {
            forgotten = forget(folder, &gone)?;
        }
        publish::clear_beside(set);
        log_lines = traces::redact(set, &live_ids, &licences, ids, &gone.needles)?;
        skip_rows = traces::trim_skip_lists(set, &gone.needles)?;
        // What a repair put aside may hold the pairs too.
        fs::remove_dir_all(&set.join(aside::DAMAGED))?;
    }
    let receipt = writer.publish(next)?;
    let mut search = None;
    if !dry_run {
        gone.needles.leave_shared(&AnchorSet::open(set)?)?;
        let mut folders = vec![set.to_owned()];
        folders.extend(request.cache.map(Path::to_owned));
        folders.extend(pictures.folders.iter().cloned());
        search = Some(gone.needles.search(&folders)?);
    }
    let hashes: BTreeSet<String> = gone.ids.iter().chain(ids).map(|id| alias(id)).collect();
    Ok(PurgeReport {
        receipt,
        purged,
        generations_dropped: kept,
        segments_rewritten: rewritten,
        embeddings_forgotten: forgotten,
        elsewhere,
        unknown_links,
        uploads_deleted: uploads,
        pictures_left: pictures.left,
        log_lines_rewritten: log_lines,
        skip_rows_removed: skip_rows,
        search,
        hashes: hashes.into_iter().collect(),
    })
}

fn live_images(live: &AnchorSet) -> Result<HashSet<String>, AnchorsError> {
    let rows = live.live().rows();
    let places = rows.into_iter().filter_map(|row| live.place(row));
    let image =
        |(segment, local): (usize, usize)| Ok(live.segments()[segment].record(local)?.image);
    places.map(image).collect()
}

/// Takes the embeddings of purged pairs from the caches of all encoders in the folder: those of the set
/// by content and by vector, others by content. Returns how many.
fn forget(folder: &Path, gone: &Gone) -> Result<u64, AnchorsError> {
    fs::sweep_hidden(folder)?;
    let mut forgotten = 0;
    for (fingerprint, forget) in &gone.caches {
        if let Some(cache) = EmbeddingCache::existing(folder, fingerprint, forget.dim)? {
            forgotten += cache.forget(&forget.keys, &forget.vectors)?;
        }
    }
    for cache in EmbeddingCache::all(folder)? {
        forgotten += cache.forget(&gone.keys, &Directions::default())?;
    }
    Ok(forgotten)
}

/// All pairs that a kept generation stores and that are not live.
fn gone(set: &Path, live: &AnchorSet, kept: &[u64]) -> Result<Gone, AnchorsError> {
    let mut alive: HashSet<(String, usize)> = HashSet::new();
    for row in live.live().rows() {
        if let Some((segment, local)) = live.place(row) {
            alive.insert((live.manifest().segments[segment].id.clone(), local));
        }
    }
    let mut gone = Gone::default();
    for &generation in kept {
        let old = AnchorSet::open_generation(set, generation)?;
        for (entry, segment) in old.manifest().segments.iter().zip(old.segments()) {
            for local in 0..segment.len() {
                let key = (entry.id.clone(), local);
                if !alive.contains(&key) && gone.pairs.insert(key) {
                    note(&mut gone, old.manifest(), segment, local)?;
                }
            }
        }
    }
    Ok(gone)
}

fn note(
    gone: &mut Gone,
    manifest: &Manifest,
    segment: &Segment,
    local: usize,
) -> Result<(), AnchorsError> {
    let record = segment.record(local)?;
    let mut side = |encoder: &EncoderEntry, modality, keys: Vec<ContentKey>| {
        let mut joined = segment.vectors(modality).vector(local);
        for member in encoder.identity.cached() {
            let (vector, rest) = joined.split_at(member.dim);
            joined = rest;
            let forget = gone.caches.entry(member.fingerprint.clone()).or_default();
            forget.dim = member.dim;
            forget.keys.extend(&keys);
            forget.vectors.insert(vector);
        }
    };
    // The image may have changed or gone; its embedding is then known by the vector alone.
    let image = fs_err::read(&record.image);
    let image: Vec<_> = image
        .iter()
        .flat_map(|b| ContentKey::of_picture_ever(b))
        .collect();
    let captions = record.captions.iter();
    let captions: Vec<_> = captions.map(|c| ContentKey::of(c.as_bytes())).collect();
    let all: Vec<ContentKey> = image.iter().chain(&captions).copied().collect();
    side(&manifest.image_encoder, Modality::Image, image);
    side(&manifest.text_encoder, Modality::Text, captions);
    gone.keys.extend(all);
    gone.needles.add_pair(&record, segment, local);
    gone.images.insert(record.image);
    gone.ids.insert(record.id);
    Ok(())
}

/// Writes each segment that stores removed pairs again without them; returns how many.
fn rewrite(
    live: &AnchorSet,
    manifest: &mut Manifest,
    graphs: GraphPolicy,
    dry_run: bool,
) -> Result<u64, AnchorsError> {
    let [image, text] = manifest.dims();
    let (mut first, mut rewritten) = (0, 0);
    let k = manifest.space.k();
    for (entry, segment) in manifest.segments.iter_mut().zip(live.segments()) {
        let rows: Vec<usize> = (0..segment.len())
            .filter(|local| live.live().contains(first + local))
            .collect();
        first += segment.len();
        if rows.len() == segment.len() {
            continue;
        }
        rewritten += 1;
        if dry_run {
            continue;
        }
        // Damaged vectors must not get a fresh checksum.
        segment.verify()?;
        let mut new = SegmentWriter::create(live.path(), image, text)?;
        for local in rows {
            new.push(
                &segment.record(local)?,
                segment.vectors(Modality::Image).vector(local),
                segment.vectors(Modality::Text).vector(local),
            )?;
        }
        *entry = new.finish(graphs, k)?;
    }
    Ok(rewritten)
}
