//! Many represented inputs of one modality, indexed so that one input of the other can be scored against
//! all of them.
//!
//! A relative row has at most `k` entries, so rows are kept as inverted lists `anchor -> (member,
//! weight)`: scoring visits at most `k` short lists, whatever the number of anchors.

use asif_index::simd::prefetch;
use ndarray::{Array2, ArrayView1};

use super::linear::LinearMap;
use super::product::RowMatrix;
use super::relative::RelativeRow;

/// The representation of an input in one part of a space.
#[derive(Debug, Clone, PartialEq)]
pub enum PartCode {
    /// Its similarities to the anchors.
    Row(RelativeRow),
    /// Unit coordinates.
    Coordinates(Vec<f32>),
}

impl PartCode {
    /// The coordinates of vectors, `[n, dim]`, in the coordinates of a map.
    pub(crate) fn coordinates(map: &LinearMap, vectors: &[f32]) -> Vec<Self> {
        let all = map.apply(vectors);
        let of_each = all.chunks_exact(map.coordinates().max(1));
        of_each.map(|u| Self::Coordinates(u.to_vec())).collect()
    }

    /// The score of two codes of the same part: their dot product.
    pub(crate) fn dot(&self, other: &Self) -> f32 {
        match (self, other) {
            (Self::Row(x), Self::Row(y)) => x.dot(y),
            (Self::Coordinates(x), Self::Coordinates(y)) => super::vector::dot(x, y) as f32,
            (Self::Row(_), Self::Coordinates(_)) | (Self::Coordinates(_), Self::Row(_)) => {
                unreachable!("codes of one part are of one kind")
            }
        }
    }

    /// The relative row, if it is one.
    pub(crate) fn row(&self) -> Option<&RelativeRow> {
        match self {
            Self::Row(row) => Some(row),
            Self::Coordinates(_) => None,
        }
    }

    /// The row of a code that is compared with rows.
    fn own_row(&self) -> &RelativeRow {
        self.row().expect("codes of one part are of one kind")
    }

    /// The coordinates of a code that is compared with coordinates.
    fn own_coordinates(&self) -> &[f32] {
        match self {
            Self::Coordinates(x) => x,
            Self::Row(_) => unreachable!("codes of one part are of one kind"),
        }
    }
}

/// The codes of many inputs, all of one part and one side.
#[derive(Debug, Clone)]
pub(crate) enum CodeBank {
    /// Relative rows.
    Rows(InvertedLists),
    /// Coordinates, `[members, coordinates]`.
    Coordinates(RowMatrix),
}

impl CodeBank {
    /// Indexes codes of one part, all of the same kind, over `anchors` anchors.
    pub(crate) fn new<'a>(anchors: usize, codes: impl IntoIterator<Item = &'a PartCode>) -> Self {
        let codes: Vec<&PartCode> = codes.into_iter().collect();
        match codes.first() {
            Some(PartCode::Coordinates(first)) => {
                let dim = first.len();
                let mut rows = Array2::zeros((codes.len(), dim));
                for (mut row, code) in rows.rows_mut().into_iter().zip(&codes) {
                    row.assign(&ArrayView1::from(code.own_coordinates()));
                }
                Self::Coordinates(RowMatrix::from(&rows))
            }
            Some(PartCode::Row(_)) | None => {
                let rows: Vec<&RelativeRow> = codes.iter().map(|c| c.own_row()).collect();
                Self::Rows(InvertedLists::new(anchors, &rows))
            }
        }
    }

    /// The number of members.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Rows(lists) => lists.members,
            Self::Coordinates(rows) => rows.len(),
        }
    }

    /// The score of `code`, which is of the same part, with each member, `[members]`.
    pub(crate) fn scores(&self, code: &PartCode) -> Vec<f32> {
        match self {
            // Without members it is not known of which kind they would be.
            Self::Rows(lists) if lists.members == 0 => Vec::new(),
            Self::Rows(lists) => lists.scores(code.own_row()),
            Self::Coordinates(rows) => rows.times(code.own_coordinates()),
        }
    }

    /// The same as [`scores`](Self::scores) for several codes, `[codes, members]`. Coordinates are
    /// multiplied together, which is faster and gives the same bits.
    pub(crate) fn all_scores(&self, codes: &[&PartCode]) -> Vec<f32> {
        let Self::Coordinates(rows) = self else {
            return codes.iter().flat_map(|code| self.scores(code)).collect();
        };
        let vectors: Vec<&[f32]> = codes.iter().map(|code| code.own_coordinates()).collect();
        rows.times(&vectors.concat())
    }
}

/// Inverted lists of relative rows: for each anchor, the members with an entry for it.
#[derive(Debug, Clone)]
pub(crate) struct InvertedLists {
    /// `lists[starts[i]..starts[i + 1]]` are the members with an entry for anchor `i`, with its weight.
    starts: Vec<u32>,
    lists: Vec<(u32, f32)>,
    members: usize,
}

impl InvertedLists {
    /// Inverts rows over `anchors` anchors.
    pub(crate) fn new(anchors: usize, rows: &[&RelativeRow]) -> Self {
        let mut starts = vec![0u32; anchors + 1];
        for row in rows {
            for (anchor, _) in row.entries() {
                starts[*anchor as usize + 1] += 1;
            }
        }
        for i in 0..anchors {
            starts[i + 1] += starts[i];
        }
        // A counting sort: the lists lie in one allocation, in the order of members, without a vector each.
        let mut next = starts.clone();
        let mut lists = vec![(0u32, 0f32); starts[anchors] as usize];
        for (member, row) in (0u32..).zip(rows) {
            for &(anchor, weight) in row.entries() {
                let slot = &mut next[anchor as usize];
                lists[*slot as usize] = (member, weight);
                *slot += 1;
            }
        }
        Self {
            starts,
            lists,
            members: rows.len(),
        }
    }

    /// The dot product of `row` with each member, `[members]`.
    pub(crate) fn scores(&self, row: &RelativeRow) -> Vec<f32> {
        /// How many lists ahead are prefetched: they are short and scattered in memory.
        const AHEAD: usize = 8;
        let list = |&(anchor, _): &(u32, f32)| {
            let i = anchor as usize;
            &self.lists[self.starts[i] as usize..self.starts[i + 1] as usize]
        };
        let entries = row.entries();
        entries.iter().take(AHEAD).for_each(|e| prefetch(list(e)));
        // In double precision, since hundreds of small products are added; the result is rounded once.
        let mut sums = vec![0f64; self.members];
        for (at, entry) in entries.iter().enumerate() {
            if let Some(ahead) = entries.get(at + AHEAD) {
                prefetch(list(ahead));
            }
            let weight = f64::from(entry.1);
            for &(member, w) in list(entry) {
                sums[member as usize] += weight * f64::from(w);
            }
        }
        sums.into_iter().map(|s| s as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::RelativeParams;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bank_scores_as_codes_do_one_by_one(
            members in prop::collection::vec(prop::collection::vec(-1f32..1.0, 9), 1..8),
            x in prop::collection::vec(-1f32..1.0, 9),
        ) {
            let params = RelativeParams { k: 5, ..RelativeParams::default() };
            let row = |s: &Vec<f32>| PartCode::Row(RelativeRow::from_similarities(s, &params));
            let coordinates = |s: &Vec<f32>| PartCode::Coordinates(s.clone());
            for rows in [true, false] {
                let code = |s| if rows { row(s) } else { coordinates(s) };
                let codes: Vec<PartCode> = members.iter().map(code).collect();
                let bank = CodeBank::new(9, &codes);
                prop_assert_eq!(bank.len(), codes.len());
                let one_by_one: Vec<f32> = codes.iter().flat_map(|c| bank.scores(c)).collect();
                prop_assert_eq!(bank.all_scores(&codes.iter().collect::<Vec<_>>()), one_by_one);
                let x = code(&x);
                for (got, member) in bank.scores(&x).iter().zip(&codes) {
                    prop_assert!((got - member.dot(&x)).abs() < 1e-5);
                }
            }
        }
    }
}
