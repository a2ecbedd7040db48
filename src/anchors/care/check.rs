//! Checks the integrity of an anchor set.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::sound;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout;
use crate::anchors::stored::layout::LOCK;
use crate::anchors::stored::manifest::Manifest;
use crate::anchors::stored::{log, witness};
use crate::disk as fs;

/// One problem found by a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityFinding {
    /// The generation concerned, if it is one.
    pub generation: Option<u64>,
    /// What is wrong, naming the file.
    pub problem: String,
    /// The same without the advice, for a command that has just followed it.
    #[serde(skip)]
    pub fact: String,
}

/// Checks everything that `CURRENT`, manifests and log refer to: every kept generation with its
/// files, its fitted space, and the log. `full` reads every byte and recomputes every sum and count; without
/// it an anchor set is read completely up to 1 GiB.
///
/// # Errors
/// When the folder is not an anchor set, or a file cannot be read: then its state is unknown.
/// Damage is a finding, not an error.
pub fn verify(set: &Path, full: bool) -> Result<Vec<IntegrityFinding>, AnchorsError> {
    let witness = witness::look(set)?;
    let mut findings = Vec::new();
    let mut find = |generation, error: AnchorsError| {
        let error = error.into_damage()?;
        findings.push(IntegrityFinding {
            generation,
            problem: error.to_string(),
            fact: error.without_advice(),
        });
        Ok::<_, AnchorsError>(())
    };
    if let Err(error) = witness.current {
        find(None, error)?;
    }
    let lock = set.join(LOCK);
    if is_no_file(&lock)? {
        let what = "it is not a file, so the anchor set cannot be written to".to_owned();
        find(
            None,
            AnchorsError::NeedsRepair {
                path: lock,
                set: set.to_owned(),
                what,
            },
        )?;
    }
    // The newest generation must exist, even if its manifest is missing.
    let mut numbers: BTreeSet<u64> = witness.published.into_iter().collect();
    numbers.insert(witness.newest);
    for generation in numbers.into_iter().filter(|n| *n > 0) {
        if let Err(error) = sound::generation(set, generation, full) {
            find(Some(generation), error)?;
        }
    }
    for error in log::verify(set, witness.newest)? {
        find(None, error)?;
    }
    Ok(findings)
}

/// The name exists, and is not a file.
pub(crate) fn is_no_file(path: &Path) -> Result<bool, AnchorsError> {
    Ok(fs::found_itself(path)?.is_some() && !fs::has_file(path)?)
}

/// Problems of the log of an anchor set that opens, or of an older generation's manifest: they were
/// damaged, or are older than the rest. Answers are not affected, but `verify`,
/// writers and rollbacks are.
///
/// # Errors
/// When the folder is not an anchor set.
pub fn doubts(set: &Path) -> Result<Option<AnchorsError>, AnchorsError> {
    let look = || {
        let witness = witness::look(set)?;
        for &generation in witness.published.iter().rev() {
            if let Err(error) = Manifest::read(set, &layout::generation_name(generation)) {
                return Ok::<_, AnchorsError>(Some(error.into_damage()?));
            }
        }
        log::first_doubt(set, witness.newest)
    };
    // No lock is taken: a writer may be between two files.
    match look()? {
        None => Ok(None),
        Some(_) => look(),
    }
}
