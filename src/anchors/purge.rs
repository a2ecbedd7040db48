//! Where a pair has left traces, and their end.
//!
//! A removal takes a pair's influence at once and keeps its bytes for rollback. A purge takes the
//! bytes: older generations go, segments that store removed pairs are written again without them,
//! the cached embeddings of those pairs are forgotten, and the log names them by a hash, so that it
//! still proves what happened without telling of whom. Other sets are not changed; those that are
//! known to hold the pairs too are named ([`elsewhere`]). Copies and backups are not reached.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::cache::{ContentKey, Directions, EmbeddingCache};
use super::elsewhere::{self, OtherSet, UnknownLinks};
use super::error::AnchorsError;
use super::history::{self, Change, IdLine};
use super::manifest::{self, EncoderEntry, Manifest};
use super::plan::GraphPolicy;
use super::segment::{self, Segment, SegmentWriter};
use super::set::AnchorSet;
use super::writer::{Next, Receipt, WriteOptions, Writer};
use super::{fs, select};
use crate::encode::Modality;

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
}

impl Traces {
    /// Whether nothing but the hash in the log is left of it in this set.
    pub fn is_gone(&self) -> bool {
        !self.live && self.generations.is_empty() && self.segments.is_empty() && self.log.is_empty()
    }
}

/// What the log calls a purged pair.
pub fn alias(id: &str) -> String {
    format!("blake3:{}", &blake3::hash(id.as_bytes()).to_hex()[..32])
}

/// Looks for pairs in all that a set keeps.
///
/// # Errors
/// When the folder is not a set, or a generation or the log cannot be read.
pub fn audit(set: &Path, ids: &[String]) -> Result<Vec<Traces>, AnchorsError> {
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
    Ok(traces)
}

/// The ids that a change names, itself or in its file.
fn named(set: &Path, change: &Change) -> Result<Vec<String>, AnchorsError> {
    let mut ids = [change.added_ids.clone(), change.removed_ids.clone()].concat();
    if change.ids_file.is_some() {
        let path = history::folder(set).join(history::ids_name(change.generation));
        let lines = history::read_ids(&path)?.into_iter();
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
}

/// Removed pairs and what is to be forgotten of them, by encoder.
#[derive(Default)]
struct Gone {
    ids: HashSet<String>,
    pairs: HashSet<(String, usize)>,
    caches: HashMap<String, Forget>,
}

#[derive(Default)]
struct Forget {
    dim: usize,
    keys: HashSet<ContentKey>,
    vectors: Directions,
}

/// Deletes the bytes of every pair that is not live: see the module.
///
/// `ids` are pairs that must not be live; `cache` is the folder of cached embeddings. A purge that
/// was interrupted is finished by the next one.
///
/// # Errors
/// [`AnchorsError::StillLive`] for one of `ids`; when a kept generation cannot be read, somebody
/// else writes, or the disk refuses.
pub fn purge(
    set: &Path,
    ids: &[String],
    cache: Option<&Path>,
    graphs: GraphPolicy,
    dry_run: bool,
) -> Result<PurgeReport, AnchorsError> {
    let options = WriteOptions { dry_run, keep: 1 };
    let mut writer = Writer::begin(set, &options)?;
    let live = writer.live()?;
    let live_ids: HashSet<String> = select::ids(&live)?.into_iter().collect();
    if let Some(id) = ids.iter().find(|id| live_ids.contains(*id)) {
        return Err(AnchorsError::StillLive {
            path: set.to_owned(),
            id: id.clone(),
        });
    }
    let kept = manifest::kept(set)?;
    let gone = gone(set, &live, &kept)?;
    // While the segments still have their names.
    let segments: BTreeSet<String> = gone.pairs.iter().map(|(id, _)| id.clone()).collect();
    let unknown_links = elsewhere::unknown_links(set, &segments)?;
    let wanted = gone.ids.iter().chain(ids).cloned().collect();
    let elsewhere = elsewhere::holding(set, &wanted)?;
    writer.mark("find");
    let mut manifest = live.manifest().clone();
    let rewritten = rewrite(&live, &mut manifest, graphs, dry_run)?;
    manifest.tombstones = None;
    manifest.parent = None;
    manifest.restored = None;
    writer.mark("rewrite");
    let purged = gone.pairs.len() as u64;
    let next = Next {
        manifest,
        tombstones: None,
        command: "audit --purge",
        detail: format!("the bytes of {purged} removed pairs"),
        moved: (0, 0),
        ids: (Vec::new(), Vec::new()),
    };
    let mut forgotten = 0;
    if !dry_run {
        // Before anything that would let a second attempt find less to forget.
        for (fingerprint, forget) in &gone.caches {
            let cache = cache
                .map(|folder| EmbeddingCache::existing(folder, fingerprint, forget.dim))
                .transpose()?
                .flatten();
            if let Some(cache) = cache {
                forgotten += cache.forget(&forget.keys, &forget.vectors)?;
            }
        }
        redact(set, &live_ids, ids)?;
    }
    if !dry_run {
        trim_skip_lists(set, gone.ids.iter().chain(ids))?;
    }
    let receipt = writer.publish(next)?;
    Ok(PurgeReport {
        receipt,
        purged,
        generations_dropped: kept,
        segments_rewritten: rewritten,
        embeddings_forgotten: forgotten,
        elsewhere,
        unknown_links,
    })
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
    let image = image.iter().map(|bytes| ContentKey::of(bytes)).collect();
    side(&manifest.image_encoder, Modality::Image, image);
    let captions = record.captions.iter();
    let captions = captions.map(|c| ContentKey::of(c.as_bytes())).collect();
    side(&manifest.text_encoder, Modality::Text, captions);
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

/// Names every pair of the log that is not live by its hash.
fn redact(set: &Path, live: &HashSet<String>, ids: &[String]) -> Result<(), AnchorsError> {
    let hidden = |id: String| {
        let known = live.contains(&id) || id.starts_with("blake3:");
        if known && !ids.contains(&id) {
            id
        } else {
            alias(&id)
        }
    };
    let mut lines = String::new();
    for mut change in history::read(set)? {
        if change.ids_file.is_some() {
            let path = history::folder(set).join(history::ids_name(change.generation));
            let old = history::read_ids(&path)?.into_iter();
            let new = old.map(|line| match line {
                IdLine::Added(id) => IdLine::Added(hidden(id)),
                IdLine::Removed(id) => IdLine::Removed(hidden(id)),
            });
            history::write_ids(&path, new)?;
        }
        for ids in [&mut change.added_ids, &mut change.removed_ids] {
            *ids = std::mem::take(ids).into_iter().map(hidden).collect();
        }
        lines.push_str(&serde_json::json!(change).to_string());
        lines.push('\n');
    }
    fs::create_dir_all(&history::folder(set))?;
    Ok(fs::write_atomically(
        &history::log_path(set),
        lines.as_bytes(),
    )?)
}

/// Takes rows that speak of these pairs from the lists of rows left out.
fn trim_skip_lists<'a>(
    set: &Path,
    ids: impl Iterator<Item = &'a String>,
) -> Result<(), AnchorsError> {
    let ids: Vec<&String> = ids.collect();
    let folder = segment::folder(set);
    for name in fs::names(&folder)? {
        let path = folder.join(&name).join(segment::SKIPPED);
        let Ok(text) = fs_err::read_to_string(&path) else {
            continue;
        };
        let speaks = |line: &&str| ids.iter().any(|id| line.contains(id.as_str()));
        let left: Vec<&str> = text.lines().filter(|l| !speaks(l)).collect();
        if left.len() < text.lines().count() {
            let left: String = left.iter().map(|line| format!("{line}\n")).collect();
            fs::write_atomically(&path, left.as_bytes())?;
        } else {
            // A purge that was killed may have written it, and not made that durable.
            fs::sync_folder(&folder.join(name))?;
        }
    }
    Ok(())
}
