//! What was written and skipped, while pairs of vectors are written.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::report::SkippedRow;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::skipped_rows;

/// Counts of the pairs that were written, and the rows that were skipped.
#[derive(Debug, Default)]
pub(crate) struct PairTally {
    /// Whether the first bad row is an error.
    pub(crate) strict: bool,
    pub(crate) captions: u64,
    pub(crate) skipped: Vec<SkippedRow>,
    pub(crate) sources: BTreeMap<String, u64>,
    pub(crate) licences: BTreeMap<String, u64>,
}

impl PairTally {
    /// Counts a pair that was written.
    pub(crate) fn count(&mut self, captions: usize, meta: &Map<String, Value>) {
        self.captions += captions as u64;
        let text = |keys: &[&str]| keys.iter().find_map(|key| meta.get(*key)?.as_str());
        for (tally, value) in [
            (&mut self.sources, text(&["source"])),
            (&mut self.licences, text(&["licence", "license"])),
        ] {
            let Some(value) = value else { continue };
            match tally.get_mut(value) {
                Some(pairs) => *pairs += 1,
                None => {
                    tally.insert(value.to_owned(), 1);
                }
            }
        }
    }

    /// Notes a row that is skipped.
    ///
    /// # Errors
    /// [`AnchorsError::Strict`] if none may be.
    pub(crate) fn skip(&mut self, row: SkippedRow) -> Result<(), AnchorsError> {
        if self.strict {
            return Err(AnchorsError::Strict {
                origin: row.origin,
                reason: row.reason,
                remedy: row.remedy,
            });
        }
        self.skipped.push(row);
        Ok(())
    }

    /// The error of sources without a usable pair.
    pub(crate) fn no_pairs(&self) -> AnchorsError {
        let first = self.skipped.first();
        AnchorsError::NoPairs {
            skipped: self.skipped.len() as u64,
            first: first.map_or_else(String::new, |row| format!("{}: {}", row.origin, row.reason)),
        }
    }

    /// Skipped rows by kind of reason.
    pub(crate) fn skipped_by_reason(&self) -> BTreeMap<String, u64> {
        let mut by_reason = BTreeMap::new();
        for row in &self.skipped {
            *by_reason.entry(row.kind.clone().into_owned()).or_default() += 1;
        }
        by_reason
    }

    /// Writes the list of skipped rows into the folder of a segment; returns whether there is one.
    pub(crate) fn list_skipped(&self, folder: &Path) -> Result<bool, AnchorsError> {
        let rows = self.skipped.iter();
        let rows: Vec<String> = rows.map(|row| serde_json::json!(row).to_string()).collect();
        if !rows.is_empty() {
            skipped_rows::write_rows(folder, &rows)?;
        }
        Ok(!rows.is_empty())
    }
}
