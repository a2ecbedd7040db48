//! Deletes traces outside the segments: the log, lists of skipped rows, uploaded images.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::alias::alias;
use super::needles::NeedleSet;
use crate::anchors::care::elsewhere::UsedImages;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::change_record;
use crate::anchors::stored::change_record::{ChangeRecord, IdLine};
use crate::anchors::stored::history;
use crate::anchors::stored::layout;
use crate::anchors::stored::sealed_lines;
use crate::anchors::stored::skipped_rows;
use crate::disk as fs;
use crate::filter::PairFilter;

/// Rewrites the log: every pair that is not live is named by its hash, and so is each value of a filter,
/// each licence that no live pair has, and each source that a needle is part of. Returns how many
/// records and id lines have changed.
pub(super) fn redact(
    set: &Path,
    live: &HashSet<String>,
    licences: &BTreeMap<String, u64>,
    ids: &[String],
    needles: &NeedleSet,
) -> Result<u64, AnchorsError> {
    let mut rewritten = 0;
    let hidden = |id: &String| {
        // A live pair of the same id may exist now, but a requested id must not stay in the log.
        let known = live.contains(id) || is_alias(id);
        match known && !ids.contains(id) {
            true => id.clone(),
            false => alias(id),
        }
    };
    let mut changes = Vec::new();
    // The strict reader: a log that is not read in full must not be rewritten from what was readable.
    for mut change in history::read(set)? {
        let before = change.clone();
        if change.ids_file.is_some() {
            let old = change_record::read_ids(set, change.generation)?;
            let new = old.iter().map(|line| match line {
                IdLine::Added(id) => IdLine::Added(hidden(id)),
                IdLine::Removed(id) => IdLine::Removed(hidden(id)),
            });
            let new: Vec<IdLine> = new.collect();
            rewritten += old.iter().zip(&new).filter(|(a, b)| a != b).count() as u64;
            change_record::write_ids(set, change.generation, new.into_iter())?;
        }
        for ids in [&mut change.added_ids, &mut change.removed_ids] {
            *ids = ids.iter().map(hidden).collect();
        }
        change.detail = redacted_detail(&change, needles);
        // The name of a set shows a purge where segments are shared; a name that mentions a purged pair has
        // been followed before it is deleted.
        change.rename_source(|set| redacted_word(set, needles));
        for tally in [&mut change.licences_before, &mut change.licences_after] {
            let old = std::mem::take(tally).into_iter();
            // Only licences of live pairs stay by name, since a rare licence may identify a pair.
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

/// The arguments of a change, redacted: keys of a filter stay, values become hashes.
fn redacted_detail(change: &ChangeRecord, needles: &NeedleSet) -> String {
    match change.command.as_str() {
        // A detail that does not parse as a filter is redacted word by word.
        "anchors remove" => PairFilter::parse(&change.detail).map_or_else(
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
        // Commands without user data in their arguments, or with the name of a set, which is redacted
        // separately.
        "swap" | "rollback" | "repair" => change.detail.clone(),
        // Commands that this program does not know are changed only where the search would find something.
        _ => match needles.is_in_bytes(&change.detail) {
            true => redacted_words(&change.detail, needles),
            false => change.detail.clone(),
        },
    }
}

fn redacted_words(detail: &str, needles: &NeedleSet) -> String {
    let words = detail.split(", ").map(|word| redacted_word(word, needles));
    words.collect::<Vec<_>>().join(", ")
}

fn redacted_word(word: &str, needles: &NeedleSet) -> String {
    let speaks = needles.is_in_line(word) || needles.is_in_bytes(word);
    match speaks && !is_alias(word) {
        true => alias(word),
        false => word.to_owned(),
    }
}

/// Deletes rows that mention purged pairs from the lists of skipped rows; returns how many. Lists in folders
/// that asif did not create are not changed.
pub(super) fn trim_skip_lists(set: &Path, needles: &NeedleSet) -> Result<u64, AnchorsError> {
    let folder = layout::segments_folder(set);
    let mut trimmed = 0;
    for name in fs::names(&folder)? {
        if !layout::in_segments(&name) || !fs::has_folder(&folder.join(&name))? {
            continue;
        }
        let path = folder.join(&name).join(layout::SKIPPED);
        let text = match fs_err::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        // Checksums in the lines are hex and could contain a short id by chance.
        let is_left = |line: &&str| !needles.is_in_line(sealed_lines::unsealed(line));
        let mut left: Vec<String> = text.lines().filter(is_left).map(str::to_owned).collect();
        let gone = text.lines().count() - left.len();
        if gone > 0 {
            if left.is_empty() {
                // An empty file would look truncated.
                left.push(skipped_rows::purged_row());
            }
            skipped_rows::write_rows(&folder.join(&name), &left)?;
            trimmed += gone as u64;
        } else {
            // A killed purge may have written it without syncing.
            fs::sync_folder(&folder.join(name))?;
        }
    }
    Ok(trimmed)
}

/// Whether a list of skipped rows, in a segment or in `damaged/`, contains one of the needles.
pub(super) fn is_listed(set: &Path, needles: &NeedleSet) -> Result<bool, AnchorsError> {
    for entry in walkdir::WalkDir::new(set) {
        let entry = entry.map_err(std::io::Error::from)?;
        if entry.file_type().is_file() && entry.file_name() == layout::SKIPPED {
            let bytes = fs_err::read(entry.path())?;
            let text = String::from_utf8_lossy(&bytes);
            let speaks = |line: &str| needles.is_in_line(sealed_lines::unsealed(line));
            if text.lines().any(speaks) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// An image of a purged pair that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptPicture {
    /// The file.
    pub file: PathBuf,
    /// Why it was kept.
    pub why: String,
    /// Whether the reason is that something could not be read: it may have to be deleted.
    pub unread: bool,
}

impl KeptPicture {
    fn told(file: PathBuf, why: &str) -> Self {
        Self {
            file,
            why: why.to_owned(),
            unread: false,
        }
    }

    fn unread(file: PathBuf, why: String) -> Self {
        Self {
            file,
            why,
            unread: true,
        }
    }
}

/// Images of purged pairs.
#[derive(Debug, Default)]
pub(super) struct PurgedPictures {
    /// Images that the server stored in an upload folder and that no other pair uses.
    pub uploads: Vec<PathBuf>,
    pub left: Vec<KeptPicture>,
    /// The folders of uploads.
    pub folders: BTreeSet<PathBuf>,
}

impl PurgedPictures {
    /// Sorts the images of purged pairs: `unread` are those that could not be read before, `used` those of
    /// pairs that are live somewhere.
    pub(crate) fn sort(
        images: &BTreeSet<String>,
        unread: &BTreeSet<String>,
        used: &UsedImages,
    ) -> Self {
        let mut pictures = Self::default();
        for image in images {
            let file = PathBuf::from(image);
            let bytes = match read_picture(&file) {
                // Read now, but not before: its content may be of another moment, so it stays.
                Ok(_) if unread.contains(image) => Err(UNREAD.to_owned()),
                Ok(None) => {
                    if fs::found_itself(&file).is_ok_and(|found| found.is_some()) {
                        let why = "it is not a file, so asif did not write it";
                        pictures.left.push(KeptPicture::told(file, why));
                    }
                    continue;
                }
                Ok(Some(bytes)) => Ok(bytes),
                Err(error) => Err(format!("{UNREAD} ({})", error.kind())),
            };
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(why) => {
                    pictures.left.push(KeptPicture::unread(file, why));
                    continue;
                }
            };
            // Recognised by content: a file of the user with such a name but other content is not touched.
            let is_upload = is_upload(&file, &bytes);
            if is_upload {
                pictures.folders.insert(fs::parent(&file).to_owned());
            }
            // Order matters: what is in use stays, whatever it is.
            let left = match (is_upload, used.images.contains(image), &used.unread) {
                (_, true, _) => KeptPicture::told(file, "a live pair uses it"),
                (false, ..) => KeptPicture::told(file, "an original, which asif did not write"),
                (true, false, Some(set)) => {
                    let set = set.display();
                    let why = format!(
                        "{set} cannot be read completely, and a live pair there may use it"
                    );
                    KeptPicture::unread(file, why)
                }
                (true, false, None) => {
                    let torn = torn_copies(&file, &bytes, &mut pictures.left);
                    pictures.uploads.extend(torn);
                    pictures.uploads.push(file);
                    continue;
                }
            };
            pictures.left.push(left);
        }
        pictures
    }

    /// Deletes the uploads; returns how many files.
    pub(crate) fn delete(&self) -> Result<u64, AnchorsError> {
        for file in &self.uploads {
            fs::remove_file(file)?;
        }
        // Once a folder, after all removals in it.
        for folder in &self.folders {
            fs::sync_folder(folder)?;
        }
        Ok(self.uploads.len() as u64)
    }
}

/// Why an unreadable image was kept.
const UNREAD: &str = "it cannot be read, so its origin is unknown, and caches of other encoders may have \
its embedding";

/// The bytes of an image; `None` where the file does not exist.
fn read_picture(file: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match fs::has_file(file) {
        Ok(true) => fs_err::read(file).map(Some),
        Ok(false) => Ok(None),
        // A name that is too long for a file name: no such file exists.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidFilename => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the server wrote this file: its name is 32 digits of its content's hash, as no user
/// names an image.
fn is_upload(file: &Path, bytes: &[u8]) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| stem == &blake3::hash(bytes).to_hex()[..32])
}

/// Prefixes of the names of unfinished images; those of older programs first.
const TORN: [&str; 2] = [".tmp", ".part-"];

/// Partial uploads that a killed server left: files with temporary names that contain its
/// beginning. Unreadable ones are kept.
fn torn_copies(file: &Path, bytes: &[u8], left: &mut Vec<KeptPicture>) -> Vec<PathBuf> {
    let folder = fs::parent(file);
    let names = match fs::names(folder) {
        Ok(names) => names,
        Err(error) => {
            let why = format!("it cannot be searched for leftovers of a killed server: {error}");
            left.push(KeptPicture::unread(folder.to_owned(), why));
            return Vec::new();
        }
    };
    let is_temporary = |name: &&String| TORN.iter().any(|begin| name.starts_with(begin));
    let mut torn = Vec::new();
    for name in names.iter().filter(is_temporary) {
        let path = folder.join(name);
        match read_picture(&path) {
            // An empty file is a prefix of every image and proves nothing.
            Ok(Some(part)) if !part.is_empty() && bytes.starts_with(&part) => torn.push(path),
            Ok(_) => {}
            Err(_) if left.iter().any(|known| known.file == path) => {}
            Err(error) => {
                let why = format!("it may be a part of an upload, and cannot be read: {error}");
                left.push(KeptPicture::unread(path, why));
            }
        }
    }
    torn
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link that leads to itself is refused to everybody.
    fn refused(path: &Path) {
        std::os::unix::fs::symlink(path, path).unwrap();
    }

    #[test]
    fn what_is_refused_is_neither_gone_nor_another_ones() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let name = format!("{}.png", &blake3::hash(b"picture").to_hex()[..32]);
        fs_err::write(at(&name), b"picture").unwrap();
        fs_err::write(at(".tmpAbCdEf"), b"pict").unwrap();
        refused(&at(".tmpRefuse"));
        refused(&at("closed"));
        let image = |path: PathBuf| path.to_str().unwrap().to_owned();
        let images = BTreeSet::from([
            image(at(&name)),
            image(at("closed/a.png")),
            image(at("gone/b.png")),
            "x".repeat(300),
        ]);
        let sort = |unread: &BTreeSet<String>, used| PurgedPictures::sort(&images, unread, used);
        let files = |pictures: &PurgedPictures| -> BTreeSet<PathBuf> {
            let left = pictures.left.iter().filter(|left| left.unread);
            left.map(|left| left.file.clone()).collect()
        };
        let none = UsedImages::default();
        let sorted = sort(&BTreeSet::new(), &none);
        assert_eq!(sorted.uploads, [at(".tmpAbCdEf"), at(&name)]);
        let left = BTreeSet::from([at(".tmpRefuse"), at("closed/a.png")]);
        assert_eq!(files(&sorted), left);
        // Refused before, or perhaps used by a set that cannot be read.
        let before = BTreeSet::from([image(at(&name))]);
        let used = UsedImages {
            unread: Some("other.asif".into()),
            ..UsedImages::default()
        };
        for sorted in [sort(&before, &none), sort(&BTreeSet::new(), &used)] {
            assert_eq!(sorted.uploads, [""; 0].map(PathBuf::from));
            let left = BTreeSet::from([at(&name), at("closed/a.png")]);
            assert_eq!(files(&sorted), left);
        }
        let searched = NeedleSet::default().search(&[at("closed")]);
        assert!(searched.is_err(), "{searched:?}");
    }
}
