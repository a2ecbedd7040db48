//! An anchor set on disk as the anchors of a space: its vectors are searched in mapped files.

use std::sync::Arc;

use asif_index::plan::PlannedSearch;
use asif_index::{SearchHit, SegmentedSearch, VectorQuery, VectorSearch};
use rayon::prelude::*;

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::stored::set::AnchorSet;
use crate::modality::{Modality, PerModality};
use crate::space::anchors::{AnchorSource, NearestAnchors, NearestQuery};
use crate::space::linear::Moments;

/// Rows per block of work.
const ROWS: usize = 256;
/// The most vectors that one pass over a frame handles; more run on a thread each.
const TOGETHER: usize = 32;

/// The live pairs of an anchor set with a search mode. Stored rows include removed pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SearchedSet<'a> {
    set: &'a AnchorSet,
    mode: SearchMode,
}

impl<'a> SearchedSet<'a> {
    /// Wraps an anchor set with a search mode.
    pub(crate) fn new(set: &'a AnchorSet, mode: SearchMode) -> Self {
        Self { set, mode }
    }

    /// The anchor set.
    pub(crate) fn set(&self) -> &'a AnchorSet {
        self.set
    }

    /// The search of `k` neighbours for each segment.
    fn searchers(&self, side: Modality, k: usize) -> Vec<PlannedSearch<'a>> {
        let segments = self.set.segments().iter();
        segments.map(|s| s.searcher(side, self.mode, k)).collect()
    }

    /// The nearest anchors in several frames, from one search.
    fn search(
        &self,
        side: Modality,
        queries: &[NearestQuery<'_>],
        inputs: &[f32],
    ) -> Result<Vec<Vec<NearestAnchors>>, AnchorsError> {
        let (dim, live) = (self.set.dim(side), self.set.live());
        let n = inputs.len() / dim;
        let affine: Vec<Vec<(Vec<f32>, f32)>> = queries
            .iter()
            .map(|query| {
                // In tiles, so that the maps of many inputs are applied on all threads.
                let tiles = inputs.par_chunks(TOGETHER * dim);
                let of_tile = |tile| query.frame.queries(tile, dim);
                tiles.flat_map_iter(of_tile).collect()
            })
            .collect();
        let mut asked = Vec::with_capacity(queries.len() * n);
        for (query, affine) in queries.iter().zip(&affine) {
            for (vector, bias) in affine {
                // Parts want different numbers of anchors; each is answered with its own.
                let mut one = VectorQuery::new(vector).bias(*bias).at_most(query.k);
                one.weights = query.frame.weights();
                // Removed pairs are left out by the search itself, or they would take places of live ones.
                one.allowed = live.allowed();
                asked.push(one);
            }
        }
        let k = most(queries);
        let searchers = self.searchers(side, k);
        let searchers = searchers.iter().map(|s| s as &dyn VectorSearch).collect();
        let kept = SegmentedSearch::new(searchers)?.search_batch(&asked, k)?;
        let neighbours = |hits: Vec<SearchHit>| {
            // The index counts stored rows, a space live pairs.
            let number = |hit: &SearchHit| live.number(hit.id as usize) as u32;
            hits.iter().map(|hit| (number(hit), hit.score)).collect()
        };
        let mut kept = kept.into_iter().map(neighbours);
        // Answers come in the order asked: all inputs of one query, then those of the next.
        let of_query = |_| kept.by_ref().take(n).collect();
        Ok(queries.iter().map(of_query).collect())
    }
}

impl AnchorSource for SearchedSet<'_> {
    type Error = AnchorsError;

    fn len(&self) -> usize {
        self.set.len()
    }

    fn dims(&self) -> PerModality<usize> {
        self.set.manifest().dims()
    }

    fn mean(&self, side: Modality) -> Vec<f32> {
        self.set.sum(side).mean()
    }

    fn moments(&self) -> Result<Arc<Moments>, AnchorsError> {
        self.set.moments().map(Arc::new)
    }

    fn vector(&self, anchor: u32, side: Modality) -> Result<&[f32], AnchorsError> {
        self.set.vector(anchor, side)
    }

    fn of_stored(
        &self,
        side: Modality,
        of_block: &(dyn Fn(&[f32]) -> Vec<f32> + Sync),
    ) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.set.live().stored());
        for segment in self.set.segments() {
            let vectors = segment.vectors(side);
            let blocks = vectors.vectors().par_chunks(ROWS * vectors.dim().max(1));
            let of_blocks: Vec<Vec<f32>> = blocks.map(of_block).collect();
            all.extend(of_blocks.into_iter().flatten());
        }
        all
    }

    /// A scan is memory-bound, so where all vectors are read they are read once for all
    /// queries.
    fn nearest(
        &self,
        side: Modality,
        queries: &[NearestQuery<'_>],
        inputs: &[f32],
    ) -> Result<Vec<Vec<NearestAnchors>>, AnchorsError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        // A graph walks each query on a path of its own, so grouping gains nothing there.
        let is_scan =
            |planned| matches!(planned, &PlannedSearch::Exact(_) | &PlannedSearch::Flat(_));
        let scanned = self.searchers(side, most(queries)).iter().all(is_scan);
        let together = if scanned { queries.len().max(1) } else { 1 };
        let mut all = Vec::with_capacity(queries.len());
        for group in queries.chunks(together) {
            all.extend(self.search(side, group, inputs)?);
        }
        Ok(all)
    }
}

/// The maximum number of neighbours over all queries.
fn most(queries: &[NearestQuery<'_>]) -> usize {
    queries.iter().map(|query| query.k).max().unwrap_or(0)
}
