//! Rescoring of candidates.

use rayon::prelude::*;

use super::coded::score_ids_by_codes;
use super::exact::{score_ids, score_wanted};
use super::top_k::TopK;
use super::{SearchHit, VectorQuery};
use crate::simd::{KernelTable, TILE, f16};
use crate::vectors::VectorSet;

/// The precision with which the answers of an approximate search are rescored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RescorePrecision {
    /// The f32 vectors: scores are exact to the bit.
    #[default]
    Exact,
    /// The vectors in half precision, half the bytes. For unit vectors the error of scores is below a
    /// thousandth, mostly about a hundred-thousandth, and the order near the end of the best `k` changes as
    /// little. A file written without [`VectorOptions::halves`](crate::VectorOptions::halves) is rescored as
    /// by [`Exact`](Self::Exact).
    Halves,
    /// The int8 codes, a quarter of the bytes: the error of scores is about a thousandth.
    Codes,
}

impl RescorePrecision {
    /// Offers the scores of `ids`, which are all below the set's length and allowed.
    pub(crate) fn score(
        self,
        set: &VectorSet,
        query: &VectorQuery<'_>,
        ids: &[u32],
        top: &mut TopK,
    ) {
        match (self, set.halves()) {
            (Self::Exact, _) | (Self::Halves, None) => score_ids(set, query, ids, top),
            (Self::Halves, Some(halves)) => score_ids_by_halves(halves, query, ids, top),
            (Self::Codes, _) => score_ids_by_codes(set, query, ids, top),
        }
    }

    /// The best `k` of candidates found by their codes.
    pub(super) fn finish(
        self,
        set: &VectorSet,
        query: &VectorQuery<'_>,
        candidates: TopK,
        k: usize,
    ) -> Vec<SearchHit> {
        // Their scores are those of the codes already.
        if self == Self::Codes {
            return candidates.finish();
        }
        let mut ids = candidates.into_ids();
        // Rescoring reads memory upwards then; the answers have a total order, so theirs does not matter.
        ids.sort_unstable();
        // Wanted may exceed what was found; a list that cannot fill would keep no floor.
        let mut top = TopK::new(query.wanted(k).min(ids.len()));
        self.score(set, query, &ids, &mut top);
        top.finish()
    }

    /// As [`finish`](Self::finish) for several queries, on the current rayon pool: the same answers to
    /// the bit.
    pub(super) fn finish_all(
        self,
        set: &VectorSet,
        queries: &[VectorQuery<'_>],
        candidates: Vec<TopK>,
        k: usize,
    ) -> Vec<Vec<SearchHit>> {
        // These scores have no kernel that turns rows and queries around, so queries are rescored one by one.
        if self == Self::Codes || (self == Self::Halves && set.halves().is_some()) {
            let each = queries.par_iter().zip(candidates);
            return each
                .map(|(query, candidates)| self.finish(set, query, candidates, k))
                .collect();
        }
        // Queries of one image, and of similar images, have many candidates in common.
        let ids: Vec<Vec<u32>> = candidates.into_iter().map(TopK::into_ids).collect();
        let each = queries.iter().zip(&ids);
        let mut tops: Vec<TopK> = each
            .map(|(query, ids)| TopK::new(query.wanted(k).min(ids.len())))
            .collect();
        score_wanted(set, queries, &ids, &mut tops);
        // Sorting a list is short work; several make a task.
        let tops = tops.into_par_iter().with_min_len(TILE);
        tops.map(TopK::finish).collect()
    }
}

fn score_ids_by_halves(halves: &[f16], query: &VectorQuery<'_>, ids: &[u32], top: &mut TopK) {
    let mut dots = [0.0; 256];
    for ids in ids.chunks(dots.len()) {
        let dots = &mut dots[..ids.len()];
        KernelTable::detect().f16_at(query.vector, halves, ids, dots);
        for (&id, &dot) in ids.iter().zip(&*dots) {
            top.push(query.score(id as usize, dot), id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::graph::{BatchBuilder, HnswGraph, HnswSearch, write_graph};
    use crate::search::{FlatSearch, SearchHit, VectorSearch};
    use crate::test_vectors::{clustered, set_with};
    use crate::{CodeCenter, VectorOptions};

    const K: usize = 800;

    /// The share of the true answers among those found, over all queries.
    fn recall(found: &[Vec<SearchHit>], exact: &[Vec<SearchHit>]) -> f64 {
        let (mut hits, mut all) = (0, 0);
        for (found, exact) in found.iter().zip(exact) {
            let ids: HashSet<u32> = exact.iter().map(|h| h.id).collect();
            hits += found.iter().filter(|h| ids.contains(&h.id)).count();
            all += exact.len();
        }
        hits as f64 / all as f64
    }

    /// The queries' own scores of what was found.
    fn check_scores(set: &VectorSet, queries: &[VectorQuery<'_>], found: &[Vec<SearchHit>]) {
        for (query, hits) in queries.iter().zip(found) {
            for hit in hits {
                let id = hit.id as usize;
                let dot = crate::simd::scalar::dot_f32(query.vector, set.vector(id));
                let off = (query.score(id, dot) - hit.score).abs();
                assert!(off < 1e-3, "{hit:?} is off by {off}");
            }
        }
    }

    #[test]
    fn halves_find_what_exact_scores_find() {
        let (n, dim) = (20_000, 384);
        let rows = clustered(n, dim, 51);
        let vectors = clustered(20, dim, 52);
        let queries: Vec<VectorQuery<'_>> = vectors.chunks(dim).map(VectorQuery::new).collect();
        for center in [CodeCenter::None, CodeCenter::Mean] {
            let options = VectorOptions::default().center(center).halves(true);
            let set = set_with(&rows, dim, options);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("graph");
            write_graph(&path, &set, &BatchBuilder::default()).unwrap();
            let graph = HnswGraph::open(&path, &set).unwrap();
            let truth = set.search_batch(&queries, K).unwrap();
            let flat = |rescore| -> Vec<Vec<SearchHit>> {
                let flat = FlatSearch::new(&set).rescore(rescore);
                let batch = flat.search_batch(&queries, K).unwrap();
                assert_eq!(flat.search(&queries[0], K).unwrap(), batch[0]);
                batch
            };
            let hnsw = |rescore| {
                let hnsw = HnswSearch::new(&set, &graph).ef(1200).rescore(rescore);
                hnsw.search_batch(&queries, K).unwrap()
            };
            for (exact, halves) in [
                (
                    flat(RescorePrecision::Exact),
                    flat(RescorePrecision::Halves),
                ),
                (
                    hnsw(RescorePrecision::Exact),
                    hnsw(RescorePrecision::Halves),
                ),
            ] {
                check_scores(&set, &queries, &halves);
                assert_ne!(exact, halves, "the halves were not used");
                let (exact, halves) = (recall(&exact, &truth), recall(&halves, &truth));
                assert!(
                    (exact - halves).abs() <= 0.001,
                    "recall {halves}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn bias_weights_and_filter_count_and_a_file_without_halves_is_scored_exactly() {
        let (n, dim) = (3000, 40);
        let rows = clustered(n, dim, 53);
        let weights: Vec<f32> = (0..n).map(|i| 0.5 + (i % 3) as f32 / 4.0).collect();
        let mut allowed = crate::IdSet::all(n);
        for id in (0..n).step_by(3) {
            allowed.remove(id);
        }
        let query = VectorQuery::new(&rows[..dim])
            .bias(0.25)
            .weights(&weights)
            .allowed(&allowed);
        for halves in [false, true] {
            let set = set_with(&rows, dim, VectorOptions::default().halves(halves));
            let exact = FlatSearch::new(&set).search(&query, K).unwrap();
            let flat = FlatSearch::new(&set).rescore(RescorePrecision::Halves);
            let found = flat.search(&query, K).unwrap();
            assert!(found.iter().all(|h| allowed.contains(h.id as usize)));
            check_scores(&set, &[query], std::slice::from_ref(&found));
            assert_eq!(found.len(), K);
            assert_eq!(found == exact, !halves);
        }
    }
}
