//! The deletion receipt: what was deleted, and the proof that nothing of it is left.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ByteSearch, PurgeReport, PurgeRequest, alias};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::history;
use crate::filter::PairFilter;

const FORMAT: &str = "asif deletion receipt 1";
const DRY_RUN: &str = "a dry run: nothing was deleted";
const VERIFIED: &str = "verified: none found";

/// One term of the filter of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestedTerm {
    /// The key.
    pub key: String,
    /// The hash of the value.
    pub value: String,
}

/// The record of a deletion. It names pairs and values by hashes only (`alias`), so that it can be kept
/// and passed on; with the id of a pair one can compute its hash and find it here.
#[derive(Debug, Clone, Serialize)]
pub struct DeletionReceipt {
    /// `asif deletion receipt 1`.
    pub format: &'static str,
    /// The program.
    pub made_by: &'static str,
    /// The operator's reference for the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When the deletion was published, RFC 3339 in UTC.
    pub when: String,
    /// How hashes are computed.
    pub hash: &'static str,
    /// Hashes of the requested ids.
    pub requested_ids: Vec<String>,
    /// The requested filter.
    pub requested_where: Vec<RequestedTerm>,
    /// How many of the deleted pairs were requested, by id or filter; 0 if an earlier purge deleted them.
    pub requested_pairs: u64,
    /// Hashes of the ids of all pairs that were deleted.
    pub ids: Vec<String>,
    /// Pairs whose bytes were deleted.
    pub pairs: u64,
    /// Segments that were rewritten without them.
    pub segments_rewritten: u64,
    /// Records of the log and lines of its lists that were rewritten.
    pub log_lines_rewritten: u64,
    /// Rows deleted from the lists of skipped rows.
    pub skip_rows_removed: u64,
    /// Cached embeddings that were deleted.
    pub embeddings_forgotten: u64,
    /// Uploaded images that were deleted.
    pub uploads_deleted: u64,
    /// Files and folders that killed commands had left beside the anchor set, and that were removed.
    pub leftovers_removed: u64,
    /// Leftovers that could not be removed or searched, or that other programs may have written, and foreign
    /// folders in the anchor set that cannot be read; the command has named them.
    pub leftovers_kept: usize,
    /// Generations that were dropped.
    pub generations_before: Vec<u64>,
    /// The only generation now.
    pub generation_after: u64,
    /// Images of the pairs that asif did not write, or that other pairs use; the command has named them.
    pub pictures_left: usize,
    /// Those of them that could not be read, so they may be uploads to delete.
    pub pictures_unread: usize,
    /// Other anchor sets that contain pairs with these ids, or could not be read; the command has named them.
    pub other_sets: usize,
    /// Those of them that could not be read, or not completely.
    pub other_sets_unread: usize,
    /// Segments with further hard links outside all known anchor sets.
    pub unknown_links: usize,
    /// Damaged folders that were deleted although their pairs could not be read.
    pub unreadable: usize,
    /// `verified: none found`, or what is left to do.
    pub result: String,
    /// Files that were read to the end afterwards.
    pub files_searched: u64,
    /// Their bytes.
    pub bytes_searched: u64,
    /// Byte strings that were searched for.
    pub needles: u64,
    /// Texts that live pairs share, searched for in records only.
    pub shared_with_live_pairs: u64,
    /// Texts too short for the byte search, searched for in records only.
    pub too_short: u64,
    /// Files in which something was found.
    pub files_with_traces: usize,
}

impl DeletionReceipt {
    /// Creates the receipt of a purge. `reference` is copied verbatim.
    pub fn new(
        request: &PurgeRequest<'_>,
        report: &PurgeReport,
        reference: Option<String>,
    ) -> Self {
        let search = report.search.clone().unwrap_or_default();
        Self {
            format: FORMAT,
            made_by: concat!("asif ", env!("CARGO_PKG_VERSION")),
            reference,
            when: report.receipt.change.when.clone(),
            hash: "blake3: and the first 32 hex digits of the BLAKE3 hash of the UTF-8 bytes",
            requested_ids: request.ids.iter().map(|id| alias(id)).collect(),
            requested_where: requested_where(request),
            requested_pairs: report.matched,
            ids: report.hashes.clone(),
            pairs: report.purged,
            segments_rewritten: report.segments_rewritten,
            log_lines_rewritten: report.log_lines_rewritten,
            skip_rows_removed: report.skip_rows_removed,
            embeddings_forgotten: report.embeddings_forgotten,
            uploads_deleted: report.uploads_deleted,
            leftovers_removed: report.leftovers_removed,
            leftovers_kept: report.leftovers_kept.len(),
            generations_before: report.generations_dropped.clone(),
            generation_after: report.receipt.change.generation,
            pictures_left: report.pictures_left.len(),
            pictures_unread: unread_pictures(report),
            other_sets: report.elsewhere.len(),
            other_sets_unread: unread_sets(report),
            unknown_links: report.unknown_links.len(),
            unreadable: report.unreadable.len(),
            result: result(report, &search),
            files_searched: search.files,
            bytes_searched: search.bytes,
            needles: search.needles,
            shared_with_live_pairs: search.shared_with_live_pairs,
            too_short: search.too_short,
            files_with_traces: search.found.len(),
        }
    }

    /// Adds the content of the receipt `text` that this one replaces, which is of an earlier run of the same
    /// request: what that purge deleted, this one could not find any more. A dry run's receipt adds nothing.
    #[must_use]
    pub fn after(mut self, text: &[u8]) -> Self {
        let Some(old) = old_receipt(text).filter(|old| old.result != DRY_RUN) else {
            return self;
        };
        // Sets of hashes: a pair that both runs name is one pair.
        let ids = old.ids.into_iter().chain(self.ids);
        self.ids = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let generations = old.generations_before.into_iter();
        let generations = generations.chain(self.generations_before);
        self.generations_before = generations.collect::<BTreeSet<_>>().into_iter().collect();
        for (count, old) in [
            (&mut self.requested_pairs, old.requested_pairs),
            (&mut self.pairs, old.pairs),
            (&mut self.segments_rewritten, old.segments_rewritten),
            (&mut self.log_lines_rewritten, old.log_lines_rewritten),
            (&mut self.skip_rows_removed, old.skip_rows_removed),
            (&mut self.embeddings_forgotten, old.embeddings_forgotten),
            (&mut self.uploads_deleted, old.uploads_deleted),
            (&mut self.leftovers_removed, old.leftovers_removed),
        ] {
            *count += old;
        }
        // Which images these were is no longer known.
        self.pictures_left = self.pictures_left.max(old.pictures_left);
        self.pictures_unread = self.pictures_unread.max(old.pictures_unread);
        self.unreadable += old.unreadable;
        // This run verified what it could read; an image that an earlier one could not read may still be there.
        if self.is_verified() && self.pictures_unread > 0 {
            self.result = pictures_unread(self.pictures_unread);
        }
        self
    }

    /// Whether every possible trace was checked, and none was found.
    pub fn is_verified(&self) -> bool {
        self.result == VERIFIED
    }

    /// Whether it is a dry run.
    pub fn is_dry_run(&self) -> bool {
        self.result == DRY_RUN
    }
}

/// The filter of a request, its values as hashes.
fn requested_where(request: &PurgeRequest<'_>) -> Vec<RequestedTerm> {
    let terms = request.filter.map(PairFilter::terms).unwrap_or_default();
    terms
        .into_iter()
        .map(|(key, value)| RequestedTerm {
            key,
            value: alias(&value),
        })
        .collect()
}

/// The fields that are read from an existing receipt.
#[derive(Deserialize)]
struct StoredReceipt {
    format: String,
    #[serde(default)]
    reference: Option<String>,
    when: String,
    requested_ids: BTreeSet<String>,
    requested_where: BTreeSet<RequestedTerm>,
    generation_after: u64,
    result: String,
    #[serde(default)]
    ids: Vec<String>,
    #[serde(default)]
    generations_before: Vec<u64>,
    #[serde(default)]
    requested_pairs: u64,
    #[serde(default)]
    pairs: u64,
    #[serde(default)]
    segments_rewritten: u64,
    #[serde(default)]
    log_lines_rewritten: u64,
    #[serde(default)]
    skip_rows_removed: u64,
    #[serde(default)]
    embeddings_forgotten: u64,
    #[serde(default)]
    uploads_deleted: u64,
    #[serde(default)]
    leftovers_removed: u64,
    #[serde(default)]
    pictures_left: usize,
    #[serde(default)]
    pictures_unread: usize,
    #[serde(default)]
    unreadable: usize,
}

fn old_receipt(text: &[u8]) -> Option<StoredReceipt> {
    let old: StoredReceipt = serde_json::from_slice(text).ok()?;
    // The format is compared, so that no other JSON file with these keys is taken for a receipt.
    (old.format == FORMAT).then_some(old)
}

/// Whether this is the text of a receipt.
pub fn is_receipt(text: &[u8]) -> bool {
    old_receipt(text).is_some()
}

/// Why the receipt of `request` must not replace the receipt `text`. It may if `text` is of a
/// dry run, or of the same request to the same anchor set, was incomplete, and is repeated.
///
/// # Errors
/// When the log of the anchor set cannot be read.
pub fn why_kept(
    text: &[u8],
    set: &Path,
    request: &PurgeRequest<'_>,
    reference: Option<&str>,
) -> Result<Option<&'static str>, AnchorsError> {
    let Some(old) = old_receipt(text) else {
        return Ok(Some("is not a receipt"));
    };
    // Nothing was deleted under it, so nothing is lost with it.
    if old.result == DRY_RUN {
        return Ok(None);
    }
    if request.dry_run {
        return Ok(Some("is of a purge, and this is a dry run"));
    }
    let ids: BTreeSet<String> = request.ids.iter().map(|id| alias(id)).collect();
    let terms: BTreeSet<RequestedTerm> = requested_where(request).into_iter().collect();
    let is_same = ids == old.requested_ids && terms == old.requested_where;
    // A receipt without a reference may get one when the purge is repeated.
    let is_called_so = old.reference.is_none() || old.reference.as_deref() == reference;
    if !is_same || !is_called_so {
        return Ok(Some("is of a purge of another request"));
    }
    // A verified receipt is evidence: repeating the purge would replace it by one that found nothing.
    if old.result == VERIFIED {
        return Ok(Some("is of a completed purge"));
    }
    let mut changes = history::read(set)?.into_iter();
    let is_of_set =
        // Number and date together: sets that were copied or built alike have the same numbers.
        changes.any(|change| change.generation == old.generation_after && change.when == old.when);
    Ok((!is_of_set).then_some("is of a purge of another anchor set"))
}

/// Other anchor sets that could not be read completely.
fn unread_sets(report: &PurgeReport) -> usize {
    let others = report.elsewhere.iter();
    others.filter(|other| other.problem.is_some()).count()
}

/// Images that were kept because something could not be read.
fn unread_pictures(report: &PurgeReport) -> usize {
    let left = report.pictures_left.iter();
    left.filter(|picture| picture.unread).count()
}

fn pictures_unread(unread: usize) -> String {
    format!("not verified: {unread} images could not be read, and may be uploads of the pairs")
}

fn result(report: &PurgeReport, search: &ByteSearch) -> String {
    // The first reason in this order is given: what was found, then what may hide more.
    match (&report.search, search.found.len()) {
        (None, _) => DRY_RUN.to_owned(),
        (Some(_), 0) if !report.unreadable.is_empty() => {
            "not verified: pairs of damaged segments could not be read, so the cache may have their embeddings"
                .to_owned()
        }
        (Some(_), 0) if !report.leftovers_kept.is_empty() => {
            let kept = report.leftovers_kept.len();
            format!("not verified: {kept} files or folders were kept that may contain data of the pairs")
        }
        (Some(_), 0) if unread_pictures(report) > 0 => pictures_unread(unread_pictures(report)),
        (Some(_), 0) if unread_sets(report) > 0 => {
            let unread = unread_sets(report);
            format!("not verified: {unread} other anchor sets could not be read, and may contain the pairs")
        }
        (Some(_), 0) => VERIFIED.to_owned(),
        (Some(_), found) => format!("not verified: something was found in {found} files"),
    }
}
