//! Finds the traces of removed pairs and deletes them.
//!
//! A removal ends a pair's influence at once and keeps its bytes for rollback. A purge deletes the bytes:
//! older generations are dropped, segments that store removed pairs are rewritten without them, the cached
//! embeddings of those pairs are deleted, and the log names them by a hash, so that it still proves what
//! happened without identifying the pairs. Images that the server stored for them are deleted, filter values,
//! skipped rows and leftovers of killed commands beside the anchor set that mention them are deleted, and
//! then every byte of the set, of such leftovers, the cache and the upload folders is searched. Other sets
//! are not changed; those known to contain the pairs are reported ([`elsewhere`]). Copies and backups are not
//! reached.
//!
//! | file | role |
//! |---|---|
//! | `audit` | finds the traces of pairs |
//! | `beside` | leftovers of killed commands beside the anchor set |
//! | `steps` | how far a failed purge got |
//! | `removed` | all stored pairs that are not live, and their cached embeddings |
//! | `needles` | the strings that identify purged pairs and the request, and the byte search for them |
//! | `traces` | the log, lists of skipped rows, uploaded images |
//! | `stored` | every pair that is stored in an anchor set |
//! | `receipt` | [`DeletionReceipt`], the answer to a request for deletion |

mod alias;
mod audit;
mod beside;
mod needles;
mod receipt;
mod removed;
mod steps;
mod stored;
mod traces;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::aside;
use super::elsewhere::{self, OtherSet, UnknownLinks};
use crate::anchors::change::select;
use crate::anchors::change::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::segment::writer::SegmentWriter;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::skipped_rows;
use crate::anchors::stored::witness;
use crate::anchors::stored::{history, log, publish};
use crate::filter::PairFilter;
use needles::NeedleSet;
use steps::{PurgeStep, PurgeSteps};
use traces::PurgedPictures;

pub(crate) use alias::alias;
pub use audit::{PairTraces, audit, find, unknown_id};
pub use beside::KeptLeftover;
pub use needles::{ByteSearch, NeedleKind, NeedleTrace};
pub use receipt::{DeletionReceipt, RequestedTerm, is_receipt, why_kept};
pub(in crate::anchors::care) use removed::record_hash;
pub use traces::KeptPicture;

/// The result of a purge, or with `dry_run` what it would do.
#[derive(Debug, Clone, Serialize)]
pub struct PurgeReport {
    /// The record.
    #[serde(flatten)]
    pub receipt: ChangeReceipt,
    /// Removed pairs whose bytes were in the anchor set.
    pub purged: u64,
    /// Generations that are no longer kept.
    pub generations_dropped: Vec<u64>,
    /// Segments that were rewritten.
    pub segments_rewritten: u64,
    /// Cached embeddings that were deleted.
    pub embeddings_forgotten: u64,
    /// Other anchor sets that contain such pairs, or could not be read; they were not changed.
    pub elsewhere: Vec<OtherSet>,
    /// Segments with removed pairs whose files have hard links outside all known anchor sets.
    pub unknown_links: Vec<UnknownLinks>,
    /// Images that the server had stored for these pairs, and that were deleted.
    pub uploads_deleted: u64,
    /// Images of these pairs that were kept.
    pub pictures_left: Vec<KeptPicture>,
    /// Records of the log and lines of its id lists that were rewritten.
    pub log_lines_rewritten: u64,
    /// Rows deleted from the lists of skipped rows.
    pub skip_rows_removed: u64,
    /// Files and folders of killed commands beside the anchor set that were removed: those of builds of this
    /// set, and those that mentioned the pairs and have a form that only asif creates.
    pub leftovers_removed: u64,
    /// Leftovers that could not be removed or searched, or that other programs may have written, and folders
    /// in the anchor set that asif did not create and whose pairs cannot be read.
    pub leftovers_kept: Vec<KeptLeftover>,
    /// The result of searching every byte for the pairs and the request afterwards; `None` under
    /// `dry_run`.
    pub search: Option<ByteSearch>,
    /// How many of the pairs were requested, by id or filter.
    pub matched: u64,
    /// Damaged folders that were deleted although their pairs could not be read: embeddings and
    /// uploaded images of these may remain.
    pub unreadable: Vec<PathBuf>,
    /// The hashes of the ids of all pairs that were purged.
    #[serde(skip)]
    pub hashes: Vec<String>,
}

/// A request to purge pairs.
#[derive(Debug, Clone, Copy)]
pub struct PurgeRequest<'a> {
    /// Ids of pairs, which must not be live.
    pub ids: &'a [String],
    /// A filter whose values must not be found afterwards; no live pair may match it.
    pub filter: Option<&'a PairFilter>,
    /// The folder of cached embeddings.
    pub cache: Option<&'a Path>,
    /// Whether rewritten segments get graphs.
    pub graphs: GraphPolicy,
    /// Report what would be done, and change nothing.
    pub dry_run: bool,
}

/// The command, as recorded in the log.
const PURGE: &str = "audit --purge";

/// Checks that the request names a stored pair, a pair in the log, or a skipped
/// row. A mistyped request would delete every older generation and still produce a receipt.
fn request_is_known(
    set: &Path,
    request: &PurgeRequest<'_>,
    stored: &HashSet<String>,
    by_filter: bool,
) -> Result<(), AnchorsError> {
    let mut in_log = HashSet::new();
    for change in history::read(set)? {
        in_log.extend(audit::named(set, &change)?);
    }
    let unknown = |what: String| AnchorsError::NothingToPurge {
        path: set.to_owned(),
        what,
    };
    for id in request.ids {
        let known = stored.contains(id) || in_log.contains(id) || in_log.contains(&alias(id));
        let needles = NeedleSet::of_request(std::slice::from_ref(id), None);
        if !known && !traces::is_listed(set, &needles)? {
            return Err(unknown(format!("the id {id:?}")));
        }
    }
    if let Some(filter) = request.filter.filter(|_| !by_filter)
        && !traces::is_listed(set, &NeedleSet::of_request(&[], Some(filter)))?
    {
        return Err(unknown(filter.to_string()));
    }
    Ok(())
}

/// Deletes the bytes of every pair that is not live: see the module. An interrupted purge is
/// finished by the next one.
///
/// # Errors
/// [`AnchorsError::StillLive`] for a requested pair; when a kept generation, the cache or a file cannot be
/// read, another process is writing, or on an I/O error. [`AnchorsError::PurgeStopped`] once it has begun to
/// delete.
pub fn purge(set: &Path, request: &PurgeRequest<'_>) -> Result<PurgeReport, AnchorsError> {
    let mut steps = PurgeSteps::default();
    take_steps(set, request, &mut steps).map_err(|error| steps.stopped(set, error))
}

fn take_steps(
    set: &Path,
    request: &PurgeRequest<'_>,
    steps: &mut PurgeSteps,
) -> Result<PurgeReport, AnchorsError> {
    let dry_run = request.dry_run;
    // A kept generation is a way back to the pairs.
    let options = WriteOptions { dry_run, keep: 1 };
    let mut writer = SetWriter::begin(set, &options)?;
    let live = writer.live()?;
    // Checked now, because its records are rewritten after much is already deleted.
    log::refuse_unknown(set)?;
    let mut ids = request.ids.to_vec();
    let mut given = Vec::new();
    if let Some(filter) = request.filter {
        let found = find(set, filter)?;
        ids.extend(found.0);
        given = found.1;
    }
    let ids = ids.as_slice();
    let live_ids: HashSet<String> = select::ids(&live)?.into_iter().collect();
    if let Some(id) = ids.iter().find(|id| live_ids.contains(*id)) {
        return Err(AnchorsError::StillLive {
            path: set.to_owned(),
            id: id.clone(),
        });
    }
    let kept = witness::kept(set)?;
    // Before anything is deleted: what identifies the pairs goes with them.
    let mut gone = removed::pairs(set, &live, &kept)?;
    let is_purge = |manifest: &Manifest| {
        let change = manifest.change.as_ref();
        change.is_some_and(|change| change.command == PURGE)
    };
    // After a purge nothing older can be lost, and a killed one has to be finished.
    if !is_purge(live.manifest()) {
        let by_filter = ids.len() > request.ids.len() || !given.is_empty();
        request_is_known(set, request, &gone.ids, by_filter)?;
    }
    gone.needles.add_request(ids, request.filter);
    gone.needles.leave_shared(&live)?;
    // Before the segments are renamed.
    let segments = gone.pairs.iter().map(|(id, _)| id.clone());
    let segments: BTreeSet<String> = segments.filter(|id| !id.contains('/')).collect();
    let unknown_links = elsewhere::unknown_links(set, &segments)?;
    let wanted = gone.ids.iter().chain(ids).cloned().collect();
    let elsewhere = elsewhere::holding(set, &wanted)?;
    let mut used = elsewhere::live_images(set)?;
    used.images.extend(elsewhere::images_of(&live)?);
    let pictures = PurgedPictures::sort(&gone.images, &gone.unread_images, &used);
    writer.mark("find");
    let mut manifest = live.manifest().clone();
    let rewritten = rewrite(&live, &mut manifest, request.graphs, &gone.needles, dry_run)?;
    manifest.tombstones = None;
    // No rollback may lead to a generation that goes when this one is published.
    manifest.parent = None;
    manifest.restored = None;
    writer.mark("rewrite");
    let purged = gone.records.len() as u64;
    let licences = manifest.licences.clone();
    let mut next = NextGeneration {
        manifest,
        tombstones: None,
        command: PURGE,
        detail: format!("the bytes of {purged} removed pairs"),
        source: None,
        moved: (0, 0),
        ids: (Vec::new(), Vec::new()),
    };
    let (mut forgotten, mut log_lines, mut skip_rows, mut uploads) = (0, 0, 0, 0);
    let mut leftovers_removed = 0;
    let mut leftovers_kept: Vec<KeptLeftover> =
        gone.foreign.iter().cloned().map(kept_foreign).collect();
    for file in aside::foreign(set)? {
        if !gone.foreign.contains(&file) {
            leftovers_kept.push(KeptLeftover {
                file,
                why: "asif did not create it: inspect it, and delete it if it is not needed"
                    .to_owned(),
            });
        }
    }
    if !dry_run {
        // First, because after the other steps a second attempt would find fewer keys to delete.
        steps.begin(PurgeStep::Uploads);
        uploads = pictures.delete()?;
        steps.begin(PurgeStep::Cache);
        if let Some(folder) = request.cache {
            forgotten = removed::forget(folder, &gone)?;
        }
        steps.begin(PurgeStep::Beside);
        leftovers_removed = publish::clear_beside(set);
        let (removed, kept) = beside::remove(set, &gone.needles)?;
        leftovers_removed += removed;
        leftovers_kept.extend(kept);
        steps.begin(PurgeStep::Log);
        log_lines = traces::redact(set, &live_ids, &licences, ids, &gone.needles)?;
        steps.begin(PurgeStep::SkipLists);
        let goes = |row: &str| gone.needles.is_in_line(row);
        let segments = &next.manifest.segments;
        next.manifest.counts.skipped = skipped_rows::count_but(set, segments, goes)?;
    }
    // A request may be known only from skipped rows, in a segment or in `damaged/`. These are deleted when the
    // purge is live, after which any request is accepted, and while the older generations, which show what
    // else mentions the pairs, are kept.
    // The log was redacted before: a set that is live afterwards must not name the pairs any more.
    let receipt = writer.publish_then(next, || {
        skip_rows = traces::trim_skip_lists(set, &gone.needles)?;
        steps.begin(PurgeStep::Damaged);
        // Files that a repair moved to `damaged/` may contain the pairs too.
        aside::clear(set)?;
        steps.begin(PurgeStep::Generations);
        Ok(())
    })?;
    let mut search = None;
    if !dry_run {
        steps.begin(PurgeStep::Search);
        let mut folders = vec![set.to_owned()];
        folders.extend(request.cache.map(Path::to_owned));
        folders.extend(pictures.folders.iter().cloned());
        // Bytes are searched, whatever file they are in, so that no format that was forgotten hides one.
        let mut searched = gone.needles.search(&folders)?;
        let (beside, unread) = beside::search(set, &gone.needles);
        searched.join(beside);
        for kept in unread {
            if !leftovers_kept.iter().any(|known| known.file == kept.file) {
                leftovers_kept.push(kept);
            }
        }
        search = Some(searched);
    }
    // For a live id an older image or caption may have been deleted, but not the id itself.
    let deleted = gone.ids.iter().filter(|id| !live_ids.contains(*id));
    let hashes: BTreeSet<String> = deleted.clone().map(|id| alias(id)).collect();
    let asked: HashSet<&String> = ids.iter().collect();
    let matched = deleted.filter(|id| asked.contains(id)).count() as u64;
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
        leftovers_removed,
        leftovers_kept,
        search,
        matched,
        unreadable: gone.unreadable,
        hashes: hashes.into_iter().collect(),
    })
}

/// A folder in the anchor set that no writer created, and whose pairs cannot be read.
fn kept_foreign(file: PathBuf) -> KeptLeftover {
    KeptLeftover {
        file,
        why: "its pairs cannot be read, and asif did not create it: inspect it, and delete it if it is not \
        needed"
            .to_owned(),
    }
}

/// Rewrites each segment that stores removed pairs without them; returns how many. Skipped rows stay
/// listed except those that mention the pairs.
fn rewrite(
    live: &AnchorSet,
    manifest: &mut Manifest,
    graphs: GraphPolicy,
    needles: &NeedleSet,
    dry_run: bool,
) -> Result<u64, AnchorsError> {
    let dims = manifest.dims();
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
        segment.refuse_unknown()?;
        // Damaged vectors must not get a fresh checksum.
        segment.verify()?;
        let mut new = SegmentWriter::create(live.path(), dims)?;
        for local in rows {
            new.push_pair(
                &segment.record(local)?,
                segment.picture(local)?,
                segment.pair_vectors(local),
            )?;
        }
        let mut rows = skipped_rows::rows_of([segment.path()])?;
        rows.retain(|row| !needles.is_in_line(row));
        if !rows.is_empty() {
            skipped_rows::write_rows(new.path(), &rows)?;
        }
        *entry = new.finish(graphs, k)?;
    }
    Ok(rewritten)
}
