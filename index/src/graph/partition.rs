//! Overlapping parts: each row belongs to the parts of its nearest few leaders.
//!
//! Near rows share a leader with high probability, which several leaders a row increase. So a row's
//! neighbours are searched only inside its parts, where comparing all pairs is cheap.

use rayon::prelude::*;

use super::cosine::CodeCosines;
use crate::random::mix;
use crate::simd::{KernelTable, TILE};

/// The mean number of rows of a leader, before overlap.
const ROWS_PER_LEADER: usize = 96;
/// The most leaders: with more, finding the nearest ones would cost more than the pairs it saves.
const MOST_LEADERS: usize = 6000;
/// Rows compared with all leaders at a time.
const BLOCK: usize = 64;
/// Larger parts are split, because the cost of all pairs is quadratic.
pub(super) const LARGEST_PART: usize = 2048;

/// Overlapping parts of some rows.
pub(super) struct LeaderPartition {
    /// The members of each part, as positions in the given rows.
    pub parts: Vec<Vec<u32>>,
    /// The nearest leader of each row: rows that share it are near each other.
    pub home: Vec<u32>,
}

/// Puts each of `rows` into the parts of its `fan` nearest leaders.
pub(super) fn partition(
    cosine: &CodeCosines<'_>,
    rows: &[u32],
    fan: usize,
    seed: u64,
) -> LeaderPartition {
    let n = rows.len();
    // Whole tiles, because the kernel multiplies that many leaders at once.
    // With less than a tile of leaders the count is 0, and the rows are only cut up below.
    let count = (n / ROWS_PER_LEADER).min(MOST_LEADERS) / TILE * TILE;
    // With fewer leaders a row would be in over half of all parts: their pairs cost more than all pairs.
    if count < 2 * fan || n <= LARGEST_PART {
        let all = (0..n as u32).collect::<Vec<_>>();
        let parts = all.chunks(LARGEST_PART).map(<[u32]>::to_vec).collect();
        return LeaderPartition {
            parts,
            home: vec![0; n],
        };
    }
    let nearest = nearest_leaders(cosine, rows, &draw(rows, count, seed), fan);
    let mut parts = vec![Vec::new(); count];
    for (position, leaders) in nearest.chunks_exact(fan).enumerate() {
        for &leader in leaders {
            parts[leader as usize].push(position as u32);
        }
    }
    let home = nearest
        .chunks_exact(fan)
        .map(|leaders| leaders[0])
        .collect();
    LeaderPartition {
        parts: parts
            .into_iter()
            .flat_map(cut)
            // A part of one row has no pairs to compare.
            .filter(|p| p.len() > 1)
            .collect(),
        home,
    }
}

/// Splits a part into even pieces of at most [`LARGEST_PART`], dealing out members in turn.
fn cut(part: Vec<u32>) -> Vec<Vec<u32>> {
    let pieces = part.len().div_ceil(LARGEST_PART);
    if pieces <= 1 {
        return vec![part];
    }
    (0..pieces)
        .map(|p| part.iter().skip(p).step_by(pieces).copied().collect())
        .collect()
}

/// Draws `count` of the rows by the seed.
fn draw(rows: &[u32], count: usize, seed: u64) -> Vec<u32> {
    let mut by_hash: Vec<(u64, u32)> = rows
        .iter()
        .map(|&row| (mix(seed ^ mix(u64::from(row) + 1)), row))
        .collect();
    // The rows with the smallest hashes are an even sample that does not depend on threads.
    // Only the set of the smallest is wanted, so a selection suffices before the sort.
    by_hash.select_nth_unstable(count - 1);
    by_hash.truncate(count);
    by_hash.sort_unstable();
    by_hash.into_iter().map(|(_, row)| row).collect()
}

/// The `fan` nearest of the leaders for each row, nearest first.
fn nearest_leaders(
    cosine: &CodeCosines<'_>,
    rows: &[u32],
    leaders: &[u32],
    fan: usize,
) -> Vec<u32> {
    let leaders = cosine.gather(leaders);
    let stride = cosine.stride;
    let mut nearest = vec![0u32; rows.len() * fan];
    nearest
        .par_chunks_mut(BLOCK * fan)
        .zip(rows.par_chunks(BLOCK))
        .for_each(|(out, rows)| {
            let block = cosine.gather(rows);
            let mut best = vec![(f32::NEG_INFINITY, 0u32); rows.len() * fan];
            let mut products = vec![0i32; TILE * rows.len()];
            let mut scores = Vec::with_capacity(rows.len());
            for first in (0..leaders.len()).step_by(TILE) {
                let tile = &leaders.signed[first * stride..][..TILE * stride];
                KernelTable::detect().u8_tile(tile, &block.stored, &mut products);
                for (t, products) in products.chunks_exact(rows.len()).enumerate() {
                    leaders.cosines_with(first + t, &block, products, &mut scores);
                    for (b, &score) in scores.iter().enumerate() {
                        let best = &mut best[b * fan..][..fan];
                        // Not `>=`: of equal leaders the first one stays, in whatever blocks the rows come.
                        if score > best[fan - 1].0 {
                            let at = best.partition_point(|&(s, _)| s >= score);
                            best[at..].rotate_right(1);
                            best[at] = (score, (first + t) as u32);
                        }
                    }
                }
            }
            for (out, &(_, leader)) in out.iter_mut().zip(&best) {
                *out = leader;
            }
        });
    nearest
}
