//! Searches several vector sets as one.

use rayon::prelude::*;

use super::top_k::TopK;
use super::{SearchHit, VectorQuery, VectorSearch};
use crate::error::{Error, Result};
use crate::simd::TILE;

/// Several searches as one: the ids of each follow those of the previous one.
///
/// New vectors are added as one more small segment without rebuilding the others. Scores of different
/// segments are comparable because every search of this crate returns f32 scores.
pub struct SegmentedSearch<'a> {
    parts: Vec<&'a dyn VectorSearch>,
    len: usize,
}

impl<'a> SegmentedSearch<'a> {
    /// Concatenates searches.
    ///
    /// # Errors
    /// [`Error::Argument`] when they have more ids together than fit in a `u32`.
    pub fn new(parts: Vec<&'a dyn VectorSearch>) -> Result<Self> {
        // Saturating, so that an overflow is refused below instead of wrapping to a small number.
        let len = parts
            .iter()
            .fold(0usize, |sum, part| sum.saturating_add(part.len()));
        if len >= u32::MAX as usize {
            return Err(Error::Argument {
                what: "segments",
                expected: format!("fewer than {} vectors together", u32::MAX),
                found: len.to_string(),
                advice: "search them apart",
            });
        }
        Ok(Self { parts, len })
    }

    /// The first id of each part, and the part.
    fn with_bases(&self) -> impl Iterator<Item = (usize, &'a dyn VectorSearch)> {
        self.parts.iter().scan(0, |base, &part| {
            let first = *base;
            *base += part.len();
            Some((first, part))
        })
    }

    /// Checks the lengths of weights and filter, which cover all segments.
    fn check(&self, query: &VectorQuery<'_>) -> Result<()> {
        if let Some(weights) = query.weights
            && weights.len() != self.len
        {
            return Err(Error::length("query weights", self.len, weights.len()));
        }
        if let Some(allowed) = query.allowed
            && allowed.len() != self.len
        {
            return Err(Error::length("allowed ids", self.len, allowed.len()));
        }
        Ok(())
    }
}

impl VectorSearch for SegmentedSearch<'_> {
    fn len(&self) -> usize {
        self.len
    }

    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        self.check(query)?;
        // Not limited by segment: all of the best may lie in one of them.
        let mut top = TopK::new(query.wanted(k).min(self.len));
        for (base, part) in self.with_bases() {
            let allowed = query.allowed.map(|set| set.slice(base, part.len()));
            let mut local = *query;
            local.weights = query.weights.map(|w| &w[base..base + part.len()]);
            local.allowed = allowed.as_ref();
            for hit in part.search(&local, k)? {
                // No overflow: all ids together are below `u32::MAX`, as `new` checked.
                top.push(hit.score, base as u32 + hit.id);
            }
        }
        Ok(top.finish())
    }

    fn search_batch(&self, queries: &[VectorQuery<'_>], k: usize) -> Result<Vec<Vec<SearchHit>>> {
        for query in queries {
            self.check(query)?;
        }
        let top = |query: &VectorQuery<'_>| TopK::new(query.wanted(k).min(self.len));
        let mut tops: Vec<TopK> = queries.iter().map(top).collect();
        for (base, part) in self.with_bases() {
            let allowed: Vec<_> = queries
                .par_iter()
                // A slice of a bitmap copies words, so with many queries it is worth the threads.
                .with_min_len(TILE)
                .map(|query| query.allowed.map(|set| set.slice(base, part.len())))
                .collect();
            let local: Vec<VectorQuery<'_>> = queries
                .iter()
                .zip(&allowed)
                .map(|(query, allowed)| {
                    let mut local = *query;
                    local.weights = query.weights.map(|w| &w[base..base + part.len()]);
                    local.allowed = allowed.as_ref();
                    local
                })
                .collect();
            // A segment is finished for all queries before the next, so that its vectors are read once.
            for (hits, top) in part.search_batch(&local, k)?.into_iter().zip(&mut tops) {
                for hit in hits {
                    top.push(hit.score, base as u32 + hit.id);
                }
            }
        }
        Ok(tops.into_iter().map(TopK::finish).collect())
    }
}

impl std::fmt::Debug for SegmentedSearch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Segments({} parts, {} vectors)",
            self.parts.len(),
            self.len
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{FlatSearch, IdSet, SketchSearch};
    use crate::test_vectors::{clustered, set_with};
    use crate::vectors::{SketchPolicy, VectorOptions};

    #[test]
    fn segments_answer_what_one_set_would() {
        let (n, dim) = (1000, 24);
        let rows = clustered(n, dim, 6);
        let whole = set_with(&rows, dim, VectorOptions::default());
        let cuts = [0, 100, 100, 137, 700, 1000];
        let sets: Vec<_> = cuts
            .windows(2)
            .map(|w| set_with(&rows[w[0] * dim..w[1] * dim], dim, VectorOptions::default()))
            .collect();
        let exact: Vec<&dyn VectorSearch> = sets.iter().map(|s| s as &dyn VectorSearch).collect();
        let exact = SegmentedSearch::new(exact).unwrap();
        let flats: Vec<FlatSearch<'_>> = sets.iter().map(FlatSearch::new).collect();
        let flats =
            SegmentedSearch::new(flats.iter().map(|s| s as &dyn VectorSearch).collect()).unwrap();
        let weights: Vec<f32> = (0..n).map(|i| 1.0 + (i % 5) as f32).collect();
        let mut allowed = IdSet::all(n);
        for id in (0..n).step_by(3) {
            allowed.remove(id);
        }
        let vectors = clustered(6, dim, 7);
        let queries: Vec<VectorQuery<'_>> = vectors
            .chunks(dim)
            .zip(0..)
            .map(|(v, i)| match i % 3 {
                0 => VectorQuery::new(v),
                1 => VectorQuery::new(v).weights(&weights).bias(0.5),
                _ => VectorQuery::new(v).allowed(&allowed),
            })
            .collect();
        let expected = whole.search_batch(&queries, 90).unwrap();
        assert_eq!(exact.search_batch(&queries, 90).unwrap(), expected);
        assert_eq!(flats.search_batch(&queries, 90).unwrap(), expected);
        for (query, expected) in queries.iter().zip(&expected) {
            assert_eq!(&exact.search(query, 90).unwrap(), expected);
        }
        assert!(
            exact
                .search(&VectorQuery::new(&vectors[..dim]).weights(&[1.0]), 1)
                .is_err()
        );
    }

    #[test]
    fn a_query_of_a_batch_may_want_fewer_answers_than_the_others() {
        let dim = 64;
        let options = VectorOptions::default().sketches(SketchPolicy::Always);
        let set = set_with(&clustered(3000, dim, 6), dim, options);
        let flat = FlatSearch::new(&set);
        let sketch = SketchSearch::new(&set).unwrap().candidates(200);
        let two = [&set as &dyn VectorSearch, &flat];
        let segments = SegmentedSearch::new(two.to_vec()).unwrap();
        let vectors = clustered(9, dim, 7);
        let queries: Vec<VectorQuery<'_>> = vectors
            .chunks(dim)
            .zip([usize::MAX, 5, 20, 0].into_iter().cycle())
            .map(|(vector, most)| VectorQuery::new(vector).at_most(most))
            .collect();
        for searcher in [&set as &dyn VectorSearch, &flat, &sketch, &segments] {
            let found = searcher.search_batch(&queries, 20).unwrap();
            for (query, found) in queries.iter().zip(found) {
                let alone = VectorQuery::new(query.vector);
                let alone = searcher.search(&alone, query.most.min(20)).unwrap();
                assert_eq!(found, alone);
                assert_eq!(found.len(), query.most.min(20));
                assert_eq!(searcher.search(query, 20).unwrap(), alone);
            }
        }
    }
}
