//! Merges all segments into one, without removed pairs.

use std::borrow::Cow;
use std::path::Path;

use super::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::segment::writer::SegmentWriter;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::skipped_rows;
use crate::modality::{Modality, PerModality};

/// Merges the segments of an anchor set and drops removed pairs; skipped rows stay listed. Answers in exact
/// mode keep their bits; searches read fewer files and no removed rows.
///
/// # Errors
/// When a record is damaged, another process is writing, or on an I/O error.
pub fn compact(
    set: &Path,
    graphs: GraphPolicy,
    options: &WriteOptions,
) -> Result<ChangeReceipt, AnchorsError> {
    let mut writer = SetWriter::begin(set, options)?;
    let live = writer.live()?;
    writer.mark("open");
    if live.segments().len() == 1 && live.manifest().tombstones.is_none() {
        return writer.unchanged(
            "anchors compact",
            "one segment with nothing removed already",
        );
    }
    let detail = format!(
        "{} segments with {} removed pairs into one",
        live.segments().len(),
        live.live().stored() - live.len()
    );
    let manifest = if writer.dry_run() {
        live.manifest().clone()
    } else {
        merged(&live, graphs, |_, vector| Cow::Borrowed(vector))?
    };
    writer.mark("merge");
    writer.publish(NextGeneration {
        manifest,
        tombstones: None,
        command: "anchors compact",
        detail,
        source: None,
        moved: (0, 0),
        ids: (Vec::new(), Vec::new()),
    })
}

/// The manifest of a generation with the live pairs of `live` in one new segment, their vectors as
/// `change` makes them. The segment has all lists of skipped rows.
pub(crate) fn merged<'a>(
    live: &'a AnchorSet,
    graphs: GraphPolicy,
    change: impl Fn(Modality, &'a [f32]) -> Cow<'a, [f32]>,
) -> Result<Manifest, AnchorsError> {
    live.segments()
        .iter()
        .try_for_each(Segment::refuse_unknown)?;
    // Damaged vectors must not get a fresh checksum.
    live.verify()?;
    let mut manifest = live.manifest().clone();
    let mut segment = SegmentWriter::create(live.path(), manifest.dims())?;
    for (at, local) in live.live_places() {
        let stored = &live.segments()[at];
        let vectors = PerModality::of(|m| change(m, stored.vectors(m).vector(local)));
        segment.push_pair(
            &stored.record(local)?,
            stored.picture(local)?,
            vectors.as_ref().map(|vector| &**vector),
        )?;
    }
    let rows = skipped_rows::rows_of(live.segments().iter().map(Segment::path))?;
    if !rows.is_empty() {
        skipped_rows::write_rows(segment.path(), &rows)?;
    }
    manifest.segments = vec![segment.finish(graphs, manifest.space.k())?];
    manifest.counts.skipped = skipped_rows::count(live.path(), &manifest.segments)?;
    manifest.tombstones = None;
    manifest.parent = Some(manifest.generation);
    manifest.restored = None;
    AnchorSet::from_manifest(live.path(), manifest.clone())?.verify()?;
    Ok(manifest)
}
