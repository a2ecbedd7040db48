//! Adds pairs of files of vectors as a segment of their own.

use std::path::PathBuf;

use super::add::{AddReport, AddedSegment, COMMAND};
use super::build::{BadRowPolicy, VectorRun, skipped_list};
use super::live_ids::LiveIds;
use super::writer::{NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::set::AnchorSet;
use crate::embed::WorkControl;
use crate::encode::EncoderIdentity;
use crate::modality::{Modality, PerModality};
use crate::vector_files::VectorSources;

/// Options for adding pairs of files of vectors.
#[derive(Debug, Clone)]
pub struct AddVectorsOptions {
    /// The anchor set.
    pub set: PathBuf,
    /// Whether the first bad row is an error.
    pub strict: bool,
    /// How many bad rows are no error yet; `None` for any number.
    pub max_errors: Option<u64>,
    /// Whether the new segment gets graphs.
    pub graphs: GraphPolicy,
    /// What made the vectors, where the caller says it: then it must be what made those of the anchor set.
    pub encoders: PerModality<Option<EncoderIdentity>>,
}

/// Adds pairs of files of vectors to an anchor set; no encoder is run. A row with the id of a live pair is skipped.
/// A pair without an id has the path of its image as id, or the number of its row, counted from the first number
/// above all numbers that are ids of live pairs.
///
/// # Errors
/// When no row can be used, the vectors are not of the length or encoder of the anchor set, another process is
/// writing, or the disk refuses.
pub fn add_vectors(
    options: &AddVectorsOptions,
    write: &WriteOptions,
    sources: VectorSources,
    watch: WorkControl<'_>,
) -> Result<AddReport, AnchorsError> {
    let mut writer = SetWriter::begin(&options.set, write)?;
    let live = writer.live()?;
    writer.mark("open");
    for modality in Modality::BOTH {
        if let Some(identity) = &options.encoders[modality] {
            live.check(modality, identity)?;
        }
        let dim = live.manifest().dims()[modality];
        let set = options.set.display().to_string();
        sources.vectors[modality].check_dim(dim, set)?;
    }
    let taken = LiveIds::of(&live)?;
    writer.mark("ids");
    let paths = sources.paths();
    let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
    let detail = paths.join(", ");
    let policy = BadRowPolicy {
        strict: options.strict,
        max_errors: options.max_errors,
    };
    let mut run = VectorRun::new(policy, watch).beside(taken);
    let (next, list) = if writer.dry_run() {
        let pairs = run.foresee(sources)?;
        (foreseen(&live, &mut run, pairs, detail), None)
    } else {
        let k = live.manifest().space.k();
        let (entry, listed) = run.segment(&options.set, sources, options.graphs, k)?;
        writer.mark("write");
        let list = listed.then(|| skipped_list(&options.set, &entry));
        let came = AddedSegment {
            entry,
            captions: run.tally.captions,
            sources: run.tally.sources.clone(),
            licences: run.tally.licences.clone(),
            ids: run.take_ids(),
        };
        (came.joining(&live, detail)?, list)
    };
    let receipt = writer.publish(next)?;
    Ok(AddReport {
        receipt,
        skipped: run.tally.skipped.len() as u64,
        skipped_by_reason: run.tally.skipped_by_reason(),
        skipped_examples: run.tally.examples(),
        skipped_list: list,
        not_taken: Default::default(),
        from_cache: 0,
    })
}

/// The generation that a dry run reports.
fn foreseen(
    live: &AnchorSet,
    run: &mut VectorRun<'_>,
    pairs: u64,
    detail: String,
) -> NextGeneration {
    let mut manifest = live.manifest().clone();
    manifest.counts.pairs += pairs;
    manifest.counts.captions += run.tally.captions;
    NextGeneration {
        manifest,
        tombstones: None,
        command: COMMAND,
        detail,
        source: None,
        moved: (pairs, 0),
        ids: (run.take_ids(), Vec::new()),
    }
}
