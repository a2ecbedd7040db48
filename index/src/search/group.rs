//! Scans the int8 codes for many queries at once.
//!
//! ```text
//! rows of the set ──> a share a thread ──> blocks that stay in the first-level cache ──> all queries
//! ```
//!
//! Codes are read from memory once for all queries. The best candidates of the shares are merged; the result
//! does not depend on the number of shares, because the order is total.

use std::ops::Range;

use rayon::prelude::*;

use super::VectorQuery;
use super::coded::{CodedQuery, ScoreScratch};
use super::top_k::TopK;
use crate::simd::{KernelTable, TILE};
use crate::vectors::VectorSet;

/// Bytes of a block of codes. A block, the next block, which is being prefetched, and four queries
/// should fit in the first-level cache.
const BLOCK: usize = 10 << 10;
/// Rows whose products are collected before they are scored.
const CHUNK: usize = 256;
/// Fewer queries than this do not form a tile: one by one they are already limited by memory or cache
/// bandwidth.
const FEW: usize = 2;
/// The number of products from which a second thread pays. A single query is bound by memory bandwidth, which
/// a second thread does not increase.
const SHARE: usize = 1 << 25;

/// A group of queries that are scanned together.
pub(super) struct QueryGroup<'a> {
    set: &'a VectorSet,
    queries: &'a [VectorQuery<'a>],
    coded: Vec<CodedQuery>,
    /// Tiles of four queries, the last padded with zeros; queries in no tile are scanned one by one.
    tiles: Vec<Vec<i8>>,
}

impl<'a> QueryGroup<'a> {
    /// Codes the queries, which must be validated.
    pub fn new(set: &'a VectorSet, queries: &'a [VectorQuery<'a>]) -> Self {
        let coded: Vec<CodedQuery> = queries
            .iter()
            .map(|query| CodedQuery::new(set, query))
            .collect();
        let tile = |tile: &[CodedQuery]| {
            let codes: Vec<&[i8]> = tile.iter().map(|c| &c.codes.codes[..]).collect();
            let mut codes = codes.concat();
            // Zeros fill the last tile: computing and dropping their products is cheaper than another loop.
            codes.resize(TILE * set.stride(), 0);
            codes
        };
        let tiles = match coded.len() {
            0..=FEW => Vec::new(),
            _ => coded
                .chunks(TILE)
                .filter(|t| t.len() > 1)
                .map(tile)
                .collect(),
        };
        Self {
            set,
            queries,
            coded,
            tiles,
        }
    }

    /// The best candidates of each query, collected in the lists that `wanted` makes, on the current
    /// rayon pool.
    pub fn candidates(&self, wanted: impl Fn(&VectorQuery<'_>) -> TopK + Sync) -> Vec<TopK> {
        let rows = self.set.len();
        // A share must be worth a thread: below it one thread reads as fast as memory delivers.
        let shares = self.set.codes().len().saturating_mul(self.queries.len()) / SHARE;
        let shares = shares.clamp(1, rayon::current_num_threads());
        // Whole chunks, so that only the last share has an incomplete one.
        let share = rows.div_ceil(shares).next_multiple_of(CHUNK);
        let starts: Vec<usize> = (0..rows).step_by(share.max(1)).collect();
        // Each share collects in lists of its own, so that no lock is taken in the scan.
        let none = || self.queries.iter().map(&wanted).collect::<Vec<TopK>>();
        let merge = |mut all: Vec<TopK>, more: Vec<TopK>| {
            all.iter_mut().zip(more).for_each(|(top, t)| top.merge(t));
            all
        };
        starts
            .into_par_iter()
            .map(|start| {
                let mut tops = none();
                self.scan(start..(start + share).min(rows), &mut tops);
                tops
            })
            .reduce_with(merge)
            .unwrap_or_else(none)
    }

    /// Offers the scores of some rows to each query.
    fn scan(&self, rows: Range<usize>, tops: &mut [TopK]) {
        let (kernels, stride) = (KernelTable::detect(), self.set.stride());
        // Four rows are multiplied at once.
        let block = match self.tiles.is_empty() {
            true => CHUNK,
            false => (BLOCK / stride / 4 * 4).max(4),
        };
        // Products of a chunk lie query by query, so that scoring reads them in order.
        let mut dots = vec![0; self.queries.len().next_multiple_of(TILE) * CHUNK];
        let mut tile_dots = vec![0; TILE * block.min(CHUNK)];
        let mut scratch = ScoreScratch::default();
        for first in rows.clone().step_by(CHUNK) {
            let count = (rows.end - first).min(CHUNK);
            let codes = &self.set.codes()[first * stride..][..count * stride];
            for (at, codes) in (0..).step_by(block).zip(codes.chunks(block * stride)) {
                let count = codes.len() / stride;
                let products = &mut tile_dots[..TILE * count];
                for (tile, dots) in self.tiles.iter().zip(dots.chunks_exact_mut(TILE * CHUNK)) {
                    kernels.u8_tile(tile, codes, products);
                    let of_each = products.chunks_exact(count);
                    for (products, dots) in of_each.zip(dots.chunks_exact_mut(CHUNK)) {
                        dots[at..at + count].copy_from_slice(products);
                    }
                }
                // The last tile may be filled with zeros, so it counts more queries than there are.
                let tiled = (self.tiles.len() * TILE).min(self.coded.len());
                let left = self.coded[tiled..].iter();
                for (coded, dots) in left.zip(dots[tiled * CHUNK..].chunks_exact_mut(CHUNK)) {
                    kernels.u8_rows(&coded.codes.codes, codes, &mut dots[at..at + count]);
                }
            }
            let asked = self.queries.iter().zip(&self.coded);
            for (((query, coded), dots), top) in asked.zip(dots.chunks(CHUNK)).zip(&mut *tops) {
                coded.offer(self.set, query, first, &dots[..count], &mut scratch, top);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::search::{
        FlatSearch, IdSet, RescorePrecision, SearchHit, VectorQuery, VectorSearch,
    };
    use crate::test_vectors::{clustered, pool, set_with};
    use crate::{CodeCenter, VectorOptions};

    #[test]
    fn any_batch_and_any_number_of_threads_give_what_one_query_alone_gets() {
        let (n, dim) = (6000, 200);
        let options = VectorOptions::default()
            .center(CodeCenter::Mean)
            .halves(true);
        let set = set_with(&clustered(n, dim, 1), dim, options);
        let weights: Vec<f32> = (0..n).map(|i| 1.0 + (i % 7) as f32 / 8.0).collect();
        let mut allowed = IdSet::all(n);
        for id in (0..n).step_by(3) {
            allowed.remove(id);
        }
        let vectors = clustered(70, dim, 2);
        let queries: Vec<VectorQuery<'_>> = vectors
            .chunks(dim)
            .zip(0..)
            .map(|(vector, i)| match i % 4 {
                0 => VectorQuery::new(vector).allowed(&allowed),
                1 => VectorQuery::new(vector).weights(&weights).at_most(100),
                2 => VectorQuery::new(vector).weights(&weights).allowed(&allowed),
                _ => VectorQuery::new(vector).bias(0.1).at_most(0),
            })
            .collect();
        for rescore in [
            RescorePrecision::Exact,
            RescorePrecision::Halves,
            RescorePrecision::Codes,
        ] {
            let flat = FlatSearch::new(&set).rescore(rescore);
            let alone: Vec<Vec<SearchHit>> = queries
                .iter()
                .map(|query| flat.search(query, 400).unwrap())
                .collect();
            for threads in [1, 2, 5] {
                let pool = pool(threads);
                for size in [1, 2, 3, 4, 7, 70] {
                    let batch: Vec<Vec<SearchHit>> = queries
                        .chunks(size)
                        .flat_map(|q| pool.install(|| flat.search_batch(q, 400)).unwrap())
                        .collect();
                    assert_eq!(batch, alone, "{threads} threads, batches of {size}");
                }
            }
        }
    }

    #[test]
    fn scores_that_overflow_come_last_but_come() {
        let rows = [f32::MAX, f32::MAX, 1.0, 1.0, f32::MAX, -f32::MAX];
        let set = set_with(&rows, 2, VectorOptions::default());
        let query = VectorQuery::new(&[f32::MAX, -f32::MAX]);
        for found in FlatSearch::new(&set).search_batch(&[query; 5], 3).unwrap() {
            assert_eq!(found.iter().map(|h| h.id).collect::<Vec<_>>(), [2, 1, 0]);
            assert!(found[2].score.is_nan());
        }
    }
}
