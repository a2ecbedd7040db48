//! Adds pairs as a small segment of their own, live as soon as they are encoded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::build::{ALREADY, BuildOptions, BuildRun, EXAMPLES, SkippedRow};
use super::incoming::IncomingPairs;
use super::live_ids::LiveIds;
use super::selection::{IncomingSelection, SelectionCounts};
use super::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::SegmentEntry;
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::skipped_rows;
use crate::embed::{Embedder, WorkControl};
use crate::pairs::{Pair, PairOptions, PairsError, RowError};

/// Options for adding pairs.
#[derive(Debug, Clone)]
pub struct AddOptions {
    /// The anchor set.
    pub set: PathBuf,
    /// Files and folders of pairs, in order; for pairs in memory, the name of the source
    /// in the log.
    pub pairs: Vec<PathBuf>,
    /// Which pairs of the sources are taken.
    pub selection: IncomingSelection,
    /// How they are read.
    pub reading: PairOptions,
    /// Whether the first bad row is an error.
    pub strict: bool,
    /// Whether a small picture of each pair is kept.
    pub thumbnails: bool,
    /// Whether the new segment gets graphs.
    pub graphs: GraphPolicy,
    /// Whether to accept other encoders whose canary embeddings agree with the recorded ones.
    pub accept_encoder: bool,
}

/// The result of adding pairs.
#[derive(Debug, Clone, Serialize)]
pub struct AddReport {
    /// The record.
    #[serde(flatten)]
    pub receipt: ChangeReceipt,
    /// The number of skipped rows.
    pub skipped: u64,
    /// Skipped rows by kind of reason.
    pub skipped_by_reason: BTreeMap<String, u64>,
    /// The first skipped rows.
    pub skipped_examples: Vec<SkippedRow>,
    /// The list of all skipped rows, if there are any.
    pub skipped_list: Option<PathBuf>,
    /// Pairs that the selection did not take.
    #[serde(skip_serializing_if = "SelectionCounts::is_all")]
    pub not_taken: SelectionCounts,
    /// Cache hits: embeddings that were not computed.
    pub from_cache: u64,
}

/// Adds pairs to an anchor set. A row with the id of a live pair is skipped.
///
/// `encoders` is called only when something has to be encoded, never in a dry run.
///
/// # Errors
/// When no row can be used, the encoders differ from the anchor set's, another process is writing, or the
/// disk refuses. Computed embeddings stay in the cache.
pub fn add<E: std::ops::Deref<Target = Embedder>, Error: From<AnchorsError>>(
    options: &AddOptions,
    write: &WriteOptions,
    encoders: impl FnOnce(&AnchorSet) -> Result<E, Error>,
    watch: WorkControl<'_>,
) -> Result<AddReport, Error> {
    let incoming = || IncomingPairs::open(&options.pairs, &options.reading);
    add_incoming(options, write, incoming, encoders, watch)
}

/// As [`add`], for pairs in memory: files are opened only for images that are files. A second
/// pair with the same id, and one whose id or captions are invalid, is skipped like a row of a file.
///
/// # Errors
/// As [`add`].
pub fn add_from<E: std::ops::Deref<Target = Embedder>, Error: From<AnchorsError>>(
    options: &AddOptions,
    write: &WriteOptions,
    pairs: impl Iterator<Item = Result<Pair, RowError>>,
    encoders: impl FnOnce(&AnchorSet) -> Result<E, Error>,
    watch: WorkControl<'_>,
) -> Result<AddReport, Error> {
    let incoming = || Ok(IncomingPairs::of(pairs));
    add_incoming(options, write, incoming, encoders, watch)
}

fn add_incoming<'a, E: std::ops::Deref<Target = Embedder>, Error: From<AnchorsError>>(
    options: &AddOptions,
    write: &WriteOptions,
    incoming: impl FnOnce() -> Result<IncomingPairs<'a>, PairsError>,
    encoders: impl FnOnce(&AnchorSet) -> Result<E, Error>,
    watch: WorkControl<'_>,
) -> Result<AddReport, Error> {
    // The lock is taken before the set is read, so that ids cannot be taken by another writer meanwhile.
    let mut writer = SetWriter::begin(&options.set, write)?;
    let mut live = writer.live()?;
    writer.mark("open");
    let taken = LiveIds::of(&live)?;
    writer.mark("ids");
    let incoming = incoming().map_err(AnchorsError::from)?;
    // Without the encoders, which would take seconds to open for nothing.
    if writer.dry_run() {
        return Ok(foresee(options, writer, &live, &taken, incoming)?);
    }
    let embedder = encoders(&live)?;
    if options.accept_encoder {
        live.accept_encoders(&embedder)?;
    }
    // Before anything is encoded: vectors of another encoder cannot be told apart afterwards.
    live.check_encoders(&embedder)?;
    writer.mark("encoders");
    let build_options = BuildOptions {
        pairs: options.pairs.clone(),
        reading: options.reading.clone(),
        out: options.set.clone(),
        overwrite: false,
        keep: write.keep,
        selection: options.selection.clone(),
        strict: options.strict,
        space: live.manifest().space.clone(),
        thumbnails: options.thumbnails,
        graphs: options.graphs,
    };
    let mut build = BuildRun::new(&build_options, &embedder, watch).taken(taken);
    let (entry, skipped_list) = build.segment(&options.set, incoming)?;
    writer.mark("encode and write");
    let came = AddedSegment {
        entry,
        captions: build.tally.captions,
        sources: build.tally.sources.clone(),
        licences: build.tally.licences.clone(),
        ids: std::mem::take(&mut build.ids),
    };
    let receipt = writer.publish(came.joining(&live, detail(options))?)?;
    Ok(AddReport {
        receipt,
        skipped: build.tally.skipped.len() as u64,
        skipped_by_reason: build.tally.skipped_by_reason(),
        from_cache: build.cache_hits(),
        skipped_examples: build.tally.examples(),
        skipped_list,
        not_taken: build.not_taken,
    })
}

pub(crate) const COMMAND: &str = "anchors add";

/// A segment of new pairs, and their counts for the manifest.
pub(crate) struct AddedSegment {
    pub(crate) entry: SegmentEntry,
    pub(crate) captions: u64,
    pub(crate) sources: BTreeMap<String, u64>,
    pub(crate) licences: BTreeMap<String, u64>,
    pub(crate) ids: Vec<String>,
}

impl AddedSegment {
    /// The next generation: the pairs of `live`, followed by these.
    ///
    /// # Errors
    /// When a list of skipped rows cannot be read.
    pub(crate) fn joining(
        self,
        live: &AnchorSet,
        detail: String,
    ) -> Result<NextGeneration, AnchorsError> {
        let mut manifest = live.manifest().clone();
        let added = self.entry.pairs;
        manifest.segments.push(self.entry);
        manifest.counts.pairs += added;
        manifest.counts.captions += self.captions;
        // Counted again over all segments, since compacted ones bring lists of their own.
        manifest.counts.skipped = skipped_rows::count(live.path(), &manifest.segments)?;
        for (tally, more) in [
            (&mut manifest.sources, self.sources),
            (&mut manifest.licences, self.licences),
        ] {
            for (value, n) in more {
                *tally.entry(value).or_default() += n;
            }
        }
        manifest.parent = Some(manifest.generation);
        manifest.restored = None;
        Ok(NextGeneration {
            manifest,
            tombstones: None,
            command: COMMAND,
            detail,
            source: None,
            moved: (added, 0),
            ids: (self.ids, Vec::new()),
        })
    }
}

fn detail(options: &AddOptions) -> String {
    let paths = options.pairs.iter().map(|p| p.display().to_string());
    paths.collect::<Vec<_>>().join(", ")
}

/// The pairs that would be added, as far as known without reading images.
fn foresee(
    options: &AddOptions,
    writer: SetWriter,
    live: &AnchorSet,
    taken: &LiveIds,
    incoming: IncomingPairs<'_>,
) -> Result<AddReport, AnchorsError> {
    let incoming = incoming.selected(&options.selection);
    let tally = incoming.tally.clone();
    let mut ids = Vec::new();
    let mut skipped = Vec::new();
    let mut manifest = live.manifest().clone();
    for row in incoming.pairs {
        match row {
            Ok(pair) if taken.contains(&pair.id) => skipped.push(SkippedRow {
                origin: pair.origin.to_string(),
                kind: ALREADY.into(),
                reason: format!(
                    "the anchor set already has a pair {:?}; remove it first",
                    pair.id
                ),
                remedy: None,
            }),
            Ok(pair) => {
                manifest.counts.captions += pair.captions.len() as u64;
                ids.push(pair.id);
            }
            Err(error) => {
                let error = error.of_row()?;
                skipped.push(SkippedRow {
                    origin: error.origin.to_string(),
                    kind: error.reason.kind(),
                    reason: error.reason.to_string(),
                    remedy: error.reason.remedy(),
                });
            }
        }
    }
    let added = ids.len() as u64;
    manifest.counts.pairs += added;
    let receipt = writer.publish(NextGeneration {
        manifest,
        tombstones: None,
        command: COMMAND,
        detail: detail(options),
        source: None,
        moved: (added, 0),
        ids: (ids, Vec::new()),
    })?;
    let mut skipped_by_reason = BTreeMap::new();
    for row in &skipped {
        *skipped_by_reason
            .entry(row.kind.clone().into_owned())
            .or_default() += 1;
    }
    Ok(AddReport {
        receipt,
        skipped: skipped.len() as u64,
        skipped_by_reason,
        skipped_examples: skipped.into_iter().take(EXAMPLES).collect(),
        skipped_list: None,
        not_taken: tally.counts(),
        from_cache: 0,
    })
}
