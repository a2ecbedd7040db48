//! The ids of an anchor set's live pairs, which pairs that are added must not have.

use std::collections::HashSet;

use super::select;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::set::AnchorSet;

/// The first half of an id's BLAKE3 hash: 16 bytes, however long the id is. Two ids of one hash would cost the second
/// pair its place; among a billion ids the chance is below 1e-20.
pub(super) type IdHash = [u8; 16];

pub(super) fn id_hash(id: &str) -> IdHash {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(id.as_bytes()).as_bytes()[..16]);
    half
}

/// The ids of live pairs, as hashes: the ids of a million pairs would take a hundred megabytes and more.
#[derive(Debug, Default)]
pub(crate) struct LiveIds {
    hashes: HashSet<IdHash>,
    /// The highest id that is the number of a row.
    highest: Option<u32>,
}

impl LiveIds {
    /// # Errors
    /// When a record is damaged.
    pub(crate) fn of(set: &AnchorSet) -> Result<Self, AnchorsError> {
        // A larger number is no number of a row.
        let all = select::each_id(set, |id| (id_hash(id), id.parse::<u32>().ok()))?;
        Ok(Self {
            highest: all.iter().filter_map(|(_, number)| *number).max(),
            hashes: all.into_iter().map(|(hash, _)| hash).collect(),
        })
    }

    /// Whether a live pair has this id.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.hashes.contains(&id_hash(id))
    }

    /// The first number above all ids that are numbers of rows.
    pub(super) fn first_free_number(&self) -> u64 {
        self.highest.map_or(0, |highest| u64::from(highest) + 1)
    }
}
