//! Writes the next generation of an anchor set; one writer at a time.
//!
//! ```text
//! begin: lock ─> leftovers of killed writers removed, the log completed
//! publish: ids ─> tombstones ─> manifest ─> opened and checked ─> CURRENT ─> log ─> old ones collected
//! ```
//!
//! Numbers of generations only grow: what a rollback makes live is a new generation with an old
//! one's content, so that the log is the history and a number never means two things.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::garbage;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::change_record;
use crate::anchors::stored::change_record::{ChangeRecord, ChangeSource};
use crate::anchors::stored::content;
use crate::anchors::stored::history;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::{Manifest, TombstonesEntry};
use crate::anchors::stored::newer_program;
use crate::anchors::stored::publish::{self, WriteLock};
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::tombstones::Tombstones;
use crate::disk as fs;

/// The default number of kept generations.
pub const KEEP: usize = 5;

/// Options common to all changes.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Report what would be done, and change nothing.
    pub dry_run: bool,
    /// How many generations are kept, the new one included; at least 1.
    pub keep: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            keep: KEEP,
        }
    }
}

/// The result of a change, or with `dry_run` what it would do.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeReceipt {
    /// The anchor set.
    pub set: PathBuf,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The record, as the log has it.
    #[serde(flatten)]
    pub change: ChangeRecord,
    /// Requested ids that do not exist.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Failures after the change went live: the log and the garbage collection are
    /// completed by the next change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Seconds by phase, and `total`.
    pub seconds: BTreeMap<&'static str, f64>,
}

/// Measures the phases of a change.
#[derive(Debug)]
pub(crate) struct PhaseTimer {
    begun: Instant,
    last: Instant,
    seconds: BTreeMap<&'static str, f64>,
}

impl PhaseTimer {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            last: now,
            seconds: BTreeMap::new(),
        }
    }

    /// Attributes the time since the last mark to `phase`.
    pub(crate) fn mark(&mut self, phase: &'static str) {
        let now = Instant::now();
        *self.seconds.entry(phase).or_default() += (now - self.last).as_secs_f64();
        self.last = now;
    }

    fn end(mut self) -> BTreeMap<&'static str, f64> {
        let total = self.begun.elapsed().as_secs_f64();
        self.seconds.insert("total", total);
        self.seconds
    }
}

/// The next generation, before it is published.
#[derive(Debug)]
pub(crate) struct NextGeneration {
    /// The content; number, dates and record are filled in.
    pub manifest: Manifest,
    /// Removed pairs, where they differ from those the manifest names already.
    pub tombstones: Option<Tombstones>,
    /// The command, as recorded in the log.
    pub command: &'static str,
    /// Its arguments.
    pub detail: String,
    /// The generation that the content was taken from, if any.
    pub source: Option<ChangeSource>,
    /// How many pairs were added and removed.
    pub moved: (u64, u64),
    /// Their ids, where the record has to name them.
    pub ids: (Vec<String>, Vec<String>),
}

/// Exclusive write access to an anchor set.
#[derive(Debug)]
pub(crate) struct SetWriter {
    set: PathBuf,
    options: WriteOptions,
    phases: PhaseTimer,
    _lock: Option<WriteLock>,
}

impl SetWriter {
    /// Takes the lock of `set` (not for a dry run) and cleans up after a killed writer.
    ///
    /// # Errors
    /// [`AnchorsError::Locked`] when another process is writing; [`AnchorsError::UnknownField`] when a newer
    /// program wrote data that a change would lose; when the folder is not an anchor set or the
    /// disk refuses.
    pub(crate) fn begin(set: &Path, options: &WriteOptions) -> Result<Self, AnchorsError> {
        let phases = PhaseTimer::begin();
        // Before the lock, whose file would be created in a folder that is not an anchor set.
        publish::current(set)?;
        let lock = if options.dry_run {
            newer_program::refuse(set, publish::live_number(set)?)?;
            None
        } else {
            let lock = WriteLock::acquire(set)?;
            // Under the lock, so that nobody publishes in between, and before anything is removed.
            newer_program::refuse(set, publish::live_number(set)?)?;
            garbage::sweep(set)?;
            // After the sweep: records are completed from manifests, of which none may be a killed writer's.
            history::reconcile(set)?;
            Some(lock)
        };
        Ok(Self {
            set: set.to_owned(),
            options: options.clone(),
            phases,
            _lock: lock,
        })
    }

    /// The anchor set's folder.
    pub(crate) fn set(&self) -> &Path {
        &self.set
    }

    /// Whether this is a dry run.
    pub(crate) fn dry_run(&self) -> bool {
        self.options.dry_run
    }

    /// The live generation.
    ///
    /// # Errors
    /// As [`AnchorSet::open`].
    pub(crate) fn live(&self) -> Result<AnchorSet, AnchorsError> {
        AnchorSet::open(&self.set)
    }

    /// Attributes the time since the last mark to `phase`.
    pub(crate) fn mark(&mut self, phase: &'static str) {
        self.phases.mark(phase);
    }

    /// Publishes `next` as the live generation and records it; with `dry_run` only reports it.
    ///
    /// # Errors
    /// On an I/O error or what is to be published does not open. The old generation is then
    /// the live one, or, if only the very last fsync failed, possibly the new one.
    pub(crate) fn publish(self, next: NextGeneration) -> Result<ChangeReceipt, AnchorsError> {
        self.publish_then(next, || Ok(()))
    }

    /// As [`publish`](Self::publish), and calls `then` as soon as `next` is live, before the older
    /// generations are collected; not done under `dry_run`.
    ///
    /// # Errors
    /// As [`SetWriter::publish`]; that of `then`, with `next` live and the older generations kept.
    pub(crate) fn publish_then(
        mut self,
        next: NextGeneration,
        then: impl FnOnce() -> Result<(), AnchorsError>,
    ) -> Result<ChangeReceipt, AnchorsError> {
        let live = publish::live_number(&self.set)?;
        let mut receipt = prepare(&self.set, live, next, &self.options)?;
        self.mark("publish");
        if let Some(manifest) = receipt.1.take() {
            publish::publish(&self.set, &manifest)?;
            self.mark("publish");
            // Between publication and collection: what fails here leaves the older generations as evidence.
            then()?;
            receipt.0.warnings = settle(&self.set, &receipt.0.change, self.options.keep);
            self.mark("log and collect");
        }
        receipt.0.seconds = self.phases.end();
        Ok(receipt.0)
    }

    /// A receipt for a change that had nothing to do.
    ///
    /// # Errors
    /// When the live generation cannot be read.
    pub(crate) fn unchanged(
        self,
        command: &'static str,
        detail: &str,
    ) -> Result<ChangeReceipt, AnchorsError> {
        let live = Manifest::read(&self.set, &publish::current(&self.set)?)?;
        let change = ChangeRecord {
            generation: live.generation,
            when: live.created,
            command: command.to_owned(),
            detail: detail.to_owned(),
            pairs_before: live.counts.pairs,
            pairs_after: live.counts.pairs,
            licences_before: live.licences.clone(),
            licences_after: live.licences,
            ..ChangeRecord::default()
        };
        Ok(ChangeReceipt {
            set: self.set,
            dry_run: self.options.dry_run,
            change,
            missing: Vec::new(),
            warnings: Vec::new(),
            seconds: self.phases.end(),
        })
    }
}

/// Publishes the first generation of an anchor set that is staged in `folder`.
pub(crate) fn publish_first(folder: &Path, next: NextGeneration) -> Result<(), AnchorsError> {
    let options = WriteOptions::default();
    if let (receipt, Some(manifest)) = prepare(folder, 0, next, &options)? {
        publish::publish(folder, &manifest)?;
        history::append(folder, &receipt.change, Some(options.keep as u64))?;
    }
    Ok(())
}

/// Writes all files that the generation after `last` needs besides its manifest, and completes that; 0 where
/// there is none before it.
fn prepare(
    set: &Path,
    last: u64,
    next: NextGeneration,
    options: &WriteOptions,
) -> Result<(ChangeReceipt, Option<Manifest>), AnchorsError> {
    let (pairs_before, licences_before) = match last {
        0 => (0, BTreeMap::new()),
        last => history::pairs_before(set, last)?,
    };
    let mut manifest = next.manifest;
    manifest.generation = last + 1;
    manifest.created = crate::clock::timestamp();
    manifest.made_by = concat!("asif ", env!("CARGO_PKG_VERSION")).to_owned();
    let mut change = ChangeRecord {
        generation: manifest.generation,
        when: manifest.created.clone(),
        command: next.command.to_owned(),
        detail: next.detail,
        pairs_before,
        pairs_after: manifest.counts.pairs,
        added: next.moved.0,
        removed: next.moved.1,
        source_generation: next.source.as_ref().map(|source| source.generation),
        source_set: next.source.and_then(|source| source.set),
        licences_before,
        licences_after: manifest.licences.clone(),
        ..ChangeRecord::default()
    };
    let receipt = |change| ChangeReceipt {
        set: set.to_owned(),
        dry_run: options.dry_run,
        change,
        missing: Vec::new(),
        warnings: Vec::new(),
        seconds: BTreeMap::new(),
    };
    if options.dry_run {
        (change.added_ids, change.removed_ids) = next.ids;
        change.added_ids.truncate(change_record::INLINE_IDS);
        change.removed_ids.truncate(change_record::INLINE_IDS);
        return Ok((receipt(change), None));
    }
    fs::create_dir_all(&layout::generations_folder(set))?;
    // The list of ids is named by the manifest's record, so it has to be durable before the manifest.
    change.note_ids(set, &next.ids.0, &next.ids.1)?;
    if let Some(tombstones) = next.tombstones {
        manifest.tombstones = None;
        if tombstones.count() > 0 {
            let name = layout::generation_name(manifest.generation);
            let file = format!("{name}{}", layout::TOMBSTONES);
            tombstones.write(&layout::generations_folder(set).join(&file))?;
            manifest.tombstones = Some(TombstonesEntry {
                checksum: Some(content::header(
                    &layout::generations_folder(set).join(&file),
                )?),
                file,
                removed: tombstones.count(),
            });
        }
    }
    // An older program named no files: those that are named now must be the segment's own.
    for entry in manifest.segments.iter_mut().filter(|e| e.files.is_empty()) {
        let segment =
            Segment::open_alone(&layout::segments_folder(set).join(&entry.id), entry.pairs)?;
        if segment.content_name()? == entry.id {
            entry.files = content::files(segment.path())?;
        }
    }
    manifest.change = Some(change.clone());
    // Opened as a reader would before anything names it: what does not open must not go live.
    AnchorSet::from_manifest(set, manifest.clone())?;
    Ok((receipt(change), Some(manifest)))
}

/// The remaining steps once a generation is live. They are not part of the change itself, so
/// failures are returned as warnings; the next writer completes them.
fn settle(set: &Path, change: &ChangeRecord, keep: usize) -> Vec<String> {
    // Records missing from the log are in the manifests, which must not be removed before they are logged.
    let logged = history::append(set, change, Some(keep as u64));
    let settled = logged.and_then(|()| garbage::collect(set, keep));
    settled
        .err()
        .map(|error| error.to_string())
        .into_iter()
        .collect()
}
