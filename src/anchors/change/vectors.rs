//! Pairs with unit vectors computed elsewhere, so that no encoder is needed.
//!
//! The caller guarantees that the vectors come from the named encoders.

use std::collections::BTreeMap;
use std::path::Path;

use super::add::AddedSegment;
use super::live_ids::LiveIds;
use super::writer::{self, ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::manifest::{self, Manifest, ManifestCounts};
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::publish::NewSet;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::stored::segment::writer::SegmentWriter;
use crate::encode::EncoderEntry;
use crate::modality::PerModality;
use crate::space::Recipe;

/// A pair with its image vector and its text vector, both of unit length.
#[derive(Debug, Clone, PartialEq)]
pub struct PairVectors {
    /// Its record.
    pub record: PairRecord,
    /// `[image dim]`.
    pub image: Vec<f32>,
    /// `[text dim]`.
    pub text: Vec<f32>,
}

/// The encoders and search settings of a new anchor set.
#[derive(Debug, Clone)]
pub struct NewSetOptions {
    /// The encoder of the image vectors.
    pub image_encoder: EncoderEntry,
    /// The encoder of the text vectors.
    pub text_encoder: EncoderEntry,
    /// The space that queries use unless they say otherwise.
    pub space: Recipe,
    /// Whether graphs are built.
    pub graphs: GraphPolicy,
}

/// Creates an anchor set at `out`, which must not exist yet.
///
/// # Errors
/// When there is no pair, a vector is not finite or of another length, or on an I/O error; nothing
/// is left at `out` then.
pub fn create(
    out: &Path,
    making: &NewSetOptions,
    pairs: impl IntoIterator<Item = PairVectors>,
) -> Result<(), AnchorsError> {
    // Written under another name and renamed at the end, so that a failure leaves nothing at `out`.
    let new = NewSet::begin(out)?;
    let dims = PerModality {
        image: making.image_encoder.identity.dim,
        text: making.text_encoder.identity.dim,
    };
    let came = written(
        new.path(),
        dims,
        making.graphs,
        making.space.k(),
        pairs,
        &LiveIds::default(),
    )?;
    let manifest = Manifest {
        // Format, number and dates are filled in when the manifest is published.
        format: manifest::FORMAT,
        checksum: String::new(),
        generation: 0,
        created: String::new(),
        made_by: String::new(),
        counts: ManifestCounts {
            pairs: came.entry.pairs,
            captions: came.captions,
            skipped: 0,
        },
        segments: vec![came.entry],
        image_encoder: making.image_encoder.clone(),
        text_encoder: making.text_encoder.clone(),
        space: making.space.clone(),
        sources: came.sources,
        licences: came.licences,
        tombstones: None,
        parent: None,
        restored: None,
        change: None,
    };
    let pairs = manifest.counts.pairs;
    let next = NextGeneration {
        manifest,
        tombstones: None,
        command: "build",
        detail: DETAIL.to_owned(),
        source: None,
        moved: (pairs, 0),
        ids: (Vec::new(), Vec::new()),
    };
    writer::publish_first(new.path(), next)?;
    new.finish()
}

/// Adds pairs to an anchor set; one with the id of a live pair is skipped.
///
/// # Errors
/// When no pair is new, a vector does not fit, another process is writing, or on an I/O error.
pub fn add(
    set: &Path,
    pairs: impl IntoIterator<Item = PairVectors>,
    graphs: GraphPolicy,
    options: &WriteOptions,
) -> Result<ChangeReceipt, AnchorsError> {
    let mut writer = SetWriter::begin(set, options)?;
    let live = writer.live()?;
    writer.mark("open");
    let taken = LiveIds::of(&live)?;
    writer.mark("ids");
    let (dims, k) = (live.manifest().dims(), live.manifest().space.k());
    let came = written(set, dims, graphs, k, pairs, &taken)?;
    writer.mark("write");
    writer.publish(came.joining(&live, DETAIL.to_owned())?)
}

const DETAIL: &str = "vectors given by the caller";

/// Writes the pairs with unused ids as a segment of `set`.
fn written(
    set: &Path,
    dims: PerModality<usize>,
    graphs: GraphPolicy,
    k: usize,
    pairs: impl IntoIterator<Item = PairVectors>,
    taken: &LiveIds,
) -> Result<AddedSegment, AnchorsError> {
    let mut segment = SegmentWriter::create(set, dims)?;
    let (mut sources, mut licences) = (BTreeMap::new(), BTreeMap::new());
    let (mut ids, mut captions, mut skipped) = (Vec::new(), 0, 0);
    for pair in pairs {
        let record = pair.record;
        // Only ids of live pairs count: the id of a removed pair may be used again.
        if taken.contains(&record.id) {
            skipped += 1;
            continue;
        }
        segment.push(&record, &pair.image, &pair.text)?;
        captions += record.captions.len() as u64;
        for (tally, value) in [
            (&mut sources, record.meta_text("source")),
            (&mut licences, record.licence()),
        ] {
            if let Some(value) = value {
                *tally.entry(value).or_default() += 1;
            }
        }
        ids.push(record.id);
    }
    // A segment without pairs would be a generation without a change.
    if ids.is_empty() {
        return Err(AnchorsError::NoPairs {
            skipped,
            first: "the anchor set already has a pair with its id".to_owned(),
        });
    }
    Ok(AddedSegment {
        entry: segment.finish(graphs, k)?,
        captions,
        sources,
        licences,
        ids,
    })
}
