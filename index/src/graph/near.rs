//! The nearest neighbours of each row: all pairs inside each part, then merged over the parts.

use rayon::prelude::*;

use super::cosine::{CodeCosines, GatheredCodes};
use super::partition::LeaderPartition;
use crate::search::top_k::{id_of, key_of};
use crate::simd::{KernelTable, TILE};

/// The keys of each row's nearest neighbours, best first, at most `keep` a row.
pub(super) struct NeighbourKeys {
    starts: Vec<usize>,
    keys: Vec<u64>,
}

impl NeighbourKeys {
    /// The keys of one row.
    pub fn of(&self, row: usize) -> &[u64] {
        &self.keys[self.starts[row]..self.starts[row + 1]]
    }
}

/// The `per_part` nearest of each part's members to each of its members, merged to `keep` a row.
///
/// The merge takes the best of a union by a total order, so the result does not depend on the order in which
/// parts are processed.
pub(super) fn near(
    cosine: &CodeCosines<'_>,
    rows: &[u32],
    partition: &LeaderPartition,
    per_part: usize,
    keep: usize,
) -> NeighbourKeys {
    let found: Vec<Vec<u64>> = partition
        .parts
        .par_iter()
        .map_init(NearScratch::default, |room, part| {
            all_pairs(cosine, rows, part, per_part, room)
        })
        .collect();
    // The locations of each row's keys: (part, position in it).
    let mut places: Vec<Vec<(u32, u32)>> = vec![Vec::new(); rows.len()];
    for (p, part) in partition.parts.iter().enumerate() {
        for (place, &row) in part.iter().enumerate() {
            places[row as usize].push((p as u32, place as u32));
        }
    }
    let merged: Vec<Vec<u64>> = places
        .par_iter()
        .with_min_len(256)
        .map(|places| {
            let mut keys: Vec<u64> = Vec::with_capacity(places.len() * per_part);
            for &(part, place) in places {
                let keys_of_part = &found[part as usize];
                // Every member of a part has the same number of keys.
                let each = keys_of_part.len() / partition.parts[part as usize].len();
                keys.extend_from_slice(&keys_of_part[place as usize * each..][..each]);
            }
            keys.sort_unstable_by(|a, b| b.cmp(a));
            keys.dedup();
            keys.truncate(keep);
            keys
        })
        .collect();
    let mut starts = vec![0; rows.len() + 1];
    for (row, keys) in merged.iter().enumerate() {
        starts[row + 1] = starts[row] + keys.len();
    }
    NeighbourKeys {
        starts,
        keys: merged.concat(),
    }
}

/// Buffers that a thread reuses for each part.
#[derive(Default)]
struct NearScratch {
    gathered: GatheredCodes,
    products: Vec<i32>,
    scores: Vec<f32>,
    keys: Vec<u64>,
}

/// For each member, the keys of its `per_part` nearest members: `[part.len(), each]` where `each`
/// is `per_part` or one less than the part, whichever is smaller.
fn all_pairs(
    cosine: &CodeCosines<'_>,
    rows: &[u32],
    part: &[u32],
    per_part: usize,
    room: &mut NearScratch,
) -> Vec<u64> {
    let (n, stride) = (part.len(), cosine.stride);
    let each = per_part.min(n.saturating_sub(1));
    let members: Vec<u32> = part
        .iter()
        .map(|&position| rows[position as usize])
        .collect();
    let NearScratch {
        gathered,
        products,
        scores,
        keys,
    } = room;
    cosine.gather_into(&members, gathered);
    // An incomplete last tile is padded with a row of zeros, whose products are dropped.
    gathered.signed.resize(n.next_multiple_of(TILE) * stride, 0);
    products.resize(TILE * n, 0);
    let mut out = Vec::with_capacity(n * each);
    for first in (0..n).step_by(TILE) {
        let tile = &gathered.signed[first * stride..][..TILE * stride];
        KernelTable::detect().u8_tile(tile, &gathered.stored, &mut products[..TILE * n]);
        for (t, products) in products.chunks_exact(n).take(n - first).enumerate() {
            let me = first + t;
            gathered.cosines_with(me, gathered, products, scores);
            best_of(me, each, scores, part, keys);
            out.extend_from_slice(&keys[..each]);
        }
    }
    out
}

/// The keys of the `each` best scores, in no order, at the start of `keys`.
#[inline]
fn best_of(me: usize, each: usize, scores: &[f32], part: &[u32], keys: &mut Vec<u64>) {
    keys.clear();
    if each == 0 {
        return;
    }
    let mut floor = f32::NEG_INFINITY;
    for (other, &score) in scores.iter().enumerate() {
        // One that equals the floor may still win by its id, which is the lower half of the key.
        if score >= floor && other != me {
            keys.push(key_of(score, part[other]));
            // Selecting in a buffer of several times the wanted size costs a constant a score; the
            // floor that it gives rejects most of the later ones with one comparison.
            if keys.len() >= 4 * each {
                let (_, &mut least, _) = keys.select_nth_unstable_by(each - 1, |a, b| b.cmp(a));
                keys.truncate(each);
                floor = crate::search::top_k::score_of(least);
            }
        }
    }
    if keys.len() > each {
        keys.select_nth_unstable_by(each - 1, |a, b| b.cmp(a));
    }
    debug_assert!(keys.iter().all(|&key| id_of(key) != part[me]));
}
