//! The skipped rows of sources, `skipped.jsonl` in the folder of each segment.

use std::collections::BTreeSet;
use std::path::Path;

use super::layout;
use super::manifest::SegmentEntry;
use super::sealed_lines::{CHECK_KEY, rows_sound, sealed_place, sealed_rows, unsealed};
use crate::anchors::error::AnchorsError;
use crate::disk as fs;

/// The list of skipped rows is what it was when it was written.
///
/// # Errors
/// When a row is damaged, or one or all are missing.
pub(crate) fn skipped_sound(folder: &Path, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let path = folder.join(layout::SKIPPED);
    let must = entry.files.contains_key(layout::SKIPPED);
    if !must && fs::found(&path)?.is_none() {
        return Ok(());
    }
    let damaged = |what: String| AnchorsError::Damaged {
        path: path.clone(),
        what,
    };
    let text = fs_err::read_to_string(&path).map_err(|e| AnchorsError::of_file(&path, e))?;
    match rows_sound(layout::SKIPPED, &text) {
        Err(what) => Err(damaged(what)),
        Ok(false) if must => Err(damaged("its rows have lost their checksums".to_owned())),
        Ok(_) => Ok(()),
    }
}

/// The rows of a list that can be read, without their checksums; if it is damaged, with one that says so.
/// None where there is no list.
///
/// # Errors
/// On an I/O error.
pub(crate) fn readable_rows(path: &Path) -> Result<Vec<String>, AnchorsError> {
    if fs::found_itself(path)?.is_none() {
        return Ok(Vec::new());
    }
    let bytes = match fs::has_file(path)? {
        true => fs_err::read(path)?,
        // Not a file.
        false => Vec::new(),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let is_sealed = text.contains(CHECK_KEY);
    let mut is_sound = text.ends_with('\n');
    let mut rows = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let row = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(line);
        // A modified row would be passed on as a genuine skipped row.
        let place = sealed_place(layout::SKIPPED, line);
        if row.is_err() || is_sealed && place.is_none() {
            is_sound = false;
            continue;
        }
        is_sound &= !is_sealed || place == Some(&format!("{}/{}", i + 1, lines.len()));
        rows.push(format!("{}}}", unsealed(line)));
    }
    if !is_sound {
        rows.push(lost_row());
    }
    Ok(rows)
}

/// Writes the list of skipped rows in the folder of a segment.
///
/// # Errors
/// On an I/O error.
pub(crate) fn write_rows(folder: &Path, rows: &[String]) -> Result<(), AnchorsError> {
    let text = sealed_rows(layout::SKIPPED, rows);
    Ok(fs::write_atomically(
        &folder.join(layout::SKIPPED),
        text.as_bytes(),
    )?)
}

/// The skipped rows of the sources of the segments in these folders, as a segment lists them that takes their
/// place.
///
/// # Errors
/// On an I/O error.
pub(crate) fn rows_of<'a>(
    folders: impl IntoIterator<Item = &'a Path>,
) -> Result<Vec<String>, AnchorsError> {
    let (mut rows, mut is_lost) = (Vec::new(), false);
    // A segment may occur twice in an anchor set.
    let mut seen = BTreeSet::new();
    for path in folders.into_iter().filter(|path| seen.insert(*path)) {
        for row in readable_rows(&path.join(layout::SKIPPED))? {
            let lost = row == lost_row();
            if row != purged_row() && !(lost && is_lost) {
                is_lost |= lost;
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// How many rows the lists of these segments of an anchor set have.
///
/// # Errors
/// On an I/O error.
pub(crate) fn count(set: &Path, segments: &[SegmentEntry]) -> Result<u64, AnchorsError> {
    count_but(set, segments, |_| false)
}

/// The same without rows that are about to go.
///
/// # Errors
/// On an I/O error.
pub(crate) fn count_but(
    set: &Path,
    segments: &[SegmentEntry],
    goes: impl Fn(&str) -> bool,
) -> Result<u64, AnchorsError> {
    let mut count = 0;
    let names: BTreeSet<&String> = segments.iter().map(|entry| &entry.id).collect();
    for name in names {
        let path = layout::segments_folder(set)
            .join(name)
            .join(layout::SKIPPED);
        let rows = readable_rows(&path)?;
        let is_row =
            |row: &&String| **row != lost_row() && **row != purged_row() && !goes(unsealed(row));
        count += rows.iter().filter(is_row).count() as u64;
    }
    Ok(count)
}

/// A placeholder row for rows that a purge deleted: an empty file would look
/// truncated.
pub(crate) fn purged_row() -> String {
    serde_json::json!({"kind": "purged", "reason": "rows were taken out"}).to_string()
}

/// A row that records that others may be lost.
pub(crate) fn lost_row() -> String {
    let lost = serde_json::json!({
        "origin": layout::SKIPPED,
        "kind": "lost",
        "reason": "this list was damaged: rows of it may be lost or changed",
    });
    lost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_changed_is_not_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(layout::SKIPPED);
        let rows: Vec<String> = ["a.jpg", "b.jpg", "c.jpg"]
            .map(|file| serde_json::json!({"origin": file, "reason": "no caption"}).to_string())
            .into();
        write_rows(folder.path(), &rows).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        assert_eq!(readable_rows(&path).unwrap(), rows);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            fs_err::write(&path, damaged).unwrap();
            let (lost, read): (Vec<String>, Vec<String>) = readable_rows(&path)
                .unwrap()
                .into_iter()
                .partition(|row| *row == lost_row());
            assert_eq!(lost.len(), 1, "byte {at}");
            assert!(
                read.iter().all(|row| rows.contains(row)),
                "byte {at}: {read:?}"
            );
            assert!(!read.is_empty(), "byte {at}");
        }
    }
}
