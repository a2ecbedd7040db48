//! Selects the pairs that a command refers to.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::anchors::AnchorId;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::stored::set::AnchorSet;
use crate::filter::{NearestValues, PairFilter};

/// The rows of the live pairs with these ids, ascending, and the ids that no live pair has.
///
/// # Errors
/// When a record is damaged.
pub fn by_ids(
    set: &AnchorSet,
    ids: &HashSet<String>,
) -> Result<(Vec<usize>, Vec<String>), AnchorsError> {
    let found = live_pairs(set, |segment, local, row| {
        let id = set.segments()[segment].pair_id(local)?;
        Ok(ids.contains(id).then(|| (row, id.to_owned())))
    })?;
    let present: HashSet<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    let mut missing: Vec<String> = ids
        .iter()
        .filter(|id| !present.contains(id.as_str()))
        .cloned()
        .collect();
    missing.sort();
    Ok((found.iter().map(|(row, _)| *row).collect(), missing))
}

/// The rows of the live pairs that match `filter`, ascending.
///
/// # Errors
/// When a record is damaged.
pub fn by_filter(set: &AnchorSet, filter: &PairFilter) -> Result<Vec<usize>, AnchorsError> {
    live_pairs(set, |segment, local, row| {
        let record = set.segments()[segment].record(local)?;
        Ok(is_match(filter, &record).then_some(row))
    })
}

/// Whether a filter selects the pair of this record.
pub(crate) fn is_match(filter: &PairFilter, record: &PairRecord) -> bool {
    let meta = record.metadata();
    filter.matches(&record.fields(&meta))
}

/// The error that no live pair matches `filter`, with the keys and values nearest to those that no pair has.
///
/// # Errors
/// When a record is damaged.
pub fn no_match(set: &AnchorSet, filter: &PairFilter) -> Result<AnchorsError, AnchorsError> {
    let mut nearest = NearestValues::of(filter);
    for anchor in 0..set.len() {
        let record = set.record(anchor as AnchorId)?;
        let meta = record.metadata();
        nearest.see(&record.fields(&meta));
    }
    Ok(AnchorsError::NoMatch {
        path: set.path().to_owned(),
        filter: filter.to_string(),
        nearest: nearest.to_string(),
    })
}

/// The ids of all live pairs, in their order.
///
/// # Errors
/// When a record is damaged.
pub fn ids(set: &AnchorSet) -> Result<Vec<String>, AnchorsError> {
    each_id(set, str::to_owned)
}

/// What `look` makes of the id of each live pair, in their order.
///
/// # Errors
/// When a record is damaged.
pub(super) fn each_id<T: Send>(
    set: &AnchorSet,
    look: impl Fn(&str) -> T + Sync,
) -> Result<Vec<T>, AnchorsError> {
    live_pairs(set, |segment, local, _| {
        Ok(Some(look(set.segments()[segment].pair_id(local)?)))
    })
}

/// Calls `look` with segment, position in it and row of each live pair, and collects the results in order.
fn live_pairs<T: Send>(
    set: &AnchorSet,
    look: impl Fn(usize, usize, usize) -> Result<Option<T>, AnchorsError> + Sync,
) -> Result<Vec<T>, AnchorsError> {
    let mut all = Vec::new();
    let mut first = 0;
    for (at, segment) in set.segments().iter().enumerate() {
        // Records are read in parallel; collecting keeps the order of rows.
        let found: Vec<T> = (0..segment.len())
            .into_par_iter()
            .filter(|local| set.live().contains(first + local))
            .filter_map(|local| look(at, local, first + local).transpose())
            .collect::<Result<_, _>>()?;
        all.extend(found);
        first += segment.len();
    }
    Ok(all)
}
