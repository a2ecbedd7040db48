//! The ids of a set and their ranks.

use super::IdSet;

/// An [`IdSet`] that no longer changes, with each id's rank: how many ids of the set are smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedIds {
    ids: IdSet,
    /// The number of ids before each word.
    before: Vec<u32>,
    count: usize,
}

impl RankedIds {
    /// Counts the ids of each word once.
    pub fn new(ids: IdSet) -> Self {
        let mut count = 0;
        let before = ids
            .words()
            .iter()
            .map(|word| {
                let before = count;
                count += word.count_ones();
                before
            })
            .collect();
        Self {
            ids,
            before,
            count: count as usize,
        }
    }

    /// The set.
    pub fn ids(&self) -> &IdSet {
        &self.ids
    }

    /// The number of ids in the set.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of ids of the set below `id`, which need not be in it.
    pub fn rank(&self, id: usize) -> usize {
        let (at, bit) = (id / 64, id % 64);
        match (self.ids.words().get(at), self.before.get(at)) {
            (Some(word), Some(before)) => {
                *before as usize + (word & ((1u64 << bit) - 1)).count_ones() as usize
            }
            _ => self.count,
        }
    }

    /// The id with this rank; `None` unless there are more than `rank` ids.
    pub fn select(&self, rank: usize) -> Option<usize> {
        if rank >= self.count {
            return None;
        }
        let at = self.before.partition_point(|&b| b as usize <= rank) - 1;
        let mut word = self.ids.words()[at];
        for _ in self.before[at] as usize..rank {
            word &= word - 1;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_and_select_undo_each_other() {
        for len in [0, 1, 63, 64, 65, 200] {
            let gone = |id: usize| id.is_multiple_of(3) || (64..128).contains(&id);
            let mut ids = IdSet::all(len);
            for id in (0..len).filter(|&id| gone(id)) {
                ids.remove(id);
            }
            let expected: Vec<usize> = (0..len).filter(|&id| !gone(id)).collect();
            let ranked = RankedIds::new(ids);
            assert_eq!(ranked.count(), expected.len());
            for (rank, &id) in expected.iter().enumerate() {
                assert_eq!((ranked.rank(id), ranked.select(rank)), (rank, Some(id)));
            }
            assert_eq!(ranked.select(expected.len()), None);
            assert_eq!(ranked.rank(len), expected.len());
        }
    }
}
