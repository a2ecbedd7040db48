//! Repair of a damaged anchor set.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use serde::Serialize;

use super::check::{IntegrityFinding, is_no_file, verify};
use super::log_repair;
use super::rebuild::rebuild;
use super::removals::{self, RemovedSince};
use super::{aside, sound, thumbnail_repair, tombstone_repair};
use crate::anchors::change::garbage;
use crate::anchors::change::recover;
use crate::anchors::change::swap::give_up;
use crate::anchors::change::writer::{KEEP, WriteOptions};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::layout;
use crate::anchors::stored::layout::LOCK;
use crate::anchors::stored::manifest::{self, Manifest};
use crate::anchors::stored::publish::WriteLock;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::skipped_rows;
use crate::anchors::stored::thumbnails::thumbnails_sound;
use crate::anchors::stored::{log, newer_program, witness};
use crate::disk as fs;
use crate::embed::{Embedder, WorkControl};
use crate::printable;

/// The result of a repair.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RepairReport {
    /// Problems that were fixed.
    pub mended: Vec<String>,
    /// Problems that could not be fixed.
    pub left: Vec<IntegrityFinding>,
    /// The generation that is live now.
    pub generation: u64,
    /// The ids of pairs of the generation that it went back to that were removed later, and stay removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stay_removed: Vec<String>,
    /// Abandoned generations whose removals are unknown: such pairs may
    /// be live again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removals_unknown: Vec<u64>,
}

/// Rebuilds what can be rebuilt from what is intact.
///
/// * a segment that a killed writer left whole under a hidden name gets its name again;
/// * files of removed pairs from the log;
/// * graphs, codes and sums of a segment from its records and vectors;
/// * thumbnails from the images that the records name, where these can be read;
/// * vectors from the images and captions that the records name, through `encoders`, which is
///   called only then;
/// * the log from the manifests; a record that is in neither is replaced by one that says so;
/// * `CURRENT` from the newest generation that was published.
///
/// A rebuilt segment counts only if it has the name of the old one, which is a hash of all records and
/// vectors: it equals the old one bit for bit, or it is rejected. Records and manifests have no second
/// source; a generation that lost one, or whose fitted space fails, is abandoned: a live one for the newest
/// sound one, without the pairs that were removed after it. Abandoned files are not deleted: they are moved
/// to `damaged/` in the anchor set.
///
/// # Errors
/// When the folder is not an anchor set, another process is writing, no generation is sound in the end, or the system
/// denies access to a file: an unreadable file is not taken for damaged, so nothing is abandoned
/// for it.
pub fn repair<Error: From<AnchorsError>>(
    set: &Path,
    dry_run: bool,
    encoders: impl Fn(&Manifest) -> Result<Embedder, Error>,
    watch: WorkControl<'_>,
) -> Result<RepairReport, Error> {
    let mut done = RepairReport::default();
    let witness = witness::look(set)?;
    let newest = witness.newest;
    if newest == 0 {
        witness.current?;
        return Ok(done);
    }
    done.generation = newest;
    if dry_run {
        done.left = verify(set, true)?;
        return Ok(done);
    }
    let path = set.join(LOCK);
    if is_no_file(&path)? {
        aside::put(set, set, LOCK)?;
        done.mended.push(format!("{LOCK} is a file again"));
    }
    let lock = WriteLock::acquire(set)?;
    // Before anything is written: rewriting would lose what a newer program stored.
    newer_program::refuse(set, newest)?;
    log::refuse_unknown(set)?;
    // A killed repair may have renamed files without syncing.
    aside::sync(set)?;
    let given = recover::segments(set)?.into_iter();
    done.mended
        .extend(given.map(|id| {
            format!("segment {id}: a whole copy under a hidden name has its name again")
        }));
    let mut looked_at = HashSet::new();
    let mut damaged = HashSet::new();
    let mut unfinished = None;
    for &generation in &witness.published {
        let Some(manifest) = if_whole(Manifest::read(set, &layout::generation_name(generation)))?
        else {
            continue;
        };
        for entry in &manifest.segments {
            // Generations share segments, and reading them is what a repair takes its time for.
            if !looked_at.insert(entry.id.clone()) {
                continue;
            }
            let opened = Segment::open(set, entry, &manifest);
            if let Err(damage) = opened.and_then(|s| s.is_own(entry)) {
                let damage = damage.into_damage()?;
                let what = format!("segment {}: {}", entry.id, damage.without_advice());
                match rebuild(set, entry, &manifest, &encoders, watch) {
                    Ok(true) => done.mended.push(what),
                    Ok(false) => {
                        damaged.insert(entry.id.clone());
                        continue;
                    }
                    // It may be repairable once the cause is fixed (an encoder is missing, the disk is
                    // full): nothing is abandoned for it, and repairs without an encoder continue.
                    Err(error) => {
                        unfinished.get_or_insert(error);
                        continue;
                    }
                }
            }
            let segment = Segment::open(set, entry, &manifest)?;
            if let Err(damage) = skipped_rows::skipped_sound(segment.path(), entry) {
                let damage = damage.into_damage()?.without_advice();
                mend_skipped(set, segment.path())?;
                done.mended
                    .push(format!("{damage}: what can be read of it is kept"));
            } else {
                // A killed repair may have written it without syncing.
                fs::sync_folder(segment.path()).map_err(AnchorsError::from)?;
            }
            if let Err(damage) = thumbnails_sound(segment.path(), entry, true) {
                let damage = damage.into_damage()?.without_advice();
                let made = thumbnail_repair::mend(set, &segment)?;
                done.mended.push(made.told(&damage));
            }
        }
    }
    // The sources of completed segments are no longer needed.
    recover::segments(set)?;
    done.mended
        .extend(tombstone_repair::repair(set, &witness.published)?);
    let flaw = |n: u64| flaw(set, n, &damaged);
    let mut sound = Vec::new();
    let mut lost = BTreeSet::new();
    for &n in &witness.published {
        match (flaw(n)?, sound.first()) {
            (None, _) => sound.push(n),
            // A generation newer than the good one is abandoned once that is live.
            (Some(what), Some(_)) if unfinished.is_none() => {
                done.mended.push(format!(
                    "generation {n} is abandoned, its files are in damaged/: {what}"
                ));
                lost.insert(n);
            }
            _ => {}
        }
    }
    let good = sound.first().copied();
    let is_lost = good != Some(newest) || !lost.is_empty() || log::lacks_manifest(set)?;
    if unfinished.is_none() && is_lost {
        // While the log says that a manifest is missing, nothing collects the segments it named.
        give_up_generations(set, &lost)?;
    }
    done.mended.extend(log_repair::repair(set, newest)?);
    // Later checks compare with it.
    done.mended.extend(log_repair::note_lost(set, newest)?);
    if let Err(error) = witness.current {
        done.mended.push(format!(
            "{}; now it names generation {newest}",
            error.without_advice()
        ));
        let manifest = if_whole(Manifest::read(set, &layout::generation_name(newest)))?;
        let checksum = manifest.map(|manifest| manifest.checksum);
        let line = witness::line(&layout::generation_name(newest), checksum.as_deref());
        let path = set.join(layout::CURRENT);
        if fs::has_folder(&path).map_err(AnchorsError::from)? {
            aside::put(set, set, layout::CURRENT)?;
        }
        fs::write_atomically(&path, line.as_bytes()).map_err(AnchorsError::from)?;
    }
    // `go_back` publishes as any change does, and takes the lock itself.
    drop(lock);
    // A repair collects no generation: the next change does.
    let keep = KEEP.max(witness.published.len() + 1);
    if good.is_some_and(|good| good != newest) && unfinished.is_none() {
        go_back(set, &sound, keep, &mut done)?;
    }
    // A repair that went back may have been interrupted here.
    if let Some(good) = restored_by_repair(set, done.generation)?.filter(|_| unfinished.is_none()) {
        let mut given_up = BTreeSet::new();
        for n in good + 1..done.generation {
            if flaw(n)?.is_some() {
                given_up.insert(n);
            }
        }
        if !given_up.is_empty() {
            let _lock = WriteLock::acquire(set)?;
            give_up_generations(set, &given_up)?;
            garbage::collect(set, keep)?;
        }
    }
    done.left = verify(set, true)?;
    if let Some(error) = unfinished {
        return Err(error);
    }
    // Opened as its users will open it, for a repair must not report success of a set that does not answer.
    if let Err(error) = AnchorSet::open(set) {
        let what = error.into_damage()?.without_advice();
        let set = set.to_owned();
        return Err(AnchorsError::BeyondRepair { set, what }.into());
    }
    Ok(done)
}

/// Makes the newest of these sound generations live in which a pair is left that was not removed later:
/// what was removed stays removed.
///
/// # Errors
/// When there is none, another process is writing, or on an I/O error.
fn go_back(
    set: &Path,
    sound: &[u64],
    keep: usize,
    done: &mut RepairReport,
) -> Result<(), AnchorsError> {
    let options = WriteOptions {
        keep,
        ..WriteOptions::default()
    };
    let newest = done.generation;
    for &good in sound {
        let mut since = RemovedSince::default();
        let given_up = give_up(set, good, &options, |chosen, newest| {
            since = removals::since(chosen, newest)?;
            Ok((since.rows.clone(), since.detail()))
        });
        match given_up {
            // Numbers only grow: going back is one more generation.
            Ok(receipt) => done.generation = receipt.change.generation,
            Err(AnchorsError::WouldBeEmpty { .. }) => continue,
            Err(error) => return Err(error),
        }
        done.mended
            .push(format!("generation {newest} is abandoned for {good}"));
        if !since.ids.is_empty() {
            let ids = printable::first_of(&since.ids, 20, ", ");
            done.mended.push(format!(
                "pairs of generation {good} that were removed later stay removed: {ids}"
            ));
        }
        done.stay_removed = since.ids;
        done.removals_unknown = since.unknown;
        return Ok(());
    }
    Err(AnchorsError::BeyondRepair {
        set: set.to_owned(),
        what: format!(
            "generation {newest} cannot be repaired, and all pairs of earlier generations were removed later"
        ),
    })
}

/// Why a generation is damaged, if it is.
///
/// # Errors
/// When the operating system denies reading it.
fn flaw(
    set: &Path,
    generation: u64,
    damaged: &HashSet<String>,
) -> Result<Option<String>, AnchorsError> {
    let look = || {
        let manifest = Manifest::read(set, &layout::generation_name(generation))?;
        if let Some(entry) = manifest.segments.iter().find(|s| damaged.contains(&s.id)) {
            return Err(AnchorsError::Damaged {
                path: layout::segments_folder(set).join(&entry.id),
                what: "it cannot be rebuilt".to_owned(),
            });
        }
        sound::generation(set, generation, false)
    };
    match look() {
        Ok(()) => Ok(None),
        Err(error) => Ok(Some(error.into_damage()?.without_advice())),
    }
}

/// The generation whose content this one repeats, if a repair made it.
fn restored_by_repair(set: &Path, generation: u64) -> Result<Option<u64>, AnchorsError> {
    let Some(manifest) = if_whole(Manifest::read(set, &layout::generation_name(generation)))?
    else {
        return Ok(None);
    };
    let by_repair = manifest.change.is_some_and(|c| c.command == "repair");
    Ok(manifest.restored.filter(|_| by_repair))
}

/// Removes damaged generations from the kept ones: a rollback could not restore
/// them, and while a manifest is unreadable no file is ever garbage-collected. Their files, and
/// the segments that no other manifest names, are moved, so that what is intact is not lost.
fn give_up_generations(set: &Path, given_up: &BTreeSet<u64>) -> Result<(), AnchorsError> {
    let generations = layout::generations_folder(set);
    let mut used = HashSet::new();
    let mut all_read = true;
    let there = manifest::list(set)?;
    for &n in &there {
        if given_up.contains(&n) {
            continue;
        }
        match if_whole(Manifest::read(set, &layout::generation_name(n)))? {
            Some(manifest) => {
                used.extend(manifest.segments.into_iter().map(|s| s.id));
                used.extend(manifest.tombstones.map(|t| t.file));
            }
            None => all_read = false,
        }
    }
    // Segments first: while a manifest that cannot be read is there, nobody collects them.
    let segments = layout::segments_folder(set);
    for name in fs::names(&segments)? {
        if all_read && !used.contains(&name) && layout::is_segment_name(&name) {
            aside::put(set, &segments, &name)?;
        }
    }
    for name in fs::names(&generations)? {
        let (stem, ending) = name.split_at(name.find('.').unwrap_or(name.len()));
        let number = layout::generation_number(stem);
        // One of a generation whose manifest is gone would be deleted by the next change.
        let lone = |n| all_read && !there.contains(&n);
        let of = number.is_some_and(|n| given_up.contains(&n) || lone(n));
        if of && !used.contains(&name) && [".json", layout::TOMBSTONES].contains(&ending) {
            aside::put(set, &generations, &name)?;
        }
    }
    Ok(())
}

/// Writes what is left of a damaged list of rows, and a row that says so. The damaged list is kept in
/// `damaged/`.
///
/// # Errors
/// On an I/O error.
fn mend_skipped(set: &Path, folder: &Path) -> Result<(), AnchorsError> {
    let path = folder.join(layout::SKIPPED);
    let mut rows = skipped_rows::readable_rows(&path)?;
    if !rows.contains(&skipped_rows::lost_row()) {
        rows.push(skipped_rows::lost_row());
    }
    aside::keep(set, folder, layout::SKIPPED)?;
    skipped_rows::write_rows(folder, &rows)
}
