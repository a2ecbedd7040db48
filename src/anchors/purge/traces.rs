//! The ends of traces that lie beside the segments: the log, lists of rows left out, uploaded pictures.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::alias;
use super::needles::Needles;
use crate::anchors::error::AnchorsError;
use crate::anchors::history::{self, Change, IdLine};
use crate::anchors::select::Filter;
use crate::anchors::{content, fs, segment, swap};

/// Rewrites the log: every pair that is not live is named by its hash, and so is each value of a filter,
/// each licence that no live pair has, and each source that a needle is part of. Returns how many
/// records and id lines have changed.
pub(super) fn redact(
    set: &Path,
    live: &HashSet<String>,
    licences: &BTreeMap<String, u64>,
    ids: &[String],
    needles: &Needles,
) -> Result<u64, AnchorsError> {
    let mut rewritten = 0;
    let hidden = |id: &String| {
        let known = live.contains(id) || is_alias(id);
        match known && !ids.contains(id) {
            true => id.clone(),
            false => alias(id),
        }
    };
    let mut changes = Vec::new();
    for mut change in history::read(set)? {
        let before = change.clone();
        if change.ids_file.is_some() {
            let old = history::read_ids(set, change.generation)?;
            let new = old.iter().map(|line| match line {
                IdLine::Added(id) => IdLine::Added(hidden(id)),
                IdLine::Removed(id) => IdLine::Removed(hidden(id)),
            });
            let new: Vec<IdLine> = new.collect();
            rewritten += old.iter().zip(&new).filter(|(a, b)| a != b).count() as u64;
            history::write_ids(set, change.generation, new.into_iter())?;
        }
        for ids in [&mut change.added_ids, &mut change.removed_ids] {
            *ids = ids.iter().map(hidden).collect();
        }
        change.detail = redacted_detail(&change, needles);
        for tally in [&mut change.licences_before, &mut change.licences_after] {
            let old = std::mem::take(tally).into_iter();
            let shown = |name: String| match licences.contains_key(&name) || is_alias(&name) {
                true => name,
                false => alias(&name),
            };
            *tally = old.map(|(name, n)| (shown(name), n)).collect();
        }
        rewritten += u64::from(change != before);
        changes.push(change);
    }
    history::replace(set, &changes)?;
    Ok(rewritten)
}

pub(super) fn is_alias(text: &str) -> bool {
    let digits = text.strip_prefix("blake3:");
    digits.is_some_and(|d| d.len() == 32 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// What a change was given, without what tells of whom: keys of a filter stay, values become hashes.
fn redacted_detail(change: &Change, needles: &Needles) -> String {
    match change.command.as_str() {
        "anchors remove" => Filter::parse(&change.detail).map_or_else(
            |_| redacted_words(&change.detail, needles),
            |filter| {
                let hidden = |value: &str| match is_alias(value) {
                    true => value.to_owned(),
                    false => alias(value),
                };
                filter.with_values(hidden).to_string()
            },
        ),
        // Names of sources, which are paths.
        "build" | "anchors add" => redacted_words(&change.detail, needles),
        // The name of a set, which tells a purge where segments are shared; one that speaks of a purged
        // pair has been looked into before it goes.
        "swap" => swap::with_source(change, |set| redacted_word(set, needles))
            .unwrap_or_else(|| change.detail.clone()),
        // Commands that are given nothing of the user's. A repair looks for the number.
        "rollback" | "repair" => change.detail.clone(),
        _ => match needles.is_in_bytes(&change.detail) {
            true => redacted_words(&change.detail, needles),
            false => change.detail.clone(),
        },
    }
}

fn redacted_words(detail: &str, needles: &Needles) -> String {
    let words = detail.split(", ").map(|word| redacted_word(word, needles));
    words.collect::<Vec<_>>().join(", ")
}

fn redacted_word(word: &str, needles: &Needles) -> String {
    let speaks = needles.is_in_line(word) || needles.is_in_bytes(word);
    match speaks && !is_alias(word) {
        true => alias(word),
        false => word.to_owned(),
    }
}

/// Takes rows that speak of purged pairs from the lists of rows left out; returns how many. Lists in folders
/// that no writer of sets makes are not theirs to change.
pub(super) fn trim_skip_lists(set: &Path, needles: &Needles) -> Result<u64, AnchorsError> {
    let folder = segment::folder(set);
    let mut trimmed = 0;
    for name in fs::names(&folder)? {
        if !segment::is_own_name(&name) || !folder.join(&name).is_dir() {
            continue;
        }
        let path = folder.join(&name).join(segment::SKIPPED);
        let text = match fs_err::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        let is_left = |line: &&str| !needles.is_in_line(content::unsealed(line));
        let mut left: Vec<String> = text.lines().filter(is_left).map(str::to_owned).collect();
        let gone = text.lines().count() - left.len();
        if gone > 0 {
            if left.is_empty() {
                // An empty file would look like one that was cut.
                left.push(content::purged_row());
            }
            content::write_rows(&folder.join(&name), &left)?;
            trimmed += gone as u64;
        } else {
            // A purge that was killed may have written it, and not made that durable.
            fs::sync_folder(&folder.join(name))?;
        }
    }
    Ok(trimmed)
}

/// Whether a list of rows left out, in a segment or put aside, speaks of one of the needles.
pub(super) fn is_listed(set: &Path, needles: &Needles) -> Result<bool, AnchorsError> {
    for entry in walkdir::WalkDir::new(set) {
        let entry = entry.map_err(std::io::Error::from)?;
        if entry.file_type().is_file() && entry.file_name() == segment::SKIPPED {
            let bytes = fs_err::read(entry.path())?;
            let text = String::from_utf8_lossy(&bytes);
            let speaks = |line: &str| needles.is_in_line(content::unsealed(line));
            if text.lines().any(speaks) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A picture of a purged pair that was left where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PictureLeft {
    /// The file.
    pub file: PathBuf,
    /// Why it was left.
    pub why: &'static str,
}

/// Pictures of purged pairs.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// Those that the server wrote into a folder of uploads and that no other pair uses.
    pub uploads: Vec<PathBuf>,
    pub left: Vec<PictureLeft>,
    /// The folders of uploads.
    pub folders: BTreeSet<PathBuf>,
}

impl Pictures {
    /// Sorts the images of purged pairs; `used` are those of pairs that are live somewhere.
    pub fn sort(images: &BTreeSet<String>, used: &HashSet<String>) -> Self {
        let mut pictures = Self::default();
        for image in images {
            let file = PathBuf::from(image);
            let Ok(bytes) = fs_err::read(&file) else {
                // Gone already, or never to be read by this program.
                if file.symlink_metadata().is_ok() {
                    let why = "it cannot be read, so it is not known whose it is";
                    pictures.left.push(PictureLeft { file, why });
                }
                continue;
            };
            let is_upload = is_upload(&file, &bytes);
            if is_upload {
                pictures.folders.insert(fs::parent(&file).to_owned());
            }
            let why = match (is_upload, used.contains(image)) {
                (_, true) => "a live pair uses it",
                (false, false) => "an original, which asif did not write",
                (true, false) => {
                    pictures.uploads.extend(torn_copies(&file, &bytes));
                    pictures.uploads.push(file);
                    continue;
                }
            };
            pictures.left.push(PictureLeft { file, why });
        }
        pictures
    }

    /// Deletes the uploads; returns how many files.
    pub fn delete(&self) -> Result<u64, AnchorsError> {
        for file in &self.uploads {
            fs::remove_file(file)?;
        }
        for folder in &self.folders {
            fs::sync_folder(folder)?;
        }
        Ok(self.uploads.len() as u64)
    }
}

/// Whether the server wrote this file: its name is 32 digits of its content's hash, as no person
/// names a picture.
fn is_upload(file: &Path, bytes: &[u8]) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| stem == &blake3::hash(bytes).to_hex()[..32])
}

/// How the names of pictures begin that are being written; those of older programs come first.
const TORN: [&str; 2] = [".tmp", ".part-"];

/// What a killed server left of this upload: files with the names of temporary ones that hold its
/// beginning.
fn torn_copies(file: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let folder = fs::parent(file);
    let names = fs::names(folder).unwrap_or_default();
    let is_temporary = |name: &&String| TORN.iter().any(|begin| name.starts_with(begin));
    let temporary = names.iter().filter(is_temporary);
    let is_torn = |path: &PathBuf| {
        fs_err::read(path).is_ok_and(|part| !part.is_empty() && bytes.starts_with(&part))
    };
    temporary
        .map(|name| folder.join(name))
        .filter(is_torn)
        .collect()
}
