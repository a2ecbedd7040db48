//! Chooses the links of a row from its nearest neighbours.
//!
//! A link to `b` is dropped if there is a link to a nearer `a` and `b` is much nearer to `a` than to the row.
//! The remaining links point in different directions, so that a walk makes progress.
//! (Malkov and Yashunin 2018, algorithm 4; with the slack factor of Subramanya et al. 2019.)

use rayon::prelude::*;

use super::NIL;
use super::cosine::{CodeCosines, GatheredCodes};
use super::near::NeighbourKeys;
use crate::search::top_k::{id_of, key_of, score_of};

/// Buffers that a thread reuses for each row.
#[derive(Default)]
pub(super) struct PruneScratch {
    gathered: GatheredCodes,
    products: Vec<i32>,
    rows: Vec<u32>,
    dropped: Vec<bool>,
}

/// The rule for choosing links.
#[derive(Debug, Clone, Copy)]
pub(super) struct PruneRule {
    /// The most links of a row.
    pub most: usize,
    /// `b` is dropped because of `a` if `slack` times their distance is below the distance of `b` to
    /// the row; 1 is the plain heuristic, larger values keep more links.
    pub slack: f32,
    /// Distances (1 minus the cosine) that differ by no more than this count as equal: of
    /// near-duplicates one is linked, and the other slots stay free for other rows. Otherwise a node
    /// with as many duplicates as slots would be linked to nothing else.
    pub same: f32,
    /// If fewer links were chosen, they are filled up to this number with the nearest dropped ones.
    pub fill: usize,
}

/// Chooses links among `keys` (best first, no duplicates) into `out`, also as keys. Ids are positions in
/// `rows`.
pub(super) fn choose(
    cosine: &CodeCosines<'_>,
    rows: &[u32],
    keys: &[u64],
    rule: PruneRule,
    room: &mut PruneScratch,
    out: &mut Vec<u64>,
) {
    let PruneScratch {
        gathered,
        products,
        rows: members,
        dropped,
    } = room;
    // `out` is reused and holds the links of another row.
    out.clear();
    members.clear();
    // Codes of all candidates side by side: each chosen one is compared with all later ones.
    members.extend(keys.iter().map(|&key| rows[id_of(key) as usize]));
    cosine.gather_into(members, gathered);
    dropped.clear();
    dropped.resize(keys.len(), false);
    for at in 0..keys.len() {
        if dropped[at] {
            continue;
        }
        out.push(keys[at]);
        if out.len() == rule.most {
            return;
        }
        // Chosen keys are marked as dropped below, so that they are not chosen again.
        gathered.products(at, at + 1, cosine.stride, products);
        dropped[at] = true;
        for (later, &product) in (at + 1..).zip(&*products) {
            let between = 1.0 - gathered.cosine(at, later, product);
            dropped[later] |= rule.slack * between < 1.0 - score_of(keys[later]) + rule.same;
        }
    }
    // Every key was either chosen or dropped; the nearest dropped ones fill up the links.
    if out.len() < rule.fill {
        let mut chosen = std::mem::take(out);
        let missing = rule.fill - chosen.len();
        let left: Vec<u64> = keys
            .iter()
            .copied()
            // `chosen` descends, as `keys` do, hence the comparison the other way round.
            .filter(|key| chosen.binary_search_by(|c| key.cmp(c)).is_err())
            .take(missing)
            .collect();
        chosen.extend(left);
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        *out = chosen;
    }
}

/// The links of all rows `[rows.len(), width]`: chosen from the nearest neighbours, extended by reverse
/// links, and chosen again where that makes too many.
///
/// At most `rule.most` links are set in each row; the rest is [`NIL`]. Rows are processed in `order`, a
/// permutation that places near ones close together, so that their codes are in the cache. The result does
/// not depend on it.
pub(super) fn link(
    cosine: &CodeCosines<'_>,
    rows: &[u32],
    order: &[u32],
    near: &NeighbourKeys,
    rule: PruneRule,
    width: usize,
) -> Vec<u32> {
    let chosen: Vec<Vec<u64>> = order
        .par_iter()
        .with_min_len(64)
        .map_init(PruneScratch::default, |room, &row| {
            let mut out = Vec::with_capacity(rule.most);
            choose(cosine, rows, near.of(row as usize), rule, room, &mut out);
            out
        })
        .collect();
    // The reverse links of each row. The cosine is symmetric, so its key is reused.
    let mut back: Vec<Vec<u64>> = vec![Vec::new(); rows.len()];
    for (&row, keys) in order.iter().zip(&chosen) {
        for &key in keys {
            back[id_of(key) as usize].push(key_of(score_of(key), row));
        }
    }
    let joined: Vec<Vec<u64>> = order
        .par_iter()
        .zip(chosen)
        .with_min_len(64)
        .map_init(PruneScratch::default, |room, (&row, mut keys)| {
            keys.extend(&back[row as usize]);
            keys.sort_unstable_by(|a, b| b.cmp(a));
            // A link that is a reverse link, too, has one key, since the cosine is symmetric to the bit.
            keys.dedup();
            if keys.len() <= rule.most {
                return keys;
            }
            let mut fewer = Vec::with_capacity(rule.most);
            choose(cosine, rows, &keys, rule, room, &mut fewer);
            fewer
        })
        .collect();
    let mut links = vec![NIL; rows.len() * width];
    // Unused slots stay at the end, where readers stop at the first one.
    for (&row, keys) in order.iter().zip(&joined) {
        for (link, &key) in links[row as usize * width..][..width].iter_mut().zip(keys) {
            *link = id_of(key);
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VectorOptions;
    use crate::random::SplitMix64;
    use crate::test_vectors::set_with;

    #[test]
    fn copies_leave_places_for_others() {
        // Row 0, thirty that hardly differ from it, and nine in directions of their own.
        let (dim, copies, others) = (16, 30, 9);
        let mut random = SplitMix64::new(3);
        let mut rows = Vec::new();
        for _ in 0..=copies {
            rows.extend((0..dim).map(|j| f32::from(j == 0) + 0.02 * random.normal()));
        }
        for other in 1..=others {
            rows.extend((0..dim).map(|j| f32::from(j == 0 || j == other)));
        }
        let set = set_with(&rows, dim, VectorOptions::default());
        let cosine = CodeCosines::new(&set);
        let all: Vec<u32> = (0..set.len() as u32).collect();
        let gathered = cosine.gather(&all);
        let mut products = Vec::new();
        gathered.products(0, 1, cosine.stride, &mut products);
        let mut keys: Vec<u64> = (1..)
            .zip(&products)
            .map(|(at, &product)| key_of(gathered.cosine(0, at as usize, product), at))
            .collect();
        keys.sort_unstable_by(|a, b| b.cmp(a));
        let links = |same: f32| -> usize {
            let rule = PruneRule {
                most: others + 1,
                slack: 1.2,
                same,
                fill: others + 1,
            };
            let mut out = Vec::new();
            choose(
                &cosine,
                &all,
                &keys,
                rule,
                &mut PruneScratch::default(),
                &mut out,
            );
            assert_eq!(out.len(), others + 1);
            out.iter().filter(|&&key| id_of(key) > copies).count()
        };
        assert_eq!(links(0.0), 0, "the copies took every place");
        assert_eq!(links(0.02), others);
    }
}
