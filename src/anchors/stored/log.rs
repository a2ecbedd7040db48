//! The lines of the log: their checksums, consistency with the manifests, and repair.
//!
//! ```text
//! {"generation":42, .. ,"keep":5,"check":"16 hex digits"}
//! ```
//!
//! `check` is the checksum of the line's text before it. Lines of an older program have neither `keep` nor
//! `check`; of them only what a manifest says too can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::change_record;
use super::change_record::ChangeRecord;
use super::layout;
use super::manifest::{self, Manifest};
use super::unknown_fields::unknown_fields;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogLine {
    /// The record.
    pub change: ChangeRecord,
    /// How many generations were kept from then on; unknown for a line that a reader completed.
    pub keep: Option<u64>,
    /// Whether it has a checksum.
    pub checked: bool,
    /// Fields of a newer program, which has made the checksum.
    pub unknown: Vec<String>,
}

const CHECK_KEY: &str = ",\"check\":\"";
const KEEP_KEY: &str = ",\"keep\":";
const DIGITS: usize = 16;

/// A record as the log has it, without the line end.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn line(change: &ChangeRecord, keep: Option<u64>) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string(change)?;
    // The closing brace, which comes back behind the checksum.
    text.pop();
    if let Some(keep) = keep {
        text.push_str(&format!("{KEEP_KEY}{keep}"));
    }
    let check = check(&text);
    Ok(format!("{text}{CHECK_KEY}{check}\"}}"))
}

fn check(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..DIGITS].to_owned()
}

/// Reads a line.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<LogLine, String> {
    let mut body = text.to_owned();
    let mut checked = false;
    // The last one: a value in the record may contain this very text.
    if let Some(at) = text.rfind(CHECK_KEY) {
        if text[at..] != format!("{CHECK_KEY}{}\"}}", check(&text[..at])) {
            return Err("its checksum does not match".to_owned());
        }
        checked = true;
        body = format!("{}}}", &text[..at]);
    }
    let mut said: serde_json::Value = serde_json::from_str(&body).map_err(|e| e.to_string())?;
    let change: ChangeRecord = serde_json::from_str(&body).map_err(|e| e.to_string())?;
    // `keep` is no field of the record, so it would count as unknown.
    let keep = match said.as_object_mut().and_then(|o| o.remove("keep")) {
        None => None,
        Some(keep) => Some(keep.as_u64().ok_or("its `keep` is not an integer")?),
    };
    let known = serde_json::to_value(&change).map_err(|e| e.to_string())?;
    // A field with a damaged name would be ignored, and its value with it.
    if !checked && known != said {
        return Err("it has unknown fields".to_owned());
    }
    Ok(LogLine {
        unknown: unknown_fields(&said, &known),
        change,
        keep,
        checked,
    })
}

/// The complete lines that can be read, and the problems of the others. A line that was torn when a
/// writer was killed is ignored.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn read(set: &Path) -> Result<(Vec<LogLine>, Vec<AnchorsError>), AnchorsError> {
    let path = layout::log_path(set);
    let wrong = |what: String| AnchorsError::NeedsRepair {
        path: path.clone(),
        set: set.to_owned(),
        what,
    };
    let bytes = match fs_err::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((Vec::new(), Vec::new()));
        }
        // A refusal is an error; damage is a finding that a repair can mend.
        Err(error) if fs::is_refusal(&error) => return Err(error.into()),
        Err(error) => return Ok((Vec::new(), vec![wrong(error.to_string())])),
    };
    let (mut lines, mut findings) = (Vec::new(), Vec::new());
    // What follows the last line end is a line that was being written when its writer was killed.
    let Some(end) = bytes.iter().rposition(|&b| b == b'\n') else {
        return Ok((lines, findings));
    };
    for (i, line) in bytes[..end].split(|&b| b == b'\n').enumerate() {
        let text = std::str::from_utf8(line).map_err(|e| e.to_string());
        match text.and_then(parse) {
            Ok(line) => lines.push(line),
            Err(what) => findings.push(wrong(format!("line {} is not a record: {what}", i + 1))),
        }
    }
    Ok((lines, findings))
}

/// The newest record of the log that can be read, and whether it has a checksum.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn last(set: &Path) -> Result<Option<(u64, bool)>, AnchorsError> {
    let path = layout::log_path(set);
    let read = fs_err::read(&path).map_err(|error| AnchorsError::of_file(&path, error));
    let Some(text) = if_whole(read)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&text);
    // Without a torn line at the end, as in `read`.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let last = whole.lines().rev().find_map(|line| parse(line).ok());
    Ok(last.map(|last| (last.change.generation, last.checked)))
}

/// Rejects a log with a line that has an unknown field: rewriting it would lose
/// that. Appending loses nothing.
///
/// # Errors
/// [`AnchorsError::UnknownField`]; when the operating system denies reading it.
pub(crate) fn refuse_unknown(set: &Path) -> Result<(), AnchorsError> {
    for line in read(set)?.0 {
        if let Some(field) = line.unknown.into_iter().next() {
            return Err(AnchorsError::UnknownField {
                path: layout::log_path(set),
                field,
                made_by: "a newer asif".to_owned(),
            });
        }
    }
    Ok(())
}

/// Rewrites the log.
///
/// # Errors
/// [`AnchorsError::UnknownField`] when a line would lose one; on an I/O error.
pub(crate) fn write(set: &Path, lines: &[LogLine]) -> Result<(), AnchorsError> {
    refuse_unknown(set)?;
    let path = layout::log_path(set);
    let mut text = String::new();
    for of in lines {
        let written = line(&of.change, of.keep).map_err(|reason| AnchorsError::Manifest {
            path: path.clone(),
            reason,
        })?;
        text.push_str(&written);
        text.push('\n');
    }
    fs::create_dir_all(&layout::log_folder(set))?;
    Ok(fs::write_atomically(&path, text.as_bytes())?)
}

/// The problems of the log of an anchor set whose live generation is `live`.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn verify(set: &Path, live: u64) -> Result<Vec<AnchorsError>, AnchorsError> {
    let (lines, mut findings) = read(set)?;
    findings.extend(verify_lines(set, live, &lines, findings.is_empty())?);
    for line in &lines {
        if let Err(error) = ids_sound(set, &line.change) {
            findings.push(error.into_damage()?);
        }
    }
    Ok(findings)
}

/// The first of these things that the lines themselves tell; lists of ids, of which there may be as many
/// as changes, are not read.
///
/// # Errors
/// As [`verify`].
pub(crate) fn first_doubt(set: &Path, live: u64) -> Result<Option<AnchorsError>, AnchorsError> {
    let (lines, findings) = read(set)?;
    match findings.into_iter().next() {
        Some(first) => Ok(Some(first)),
        None => Ok(verify_lines(set, live, &lines, true)?.into_iter().next()),
    }
}

/// The same of the lines that could be read, which are all if `read_whole`.
fn verify_lines(
    set: &Path,
    live: u64,
    lines: &[LogLine],
    read_whole: bool,
) -> Result<Vec<AnchorsError>, AnchorsError> {
    let mut findings = Vec::new();
    let path = layout::log_path(set);
    let wrong = |what: String| AnchorsError::NeedsRepair {
        path: path.clone(),
        set: set.to_owned(),
        what,
    };
    let manifests = match recorded(set, live) {
        Ok(manifests) => manifests,
        Err(error) => return Ok(vec![error.into_damage()?]),
    };
    if lines.is_empty() {
        if !manifests.is_empty() && read_whole {
            findings.push(wrong("it has no record".to_owned()));
        }
        return Ok(findings);
    }
    let numbers: Vec<u64> = lines.iter().map(|l| l.change.generation).collect();
    // Order first: a line that is out of order makes gaps look as if records were missing.
    if !numbers.is_sorted_by(|a, b| a < b) {
        findings.push(wrong("its records are out of order".to_owned()));
    }
    // The last record may be missing after a crash.
    let lacks: Vec<String> = (1..live)
        .filter(|n| !numbers.contains(n))
        .map(|n| n.to_string())
        .collect();
    // Lines that could not be read may hold the numbers that seem to lack.
    if !lacks.is_empty() && read_whole && findings.is_empty() {
        let lacks = lacks.join(", ");
        findings.push(wrong(format!(
            "it lacks the records of generations {lacks}"
        )));
    }
    for line in lines {
        let change = &line.change;
        if let Some(other) = manifests.get(&change.generation)
            && !same(line, other)
        {
            findings.push(wrong(format!(
                "the record of generation {} is not the one in its manifest",
                change.generation
            )));
        }
    }
    let lacking = match lacking(set, lines) {
        Ok(lacking) => lacking,
        Err(error) => {
            findings.push(error.into_damage()?);
            BTreeSet::new()
        }
    };
    // Above the live one are generations that were given up.
    for n in lacking.into_iter().filter(|n| *n <= live) {
        findings.push(AnchorsError::Damaged {
            path: layout::generations_folder(set)
                .join(format!("{}.json", layout::generation_name(n))),
            what: "the log says that this generation is kept, but its manifest is missing".into(),
        });
    }
    Ok(findings)
}

/// The records that sound manifests hold, up to the live one.
pub(crate) fn recorded(set: &Path, live: u64) -> Result<BTreeMap<u64, ChangeRecord>, AnchorsError> {
    let mut recorded = BTreeMap::new();
    for n in manifest::list(set)?.into_iter().filter(|n| *n <= live) {
        let manifest = if_whole(Manifest::read(set, &layout::generation_name(n)))?;
        recorded.extend(manifest.and_then(|manifest| Some((n, manifest.change?))));
    }
    Ok(recorded)
}

/// Whether a line agrees with the manifest. What a purge redacts in a line (names of pairs,
/// arguments, licences) may differ in one that has a checksum, or that names a pair by its hash.
pub(crate) fn same(line: &LogLine, manifest: &ChangeRecord) -> bool {
    let kept = |c: &ChangeRecord| ChangeRecord {
        detail: String::new(),
        source_set: None,
        added_ids: Vec::new(),
        removed_ids: Vec::new(),
        ids_file: None,
        licences_before: BTreeMap::new(),
        licences_after: BTreeMap::new(),
        ..c.clone()
    };
    let whole = |c: &ChangeRecord| ChangeRecord {
        ids_file: None,
        ..c.clone()
    };
    let of = &line.change;
    // Before checksums a purge could rewrite lines as well; hashes of pairs show where.
    let mut ids = of.added_ids.iter().chain(&of.removed_ids);
    let purged = line.checked || ids.any(|id| id.starts_with("blake3:"));
    match purged {
        true => kept(of) == kept(manifest),
        false => whole(of) == whole(manifest),
    }
}

/// Checks that the list of ids that a record names exists and has the stated number of ids.
pub(crate) fn ids_sound(set: &Path, change: &ChangeRecord) -> Result<(), AnchorsError> {
    if change.ids_file.is_none() {
        return Ok(());
    }
    let found = change_record::read_ids(set, change.generation)?.len() as u64;
    if found != change.added + change.removed {
        return Err(AnchorsError::Damaged {
            path: layout::log_folder(set).join(layout::id_list_name(change.generation)),
            what: format!(
                "it names {found} pairs, the record {}",
                change.added + change.removed
            ),
        });
    }
    Ok(())
}

/// The generations that are kept at least, by what the log says of each change.
fn kept(lines: &[LogLine]) -> BTreeSet<u64> {
    let mut kept = BTreeSet::new();
    for line in lines {
        let n = line.change.generation;
        // A repair that goes back abandons later generations.
        let repaired = line.change.taken_from();
        if let Some(good) = repaired.filter(|_| line.change.command == "repair") {
            kept.retain(|&k| k <= good);
        }
        kept.insert(n);
        // A line without a number was completed by a reader and says nothing of older generations.
        let keep = line.keep.unwrap_or(1).max(1) as usize;
        while kept.len() > keep {
            kept.pop_first();
        }
    }
    kept
}

/// The generations that are kept by what the log says, and whose manifests are missing.
pub(crate) fn lacking(set: &Path, lines: &[LogLine]) -> Result<BTreeSet<u64>, AnchorsError> {
    let there: BTreeSet<u64> = manifest::list(set)?.into_iter().collect();
    Ok(kept(lines).difference(&there).copied().collect())
}

/// Whether a manifest is missing that the log says is kept: what it names is not unknown.
///
/// # Errors
/// When the folder of manifests cannot be read.
pub(crate) fn lacks_manifest(set: &Path) -> Result<bool, AnchorsError> {
    Ok(!lacking(set, &read(set)?.0)?.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_does_not_say_what_it_must_is_not_guessed_at() {
        let change = ChangeRecord {
            generation: 7,
            command: "repair".to_owned(),
            detail: "content of generation 5 (the list of ids was lost)".to_owned(),
            ..ChangeRecord::default()
        };
        let sound = serde_json::to_string(&change).unwrap();
        assert_eq!(parse(&sound).unwrap().change.taken_from(), Some(5));
        let keep = |keep: &str| parse(&sound.replacen('{', &format!("{{\"keep\":{keep},"), 1));
        assert_eq!(keep("3").unwrap().keep, Some(3));
        for other in ["\"3\"", "-3", "null"] {
            assert!(keep(other).unwrap_err().contains("keep"), "{other}");
        }
    }
}
