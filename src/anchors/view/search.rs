//! Vectors to relative rows, in all parts of a space that have rows.

use asif_index::plan::Planned;
use asif_index::{Hit, Query, Search, Segments};
use rayon::prelude::*;

use super::{RowsView, side};
use crate::anchors::error::AnchorsError;
use crate::anchors::plan::SearchMode;
use crate::anchors::set::AnchorSet;
use crate::encode::Modality;
use crate::space::{RelativeRow, SpaceParams};

/// Vectors that a frame takes at once; more have a thread each.
const TOGETHER: usize = 32;

/// The rows of each vector in each part, `[parts][n]`; `vectors` is `[n, dim]`.
///
/// A scan waits for the vectors that it reads, so where all are read they are read once for all parts.
pub(super) fn rows(
    set: &AnchorSet,
    modality: Modality,
    mode: SearchMode,
    parts: &[&RowsView],
    vectors: &[f32],
) -> Result<Vec<Vec<RelativeRow>>, AnchorsError> {
    let scanned = searchers(set, modality, mode, most(parts))
        .iter()
        .all(|planned| matches!(planned, Planned::Exact(_) | Planned::Flat(_)));
    let groups = parts.chunks(if scanned { parts.len().max(1) } else { 1 });
    let mut all = Vec::with_capacity(parts.len());
    for group in groups {
        all.extend(search(set, modality, mode, group, vectors)?);
    }
    Ok(all)
}

/// The same with one search.
fn search(
    set: &AnchorSet,
    modality: Modality,
    mode: SearchMode,
    parts: &[&RowsView],
    vectors: &[f32],
) -> Result<Vec<Vec<RelativeRow>>, AnchorsError> {
    let (dim, live) = (set.dim(modality), set.live());
    let n = vectors.len() / dim;
    let tiles = || vectors.par_chunks(TOGETHER * dim);
    let frames = parts.iter().map(|part| &part.frames[side(modality)]);
    let affine: Vec<Vec<(Vec<f32>, f32)>> = frames
        .map(|frame| {
            tiles()
                .flat_map_iter(|tile| frame.queries(tile, dim))
                .collect()
        })
        .collect();
    let mut queries = Vec::with_capacity(parts.len() * n);
    for (part, affine) in parts.iter().zip(&affine) {
        for (vector, bias) in affine {
            let mut query = Query::new(vector).bias(*bias).at_most(part.params.k);
            query.weights = part.frames[side(modality)].weights();
            query.allowed = live.allowed();
            queries.push(query);
        }
    }
    let k = most(parts);
    let searchers = searchers(set, modality, mode, k);
    let searchers = searchers.iter().map(|s| s as &dyn Search).collect();
    let kept = Segments::new(searchers)?.search_batch(&queries, k)?;
    let row = |params: &SpaceParams, hits: Vec<Hit>| {
        let number = |hit: &Hit| live.number(hit.id as usize) as u32;
        RelativeRow::from_kept(hits.iter().map(|hit| (number(hit), hit.score)), params)
    };
    let mut kept = kept.into_iter();
    let of_part = |part: &&RowsView| {
        let hits = kept.by_ref().take(n);
        hits.map(|hits| row(&part.params, hits)).collect()
    };
    Ok(parts.iter().map(of_part).collect())
}

/// The most answers that a part wants.
fn most(parts: &[&RowsView]) -> usize {
    parts.iter().map(|part| part.params.k).max().unwrap_or(0)
}

/// What answers `k` from each segment.
fn searchers(set: &AnchorSet, modality: Modality, mode: SearchMode, k: usize) -> Vec<Planned<'_>> {
    let segments = set.segments().iter();
    segments.map(|s| s.searcher(modality, mode, k)).collect()
}
