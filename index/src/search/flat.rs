//! The scan of int8 codes, whose best candidates are rescored in f32.
//!
//! A scan is bound by memory bandwidth, and codes are a quarter of the bytes. Their order differs from
//! the exact one only near the end of the best `k`: with a tenth of `k` more candidates rescored in
//! f32, less than one answer in a thousand is lost at `k = 800`.

use rayon::prelude::*;

use super::coded::{CodedQuery, ScoreScratch};
use super::group::QueryGroup;
use super::top_k::TopK;
use super::{RescorePrecision, SearchHit, VectorQuery, VectorSearch};
use crate::error::Result;
use crate::simd::KernelTable;
use crate::vectors::VectorSet;

/// The most queries in a group: their codes and top-k lists should stay in the cache.
const GROUP: usize = 64;
/// Rows of a block for a single query: few enough that the products stay in the first-level cache, many
/// enough that the overhead of a block is negligible.
const ALONE: usize = 256;
/// For a filter that passes fewer than one in this many, the allowed rows are read one by one, in f32.
const SPARSE: usize = 16;

/// Searches a vector set by its int8 codes with f32 rescoring.
///
/// The scores of the answers are exact to the bit, unless [`RescorePrecision`] says otherwise. About one answer in a
/// thousand is missed; if none may be, use [`VectorSet::search`].
#[derive(Debug, Clone, Copy)]
pub struct FlatSearch<'a> {
    set: &'a VectorSet,
    extra: f32,
    rescore: RescorePrecision,
}

impl<'a> FlatSearch<'a> {
    /// Searches `set` with a tenth more candidates than answers.
    pub fn new(set: &'a VectorSet) -> Self {
        Self {
            set,
            extra: 0.1,
            rescore: RescorePrecision::Exact,
        }
    }

    /// Sets the number of additional candidates to `extra` times `k`, 0 to 16.
    pub fn extra(mut self, extra: f32) -> Self {
        self.extra = extra.clamp(0.0, 16.0);
        self
    }

    /// Sets the precision with which answers are rescored.
    pub fn rescore(mut self, rescore: RescorePrecision) -> Self {
        self.rescore = rescore;
        self
    }

    /// The number of candidates to rescore.
    pub(super) fn handed_on(&self, k: usize) -> usize {
        let more = match self.rescore {
            // The 16 help where a tenth of a small `k` is nothing.
            RescorePrecision::Exact | RescorePrecision::Halves => {
                ((k as f32 * self.extra) as usize).saturating_add(16)
            }
            // Codes are the final scores then; more candidates would only be cut off again.
            RescorePrecision::Codes => 0,
        };
        k.saturating_add(more)
    }

    pub(super) fn candidates(&self, query: &VectorQuery<'_>, k: usize) -> TopK {
        let handed_on = self.handed_on(query.wanted(k));
        // Never more than there can be: a list that does not fill has no floor and keeps every row.
        TopK::new(handed_on.min(query.candidates(self.set.len())))
    }

    pub(crate) fn search_one(&self, query: &VectorQuery<'_>, k: usize) -> Vec<SearchHit> {
        let set = self.set;
        // Products of rows that the filter drops would be most of the work, and the exact ones cost few reads.
        if self.lets_few_through(query) {
            return set.search_checked(query, k);
        }
        let coded = CodedQuery::new(set, query);
        let kernels = KernelTable::detect();
        let mut top = self.candidates(query, k);
        let mut dots = [0; ALONE];
        let mut scratch = ScoreScratch::default();
        for (at, rows) in set.codes().chunks(ALONE * set.stride()).enumerate() {
            let dots = &mut dots[..rows.len() / set.stride()];
            kernels.u8_rows(&coded.codes.codes, rows, dots);
            coded.offer(set, query, at * ALONE, dots, &mut scratch, &mut top);
        }
        self.finish(query, top, k)
    }

    /// The best `k` of the candidates.
    pub(super) fn finish(
        &self,
        query: &VectorQuery<'_>,
        candidates: TopK,
        k: usize,
    ) -> Vec<SearchHit> {
        self.rescore.finish(self.set, query, candidates, k)
    }

    fn search_group(&self, queries: &[VectorQuery<'_>], k: usize) -> Vec<Vec<SearchHit>> {
        let group = QueryGroup::new(self.set, queries);
        let candidates = group.candidates(|query| self.candidates(query, k));
        self.rescore.finish_all(self.set, queries, candidates, k)
    }

    fn lets_few_through(&self, query: &VectorQuery<'_>) -> bool {
        let rows = self.set.len();
        query.allowed.is_some() && query.candidates(rows) < rows / SPARSE
    }
}

impl VectorSearch for FlatSearch<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        query.check(self.set.len(), self.set.dim())?;
        Ok(self.search_one(query, k))
    }

    fn search_batch(&self, queries: &[VectorQuery<'_>], k: usize) -> Result<Vec<Vec<SearchHit>>> {
        for query in queries {
            query.check(self.set.len(), self.set.dim())?;
        }
        // A single sparse query has its own path; in a group, one pass over the codes serves all of them.
        if let [query] = queries
            && self.lets_few_through(query)
        {
            return Ok(vec![self.search_one(query, k)]);
        }
        let groups = queries.par_chunks(GROUP);
        Ok(groups
            .flat_map_iter(|group| self.search_group(group, k))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::IdSet;
    use crate::search::coded::score_ids_by_codes;
    use crate::test_vectors::{clustered, set_with};
    use crate::{CodeCenter, VectorOptions};

    fn recall(found: &[SearchHit], exact: &[SearchHit]) -> f64 {
        let ids: std::collections::HashSet<u32> = exact.iter().map(|h| h.id).collect();
        found.iter().filter(|h| ids.contains(&h.id)).count() as f64 / exact.len().max(1) as f64
    }

    #[test]
    fn nothing_to_speak_of_is_lost_and_the_scores_are_exact() {
        for (dim, shift, center) in [
            (96, 0.0, CodeCenter::None),
            (384, 0.0, CodeCenter::None),
            (130, 2.0, CodeCenter::Mean),
        ] {
            let rows: Vec<f32> = clustered(20_000, dim, 1)
                .into_iter()
                .map(|v| v + shift)
                .collect();
            let set = set_with(&rows, dim, VectorOptions::default().center(center));
            let vectors = clustered(33, dim, 2);
            let weights: Vec<f32> = (0..set.len()).map(|i| 1.0 + (i % 7) as f32 / 8.0).collect();
            let queries: Vec<VectorQuery<'_>> = vectors
                .chunks(dim)
                .enumerate()
                .map(|(i, vector)| {
                    let query = VectorQuery::new(vector).bias(-0.1);
                    if i % 3 == 0 {
                        query.weights(&weights)
                    } else {
                        query
                    }
                })
                .collect();
            let flat = FlatSearch::new(&set);
            let batch = flat.search_batch(&queries, 800).unwrap();
            let mut sum = 0.0;
            for (query, found) in queries.iter().zip(&batch) {
                let exact = set.search(query, 800).unwrap();
                assert_eq!(
                    &flat.search(query, 800).unwrap(),
                    found,
                    "one and batch differ"
                );
                let all = set.search(query, set.len()).unwrap();
                for hit in found.iter().step_by(97) {
                    assert!(all.contains(hit), "not the exact score: {hit:?}");
                }
                sum += recall(found, &exact);
            }
            let mean = sum / queries.len() as f64;
            assert!(mean >= 0.999, "recall {mean} at {dim} dimensions");
        }
    }

    #[test]
    fn a_filter_of_any_density_gets_all_that_it_allows() {
        let dim = 64;
        let set = set_with(&clustered(3000, dim, 3), dim, VectorOptions::default());
        let vectors = clustered(5, dim, 4);
        for every in [1, 2, 10, 100, 2999, 5000] {
            let mut allowed = IdSet::none(set.len());
            for id in (0..set.len()).skip(every / 2).step_by(every) {
                allowed.insert(id);
            }
            for vector in vectors.chunks(dim) {
                let query = VectorQuery::new(vector).allowed(&allowed);
                let found = FlatSearch::new(&set).search(&query, 100).unwrap();
                assert_eq!(found.len(), allowed.count().min(100));
                assert!(found.iter().all(|h| allowed.contains(h.id as usize)));
                assert!(recall(&found, &set.search(&query, 100).unwrap()) >= 0.99);
            }
        }
    }

    #[test]
    fn scores_by_codes_are_near_the_exact_ones() {
        let dim = 200;
        let rows = clustered(2000, dim, 8);
        let set = set_with(
            &rows,
            dim,
            VectorOptions::default().center(CodeCenter::Mean),
        );
        let weights: Vec<f32> = (0..set.len()).map(|i| 1.0 + (i % 3) as f32).collect();
        let query = VectorQuery::new(&rows[..dim]).bias(0.25).weights(&weights);
        let flat = FlatSearch::new(&set).rescore(RescorePrecision::Codes);
        let found = flat.search(&query, 100).unwrap();
        assert_eq!(found.len(), 100);
        assert_eq!(
            flat.search_batch(&[query; 5], 100).unwrap(),
            vec![found.clone(); 5]
        );
        let exact = set.search(&query, set.len()).unwrap();
        for hit in &found {
            let of_id = exact.iter().find(|e| e.id == hit.id).unwrap();
            assert!((of_id.score - hit.score).abs() < 0.02, "{hit:?} {of_id:?}");
        }
        let ids: Vec<u32> = found.iter().map(|h| h.id).collect();
        let mut top = TopK::new(100);
        score_ids_by_codes(&set, &query, &ids, &mut top);
        assert_eq!(top.finish(), found);
        assert!(recall(&found, &exact[..100]) > 0.95);
    }

    #[test]
    fn any_k_and_an_empty_set_are_answered() {
        let set = set_with(&clustered(50, 5, 5), 5, VectorOptions::default());
        let query = [1.0, 0.0, -1.0, 0.5, 0.0];
        for k in [0, 1, 49, 50, 51, usize::MAX] {
            let found = FlatSearch::new(&set)
                .search(&VectorQuery::new(&query), k)
                .unwrap();
            assert_eq!(found.len(), k.min(50));
        }
        let none = set_with(&[], 5, VectorOptions::default());
        assert!(
            FlatSearch::new(&none)
                .search(&VectorQuery::new(&query), 3)
                .unwrap()
                .is_empty()
        );
        let zeros = set_with(&[0.0; 50], 5, VectorOptions::default());
        let found = FlatSearch::new(&zeros)
            .search(&VectorQuery::new(&query), 3)
            .unwrap();
        assert_eq!(found.iter().map(|h| h.id).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
