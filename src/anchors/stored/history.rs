//! The history of an anchor set: one record per generation, in a human-readable log.
//!
//! ```text
//! log/changes.jsonl        one JSON object per line, oldest first
//! log/g000042.ids.jsonl    the ids of a change, one object a line, where there are many
//! ```
//!
//! The record of a change is part of its manifest, so it takes effect in the moment in which
//! `CURRENT` names that manifest. The log is written after that: it never records what did not
//! happen, and records missing after a crash are added by the next writer and by every reader. Format,
//! checksums and repair of its lines are in `log`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::change_record::ChangeRecord;
use super::layout;
use super::manifest::Manifest;
use super::witness;
use super::{log, publish};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;

/// Every change that led to the live generation, oldest first.
///
/// # Errors
/// When the folder is not an anchor set, or a whole line of the log is not a record or is damaged.
pub fn read(set: &Path) -> Result<Vec<ChangeRecord>, AnchorsError> {
    let mut changes = logged(set)?;
    changes.extend(missing(set, &changes)?);
    // Records from manifests may belong between those of a damaged log.
    changes.sort_by_key(|c| c.generation);
    Ok(changes)
}

/// As [`read`], as far as a damaged log, manifest or `CURRENT` lets it be read.
///
/// # Errors
/// When the operating system denies reading them.
pub fn readable(set: &Path) -> Result<Vec<ChangeRecord>, AnchorsError> {
    let (lines, _) = log::read(set)?;
    // Findings are dropped here: this reader takes what is readable, `verify` tells the rest.
    let mut changes: Vec<ChangeRecord> = lines.into_iter().map(|line| line.change).collect();
    let (kept, _) = witness::kept_or_published(set)?;
    changes.extend(missing_of(set, &changes, kept)?);
    changes.sort_by_key(|c| c.generation);
    Ok(changes)
}

/// Adds records that the log lacks after a crash.
///
/// # Errors
/// When the log cannot be read or written.
pub(crate) fn reconcile(set: &Path) -> Result<(), AnchorsError> {
    // Without a number of kept generations: the change that had one was not written.
    for change in missing(set, &logged(set)?)? {
        append(set, &change, None)?;
    }
    Ok(())
}

/// The whole lines of the log.
fn logged(set: &Path) -> Result<Vec<ChangeRecord>, AnchorsError> {
    let (lines, findings) = log::read(set)?;
    match findings.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(lines.into_iter().map(|line| line.change).collect()),
    }
}

/// The changes of published generations that the log lacks.
fn missing(set: &Path, logged: &[ChangeRecord]) -> Result<Vec<ChangeRecord>, AnchorsError> {
    missing_of(set, logged, witness::kept(set)?)
}

/// The same of given generations.
fn missing_of(
    set: &Path,
    logged: &[ChangeRecord],
    kept: Vec<u64>,
) -> Result<Vec<ChangeRecord>, AnchorsError> {
    let known: BTreeSet<u64> = logged.iter().map(|c| c.generation).collect();
    let lacking = kept.into_iter().filter(|n| !known.contains(n));
    // A manifest that cannot be read is damage that `verify` reports; its record is lost with it.
    let mut changes = Vec::new();
    for generation in lacking {
        let manifest = if_whole(Manifest::read(set, &layout::generation_name(generation)))?;
        changes.extend(manifest.and_then(|manifest| manifest.change));
    }
    Ok(changes)
}

/// Appends a record, durably. `keep` is how many generations are kept from then on.
///
/// # Errors
/// On an I/O error.
pub(crate) fn append(
    set: &Path,
    change: &ChangeRecord,
    keep: Option<u64>,
) -> Result<(), AnchorsError> {
    let path = layout::log_path(set);
    let line = log::line(change, keep).map_err(|reason| AnchorsError::Manifest {
        path: path.clone(),
        reason,
    })?;
    fs::create_dir_all(&layout::log_folder(set))?;
    Ok(fs::append_line(&path, &line)?)
}

/// Rewrites the log with these records; the recorded numbers of kept generations are preserved.
///
/// # Errors
/// On an I/O error.
pub(crate) fn replace(set: &Path, changes: &[ChangeRecord]) -> Result<(), AnchorsError> {
    let (old, _) = log::read(set)?;
    let keep = |n: u64| old.iter().find(|l| l.change.generation == n)?.keep;
    let lines = changes.iter().map(|change| log::LogLine {
        keep: keep(change.generation),
        // Every rewritten line gets a checksum, also those of older programs.
        change: change.clone(),
        checked: true,
        unknown: Vec::new(),
    });
    log::write(set, &lines.collect::<Vec<_>>())
}

/// The number of pairs, and of these by licence.
pub(crate) type PairCounts = (u64, BTreeMap<String, u64>);

/// The pairs of a generation, and these by licence: from its manifest, or from the log where that cannot
/// be read. `None` where neither has them.
///
/// # Errors
/// When the operating system denies reading them.
pub(crate) fn pairs_of(set: &Path, generation: u64) -> Result<Option<PairCounts>, AnchorsError> {
    if let Some(manifest) = if_whole(Manifest::read(set, &layout::generation_name(generation)))? {
        return Ok(Some((manifest.counts.pairs, manifest.licences)));
    }
    let (lines, _) = log::read(set)?;
    let mut changes = lines.into_iter().map(|line| line.change);
    let change = changes.find(|change| change.generation == generation);
    Ok(change.map(|change| (change.pairs_after, change.licences_after)))
}

/// The same for the generation before a change, which must be known.
///
/// # Errors
/// [`AnchorsError::NeedsRepair`] when neither tells.
pub(crate) fn pairs_before(set: &Path, generation: u64) -> Result<PairCounts, AnchorsError> {
    pairs_of(set, generation)?.ok_or_else(|| AnchorsError::NeedsRepair {
        path: layout::log_path(set),
        set: set.to_owned(),
        what: format!(
            "it lacks the record of generation {generation}, whose manifest cannot be read"
        ),
    })
}

/// Removes lists of ids of generations after the live one: a writer was killed before they counted.
pub(crate) fn sweep(set: &Path) -> Result<(), AnchorsError> {
    let live = publish::live_number(set)?;
    let folder = layout::log_folder(set);
    for name in fs::names(&folder)? {
        let number = name
            .strip_suffix(".ids.jsonl")
            .and_then(layout::generation_number);
        // Their numbers will be used again, by a change with other ids.
        if number.is_some_and(|n| n > live) {
            fs::remove_file(&folder.join(name))?;
        }
    }
    Ok(fs::sweep_hidden(&folder, layout::in_log)?)
}
