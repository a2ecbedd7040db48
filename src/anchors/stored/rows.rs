//! Which of the stored pairs are live, and their numbers.

use asif_index::{IdSet, RankedIds};

/// The live pairs of a generation, and their numbering.
///
/// A *row* counts the stored pairs, segment after segment; a pair's *number* counts the live ones.
#[derive(Debug, Clone)]
pub struct LiveRows {
    /// `None` when all are live.
    some: Option<RankedIds>,
    stored: usize,
}

impl LiveRows {
    /// All of `stored` pairs but those in the rows `removed`.
    pub(crate) fn without(stored: usize, removed: impl Iterator<Item = usize>) -> Self {
        let mut allowed = IdSet::all(stored);
        for row in removed {
            allowed.remove(row);
        }
        let ranked = RankedIds::new(allowed);
        // Without removals no bitmap is kept, and no search has to ask it.
        let some = (ranked.count() != stored).then_some(ranked);
        Self { some, stored }
    }

    /// How many pairs are live.
    pub(crate) fn len(&self) -> usize {
        self.some.as_ref().map_or(self.stored, RankedIds::count)
    }

    /// How many pairs are stored, live or not.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// The live rows as a filter for a search; `None` when all are live.
    pub(crate) fn allowed(&self) -> Option<&IdSet> {
        self.some.as_ref().map(RankedIds::ids)
    }

    /// Whether the pair in row `row` is live.
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.some
            .as_ref()
            .map_or(row < self.stored, |s| s.ids().contains(row))
    }

    /// How many live pairs stand before the stored row `row`: the number of that row's pair, if it is live.
    pub fn number(&self, row: usize) -> usize {
        self.some.as_ref().map_or(row, |some| some.rank(row))
    }

    /// The row of live pair number `number`.
    pub(crate) fn row(&self, number: usize) -> Option<usize> {
        match &self.some {
            Some(some) => some.select(number),
            None => (number < self.stored).then_some(number),
        }
    }

    /// The rows of the live pairs, ascending.
    pub(crate) fn rows(&self) -> impl Iterator<Item = usize> {
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
            let live = LiveRows::without(stored, (0..stored).filter(gone));
            let expected: Vec<usize> = (0..stored).filter(|r| !gone(r)).collect();
            assert_eq!(live.rows().collect::<Vec<_>>(), expected);
            assert_eq!(live.len(), expected.len());
            for (number, &row) in expected.iter().enumerate() {
                assert_eq!((live.number(row), live.row(number)), (number, Some(row)));
            }
            assert_eq!(live.row(expected.len()), None);
            assert_eq!(
                LiveRows::without(stored, std::iter::empty()).row(stored),
                None
            );
        }
    }
}
