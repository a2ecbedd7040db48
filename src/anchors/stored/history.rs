//! What happened to a set: one record a generation, in a log that people can read.
//!
//! ```text
//! log/changes.jsonl        one JSON object a line, oldest first
//! log/g000042.ids.jsonl    the ids of a change, one object a line, where there are many
//! ```
//!
//! The record of a change is part of its manifest, so it becomes true in the moment in which
//! `CURRENT` names that manifest. The log is written after that: it never tells of what did not
//! happen, and what a crash kept from it is added by the next writer and by every reader. Form,
//! checksums and repair of its lines are in `log`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{self, Manifest};
use super::{content, log, place, publish};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;

/// How many ids a record names itself; more are in a file of their own.
pub const INLINE_IDS: usize = 20;

/// One change of a set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Change {
    /// The generation that it made.
    pub generation: u64,
    /// When, RFC 3339 in UTC.
    pub when: String,
    /// By which command.
    pub command: String,
    /// With what: a filter, a source, the generation that was restored.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Live pairs before.
    pub pairs_before: u64,
    /// Live pairs after.
    pub pairs_after: u64,
    /// Pairs that came. After a build, a swap or a rollback, `asif diff` says which.
    pub added: u64,
    /// Pairs that went.
    pub removed: u64,
    /// The ids of pairs that came, if they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_ids: Vec<String>,
    /// The ids of pairs that went, if they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_ids: Vec<String>,
    /// The file in the set that lists the ids, if they are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids_file: Option<String>,
    /// Live pairs by licence before.
    pub licences_before: BTreeMap<String, u64>,
    /// Live pairs by licence after.
    pub licences_after: BTreeMap<String, u64>,
}

/// One line of an id list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdLine {
    /// A pair that came.
    Added(String),
    /// A pair that went.
    Removed(String),
}

/// The folder of the log.
pub fn folder(set: &Path) -> PathBuf {
    set.join("log")
}

/// The file name of the log.
pub(crate) const LOG: &str = "changes.jsonl";

/// The log.
pub fn log_path(set: &Path) -> PathBuf {
    folder(set).join(LOG)
}

/// Every change that led to the live generation, oldest first.
///
/// # Errors
/// When the folder is not a set, or a whole line of the log is not a record or is damaged.
pub fn read(set: &Path) -> Result<Vec<Change>, AnchorsError> {
    let mut changes = logged(set)?;
    changes.extend(missing(set, &changes)?);
    changes.sort_by_key(|c| c.generation);
    Ok(changes)
}

/// The same, as far as a damaged log or manifest can be read.
///
/// # Errors
/// When the system refuses to let them be read.
pub fn readable(set: &Path) -> Result<Vec<Change>, AnchorsError> {
    let (lines, _) = log::read(set)?;
    let mut changes: Vec<Change> = lines.into_iter().map(|line| line.change).collect();
    changes.extend(if_whole(missing(set, &changes))?.unwrap_or_default());
    changes.sort_by_key(|c| c.generation);
    Ok(changes)
}

/// Adds what a crash kept from the log.
///
/// # Errors
/// When the log cannot be read or written.
pub fn reconcile(set: &Path) -> Result<(), AnchorsError> {
    for change in missing(set, &logged(set)?)? {
        append(set, &change, None)?;
    }
    Ok(())
}

/// The whole lines of the log.
fn logged(set: &Path) -> Result<Vec<Change>, AnchorsError> {
    let (lines, findings) = log::read(set)?;
    match findings.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(lines.into_iter().map(|line| line.change).collect()),
    }
}

/// The changes of published generations that the log lacks.
fn missing(set: &Path, logged: &[Change]) -> Result<Vec<Change>, AnchorsError> {
    let known: BTreeSet<u64> = logged.iter().map(|c| c.generation).collect();
    let lacking = manifest::kept(set)?
        .into_iter()
        .filter(|n| !known.contains(n));
    // A manifest that cannot be read is damage that `verify` reports; its record is lost with it.
    let mut changes = Vec::new();
    for generation in lacking {
        let manifest = if_whole(Manifest::read(set, &manifest::name(generation)))?;
        changes.extend(manifest.and_then(|manifest| manifest.change));
    }
    Ok(changes)
}

/// Appends a record, durably. `keep` is how many generations are kept from then on.
///
/// # Errors
/// When the disk refuses.
pub fn append(set: &Path, change: &Change, keep: Option<u64>) -> Result<(), AnchorsError> {
    let path = log_path(set);
    let line = log::line(change, keep).map_err(|reason| AnchorsError::Manifest {
        path: path.clone(),
        reason,
    })?;
    fs::create_dir_all(&folder(set))?;
    Ok(fs::append_line(&path, &line)?)
}

/// Writes the log anew with these records; what it said of how many generations are kept stays.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn replace(set: &Path, changes: &[Change]) -> Result<(), AnchorsError> {
    let (old, _) = log::read(set)?;
    let keep = |n: u64| old.iter().find(|l| l.change.generation == n)?.keep;
    let lines = changes.iter().map(|change| log::LogLine {
        keep: keep(change.generation),
        change: change.clone(),
        checked: true,
    });
    log::write(set, &lines.collect::<Vec<_>>())
}

/// Pairs, and these by licence.
pub(crate) type PairCounts = (u64, BTreeMap<String, u64>);

/// The pairs of a generation, and these by licence: from its manifest, or from the log where that cannot
/// be read. None where neither tells.
///
/// # Errors
/// When the system refuses to let them be read.
pub(crate) fn pairs_of(set: &Path, generation: u64) -> Result<Option<PairCounts>, AnchorsError> {
    if let Some(manifest) = if_whole(Manifest::read(set, &manifest::name(generation)))? {
        return Ok(Some((manifest.counts.pairs, manifest.licences)));
    }
    let (lines, _) = log::read(set)?;
    let mut changes = lines.into_iter().map(|line| line.change);
    let change = changes.find(|change| change.generation == generation);
    Ok(change.map(|change| (change.pairs_after, change.licences_after)))
}

/// The same for the generation before a change, which must be known.
///
/// # Errors
/// [`AnchorsError::NeedsRepair`] when neither tells.
pub(crate) fn pairs_before(set: &Path, generation: u64) -> Result<PairCounts, AnchorsError> {
    pairs_of(set, generation)?.ok_or_else(|| AnchorsError::NeedsRepair {
        path: log_path(set),
        set: set.to_owned(),
        what: format!(
            "it lacks the record of generation {generation}, whose manifest cannot be read"
        ),
    })
}

/// The newest record of the log that can be read, and whether it has a checksum.
///
/// # Errors
/// When the system refuses to let it be read.
pub(crate) fn last(set: &Path) -> Result<Option<(u64, bool)>, AnchorsError> {
    let path = log_path(set);
    let read = fs_err::read(&path).map_err(|error| AnchorsError::of_file(&path, error));
    let Some(text) = if_whole(read)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&text);
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let last = whole.lines().rev().find_map(|line| log::parse(line).ok());
    Ok(last.map(|last| (last.change.generation, last.checked)))
}

impl Change {
    /// Takes note of the ids: in the record itself if they are few, else in a file that is durable
    /// when this returns. The generation must be set.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn note_ids(
        &mut self,
        set: &Path,
        added: &[String],
        removed: &[String],
    ) -> Result<(), AnchorsError> {
        if added.len() + removed.len() <= INLINE_IDS {
            self.added_ids = added.to_vec();
            self.removed_ids = removed.to_vec();
            return Ok(());
        }
        let gone = removed.iter().map(|id| IdLine::Removed(id.clone()));
        let came = added.iter().map(|id| IdLine::Added(id.clone()));
        fs::create_dir_all(&folder(set))?;
        write_ids(set, self.generation, gone.chain(came))?;
        self.ids_file = Some(format!("log/{}", ids_name(self.generation)));
        Ok(())
    }
}

/// The name of a generation's list of ids.
pub fn ids_name(generation: u64) -> String {
    format!("{}.ids.jsonl", manifest::name(generation))
}

/// Writes a generation's list of ids. Each line has a checksum, and says of how many it is one.
///
/// # Errors
/// When the disk refuses.
pub fn write_ids(
    set: &Path,
    generation: u64,
    lines: impl Iterator<Item = IdLine>,
) -> Result<(), AnchorsError> {
    let name = ids_name(generation);
    let rows: Vec<String> = lines.map(|l| serde_json::json!(l).to_string()).collect();
    let text = content::sealed_rows(&name, &rows);
    Ok(fs::write_atomically(
        &folder(set).join(name),
        text.as_bytes(),
    )?)
}

/// Reads a generation's list of ids. One of an older program has no checksums.
///
/// # Errors
/// When it cannot be read, a line is something else or is missing, or a checksum does not agree.
pub fn read_ids(set: &Path, generation: u64) -> Result<Vec<IdLine>, AnchorsError> {
    let name = ids_name(generation);
    let path = folder(set).join(&name);
    let damaged = |what: String| AnchorsError::Damaged {
        path: path.clone(),
        what,
    };
    let text = fs_err::read_to_string(&path)?;
    content::rows_sound(&name, &text).map_err(damaged)?;
    let parse = |line: &str| {
        serde_json::from_str(&format!("{}}}", content::unsealed(line)))
            .map_err(|error| damaged(format!("{line:?} is not an id of a change: {error}")))
    };
    text.lines().map(parse).collect()
}

/// Removes lists of ids of generations after the live one: a writer was killed before they counted.
pub(crate) fn sweep(set: &Path) -> Result<(), AnchorsError> {
    let live = publish::live_number(set)?;
    let folder = folder(set);
    for name in fs::names(&folder)? {
        let number = name.strip_suffix(".ids.jsonl").and_then(manifest::number);
        if number.is_some_and(|n| n > live) {
            fs::remove_file(&folder.join(name))?;
        }
    }
    Ok(fs::sweep_hidden(&folder, place::in_log)?)
}
