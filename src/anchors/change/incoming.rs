//! Pairs to be added to an anchor set, from files or from memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::selection::{IncomingSelection, SelectedPairs, SelectionTally};
use crate::anchors::stored::place;
use crate::pairs::{
    self, Pair, PairOptions, PairOrigin, PairsError, RowError, RowRejection, id_fault,
};

/// Pairs and skipped rows, in order.
pub(crate) struct IncomingPairs<'a> {
    pub(crate) pairs: Box<dyn Iterator<Item = Result<Pair, RowError>> + 'a>,
    /// An upper bound of their number, where known.
    pub(crate) expected: Option<u64>,
    /// What a selection did not take.
    pub(crate) tally: SelectionTally,
}

impl<'a> IncomingPairs<'a> {
    /// The pairs of files and folders. An anchor set within a folder, such as the one that is being built from
    /// it, is not part of it.
    ///
    /// # Errors
    /// As [`pairs::open`].
    pub(crate) fn open(paths: &[PathBuf], options: &PairOptions) -> Result<Self, PairsError> {
        let reader = pairs::open_without(paths, options, place::is_own_folder)?;
        Ok(Self {
            expected: reader.expected_rows(),
            tally: SelectionTally::default(),
            pairs: Box::new(reader),
        })
    }

    /// The pairs of a caller, with the checks an anchor set relies on: valid and unique ids, and
    /// captions that are text.
    pub(crate) fn of(pairs: impl Iterator<Item = Result<Pair, RowError>> + 'a) -> Self {
        let expected = pairs.size_hint().1;
        let mut seen = HashMap::new();
        Self {
            pairs: Box::new(pairs.map(move |pair| checked(pair?, &mut seen))),
            expected: expected.map(|rows| rows as u64),
            tally: SelectionTally::default(),
        }
    }

    /// Those that a selection takes.
    pub(crate) fn selected(self, selection: &IncomingSelection) -> Self {
        if *selection == IncomingSelection::default() {
            return self;
        }
        let most = [selection.limit, selection.sample.map(|sample| sample.size)];
        let most = most.into_iter().flatten().min();
        let selected = SelectedPairs::new(self.pairs, selection.clone());
        Self {
            expected: match (self.expected, most) {
                (Some(rows), Some(most)) => Some(rows.min(most)),
                (rows, _) => rows,
            },
            tally: selected.tally(),
            pairs: Box::new(selected),
        }
    }
}

fn checked(pair: Pair, seen: &mut HashMap<String, PairOrigin>) -> Result<Pair, RowError> {
    let is_blank = |text: &String| text.trim().is_empty();
    let reason = if let Some(why) = id_fault(&pair.id) {
        let id = pair.id;
        RowRejection::Id { id, why }
    } else if pair.captions.is_empty() || pair.captions.iter().any(is_blank) {
        RowRejection::NoCaption
    } else if pair.captions.iter().any(|text| text.contains('\0')) {
        RowRejection::NulByte
    } else {
        match seen.entry(pair.id.clone()) {
            Entry::Vacant(free) => {
                free.insert(pair.origin.clone());
                return Ok(pair);
            }
            Entry::Occupied(taken) => RowRejection::DuplicateId {
                id: pair.id,
                first: taken.get().clone(),
            },
        }
    };
    Err(RowError {
        origin: pair.origin,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_source::ImageSource;

    fn pair(row: u64, id: &str, captions: &[&str]) -> Result<Pair, RowError> {
        Ok(Pair {
            id: id.to_owned(),
            image: ImageSource::Bytes {
                name: "a".to_owned(),
                bytes: [0].into(),
            },
            image_name: "a".to_owned(),
            image_base: PathBuf::new(),
            captions: captions.iter().map(|&text| text.to_owned()).collect(),
            meta: serde_json::Map::new(),
            origin: PairOrigin {
                file: "given".into(),
                row: Some(row),
            },
        })
    }

    #[test]
    fn pairs_of_a_caller_are_held_to_what_pairs_of_files_are() {
        let given = [
            pair(1, "a", &["one"]),
            pair(2, "a", &["two"]),
            pair(3, "b\n", &["three"]),
            pair(4, "c", &[]),
            pair(5, "d", &["four", " "]),
            pair(6, "e", &["f\0"]),
            pair(7, "f", &["six"]),
        ];
        let incoming = IncomingPairs::of(given.into_iter());
        assert_eq!(incoming.expected, Some(7));
        let (good, bad): (Vec<_>, Vec<_>) = incoming.pairs.partition(Result::is_ok);
        let ids: Vec<_> = good.into_iter().map(|pair| pair.unwrap().id).collect();
        assert_eq!(ids, ["a", "f"]);
        let said: Vec<_> = bad
            .into_iter()
            .map(|row| row.unwrap_err().to_string())
            .collect();
        assert!(
            said[0].contains("duplicate id \"a\", first used in given, row 1"),
            "{said:?}"
        );
        assert_eq!(said.len(), 5, "{said:?}");
    }
}
