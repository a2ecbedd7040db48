//! Makes other content live: an older generation's, or another anchor set's.

use std::path::Path;

use super::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::change_record::{ChangeRecord, ChangeSource};
use crate::anchors::stored::history;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::{Manifest, SegmentEntry};
use crate::anchors::stored::newer_program;
use crate::anchors::stored::publish;
use crate::anchors::stored::segment::{self, Segment};
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::skipped_rows;
use crate::anchors::stored::tombstones::Tombstones;
use crate::anchors::stored::witness;
use crate::disk as fs;

/// The source of the content.
#[derive(Debug, Clone, Copy)]
pub enum SwapTarget<'a> {
    /// The parent of the live generation.
    Previous,
    /// A kept generation.
    Generation(u64),
    /// The live generation of another anchor set; its segments are hard-linked, or copied where that fails.
    Set(&'a Path),
}

/// Publishes a new generation with the content of another.
///
/// The number is new, because the log is a history: a swap or rollback is one more event in it.
/// Rolled back twice, an anchor set is two changes back, not where it began.
///
/// # Errors
/// When the target does not exist or cannot be opened, another process is writing, or on an I/O error. A live
/// generation may be damaged.
pub fn swap(
    set: &Path,
    target: SwapTarget<'_>,
    options: &WriteOptions,
) -> Result<ChangeReceipt, AnchorsError> {
    let writer = SetWriter::begin(set, options)?;
    let current = publish::live_number(set)?;
    match target {
        // The parent is that of the restored generation, so a second rollback goes one change further back.
        SwapTarget::Previous => {
            let live = if_whole(Manifest::read(set, &layout::generation_name(current)))?;
            let generation = previous(set, live.as_ref(), current)?;
            restore(writer, generation, "rollback", |parent| parent)
        }
        // A swap is undone by a rollback.
        SwapTarget::Generation(generation) => {
            restore(writer, generation, "swap", |_| Some(current))
        }
        SwapTarget::Set(other) => from_set(writer, other, current),
    }
}

/// Publishes the content of `good` in place of a live generation that cannot be repaired. A
/// rollback afterwards goes to the parent of `good`.
///
/// `without` gets `good` and the number of the live generation, and returns which rows of `good` are no
/// longer live and a note on that for the record.
///
/// # Errors
/// [`AnchorsError::WouldBeEmpty`] when no row is left; as [`swap`] otherwise.
pub(crate) fn give_up(
    set: &Path,
    good: u64,
    options: &WriteOptions,
    without: impl FnOnce(&AnchorSet, u64) -> Result<(Vec<usize>, String), AnchorsError>,
) -> Result<ChangeReceipt, AnchorsError> {
    let mut writer = SetWriter::begin(set, options)?;
    let chosen = AnchorSet::open_generation(set, good)?;
    let current = publish::live_number(set)?;
    let (rows, said) = without(&chosen, current)?;
    let left = chosen.remaining(&rows)?;
    if left.manifest.counts.pairs == 0 {
        return Err(AnchorsError::WouldBeEmpty {
            path: set.to_owned(),
        });
    }
    writer.mark("open");
    let mut next = restored(set, current, &chosen, "repair", |parent| parent)?;
    next.detail.push_str(&said);
    if !left.removed.is_empty() {
        next.manifest = Manifest {
            parent: next.manifest.parent,
            restored: next.manifest.restored,
            ..left.manifest
        };
        next.tombstones = Some(left.tombstones);
        next.moved = moved(set, current, &next.manifest)?;
    }
    writer.publish(next)
}

/// Publishes the content of a kept generation; `parent` maps the old generation's parent to the new one's.
fn restore(
    mut writer: SetWriter,
    generation: u64,
    command: &'static str,
    parent: impl FnOnce(Option<u64>) -> Option<u64>,
) -> Result<ChangeReceipt, AnchorsError> {
    let chosen = AnchorSet::open_generation(writer.set(), generation)?;
    writer.mark("open");
    let current = publish::live_number(writer.set())?;
    let next = restored(writer.set(), current, &chosen, command, parent)?;
    writer.publish(next)
}

/// The generation after `current` with the content of `chosen`.
fn restored(
    set: &Path,
    current: u64,
    chosen: &AnchorSet,
    command: &'static str,
    parent: impl FnOnce(Option<u64>) -> Option<u64>,
) -> Result<NextGeneration, AnchorsError> {
    let mut manifest = chosen.manifest().clone();
    let generation = manifest.generation;
    // The first source stays through several restores, for it is what the content really is of.
    manifest.restored = Some(manifest.restored.unwrap_or(generation));
    manifest.parent = parent(manifest.parent);
    let source = ChangeSource {
        generation,
        set: None,
    };
    Ok(NextGeneration {
        moved: moved(set, current, &manifest)?,
        manifest,
        tombstones: None,
        command,
        detail: ChangeRecord::detail_of(&source),
        source: Some(source),
        ids: (Vec::new(), Vec::new()),
    })
}

fn previous(set: &Path, live: Option<&Manifest>, current: u64) -> Result<u64, AnchorsError> {
    let kept = witness::kept(set)?;
    let wanted = match live {
        Some(live) => live.parent,
        // A damaged manifest does not tell its parent.
        None => kept.iter().rev().copied().find(|&n| n < current),
    };
    wanted.ok_or_else(|| AnchorsError::NoGeneration {
        path: set.to_owned(),
        wanted: format!("a generation before {current}"),
        kept: kept
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    })
}

fn from_set(
    mut writer: SetWriter,
    other: &Path,
    current: u64,
) -> Result<ChangeReceipt, AnchorsError> {
    let set = writer.set().to_owned();
    // Read as a reader would: what does not open must not be brought here.
    let theirs = AnchorSet::open(other)?;
    newer_program::refuse(other, theirs.manifest().generation)?;
    writer.mark("open");
    let mut manifest = theirs.manifest().clone();
    let tombstones = manifest
        .tombstones_path(other)?
        .map(|file| Tombstones::read(&file, &manifest.segments, manifest.dims()))
        .transpose()?;
    if !writer.dry_run() {
        for (segment, entry) in theirs.segments().iter().zip(&manifest.segments) {
            bring(&set, segment, entry)?;
        }
        // A segment that both have keeps its own list of skipped rows.
        manifest.counts.skipped = skipped_rows::count(&set, &manifest.segments)?;
    }
    writer.mark("link");
    manifest.parent = Some(current);
    manifest.restored = None;
    let moved = moved(&set, current, &manifest)?;
    let other = fs_err::canonicalize(other)?;
    let source = ChangeSource {
        generation: manifest.generation,
        set: Some(other.display().to_string()),
    };
    manifest.tombstones = None;
    writer.publish(NextGeneration {
        // Brought along as bits of their own, since the other set's file is not in this folder.
        tombstones,
        manifest,
        command: "swap",
        detail: ChangeRecord::detail_of(&source),
        source: Some(source),
        moved,
        ids: (Vec::new(), Vec::new()),
    })
}

/// Imports a segment of another anchor set into `set`.
fn bring(set: &Path, segment: &Segment, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let folder = layout::segments_folder(set);
    let destination = folder.join(&entry.id);
    fs::create_dir_all(&folder)?;
    if segment::is_whole(&destination, entry)? {
        // Its writer may have been killed before syncing the name.
        return Ok(fs::sync_folder(&folder)?);
    }
    fs::step(&folder)?;
    let hidden = tempfile::Builder::new()
        .prefix(layout::BRINGING)
        .tempdir_in(&folder)?;
    for file in fs::names(segment.path())? {
        // A writer of the other set may be replacing a file of this one.
        if !file.starts_with(fs::HIDDEN) {
            fs::link_or_copy(&segment.path().join(&file), &hidden.path().join(&file))?;
        }
    }
    // Durable before it gets its name, as every segment.
    fs::sync_folder(hidden.path())?;
    Ok(fs::publish_folder(&hidden.keep(), &destination)?)
}

/// How many pairs were added and removed, by counts only; `asif diff` compares ids.
fn moved(set: &Path, before: u64, after: &Manifest) -> Result<(u64, u64), AnchorsError> {
    let (before, _) = history::pairs_before(set, before)?;
    let after = after.counts.pairs;
    Ok((after.saturating_sub(before), before.saturating_sub(after)))
}
