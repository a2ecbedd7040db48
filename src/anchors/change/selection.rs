//! Which of the incoming pairs are taken: by a filter, without repetitions, as a sample, up to a limit.

use std::collections::{BinaryHeap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::embed::LARGEST_FILE;
use crate::filter::{NearestValues, PairFields, PairFilter};
use crate::image_source::ImageSource;
use crate::pairs::{Pair, RowError};

/// Which pairs of the sources are taken, decided in the order of the fields; the default takes all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IncomingSelection {
    /// Only those that it selects.
    pub filter: Option<PairFilter>,
    /// Whether a pair with the same image, to the byte, and the same captions as an earlier one is not taken.
    pub is_distinct: bool,
    /// So many of them, chosen at random.
    pub sample: Option<PairSample>,
    /// At most so many, the first ones.
    pub limit: Option<u64>,
}

/// A random sample. Whether a pair is chosen depends on its id and the seed alone, not on the order of the sources:
/// with pairs added, most of a sample of the same seed stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairSample {
    /// The number of pairs. All of them are in memory at once, with their captions.
    pub size: u64,
    /// The seed.
    pub seed: u64,
}

/// How many pairs were not taken, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SelectionCounts {
    /// Not selected by the filter.
    pub filtered: u64,
    /// Repetitions of an earlier pair.
    pub duplicates: u64,
    /// Not in the sample.
    pub not_sampled: u64,
    /// Whether reading stopped at the limit, so that further rows of the sources are not known.
    pub reached_limit: bool,
}

impl SelectionCounts {
    /// Whether every pair was taken.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// The counts of a selection while it runs, shared by the iterator and the build that reads it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SelectionTally(Arc<Mutex<TallyState>>);

#[derive(Debug, Default)]
struct TallyState {
    counts: SelectionCounts,
    /// What the pairs have, as long as the filter has selected none.
    nearest: Option<NearestValues>,
}

impl SelectionTally {
    fn state(&self) -> MutexGuard<'_, TallyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts so far.
    pub(crate) fn counts(&self) -> SelectionCounts {
        self.state().counts
    }

    /// The keys and values nearest to those of a filter that has selected nothing.
    pub(crate) fn nearest(&self) -> Option<String> {
        self.state().nearest.as_ref().map(NearestValues::to_string)
    }
}

/// The pairs that a selection takes, and all skipped rows.
pub(crate) struct SelectedPairs<I> {
    rows: I,
    selection: IncomingSelection,
    tally: SelectionTally,
    /// Hashes of the pairs so far, if repetitions are not taken.
    seen: HashSet<[u8; 16]>,
    taken: u64,
    sampled: Option<std::vec::IntoIter<Result<Pair, RowError>>>,
}

impl<I: Iterator<Item = Result<Pair, RowError>>> SelectedPairs<I> {
    pub(crate) fn new(rows: I, selection: IncomingSelection) -> Self {
        let tally = SelectionTally::default();
        tally.state().nearest = selection.filter.as_ref().map(NearestValues::of);
        Self {
            rows,
            selection,
            tally,
            seen: HashSet::new(),
            taken: 0,
            sampled: None,
        }
    }

    pub(crate) fn tally(&self) -> SelectionTally {
        self.tally.clone()
    }

    /// The next row that the filter and the search for repetitions leave.
    fn next_distinct(&mut self) -> Option<Result<Pair, RowError>> {
        loop {
            let pair = match self.rows.next()? {
                Ok(pair) => pair,
                skipped => return Some(skipped),
            };
            if let Some(filter) = &self.selection.filter {
                let fields = PairFields {
                    id: &pair.id,
                    image: &pair.image_name,
                    captions: &pair.captions,
                    meta: &pair.meta,
                };
                let mut state = self.tally.state();
                if !filter.matches(&fields) {
                    state.counts.filtered += 1;
                    // Only told if there is no match at all.
                    if let Some(nearest) = &mut state.nearest {
                        nearest.see(&fields);
                    }
                    continue;
                }
                state.nearest = None;
            }
            if self.selection.is_distinct
                && content_hash(&pair).is_some_and(|hash| !self.seen.insert(hash))
            {
                self.tally.state().counts.duplicates += 1;
                continue;
            }
            return Some(Ok(pair));
        }
    }

    /// All rows, of which those pairs stay that are in the sample, in their order.
    fn sample(&mut self, sample: PairSample) -> Vec<Result<Pair, RowError>> {
        // The largest hash is on top, and goes when a smaller one comes.
        let mut chosen: BinaryHeap<(u64, usize)> = BinaryHeap::new();
        let mut held = std::collections::HashMap::new();
        let mut skipped = Vec::new();
        let mut at = 0;
        while let Some(row) = self.next_distinct() {
            match row {
                Ok(pair) => {
                    chosen.push((sample_hash(sample.seed, &pair.id), at));
                    held.insert(at, pair);
                    if chosen.len() as u64 > sample.size {
                        let out = chosen.pop().map(|(_, out)| out);
                        out.and_then(|out| held.remove(&out));
                        self.tally.state().counts.not_sampled += 1;
                    }
                }
                Err(row) => skipped.push((at, Err(row))),
            }
            at += 1;
        }
        let mut all: Vec<_> = held.into_iter().map(|(at, pair)| (at, Ok(pair))).collect();
        all.extend(skipped);
        all.sort_by_key(|(at, _)| *at);
        all.into_iter().map(|(_, row)| row).collect()
    }
}

impl<I: Iterator<Item = Result<Pair, RowError>>> Iterator for SelectedPairs<I> {
    type Item = Result<Pair, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self
            .selection
            .limit
            .is_some_and(|limit| self.taken >= limit)
        {
            self.tally.state().counts.reached_limit = true;
            return None;
        }
        let row = match self.selection.sample {
            None => self.next_distinct(),
            Some(sample) => {
                if self.sampled.is_none() {
                    self.sampled = Some(self.sample(sample).into_iter());
                }
                self.sampled.as_mut().and_then(Iterator::next)
            }
        };
        self.taken += u64::from(matches!(row, Some(Ok(_))));
        row
    }
}

fn sample_hash(seed: u64, id: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(id.as_bytes());
    let hash = hasher.finalize();
    let first = hash.as_bytes().first_chunk::<8>();
    first.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The hash of the image's content and the captions; `None` if the image cannot be read, which is told when it is
/// embedded.
fn content_hash(pair: &Pair) -> Option<[u8; 16]> {
    let mut hasher = blake3::Hasher::new();
    match &pair.image {
        ImageSource::Vector { vector, .. } => {
            for x in vector.iter() {
                hasher.update(&x.to_le_bytes());
            }
        }
        image => {
            hasher.update(&image.read(LARGEST_FILE).ok()?);
        }
    }
    for caption in &pair.captions {
        // Lengths keep captions apart.
        hasher.update(&(caption.len() as u64).to_le_bytes());
        hasher.update(caption.as_bytes());
    }
    hasher.finalize().as_bytes().first_chunk::<16>().copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pairs::{PairOrigin, RowRejection};

    fn pair(n: usize, image: &[u8], caption: &str) -> Result<Pair, RowError> {
        let mut pair = Pair::new(
            format!("p{n}"),
            ImageSource::Bytes {
                name: format!("{n}.png"),
                bytes: image.into(),
            },
            [caption],
        );
        pair.meta = json!({"n": n, "even": n.is_multiple_of(2)})
            .as_object()
            .unwrap()
            .clone();
        Ok(pair)
    }

    fn taken(
        rows: Vec<Result<Pair, RowError>>,
        selection: &IncomingSelection,
    ) -> (Vec<String>, usize, SelectionTally) {
        let selected = SelectedPairs::new(rows.into_iter(), selection.clone());
        let tally = selected.tally();
        let (good, bad): (Vec<_>, Vec<_>) = selected.partition(Result::is_ok);
        let ids = good.into_iter().map(|pair| pair.unwrap().id).collect();
        (ids, bad.len(), tally)
    }

    fn rows() -> Vec<Result<Pair, RowError>> {
        let mut rows: Vec<_> = (0..20).map(|n| pair(n, &[(n / 2) as u8], "a")).collect();
        rows.insert(
            5,
            Err(RowError {
                origin: PairOrigin {
                    file: "list".into(),
                    row: Some(5),
                },
                reason: RowRejection::NoCaption,
            }),
        );
        rows
    }

    #[test]
    fn each_part_takes_what_it_says_and_counts_the_rest() {
        let all = IncomingSelection::default();
        let (ids, bad, tally) = taken(rows(), &all);
        assert_eq!((ids.len(), bad, tally.counts().is_all()), (20, 1, true));
        let filter = PairFilter::parse("even = true and n < 10").unwrap();
        let filtered = IncomingSelection {
            filter: Some(filter),
            ..all.clone()
        };
        let (ids, bad, tally) = taken(rows(), &filtered);
        assert_eq!(ids, ["p0", "p2", "p4", "p6", "p8"]);
        assert_eq!((bad, tally.counts().filtered), (1, 15));
        assert!(tally.nearest().is_none());
        let distinct = IncomingSelection {
            is_distinct: true,
            ..all.clone()
        };
        let (ids, _, tally) = taken(rows(), &distinct);
        assert_eq!((ids.len(), tally.counts().duplicates), (10, 10));
        let limited = IncomingSelection {
            limit: Some(3),
            ..filtered
        };
        let (ids, _, tally) = taken(rows(), &limited);
        assert_eq!(ids, ["p0", "p2", "p4"]);
        assert!(tally.counts().reached_limit);
        // The same image with other captions is another pair.
        let apart = vec![pair(0, b"a", "bc"), pair(1, b"a", "b"), pair(2, b"a", "bc")];
        assert_eq!(taken(apart, &distinct).0, ["p0", "p1"]);
    }

    #[test]
    fn a_sample_depends_on_ids_and_seed_alone() {
        let sampled = |rows, size, seed| {
            let selection = IncomingSelection {
                sample: Some(PairSample { size, seed }),
                ..IncomingSelection::default()
            };
            taken(rows, &selection)
        };
        let (ids, bad, tally) = sampled(rows(), 5, 0);
        assert_eq!((ids.len(), bad, tally.counts().not_sampled), (5, 1, 15));
        let mut reversed = rows();
        reversed.reverse();
        let mut other = sampled(reversed, 5, 0).0;
        other.reverse();
        assert_eq!(other, ids);
        assert_ne!(sampled(rows(), 5, 1).0, ids);
        assert_eq!(sampled(rows(), 50, 1).0.len(), 20);
    }

    #[test]
    fn a_filter_without_a_match_is_told_what_there_is() {
        let selection = IncomingSelection {
            filter: Some(PairFilter::parse("evn=true").unwrap()),
            ..IncomingSelection::default()
        };
        let (ids, _, tally) = taken(rows(), &selection);
        assert!(ids.is_empty());
        assert!(tally.nearest().unwrap().contains("\"even\""));
    }
}
