//! Which of a row's near others become its links.
//!
//! A link to `b` is left out where a link to a nearer `a` leads there: where `b` is much nearer to
//! `a` than to the row itself. What stays points in different directions, so that a walk gets on.
//! (Malkov and Yashunin 2018, algorithm 4; with the slack factor of Subramanya et al. 2019.)

use rayon::prelude::*;

use super::NIL;
use super::cosine::{Cosine, Gathered};
use super::near::Near;
use crate::search::top_k::{id_of, key_of, score_of};

/// Room that a thread uses again for each row.
#[derive(Default)]
pub(super) struct Room {
    gathered: Gathered,
    products: Vec<i32>,
    rows: Vec<u32>,
    dropped: Vec<bool>,
}

/// How links are chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Most links a row has.
    pub most: usize,
    /// `b` is left out for `a` where `slack` times their distance is below `b`'s to the row; 1 is
    /// the plain heuristic, more keeps more links.
    pub slack: f32,
    /// Distances (1 less the cosine) that differ by no more count as one: of copies, and of what
    /// hardly differs, one is linked and the places go to others. Else a node with as many copies as
    /// places is linked to nothing but those.
    pub same: f32,
    /// Links that fill up with the nearest of those left out, if fewer were chosen.
    pub fill: usize,
}

/// Chooses among `keys` (best first, no doubles) into `out`, keys too. Ids are positions in
/// `rows`.
pub(super) fn choose(
    cosine: &Cosine<'_>,
    rows: &[u32],
    keys: &[u64],
    rule: Rule,
    room: &mut Room,
    out: &mut Vec<u64>,
) {
    let Room {
        gathered,
        products,
        rows: members,
        dropped,
    } = room;
    out.clear();
    members.clear();
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
        // Chosen ones count as dropped below: they are not to be chosen again.
        gathered.products(at, at + 1, cosine.stride, products);
        dropped[at] = true;
        for (later, &product) in (at + 1..).zip(&*products) {
            let between = 1.0 - gathered.cosine(at, later, product);
            dropped[later] |= rule.slack * between < 1.0 - score_of(keys[later]) + rule.same;
        }
    }
    // Every one is chosen or was left out.
    if out.len() < rule.fill {
        let mut chosen = std::mem::take(out);
        let missing = rule.fill - chosen.len();
        let left: Vec<u64> = keys
            .iter()
            .copied()
            .filter(|key| chosen.binary_search_by(|c| key.cmp(c)).is_err())
            .take(missing)
            .collect();
        chosen.extend(left);
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        *out = chosen;
    }
}

/// Links of all rows `[rows.len(), width]`: chosen from the near ones, then joined by the links
/// that point back, then chosen again where that made too many.
///
/// At most `rule.most` links are set in each row; the rest is [`NIL`]. Rows are worked on in
/// `order`, positions in which near ones are close: their codes are then in the cache. The links do
/// not depend on it.
pub(super) fn link(
    cosine: &Cosine<'_>,
    rows: &[u32],
    order: &[u32],
    near: &Near,
    rule: Rule,
    width: usize,
) -> Vec<u32> {
    let chosen: Vec<Vec<u64>> = order
        .par_iter()
        .with_min_len(64)
        .map_init(Room::default, |room, &row| {
            let mut out = Vec::with_capacity(rule.most);
            choose(cosine, rows, near.of(row as usize), rule, room, &mut out);
            out
        })
        .collect();
    // What points at each row. The cosine is the same from both ends.
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
        .map_init(Room::default, |room, (&row, mut keys)| {
            keys.extend(&back[row as usize]);
            keys.sort_unstable_by(|a, b| b.cmp(a));
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
    use crate::random::Random;
    use crate::test_vectors::set_with;

    #[test]
    fn copies_leave_places_for_others() {
        // Row 0, thirty that hardly differ from it, and nine in directions of their own.
        let (dim, copies, others) = (16, 30, 9);
        let mut random = Random::new(3);
        let mut rows = Vec::new();
        for _ in 0..=copies {
            rows.extend((0..dim).map(|j| f32::from(j == 0) + 0.02 * random.normal()));
        }
        for other in 1..=others {
            rows.extend((0..dim).map(|j| f32::from(j == 0 || j == other)));
        }
        let set = set_with(&rows, dim, VectorOptions::default());
        let cosine = Cosine::new(&set);
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
            let rule = Rule {
                most: others + 1,
                slack: 1.2,
                same,
                fill: others + 1,
            };
            let mut out = Vec::new();
            choose(&cosine, &all, &keys, rule, &mut Room::default(), &mut out);
            assert_eq!(out.len(), others + 1);
            out.iter().filter(|&&key| id_of(key) > copies).count()
        };
        assert_eq!(links(0.0), 0, "the copies took every place");
        assert_eq!(links(0.02), others);
    }
}
