//! Repairs the log.

use std::collections::BTreeMap;
use std::path::Path;

use super::aside;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::change_record::ChangeRecord;
use crate::anchors::stored::log::{self, LogLine};
use crate::anchors::stored::{history, layout};

/// The command of a record that replaces a lost one.
pub(crate) const LOST: &str = "unknown";

fn lost(generation: u64) -> ChangeRecord {
    ChangeRecord {
        generation,
        command: LOST.to_owned(),
        detail: "the record was lost".to_owned(),
        ..ChangeRecord::default()
    }
}

/// Adds a placeholder record where neither the manifest of `live` nor the log has one;
/// returns what was done.
///
/// # Errors
/// On an I/O error.
pub(crate) fn note_lost(set: &Path, live: u64) -> Result<Option<String>, AnchorsError> {
    if history::pairs_of(set, live)?.is_some() {
        return Ok(None);
    }
    history::append(set, &lost(live), None)?;
    Ok(Some(format!(
        "the record of generation {live} is lost, and the log says so"
    )))
}

/// Repairs the log: lost and damaged records are restored from manifests; where there is
/// none, a placeholder is written. Damaged lists of ids are moved to `damaged/`, and missing manifests
/// are no longer listed as kept. Returns what was done.
///
/// # Errors
/// On an I/O error.
pub(crate) fn repair(set: &Path, live: u64) -> Result<Vec<String>, AnchorsError> {
    let found = log::verify(set, live)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mended: Vec<String> = found.iter().map(AnchorsError::without_advice).collect();
    let manifests = log::recorded(set, live)?;
    let (read, _) = log::read(set)?;
    let mut lines: BTreeMap<u64, LogLine> = BTreeMap::new();
    for line in read {
        let n = line.change.generation;
        let other = manifests.get(&n).is_some_and(|m| !log::same(&line, m));
        if n <= live && !other {
            lines.entry(n).or_insert(line);
        }
    }
    for (&n, change) in &manifests {
        lines.entry(n).or_insert_with(|| LogLine {
            change: change.clone(),
            keep: None,
            checked: true,
            unknown: Vec::new(),
        });
    }
    if manifests.is_empty() && lines.is_empty() {
        return Ok(Vec::new());
    }
    for n in 1..live {
        lines.entry(n).or_insert_with(|| LogLine {
            change: lost(n),
            keep: None,
            checked: true,
            unknown: Vec::new(),
        });
    }
    let mut lines: Vec<LogLine> = lines.into_values().collect();
    for line in &mut lines {
        if if_whole(log::ids_sound(set, &line.change))?.is_none() {
            let name = layout::id_list_name(line.change.generation);
            aside::put(set, &layout::log_folder(set), &name)?;
            line.change.ids_file = None;
            line.change.detail.push_str(" (the list of ids was lost)");
        }
    }
    let gone = log::lacking(set, &lines)?.pop_last();
    if let (Some(gone), Some(last)) = (gone, lines.last_mut()) {
        last.keep = Some(last.change.generation.saturating_sub(gone).max(1));
    }
    aside::keep(set, &layout::log_folder(set), layout::CHANGES)?;
    log::write(set, &lines)?;
    Ok(mended)
}
