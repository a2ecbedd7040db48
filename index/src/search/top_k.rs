//! Collects the best `k` of a stream of scores.

use super::SearchHit;

/// Keeps the best `k` keys. A key is the rank of the score in the total order, followed by the id's
/// complement, so that comparing two `u64` compares two answers.
///
/// Keys above the floor are collected; when there are `2 k`, a selection halves them and raises the
/// floor. For a `k` in the hundreds this is cheaper than a heap.
#[derive(Debug)]
pub(crate) struct TopK {
    k: usize,
    /// The number of keys collected before the best are selected.
    room: usize,
    keys: Vec<u64>,
    /// Keys not above this are not among the best `k`; 0 until there are `k` of them.
    floor: u64,
    /// The floor's score: scores below it need no key.
    floor_score: f32,
}

impl TopK {
    pub fn new(k: usize) -> Self {
        Self {
            k,
            // At least 64, since selecting among a few keys would run after every push.
            room: k.saturating_mul(2).max(64),
            keys: Vec::new(),
            floor: 0,
            floor_score: f32::NEG_INFINITY,
        }
    }

    /// As [`new`](Self::new), with a smaller buffer and so a tighter floor, for a search that stops by it.
    pub fn tight(k: usize) -> Self {
        Self {
            room: k.saturating_add(k / 4).saturating_add(16),
            ..Self::new(k)
        }
    }

    /// Offers an answer.
    #[inline(always)]
    pub fn push(&mut self, score: f32, id: u32) {
        // NaN compares false with the floor and must still get a key.
        if score >= self.floor_score || score.is_nan() {
            self.push_key(key_of(score, id));
        }
    }

    /// Keys not above this are not among the best; 0 until there are enough keys.
    #[inline(always)]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Scores below this are not among the best.
    #[inline(always)]
    pub fn floor_score(&self) -> f32 {
        self.floor_score
    }

    /// Offers a key.
    #[inline]
    pub fn push_key(&mut self, key: u64) {
        // Equal keys cannot occur, because the id is part of the key.
        if key > self.floor {
            self.keys.push(key);
            if self.keys.len() >= self.room {
                self.shrink();
            }
        }
    }

    /// Offers all keys of another collector.
    pub fn merge(&mut self, other: Self) {
        other.keys.into_iter().for_each(|key| self.push_key(key));
    }

    #[cold]
    #[inline(never)]
    fn shrink(&mut self) {
        // Nothing is wanted; the highest floor refuses everything that follows.
        if self.k == 0 {
            self.keys.clear();
            self.floor = u64::MAX;
        } else if self.keys.len() > self.k {
            let (_, &mut kth, _) = self
                .keys
                .select_nth_unstable_by(self.k - 1, |a, b| b.cmp(a));
            self.keys.truncate(self.k);
            self.floor = kth;
            // Every number is better than NaN.
            self.floor_score = match score_of(kth) {
                score if score.is_nan() => f32::NEG_INFINITY,
                score => score,
            };
        }
    }

    /// The ids of the best `k`, unordered.
    pub fn into_ids(mut self) -> Vec<u32> {
        self.shrink();
        self.keys.iter().map(|&key| id_of(key)).collect()
    }

    /// The best `k`, best first.
    pub fn finish(mut self) -> Vec<SearchHit> {
        self.shrink();
        self.keys.sort_unstable_by(|a, b| b.cmp(a));
        self.keys
            .iter()
            .map(|&key| SearchHit {
                id: !(key as u32),
                score: score_of(key),
            })
            .collect()
    }
}

/// The key of an answer: a larger key is a better answer. Never 0 for a valid id.
pub(crate) fn key_of(score: f32, id: u32) -> u64 {
    let order = if score.is_nan() {
        0
    } else {
        // Adding 0 makes -0 equal to 0. Flipping all bits of negative numbers and the sign bit of positive
        // ones orders them as unsigned integers; minus infinity becomes 0x007F_FFFF, so 0 is free for NaN.
        let bits = (score + 0.0).to_bits();
        if bits >> 31 == 1 {
            !bits
        } else {
            bits | 1 << 31
        }
    };
    u64::from(order) << 32 | u64::from(!id)
}

/// The id in a key.
#[inline(always)]
pub(crate) fn id_of(key: u64) -> u32 {
    !(key as u32)
}

/// The score in a key.
pub(crate) fn score_of(key: u64) -> f32 {
    match (key >> 32) as u32 {
        0 => f32::NAN,
        order if order >> 31 == 1 => f32::from_bits(order & !(1 << 31)),
        order => f32::from_bits(!order),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn model(scores: &[f32], k: usize) -> Vec<(u32, u32)> {
        let mut all: Vec<(f32, u32)> = scores.iter().copied().zip(0..).collect();
        all.sort_by(|a, b| match (a.0.is_nan(), b.0.is_nan()) {
            (true, true) => a.1.cmp(&b.1),
            (true, false) => std::cmp::Ordering::Greater,
            (false, true) => std::cmp::Ordering::Less,
            _ => b.0.partial_cmp(&a.0).unwrap().then(a.1.cmp(&b.1)),
        });
        all.truncate(k);
        all.into_iter()
            .map(|(s, id)| (id, if s.is_nan() { 1 } else { (s + 0.0).to_bits() }))
            .collect()
    }

    fn score() -> impl Strategy<Value = f32> {
        prop_oneof![
            4 => (-8i8..8).prop_map(|v| f32::from(v) / 4.0),
            4 => any::<f32>(),
            1 => prop::sample::select(vec![-0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
        ]
    }

    proptest! {
        #[test]
        fn it_agrees_with_sorting(
            scores in prop::collection::vec(score(), 0..600),
            k in 0usize..150,
            cut in any::<prop::sample::Index>(),
        ) {
            let (mut top, mut rest) = (TopK::new(k), TopK::new(k));
            let cut = cut.index(scores.len() + 1);
            for (id, &score) in scores.iter().enumerate() {
                let top = if id < cut { &mut top } else { &mut rest };
                top.push(score, id as u32);
            }
            top.merge(rest);
            let found: Vec<(u32, u32)> = top
                .finish()
                .iter()
                .map(|h| (h.id, if h.score.is_nan() { 1 } else { h.score.to_bits() }))
                .collect();
            prop_assert_eq!(found, model(&scores, k));
        }
    }

    #[test]
    fn a_number_that_comes_late_is_better_than_none() {
        let mut top = TopK::new(1);
        (0..1000).for_each(|id| top.push(f32::NAN, id));
        top.push(-1.5, 1000);
        let hit = SearchHit {
            id: 1000,
            score: -1.5,
        };
        assert_eq!(top.finish(), [hit]);
    }

    #[test]
    fn a_score_survives_its_key() {
        for score in [
            0.0,
            1.5,
            -1.5,
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ] {
            assert_eq!(score_of(key_of(score, 7)), score);
        }
        assert!(score_of(key_of(f32::NAN, 7)).is_nan());
        assert!(key_of(f32::NAN, u32::MAX - 1) > 0);
    }
}
