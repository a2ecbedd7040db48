//! What was written and skipped, while pairs are written.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::report::{EXAMPLES, SkippedRow};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::skipped_rows;

/// Counts of the pairs that were written, and the rows that were skipped.
#[derive(Debug, Default)]
pub(crate) struct PairTally {
    /// How many bad rows are an error.
    policy: BadRowPolicy,
    /// How many skipped rows are bad, not only beside the pairs.
    errors: u64,
    pub(crate) captions: u64,
    pub(crate) skipped: Vec<SkippedRow>,
    pub(crate) sources: BTreeMap<String, u64>,
    pub(crate) licences: BTreeMap<String, u64>,
}

/// How many bad rows end a build.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BadRowPolicy {
    /// Whether the first one does.
    pub(crate) strict: bool,
    /// Whether one more than so many does.
    pub(crate) max_errors: Option<u64>,
}

impl PairTally {
    pub(crate) fn new(policy: BadRowPolicy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

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
    /// [`AnchorsError::Strict`] if none may be, [`AnchorsError::TooManyErrors`] if no more may be.
    pub(crate) fn skip(&mut self, mut row: SkippedRow) -> Result<(), AnchorsError> {
        // An image of a folder is named by its origin already.
        let named = row.reason.strip_prefix(row.origin.as_str());
        if let Some(rest) = named.and_then(|rest| rest.strip_prefix(": ")) {
            row.reason = rest.to_owned();
        }
        if self.policy.strict {
            return Err(AnchorsError::Strict {
                origin: row.origin,
                reason: row.reason,
                remedy: row.remedy,
            });
        }
        self.errors += 1;
        if let Some(allowed) = self.policy.max_errors.filter(|max| self.errors > *max) {
            return Err(AnchorsError::TooManyErrors {
                allowed,
                origin: row.origin,
                reason: row.reason,
            });
        }
        self.skipped.push(row);
        Ok(())
    }

    /// Notes what is skipped beside the pairs, which is no bad row.
    pub(crate) fn pass_over(&mut self, row: SkippedRow) {
        self.skipped.push(row);
    }

    /// The first skipped rows.
    pub(crate) fn examples(&self) -> Vec<SkippedRow> {
        self.skipped.iter().take(EXAMPLES).cloned().collect()
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
