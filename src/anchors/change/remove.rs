//! Removes pairs: writes a small bitmap and a manifest, whatever the size of the anchor set.

use std::collections::HashSet;
use std::path::Path;

use super::select;
use super::writer::{ChangeReceipt, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::AnchorsError;
use crate::filter::PairFilter;
use crate::printable;

/// Selects the pairs to remove.
#[derive(Debug, Clone)]
pub enum PairSelection {
    /// Those with these ids.
    Ids {
        /// The ids.
        ids: HashSet<String>,
        /// Whether ids without a live pair are ignored.
        missing_ok: bool,
    },
    /// The pairs that match a filter.
    Where(PairFilter),
}

/// Removes pairs from an anchor set.
///
/// From the next generation on they have no influence: in exact mode every answer has the bits of a
/// set that was built without them. Their bytes stay in the segment for the sake of rollback, until
/// purge. If missing ids are ignored and no id is left, nothing is published, and the receipt says so.
///
/// # Errors
/// When an id does not exist, nothing is selected, no pair would be left, another process is writing, or
/// the disk refuses.
pub fn remove(
    set: &Path,
    selection: &PairSelection,
    options: &WriteOptions,
) -> Result<ChangeReceipt, AnchorsError> {
    let mut writer = SetWriter::begin(set, options)?;
    let live = writer.live()?;
    writer.mark("open");
    let (rows, missing) = match selection {
        PairSelection::Ids { ids, missing_ok } => {
            let (rows, missing) = select::by_ids(&live, ids)?;
            if !missing.is_empty() && !missing_ok {
                return Err(AnchorsError::NoSuchPair {
                    path: set.to_owned(),
                    ids: printable::first_of(&missing, 3, " or "),
                });
            }
            if !missing.is_empty() && rows.is_empty() {
                let detail = "nothing was changed: no live pair has any of these ids";
                let mut receipt = writer.unchanged("anchors remove", detail)?;
                receipt.missing = missing;
                return Ok(receipt);
            }
            (rows, missing)
        }
        PairSelection::Where(filter) => (select::by_filter(&live, filter)?, Vec::new()),
    };
    if rows.is_empty() {
        let path = set.to_owned();
        return Err(match selection {
            PairSelection::Where(filter) => select::no_match(&live, filter)?,
            PairSelection::Ids { .. } => AnchorsError::NoSuchPair {
                path,
                ids: "of an empty list".to_owned(),
            },
        });
    }
    if rows.len() == live.len() {
        return Err(AnchorsError::WouldBeEmpty {
            path: set.to_owned(),
        });
    }
    writer.mark("find");
    let left = live.remaining(&rows)?;
    let next = NextGeneration {
        manifest: left.manifest,
        tombstones: Some(left.tombstones),
        command: "anchors remove",
        detail: match selection {
            PairSelection::Where(filter) => filter.to_string(),
            PairSelection::Ids { .. } => String::new(),
        },
        source: None,
        moved: (0, left.removed.len() as u64),
        ids: (Vec::new(), left.removed),
    };
    writer.mark("mark");
    let mut receipt = writer.publish(next)?;
    receipt.missing = missing;
    Ok(receipt)
}
