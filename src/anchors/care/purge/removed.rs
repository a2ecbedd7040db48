//! All stored pairs of an anchor set that are not live.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::needles::NeedleSet;
use super::stored;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::set::AnchorSet;
use crate::disk as fs;
use crate::embed::cache::{ContentKey, DirectionLookup, EmbeddingCache};
use crate::encode::EncoderEntry;
use crate::image_source::ImageSource;
use crate::modality::Modality;

/// Removed pairs and their cached embeddings, by encoder.
#[derive(Default)]
pub(super) struct RemovedPairs {
    pub ids: HashSet<String>,
    pub pairs: HashSet<(String, usize)>,
    caches: HashMap<String, CachedEmbeddings>,
    /// The contents, whichever encoder read them.
    keys: HashSet<ContentKey>,
    pub images: BTreeSet<String>,
    /// Images that could not be read: their embeddings are found by vector only, which
    /// does not work in caches of other encoders.
    pub unread_images: BTreeSet<String>,
    pub needles: NeedleSet,
    /// The number of distinct pairs.
    pub records: HashSet<RecordHash>,
    /// Folders of the anchor set whose pairs cannot be read.
    pub unreadable: Vec<PathBuf>,
    /// Such folders that asif did not create.
    pub foreign: Vec<PathBuf>,
}

/// Identifies a pair independently of the segment that stores it.
pub(in crate::anchors::care) type RecordHash = [u8; 32];

/// A hash of all that a record holds.
pub(in crate::anchors::care) fn record_hash(record: &PairRecord) -> RecordHash {
    let mut hasher = blake3::Hasher::new();
    let texts = [&record.id, &record.image, &record.meta];
    for text in texts.into_iter().chain(&record.captions) {
        // The length first, so that a text cannot be moved from one field to the next without another hash.
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

/// The embeddings to delete from the cache of one encoder.
#[derive(Default)]
struct CachedEmbeddings {
    dim: usize,
    keys: HashSet<ContentKey>,
    vectors: DirectionLookup,
}

/// Deletes the embeddings of purged pairs from the caches of all encoders in the folder: of the anchor set's
/// encoders by content and by vector, of others by content. Returns how many.
pub(super) fn forget(folder: &Path, gone: &RemovedPairs) -> Result<u64, AnchorsError> {
    // An unfinished rewrite of a cache still has the embeddings that are to go.
    fs::sweep_hidden(folder, |name| name.ends_with(".emb"))?;
    let mut forgotten = 0;
    // By content and by vector, since an image may have changed since it was encoded.
    for (fingerprint, forget) in &gone.caches {
        if let Some(cache) = EmbeddingCache::existing(folder, fingerprint, forget.dim)? {
            forgotten += cache.forget(&forget.keys, &forget.vectors)?;
        }
    }
    // Another encoder's vectors are not known here, so only the content can find them.
    for cache in EmbeddingCache::all(folder)? {
        forgotten += cache.forget(&gone.keys, &DirectionLookup::default())?;
    }
    Ok(forgotten)
}

/// All pairs that an anchor set stores and that are not live: those of the generations that are kept, and what
/// lies in folders that no manifest names that can be read.
pub(super) fn pairs(
    set: &Path,
    live: &AnchorSet,
    kept: &[u64],
) -> Result<RemovedPairs, AnchorsError> {
    let mut alive: HashSet<(String, usize)> = HashSet::new();
    // Another segment may have a copy of a live pair, as after a merge.
    let mut records = HashSet::new();
    for (segment, local) in live.live_places() {
        records.insert(record_hash(&live.segments()[segment].record(local)?));
        alive.insert((live.manifest().segments[segment].id.clone(), local));
    }
    let mut gone = RemovedPairs::default();
    let mut seen = HashSet::new();
    for &generation in kept {
        // A damaged generation must not protect its pairs from deletion.
        let Some(old) = if_whole(AnchorSet::open_generation(set, generation))? else {
            continue;
        };
        for (entry, segment) in old.manifest().segments.iter().zip(old.segments()) {
            seen.insert(entry.id.clone());
            for local in 0..segment.len() {
                let key = (entry.id.clone(), local);
                let record = segment.record(local)?;
                // Both: a position for this very copy, the hash for a copy of a live pair elsewhere.
                if !alive.contains(&key) && !records.contains(&record_hash(&record)) {
                    note(&mut gone, old.manifest(), record, Some(segment), key)?;
                }
            }
        }
    }
    let others = stored::all(set)?;
    gone.unreadable = others.unreadable;
    gone.foreign = others.foreign;
    for pairs in others
        .found
        .iter()
        .filter(|pairs| !seen.contains(&pairs.name))
    {
        for local in 0..pairs.records.len() {
            let record = pairs.records.get(local)?;
            if !records.contains(&record_hash(&record)) {
                let key = (pairs.name.clone(), local);
                // Embeddings of another encoder are deleted by content.
                // Vectors of another length cannot be cut into those of these encoders.
                let fits = |s: &&Segment| s.dims() == live.manifest().dims();
                let segment = pairs.segment.as_ref().filter(fits);
                note(&mut gone, live.manifest(), record, segment, key)?;
            }
        }
    }
    Ok(gone)
}

/// Records a pair; the second part of `key` is its position in `segment`.
fn note(
    gone: &mut RemovedPairs,
    manifest: &Manifest,
    record: PairRecord,
    segment: Option<&Segment>,
    key: (String, usize),
) -> Result<(), AnchorsError> {
    let local = key.1;
    // Generations share segments, so a pair comes by several times.
    if !gone.pairs.insert(key) {
        return Ok(());
    }
    let mut side = |encoder: &EncoderEntry, modality, keys: Vec<ContentKey>| {
        // A joined vector is cut into those of the members, which have a cache each.
        let mut joined = segment.map_or(&[][..], |s| s.vectors(modality).vector(local));
        for member in encoder.identity.cached() {
            let forget = gone.caches.entry(member.fingerprint.clone()).or_default();
            forget.dim = member.dim;
            forget.keys.extend(&keys);
            if let Some((vector, rest)) = joined.split_at_checked(member.dim) {
                joined = rest;
                forget.vectors.insert(vector);
            }
        }
    };
    // The image may have changed or disappeared; its embedding is then found by vector only.
    let source = image_of(&record, segment, local)?;
    let image = source.as_ref().map(|source| source.read(u64::MAX));
    let file = source.as_ref().and_then(|source| source.path());
    let file = file.map(|path| path.to_string_lossy().into_owned());
    // Refused reading may hide that the embedding is there; a missing file hides nothing.
    if let (Some(Err(error)), Some(file)) = (&image, &file)
        && fs::is_refusal(error)
    {
        gone.unread_images.insert(file.clone());
    }
    let image = image.into_iter().flatten().map(Cow::into_owned);
    let image: Vec<_> = image
        // Every version of decoding had keys of its own, and old ones lie in the cache still.
        .flat_map(|b| ContentKey::of_picture_ever(&b).collect::<Vec<_>>())
        .collect();
    let captions = record.captions.iter();
    let captions: Vec<_> = captions.map(|c| ContentKey::of(c.as_bytes())).collect();
    let all: Vec<ContentKey> = image.iter().chain(&captions).copied().collect();
    side(&manifest.image_encoder, Modality::Image, image);
    side(&manifest.text_encoder, Modality::Text, captions);
    gone.keys.extend(all);
    gone.needles.add_pair(&record, segment, local);
    gone.records.insert(record_hash(&record));
    gone.images.extend(file);
    gone.ids.insert(record.id);
    Ok(())
}

/// The image of a pair of a segment; without the segment, what its record alone says.
pub(super) fn image_of(
    record: &PairRecord,
    segment: Option<&Segment>,
    local: usize,
) -> Result<Option<ImageSource>, AnchorsError> {
    match segment {
        Some(segment) => segment.image(local),
        None => {
            let is_path = Path::new(&record.image).is_absolute();
            Ok(is_path.then(|| ImageSource::from(record.image.as_str())))
        }
    }
}
