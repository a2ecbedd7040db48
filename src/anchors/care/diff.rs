//! The difference of two anchor sets, or of two generations of one.

use std::collections::HashMap;

use serde::Serialize;

use crate::anchors::AnchorId;
use crate::anchors::change::select;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::set::AnchorSet;
use crate::modality::Modality;

/// The pairs that are in only one of two anchor sets, or differ.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SetDiff {
    /// Ids of pairs that only the second anchor set has.
    pub gained: Vec<String>,
    /// Ids of pairs that only the first anchor set has.
    pub lost: Vec<String>,
    /// Ids of pairs that both have, with other captions, metadata or vectors.
    pub changed: Vec<String>,
    /// How many pairs are the same in both.
    pub same: u64,
}

/// Compares the live pairs of two anchor sets by id.
///
/// # Errors
/// When a record is damaged.
pub fn diff(a: &AnchorSet, b: &AnchorSet) -> Result<SetDiff, AnchorsError> {
    let ids = select::ids(a)?;
    let before: HashMap<&str, AnchorId> = ids.iter().map(String::as_str).zip(0..).collect();
    let mut diff = SetDiff::default();
    let mut met = vec![false; ids.len()];
    for (there, id) in (0..).zip(select::ids(b)?) {
        let Some(&here) = before.get(id.as_str()) else {
            diff.gained.push(id);
            continue;
        };
        met[here as usize] = true;
        let mut equal = a.record(here)? == b.record(there)?;
        for modality in Modality::BOTH {
            equal &= a.vector(here, modality)? == b.vector(there, modality)?;
        }
        if equal {
            diff.same += 1;
        } else {
            diff.changed.push(id);
        }
    }
    let lost = ids.into_iter().zip(met).filter(|(_, met)| !met);
    diff.lost = lost.map(|(id, _)| id).collect();
    Ok(diff)
}
