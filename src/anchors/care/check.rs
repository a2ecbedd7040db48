//! Is a set sound?

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

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The generation concerned, if it is one.
    pub generation: Option<u64>,
    /// What is wrong, naming the file.
    pub problem: String,
    /// The same without what to do about it, for whoever has just done that.
    #[serde(skip)]
    pub fact: String,
}

/// Looks at all that `CURRENT`, manifests and log say must be there: every kept generation with its
/// files, its space, and the log. `full` reads every byte and recomputes every sum and count; without
/// it a set is read whole up to 1 GiB.
///
/// # Errors
/// When the folder is no set at all, or the system refuses to let a file be read: then nothing can be said.
/// Damage is a finding.
pub fn verify(set: &Path, full: bool) -> Result<Vec<Finding>, AnchorsError> {
    let witness = witness::look(set)?;
    let mut findings = Vec::new();
    let mut find = |generation, error: AnchorsError| {
        let error = error.into_damage()?;
        findings.push(Finding {
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
        let what = "it is no file, so that nobody can write to the set".to_owned();
        find(
            None,
            AnchorsError::NeedsRepair {
                path: lock,
                set: set.to_owned(),
                what,
            },
        )?;
    }
    // The newest must be there, whether its manifest is or not.
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

/// Something stands under this name, and it is no file.
pub(crate) fn is_no_file(path: &Path) -> Result<bool, AnchorsError> {
    Ok(fs::found_itself(path)?.is_some() && !fs::has_file(path)?)
}

/// What is wrong with the log of a set that opens, or with the manifest of an older generation: they were
/// damaged, or are older than the rest. Nothing that answers come from is concerned, but `verify`,
/// writers and whoever wants to go back are.
///
/// # Errors
/// When the folder is no set.
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
    // No lock is taken: a writer may have been met between two files.
    match look()? {
        None => Ok(None),
        Some(_) => look(),
    }
}
