//! The names of an anchor set's files and folders, and which names writers use.
//!
//! Cleanup and purges touch only files with such a name; anything else in an anchor set belongs to the user.

use std::path::{Path, PathBuf};

use crate::disk::{REMOVING, REPLACED, name_to_come};

/// The folder of manifests and files of removed pairs.
pub(crate) const GENERATIONS: &str = "generations";
/// The folder of segments.
pub(crate) const SEGMENTS: &str = "segments";
/// The folder of the log.
pub(crate) const LOG: &str = "log";
/// The ending of the names of manifests.
pub(crate) const MANIFEST: &str = ".json";
/// The ending of the names of lists of ids.
pub(crate) const IDS: &str = ".ids.jsonl";
/// The sums of products of a segment's vectors.
pub(crate) const PRODUCTS: &str = "products.sum";

/// The file that names the live generation.
pub(crate) const CURRENT: &str = "CURRENT";

/// The file that a writer holds locked.
pub(crate) const LOCK: &str = "LOCK";

/// The folder of manifests in an anchor set.
pub fn generations_folder(set: &Path) -> PathBuf {
    set.join(GENERATIONS)
}

/// The file name of a generation: `g000001`.
pub fn generation_name(generation: u64) -> String {
    format!("g{generation:06}")
}

/// The generation that a file name names.
pub(crate) fn generation_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix('g')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok())?
}

/// The ending of the names of files of removed pairs.
pub(crate) const TOMBSTONES: &str = ".del";

/// The folder of segments in an anchor set.
pub fn segments_folder(set: &Path) -> PathBuf {
    set.join(SEGMENTS)
}

/// The image vectors of a segment.
pub(crate) const IMAGE: &str = "image.vec";

/// The text vectors of a segment.
pub(crate) const TEXT: &str = "text.vec";

/// The graph over the image vectors.
pub(crate) const IMAGE_GRAPH: &str = "image.graph";

/// The graph over the text vectors.
pub(crate) const TEXT_GRAPH: &str = "text.graph";

/// The file of records in a segment.
pub(crate) const PAIRS: &str = "pairs.rec";

/// The small pictures of a segment's pairs.
pub(crate) const THUMBNAILS: &str = "thumbs.bin";

/// The sums of a segment's vectors.
pub(crate) const MOMENTS: &str = "moments.sum";

/// The name of the list of skipped rows.
pub(crate) const SKIPPED: &str = "skipped.jsonl";

/// Whether a folder among the segments may be one: its name is of the form that segments have.
pub(crate) fn is_segment_name(name: &str) -> bool {
    let digits = name.strip_prefix('s');
    digits.is_some_and(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// How the name of a segment's folder begins while it is written.
pub(crate) const WRITING: &str = ".writing-";

/// The same of a segment that is brought from another anchor set.
pub(crate) const BRINGING: &str = ".bringing-";

/// Whether a name is one that writers give to a temporary or removed segment.
pub(crate) fn is_hidden_segment(name: &str) -> bool {
    [WRITING, BRINGING, REMOVING, REPLACED]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// Whether a name among the segments is one that writers give.
pub(crate) fn in_segments(name: &str) -> bool {
    is_segment_name(name) || is_hidden_segment(name)
}

/// The folder of the log.
pub fn log_folder(set: &Path) -> PathBuf {
    set.join(LOG)
}

/// The file name of the log.
pub(crate) const CHANGES: &str = "changes.jsonl";

/// The log.
pub fn log_path(set: &Path) -> PathBuf {
    log_folder(set).join(CHANGES)
}

/// The name of a generation's list of ids.
pub(crate) fn id_list_name(generation: u64) -> String {
    format!("{}{IDS}", generation_name(generation))
}

/// The folder of an anchor set with files that repairs abandoned; a purge deletes them.
pub(crate) const DAMAGED: &str = "damaged";

/// Whether a repair gives this name to what it puts aside: the old one, or that and a number. A purge that is
/// killed leaves one that begins as of what is being removed.
pub(crate) fn in_damaged(name: &str) -> bool {
    let name = old_name(name.strip_prefix(REMOVING).unwrap_or(name));
    [CURRENT, LOCK].contains(&name)
        || in_segment(name)
        || is_segment_name(name)
        || in_generations(name)
        || in_log(name)
}

/// The original name of a file that a repair moved to `damaged/`.
pub(crate) fn old_name(name: &str) -> &str {
    let is_number =
        |end: &str| !end.starts_with('0') && end.parse::<u64>().is_ok_and(|n| end == n.to_string());
    match name.rsplit_once('.') {
        Some((old, end)) if is_number(end) => old,
        _ => name,
    }
}

/// Files of a segment.
pub(crate) fn in_segment(name: &str) -> bool {
    const FILES: [&str; 9] = [
        IMAGE,
        TEXT,
        IMAGE_GRAPH,
        TEXT_GRAPH,
        PAIRS,
        MOMENTS,
        SKIPPED,
        PRODUCTS,
        THUMBNAILS,
    ];
    FILES.contains(&name_to_come(name).unwrap_or(name))
}

/// The entries of the anchor set's own folder.
pub(crate) fn in_set(name: &str) -> bool {
    const FOLDERS: [&str; 3] = [GENERATIONS, LOG, SEGMENTS];
    let removing = name.strip_prefix(REMOVING);
    [CURRENT, LOCK].contains(&name)
        || FOLDERS.contains(&name)
        || removing.unwrap_or(name) == DAMAGED
}

/// Manifests and files of removed pairs.
pub(crate) fn in_generations(name: &str) -> bool {
    generation_of(name).is_some()
}

/// The generation of a manifest or a file of removed pairs, by its name.
pub(crate) fn generation_of(name: &str) -> Option<u64> {
    let stem = name.strip_suffix(MANIFEST);
    let stem = stem.or(name.strip_suffix(TOMBSTONES));
    stem.and_then(generation_number)
}

/// The log and lists of ids.
pub(crate) fn in_log(name: &str) -> bool {
    let ids = name.strip_suffix(IDS).and_then(generation_number);
    name == CHANGES || ids.is_some()
}
