//! Which of the stored pairs are live, and their numbers.

use asif_index::IdSet;

/// The pairs of a generation that are live, and their numbers among each other.
///
/// A *row* counts the stored pairs, segment after segment; a pair's *number* counts the live ones.
#[derive(Debug, Clone)]
pub struct Live {
    /// `None` when all are live.
    some: Option<Bitmap>,
    stored: usize,
}

#[derive(Debug, Clone)]
struct Bitmap {
    allowed: IdSet,
    words: Vec<u64>,
    /// How many live pairs there are before each word.
    before: Vec<u32>,
    count: usize,
}

impl Live {
    /// All of `stored` pairs.
    pub fn all(stored: usize) -> Self {
        Self { some: None, stored }
    }

    /// All of `stored` pairs but those in the rows `removed`.
    pub(crate) fn without(stored: usize, removed: impl Iterator<Item = usize>) -> Self {
        let mut allowed = IdSet::all(stored);
        let mut words = vec![u64::MAX; stored.div_ceil(64)];
        if let Some(last) = words.last_mut().filter(|_| !stored.is_multiple_of(64)) {
            *last = (1 << (stored % 64)) - 1;
        }
        for row in removed {
            if allowed.remove(row) {
                words[row / 64] &= !(1 << (row % 64));
            }
        }
        let mut count = 0;
        let before = words
            .iter()
            .map(|word| {
                let before = count;
                count += word.count_ones();
                before
            })
            .collect();
        let some = (count as usize != stored).then_some(Bitmap {
            allowed,
            words,
            before,
            count: count as usize,
        });
        Self { some, stored }
    }

    /// How many pairs are live.
    pub fn len(&self) -> usize {
        self.some.as_ref().map_or(self.stored, |s| s.count)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many pairs are stored, live or not.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// The live rows as a filter for a search; `None` when all are live.
    pub fn allowed(&self) -> Option<&IdSet> {
        self.some.as_ref().map(|s| &s.allowed)
    }

    /// Whether the pair in row `row` is live.
    pub fn contains(&self, row: usize) -> bool {
        self.some
            .as_ref()
            .map_or(row < self.stored, |s| s.allowed.contains(row))
    }

    /// How many live pairs stand before row `row`: the number of that row's pair, if it is live.
    pub fn number(&self, row: usize) -> usize {
        let Some(some) = &self.some else { return row };
        let (at, bit) = (row / 64, row % 64);
        match (some.words.get(at), some.before.get(at)) {
            (Some(word), Some(before)) => {
                *before as usize + (word & ((1u64 << bit) - 1)).count_ones() as usize
            }
            _ => some.count,
        }
    }

    /// The row of live pair number `number`.
    pub fn row(&self, number: usize) -> Option<usize> {
        let Some(some) = &self.some else {
            return (number < self.stored).then_some(number);
        };
        if number >= some.count {
            return None;
        }
        let at = some.before.partition_point(|&b| b as usize <= number) - 1;
        let mut word = some.words[at];
        for _ in some.before[at] as usize..number {
            word &= word - 1;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }

    /// The rows of the live pairs, ascending.
    pub fn rows(&self) -> impl Iterator<Item = usize> {
        (0..self.stored).filter(|&row| self.contains(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_row_are_each_other_undone() {
        for stored in [1, 63, 64, 65, 200] {
            let gone = |row: &usize| row.is_multiple_of(3) || (64..128).contains(row);
            let live = Live::without(stored, (0..stored).filter(gone));
            let expected: Vec<usize> = (0..stored).filter(|r| !gone(r)).collect();
            assert_eq!(live.rows().collect::<Vec<_>>(), expected);
            assert_eq!(live.len(), expected.len());
            for (number, &row) in expected.iter().enumerate() {
                assert_eq!((live.number(row), live.row(number)), (number, Some(row)));
            }
            assert_eq!(live.row(expected.len()), None);
            assert_eq!(Live::all(stored).row(stored), None);
        }
    }
}
