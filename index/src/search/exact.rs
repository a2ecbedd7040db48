//! The exact scan: every vector in f32.
//!
//! A block of vectors that fits the second-level cache is multiplied with all queries of a group before
//! the next block is read, so a batch reads the vectors once a group. Dot products have the same bits
//! in any grouping (see [`simd`](crate::simd)), and so have the scores.

use rayon::prelude::*;

use super::top_k::TopK;
use super::{SearchHit, VectorQuery, VectorSearch};
use crate::error::{Error, Result};
use crate::simd::{KernelTable, TILE};
use crate::vectors::VectorSet;

/// Bytes of a block of vectors.
const BLOCK: usize = 256 << 10;
/// The most queries in a group: their top-k lists should stay in the cache with the block.
const GROUP: usize = 32;
/// For a filter that passes fewer than one in this many, the allowed rows are read one by one.
const SPARSE: usize = 8;

impl VectorSet {
    /// The exact best `k`, in the order of [`search`](crate::search).
    ///
    /// Always returns `min(k, allowed)` answers. Runs on the calling thread.
    ///
    /// # Errors
    /// [`Error::Argument`] when the query does not fit the set or is not finite.
    pub fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        query.check(self.len(), self.dim())?;
        Ok(self.search_checked(query, k))
    }

    /// As [`search`](Self::search) for a validated query.
    pub(crate) fn search_checked(&self, query: &VectorQuery<'_>, k: usize) -> Vec<SearchHit> {
        scan_one(self, query, k)
    }

    /// As [`search`](Self::search) for many queries, on the current rayon pool: the same answers to the
    /// bit, but the vectors are read once for many queries.
    ///
    /// # Errors
    /// As [`search`](Self::search), for the first query that does not fit.
    pub fn search_batch(
        &self,
        queries: &[VectorQuery<'_>],
        k: usize,
    ) -> Result<Vec<Vec<SearchHit>>> {
        for query in queries {
            query.check(self.len(), self.dim())?;
        }
        let share = queries.len().div_ceil(rayon::current_num_threads());
        // A group for each thread before any gets two, of whole tiles, which kernels multiply at once.
        let group = share.next_multiple_of(TILE).clamp(TILE, GROUP);
        Ok(queries
            .par_chunks(group)
            .flat_map_iter(|group| scan_group(self, group, k))
            .collect())
    }

    /// The dot product of `vector` `[dim]` with every stored one `[len]`, on the current rayon
    /// pool; the same bits as in a search.
    ///
    /// # Errors
    /// [`Error::Argument`] for a wrong length.
    pub fn matvec(&self, vector: &[f32]) -> Result<Vec<f32>> {
        if vector.len() != self.dim() {
            return Err(Error::length("vector", self.dim(), vector.len()));
        }
        let kernels = KernelTable::detect();
        let block = rows_of_a_block(self.dim());
        let mut out = vec![0.0; self.len()];
        out.par_chunks_mut(block)
            .zip(self.vectors().par_chunks(block * self.dim()))
            .for_each(|(out, rows)| kernels.f32_rows(vector, rows, out));
        Ok(out)
    }
}

impl VectorSearch for VectorSet {
    fn len(&self) -> usize {
        self.len()
    }

    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        self.search(query, k)
    }

    fn search_batch(&self, queries: &[VectorQuery<'_>], k: usize) -> Result<Vec<Vec<SearchHit>>> {
        self.search_batch(queries, k)
    }
}

fn rows_of_a_block(dim: usize) -> usize {
    (BLOCK / (dim * 4)).max(TILE)
}

fn scan_one(set: &VectorSet, query: &VectorQuery<'_>, k: usize) -> Vec<SearchHit> {
    let candidates = query.candidates(set.len());
    let mut top = TopK::new(query.wanted(k).min(candidates));
    // Few allowed ids: reading their rows one by one touches less memory than a scan.
    if let Some(allowed) = query.allowed
        && candidates < set.len() / SPARSE
    {
        let ids: Vec<u32> = allowed.iter().map(|id| id as u32).collect();
        score_ids(set, query, &ids, &mut top);
        return top.finish();
    }
    let kernels = KernelTable::detect();
    let block = rows_of_a_block(set.dim());
    let mut dots = vec![0.0; block.min(set.len())];
    for (at, rows) in set.vectors().chunks(block * set.dim()).enumerate() {
        let dots = &mut dots[..rows.len() / set.dim()];
        kernels.f32_rows(query.vector, rows, dots);
        offer(query, at * block, dots, &mut top);
    }
    top.finish()
}

/// Offers the f32 scores of `ids`, which are all below the set's length and allowed.
pub(super) fn score_ids(set: &VectorSet, query: &VectorQuery<'_>, ids: &[u32], top: &mut TopK) {
    let kernels = KernelTable::detect();
    // On the stack and in chunks, so that no query allocates for its products.
    let mut dots = [0.0; 256];
    for ids in ids.chunks(dots.len()) {
        let dots = &mut dots[..ids.len()];
        kernels.f32_at(query.vector, set.vectors(), ids, dots);
        for (&id, &dot) in ids.iter().zip(&*dots) {
            top.push(query.score(id as usize, dot), id);
        }
    }
}

/// Offers to each query the f32 scores of its ids, which are all below the set's length and allowed, on the
/// current rayon pool. A row needed by several queries is read once.
///
/// A product has the same bits whichever of its two vectors is passed as the query, so here a row is
/// the query and the queries are the rows.
pub(super) fn score_wanted(
    set: &VectorSet,
    queries: &[VectorQuery<'_>],
    ids: &[Vec<u32>],
    tops: &mut [TopK],
) {
    /// The fewest products of a task.
    const WORTH_A_THREAD: usize = 1024;
    // Queries stand in one block, because the kernel addresses rows by number in one slice.
    let vectors: Vec<&[f32]> = queries.iter().map(|q| q.vector).collect();
    let asked = vectors.concat();
    let mut wanted: Vec<(u32, u32)> = (0u32..)
        .zip(ids)
        .flat_map(|(query, ids)| ids.iter().map(move |&id| (id, query)))
        .collect();
    // By row: those of several queries stand together, and memory is read upwards.
    wanted.sort_unstable();
    let mut dots = vec![0.0; wanted.len()];
    let share = wanted.len().div_ceil(rayon::current_num_threads());
    // Short shares would cost more to hand out than to multiply.
    let share = share.max(WORTH_A_THREAD);
    wanted
        .par_chunks(share)
        .zip(dots.par_chunks_mut(share))
        .for_each(|(wanted, dots)| multiply_wanted(set, &asked, wanted, dots));
    // One thread fills the lists: pushes are cheap beside the products, and a list belongs to one query.
    for (&(id, query), dot) in wanted.iter().zip(dots) {
        let query = query as usize;
        tops[query].push(queries[query].score(id as usize, dot), id);
    }
}

/// The product of each row with the query that wants it; `wanted` is sorted by row.
fn multiply_wanted(set: &VectorSet, queries: &[f32], wanted: &[(u32, u32)], dots: &mut [f32]) {
    /// How many entries ahead rows are prefetched.
    const AHEAD: usize = 8;
    let kernels = KernelTable::detect();
    let mut of_row = Vec::new();
    let (mut at, mut asked) = (0, 0);
    for entries in wanted.chunk_by(|a, b| a.0 == b.0) {
        let end = at + entries.len();
        // Rows are scattered, so the processor cannot foresee them; the next few are asked for in advance.
        while asked < wanted.len().min(end + AHEAD) {
            let id = wanted[asked].0;
            if asked == 0 || wanted[asked - 1].0 != id {
                crate::simd::prefetch(set.vector(id as usize));
            }
            asked += 1;
        }
        // All queries that want this row are multiplied with it while it is in the cache.
        of_row.clear();
        of_row.extend(entries.iter().map(|&(_, query)| query));
        let row = set.vector(entries[0].0 as usize);
        kernels.f32_at(row, queries, &of_row, &mut dots[at..end]);
        at = end;
    }
}

fn scan_group(set: &VectorSet, group: &[VectorQuery<'_>], k: usize) -> Vec<Vec<SearchHit>> {
    let mut tops: Vec<TopK> = group
        .iter()
        .map(|q| TopK::new(q.wanted(k).min(q.candidates(set.len()))))
        .collect();
    // Full tiles of four queries; the remaining queries one by one.
    let tiles: Vec<Vec<f32>> = group
        .chunks_exact(TILE)
        .map(|tile| tile.iter().flat_map(|q| q.vector).copied().collect())
        .collect();
    let kernels = KernelTable::detect();
    let block = rows_of_a_block(set.dim());
    let mut dots = vec![0.0; TILE * block.min(set.len())];
    for (at, rows) in set.vectors().chunks(block * set.dim()).enumerate() {
        let first = at * block;
        let count = rows.len() / set.dim();
        for ((tile, queries), tops) in tiles
            .iter()
            .zip(group.chunks_exact(TILE))
            .zip(tops.chunks_exact_mut(TILE))
        {
            kernels.f32_tile(tile, rows, &mut dots[..TILE * count]);
            for ((query, dots), top) in queries.iter().zip(dots.chunks_exact(count)).zip(tops) {
                offer(query, first, dots, top);
            }
        }
        let tiled = tiles.len() * TILE;
        for (query, top) in group[tiled..].iter().zip(&mut tops[tiled..]) {
            kernels.f32_rows(query.vector, rows, &mut dots[..count]);
            offer(query, first, &dots[..count], top);
        }
    }
    tops.into_iter().map(TopK::finish).collect()
}

/// Offers the scores of a block of dot products, the first of which belongs to the id `first`.
fn offer(query: &VectorQuery<'_>, first: usize, dots: &[f32], top: &mut TopK) {
    match (query.weights, query.allowed) {
        // The common cases have loops of their own without a branch for each row.
        (None, None) => {
            for (id, &dot) in (first as u32..).zip(dots) {
                top.push(dot + query.bias, id);
            }
        }
        (Some(weights), None) => {
            let weights = &weights[first..first + dots.len()];
            for ((id, &dot), &weight) in (first as u32..).zip(dots).zip(weights) {
                top.push((dot + query.bias) * weight, id);
            }
        }
        _ => {
            for (id, &dot) in (first..).zip(dots) {
                if query.allows(id) {
                    top.push(query.score(id, dot), id as u32);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VectorOptions;
    use crate::search::IdSet;
    use crate::test_vectors::{pool, set_with};
    use proptest::prelude::*;

    fn set_of(rows: &[f32], dim: usize) -> VectorSet {
        set_with(rows, dim, VectorOptions::default())
    }

    /// Numbers on a coarse grid, so that equal scores occur.
    fn numbers(len: usize) -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec((-4i8..4).prop_map(|v| f32::from(v) / 2.0), len)
    }

    fn model(set: &VectorSet, query: &VectorQuery<'_>, k: usize) -> Vec<(u32, f32)> {
        let mut all: Vec<(u32, f32)> = (0..set.len())
            .filter(|&i| query.allowed.is_none_or(|a| a.contains(i)))
            .map(|i| {
                let dot = crate::simd::scalar::dot_f32(query.vector, set.vector(i));
                (
                    i as u32,
                    (dot + query.bias) * query.weights.map_or(1.0, |w| w[i]),
                )
            })
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(k);
        all
    }

    fn pairs(hits: &[SearchHit]) -> Vec<(u32, f32)> {
        hits.iter().map(|h| (h.id, h.score)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_scan_agrees_with_sorting_everything(
            (dim, rows, queries) in (1usize..40, 1usize..200, 1usize..11)
                .prop_flat_map(|(d, n, q)| (Just(d), numbers(d * n), numbers(d * q))),
            k in 0usize..250,
            bias in -2.0f32..2.0,
            every in prop_oneof![Just(1usize), Just(2), Just(20)],
        ) {
            let set = set_of(&rows, dim);
            let weights: Vec<f32> = (0..set.len()).map(|i| 0.5 + (i % 4) as f32).collect();
            let mut allowed = IdSet::none(set.len());
            for id in (0..set.len()).step_by(every) {
                allowed.insert(id);
            }
            let queries: Vec<VectorQuery<'_>> = queries
                .chunks(dim)
                .enumerate()
                .map(|(i, vector)| {
                    let query = VectorQuery::new(vector).bias(bias).allowed(&allowed);
                    if i % 2 == 0 { query } else { query.weights(&weights) }
                })
                .collect();
            let batch = set.search_batch(&queries, k).unwrap();
            for (query, in_batch) in queries.iter().zip(&batch) {
                let alone = set.search(query, k).unwrap();
                prop_assert_eq!(pairs(&alone), model(&set, query, k));
                prop_assert_eq!(&alone, in_batch);
            }
        }
    }

    #[test]
    fn many_blocks_any_batch_and_any_number_of_threads_give_the_same_bits() {
        let (n, dim) = (3000, 100);
        let value = |i: usize| ((i * 2_654_435_761) % 1009) as f32 / 500.0 - 1.0;
        let rows: Vec<f32> = (0..n * dim).map(value).collect();
        let set = set_of(&rows, dim);
        let vectors: Vec<f32> = (0..70 * dim).map(|i| value(i * 31 + 7)).collect();
        let queries: Vec<VectorQuery<'_>> = vectors.chunks(dim).map(VectorQuery::new).collect();
        let alone: Vec<Vec<SearchHit>> = queries
            .iter()
            .map(|q| set.search(q, 800).unwrap())
            .collect();
        for threads in [1, 2, 5] {
            let pool = pool(threads);
            for size in [1, 3, 4, 7, 70] {
                let batch: Vec<Vec<SearchHit>> = queries
                    .chunks(size)
                    .flat_map(|q| pool.install(|| set.search_batch(q, 800)).unwrap())
                    .collect();
                assert_eq!(batch, alone, "{threads} threads, batches of {size}");
            }
            let dots = pool.install(|| set.matvec(queries[0].vector)).unwrap();
            assert!(alone[0].iter().all(|h| h.score == dots[h.id as usize]));
        }
    }

    #[test]
    fn a_query_that_does_not_fit_is_refused() {
        let set = set_of(&[1.0, 2.0, 3.0, 4.0], 2);
        let ids = IdSet::all(3);
        let refused = [
            VectorQuery::new(&[1.0]),
            VectorQuery::new(&[1.0, f32::NAN]),
            VectorQuery::new(&[1.0, f32::INFINITY]),
            VectorQuery::new(&[1.0, 1.0]).bias(f32::NAN),
            VectorQuery::new(&[1.0, 1.0]).weights(&[1.0]),
            VectorQuery::new(&[1.0, 1.0]).allowed(&ids),
        ];
        for query in refused {
            assert!(
                matches!(set.search(&query, 1), Err(Error::Argument { .. })),
                "{query:?}"
            );
            assert!(
                set.search_batch(&[VectorQuery::new(&[1.0, 1.0]), query], 1)
                    .is_err()
            );
        }
        assert!(set.matvec(&[1.0]).is_err());
    }

    #[test]
    fn scores_that_overflow_come_last_but_come() {
        let set = set_of(&[f32::MAX, f32::MAX, 1.0, 1.0, f32::MAX, -f32::MAX], 2);
        let hits = set
            .search(&VectorQuery::new(&[f32::MAX, -f32::MAX]), 3)
            .unwrap();
        assert_eq!(hits.iter().map(|h| h.id).collect::<Vec<_>>(), [2, 1, 0]);
        assert!(hits[2].score.is_nan());
    }
}
