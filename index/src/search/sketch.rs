//! The scan of sketches (one bit a number), rescored by int8 codes and then in f32.
//!
//! ```text
//! all n        1 bit a number, read in order       estimates with an error of a few hundredths
//! candidates   int8, rows in order                 a few times k
//! 1.1 k        f32 (or as Rescore says)            the answers
//! ```
//!
//! The bits are an eighth of the codes' bytes and often fit in the cache when those do not. The number of
//! candidates needed for a recall depends on the vectors; [`plan`](mod@crate::plan) measures it.

use std::cell::RefCell;

use super::coded::score_ids_by_codes;
use super::select::largest;
use super::{FlatSearch, RescorePrecision, SearchHit, VectorQuery, VectorSearch};
use crate::error::{Error, Result};
use crate::simd::{EstimateParams, KernelTable, SKETCH_ROWS};
use crate::vectors::sketch::{QuerySketch, part};
use crate::vectors::{SignSketches, VectorSet};

/// Rows of a block, whose sums stay in the first-level cache until they are turned into estimates.
const BLOCK: usize = 16 * SKETCH_ROWS;
/// The default number of candidates for each answer.
const CANDIDATES: usize = 4;
/// For a filter that passes fewer than one in this many, the allowed rows are read one by one, in f32.
const SPARSE: usize = 16;
/// If one row in this many is a candidate, reading all codes in order takes as long.
const DENSE: usize = 2;

/// Searches a vector set by its sketches, with int8 and f32 rescoring.
///
/// The scores of the answers are exact to the bit, unless [`RescorePrecision`] says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct SketchSearch<'a> {
    set: &'a VectorSet,
    sketches: SignSketches<'a>,
    candidates: Option<usize>,
    flat: FlatSearch<'a>,
}

impl<'a> SketchSearch<'a> {
    /// Searches `set` with four candidates for each answer.
    ///
    /// # Errors
    /// [`Error::Argument`] for a set without sketches.
    pub fn new(set: &'a VectorSet) -> Result<Self> {
        let sketches = set.sketches().ok_or_else(|| Error::Argument {
            what: "sketches",
            expected: "a vector set with sketches".to_owned(),
            found: format!("{} without sketches", set.path().display()),
            advice: "write it again with sketches, or choose another search",
        })?;
        Ok(Self {
            set,
            sketches,
            candidates: None,
            flat: FlatSearch::new(set),
        })
    }

    /// Sets the number of vectors rescored by their int8 codes; never fewer than [`FlatSearch`] would rescore
    /// in f32.
    pub fn candidates(mut self, candidates: usize) -> Self {
        self.candidates = Some(candidates);
        self
    }

    /// The number of candidates that was set.
    pub fn wanted_candidates(&self) -> Option<usize> {
        self.candidates
    }

    /// Sets the precision with which answers are rescored.
    pub fn rescore(mut self, rescore: RescorePrecision) -> Self {
        self.flat = self.flat.rescore(rescore);
        self
    }

    fn search_one(&self, query: &VectorQuery<'_>, k: usize) -> Vec<SearchHit> {
        let (n, allowed) = (self.set.len(), query.candidates(self.set.len()));
        let k = query.wanted(k).min(allowed);
        let wanted = self.candidates.unwrap_or(k.saturating_mul(CANDIDATES));
        let wanted = wanted.max(self.flat.handed_on(k)).min(allowed);
        // In all three cases the pass over the bits would not pay for itself.
        if k == 0 || allowed < n / SPARSE || wanted > n / DENSE {
            return self.flat.search_one(query, k);
        }
        let found = SCRATCH.with_borrow_mut(|scratch| {
            self.estimate(query, &mut scratch.estimates);
            scratch.ids.clear();
            largest(&scratch.estimates, wanted, &mut scratch.ids);
            // Excluded ids have an estimate of minus infinity, but so may rows of a damaged file, so that
            // excluded ids can be selected with them.
            scratch.ids.retain(|&id| query.allows(id as usize));
            let mut top = self.flat.candidates(query, k);
            score_ids_by_codes(self.set, query, &scratch.ids, &mut top);
            (scratch.ids.len() >= k).then_some(top)
        });
        match found {
            Some(top) => self.flat.finish(query, top, k),
            // Too few estimates are numbers, because the factors of a damaged file are not.
            None => self.flat.search_one(query, k),
        }
    }

    /// Writes an estimate of each vector's score; minus infinity for those excluded by the filter.
    fn estimate(&self, query: &VectorQuery<'_>, estimates: &mut Vec<f32>) {
        let kernels = KernelTable::detect();
        let sketches = &self.sketches;
        let parted = self.set.center().map(|c| part(query.vector, c));
        let (times, rest) = match &parted {
            Some((times, rest)) => (*times, &rest[..]),
            None => (0.0, query.vector),
        };
        // Of the rest alone: the error grows with the norm, and the part along the centre is known exactly.
        let asked = QuerySketch::new(rest, sketches.width);
        let center = self
            .set
            .center()
            .map_or(0.0, |c| kernels.f32_dot(query.vector, c));
        let line = EstimateParams {
            total: asked.total,
            step: asked.step,
            base: query.bias + center,
        };
        estimates.resize(self.set.len(), 0.0);
        let mut sums = [0; BLOCK];
        for ((at, bits), estimates) in sketches
            .bits
            .chunks(BLOCK * sketches.width)
            .enumerate()
            .zip(estimates.chunks_mut(BLOCK))
        {
            let sums = &mut sums[..bits.len() / sketches.width];
            kernels.sketches(&asked.tables, bits, sums);
            let ids = at * BLOCK..at * BLOCK + estimates.len();
            let factors = &sketches.factors[ids.clone()];
            kernels.estimates(&sums[..estimates.len()], factors, line, estimates);
            if let Some(along) = sketches.along.get(ids.clone()) {
                // The part along the centre is known exactly for each row and is added apart.
                let pairs = estimates.iter_mut().zip(along);
                pairs.for_each(|(e, a)| *e += times * a);
            }
            if let Some(weights) = query.weights {
                let weights = &weights[ids.clone()];
                estimates.iter_mut().zip(weights).for_each(|(e, w)| *e *= w);
            }
            if let Some(allowed) = query.allowed {
                for (id, estimate) in ids.zip(estimates) {
                    if !allowed.contains(id) {
                        *estimate = f32::NEG_INFINITY;
                    }
                }
            }
        }
    }
}

impl VectorSearch for SketchSearch<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        query.check(self.set.len(), self.set.dim())?;
        Ok(self.search_one(query, k))
    }
}

thread_local! {
    static SCRATCH: RefCell<SketchScratch> = RefCell::default();
}

/// Buffers of a query, which a thread reuses for its queries.
#[derive(Default)]
struct SketchScratch {
    estimates: Vec<f32>,
    ids: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{IdSet, SegmentedSearch};
    use crate::test_vectors::{clustered, set_with};
    use crate::{CodeCenter, SketchPolicy, VectorOptions};

    const K: usize = 200;

    fn sketched() -> VectorOptions {
        VectorOptions::default().sketches(SketchPolicy::Always)
    }

    fn recall(found: &[SearchHit], exact: &[SearchHit]) -> f64 {
        let ids: std::collections::HashSet<u32> = exact.iter().map(|h| h.id).collect();
        found.iter().filter(|h| ids.contains(&h.id)).count() as f64 / exact.len().max(1) as f64
    }

    #[test]
    fn more_candidates_find_more_and_scores_are_exact() {
        for (dim, shift, center) in [(384, 0.0, CodeCenter::None), (330, 2.0, CodeCenter::Mean)] {
            let rows: Vec<f32> = clustered(10_000, dim, 1)
                .into_iter()
                .map(|v| v + shift)
                .collect();
            let set = set_with(&rows, dim, sketched().center(center));
            set.verify().unwrap();
            let vectors = clustered(20, dim, 2);
            let weights: Vec<f32> = (0..set.len()).map(|i| 1.0 + (i % 7) as f32 / 8.0).collect();
            let queries: Vec<VectorQuery<'_>> = vectors
                .chunks(dim)
                .zip(0..)
                .map(|(vector, i)| match i % 3 {
                    0 => VectorQuery::new(vector).bias(0.1).weights(&weights),
                    _ => VectorQuery::new(vector).bias(-0.1),
                })
                .collect();
            let exact = set.search_batch(&queries, K).unwrap();
            let mean = |sketch: SketchSearch<'_>| {
                let found = sketch.search_batch(&queries, K).unwrap();
                let shares = found.iter().zip(&exact).map(|(f, e)| recall(f, e));
                shares.sum::<f64>() / queries.len() as f64
            };
            let sketch = SketchSearch::new(&set).unwrap();
            let (few, more) = (mean(sketch.candidates(300)), mean(sketch.candidates(2000)));
            assert!(few < more && few > 0.3, "{few} {more}");
            assert!(more > 0.99, "{more} at {dim} dimensions");
            for query in &queries {
                let found = sketch.search(query, K).unwrap();
                assert_eq!(sketch.search_batch(&[*query; 3], K).unwrap()[1], found);
                let all = set.search(query, set.len()).unwrap();
                assert!(found.iter().step_by(37).all(|hit| all.contains(hit)));
            }
        }
    }

    #[test]
    fn what_all_vectors_share_does_not_drown_what_they_do_not() {
        let dim = 128;
        let shift = |rows: Vec<f32>| -> Vec<f32> { rows.into_iter().map(|v| v + 2.0).collect() };
        let set = set_with(
            &shift(clustered(5000, dim, 11)),
            dim,
            sketched().center(CodeCenter::Mean),
        );
        let sketch = SketchSearch::new(&set).unwrap().candidates(1000);
        let plain = clustered(10, dim, 12);
        let shifted = shift(plain.clone());
        for (vector, shifted) in plain.chunks(dim).zip(shifted.chunks(dim)) {
            for vector in [vector, shifted] {
                let query = VectorQuery::new(vector);
                let exact = set.search(&query, K).unwrap();
                assert!(recall(&sketch.search(&query, K).unwrap(), &exact) > 0.85);
            }
        }
    }

    #[test]
    fn weights_of_a_centred_space_count_before_the_candidates_are_chosen() {
        let dim = 64;
        let set = set_with(&clustered(4000, dim, 9), dim, sketched());
        // One in four has ten times the weight: without weights it would not be a candidate.
        let weights: Vec<f32> = (0..set.len())
            .map(|i| if i % 4 == 0 { 10.0 } else { 1.0 })
            .collect();
        let vector = clustered(1, dim, 10);
        let query = VectorQuery::new(&vector).bias(0.5).weights(&weights);
        let found = SketchSearch::new(&set).unwrap().search(&query, K).unwrap();
        assert!(recall(&found, &set.search(&query, K).unwrap()) > 0.95);
    }

    #[test]
    fn any_filter_gets_all_that_it_allows() {
        let dim = 64;
        let set = set_with(&clustered(3000, dim, 3), dim, sketched());
        let sketch = SketchSearch::new(&set).unwrap();
        let vectors = clustered(5, dim, 4);
        for every in [1, 2, 7, 15, 100, 2999, 5000] {
            let mut allowed = IdSet::none(set.len());
            for id in (0..set.len()).skip(every / 2).step_by(every) {
                allowed.insert(id);
            }
            for vector in vectors.chunks(dim) {
                let query = VectorQuery::new(vector).allowed(&allowed);
                for k in [1, 100, 3000] {
                    let found = sketch.search(&query, k).unwrap();
                    assert_eq!(found.len(), allowed.count().min(k));
                    assert!(found.iter().all(|h| allowed.contains(h.id as usize)));
                }
                let found = sketch.search(&query, 30).unwrap();
                assert!(recall(&found, &set.search(&query, 30).unwrap()) >= 0.8);
            }
        }
    }

    #[test]
    fn any_k_and_sets_that_say_nothing_are_answered() {
        let query = [1.0, 0.0, -1.0, 0.5, 0.0];
        let zeros = vec![0.0; 5 * 300];
        for rows in [&clustered(300, 5, 5)[..], &zeros, &[]] {
            let set = set_with(rows, 5, sketched());
            let sketch = SketchSearch::new(&set).unwrap();
            for k in [0, 1, 20, 299, 300, 301, usize::MAX] {
                for vector in [query, [0.0; 5]] {
                    let found = sketch.search(&VectorQuery::new(&vector), k).unwrap();
                    assert_eq!(found.len(), k.min(set.len()));
                }
            }
        }
        // All are equal: the order of ids decides, as in every search.
        let set = set_with(&zeros, 5, sketched());
        let found = SketchSearch::new(&set)
            .unwrap()
            .search(&VectorQuery::new(&query), 20);
        let ids: Vec<u32> = found.unwrap().iter().map(|hit| hit.id).collect();
        assert_eq!(ids, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_set_without_sketches_is_refused_and_segments_may_be_mixed() {
        let dim = 32;
        let rows = clustered(5000, dim, 6);
        let (few, many) = rows.split_at(500 * dim);
        let few = set_with(few, dim, VectorOptions::default());
        let many = set_with(many, dim, VectorOptions::default());
        let error = SketchSearch::new(&few).unwrap_err().to_string();
        assert!(error.contains("without") && error.contains("write it again"));
        let (flat, sketch) = (FlatSearch::new(&few), SketchSearch::new(&many).unwrap());
        let both = SegmentedSearch::new(vec![&flat, &sketch]).unwrap();
        let whole = set_with(&rows, dim, VectorOptions::default());
        let query = VectorQuery::new(&rows[..dim]);
        let found = both.search(&query, 50).unwrap();
        assert!(recall(&found, &whole.search(&query, 50).unwrap()) > 0.8);
    }
}
