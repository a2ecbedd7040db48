//! What files a segment must have, and whether they are its own.
//!
//! A container's first page holds the checksum of every section, so the checksum in its header stands
//! for the whole file. The manifest names each file with it: a file that is missing, or that was
//! exchanged for another segment's, is known without being read. A derived file that was made again
//! by another program may have other bits; then the segment's content decides.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use super::manifest::SegmentEntry;
use super::plan::SearchPlan;
use super::products;
use super::segment::{self, Segment};
use crate::anchors::care::aside;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;
use crate::modality::{Modality, Sides};
use crate::space::linear::Moments;
use crate::space::vector::VectorSum;

const CONTAINERS: [&str; 7] = [
    segment::IMAGE,
    segment::TEXT,
    segment::IMAGE_GRAPH,
    segment::TEXT_GRAPH,
    segment::PAIRS,
    segment::MOMENTS,
    products::NAME,
];
/// What a manifest says of a list of rows that were left out: each row has a checksum of its own.
const ROWS: &str = "rows";
/// Where the checksum stands in a container's header (docs/format.md, section 1).
const CHECKSUM_AT: usize = 32;

/// The checksum in a container's header, in hex.
///
/// # Errors
/// When the file cannot be read or is shorter than a header.
pub(crate) fn header(path: &Path) -> Result<String, AnchorsError> {
    let mut head = [0; CHECKSUM_AT + 8];
    let read = fs_err::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.map_err(|error| AnchorsError::of_file(path, error))?;
    let sum = head.last_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
    Ok(format!("{sum:016x}"))
}

/// What a manifest says of the files in the folder of a segment.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn files(folder: &Path) -> Result<BTreeMap<String, String>, AnchorsError> {
    let mut files = BTreeMap::new();
    for name in CONTAINERS {
        let path = folder.join(name);
        if fs::found(&path)?.is_some() {
            files.insert(name.to_owned(), header(&path)?);
        }
    }
    let skipped = folder.join(segment::SKIPPED);
    if fs::found(&skipped)?.is_some()
        && rows_sound(segment::SKIPPED, &fs_err::read_to_string(&skipped)?) == Ok(true)
    {
        files.insert(segment::SKIPPED.to_owned(), ROWS.to_owned());
    }
    Ok(files)
}

/// Whether the files that every segment has, and those that its entry names, lie in its folder; the
/// list of rows left out aside: no answer needs it ([`skipped_sound`]).
///
/// # Errors
/// The first that is missing.
pub(crate) fn present(folder: &Path, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let must = |name: &str| {
        // A beam is planned only where there is a graph.
        let planned = |plan: &Option<SearchPlan>| {
            entry.files.is_empty() && plan.as_ref().is_some_and(|p| p.ef.is_some())
        };
        entry.files.contains_key(name)
            || match name {
                segment::IMAGE_GRAPH => planned(&entry.image_search),
                segment::TEXT_GRAPH => planned(&entry.text_search),
                products::NAME => false,
                _ => true,
            }
    };
    for name in CONTAINERS.iter().filter(|name| must(name)) {
        let path = folder.join(name);
        if !fs::has_file(&path)? {
            let what = "it is missing".to_owned();
            return Err(AnchorsError::Damaged { path, what });
        }
    }
    Ok(())
}

/// Whether the files are those that the entry names.
///
/// # Errors
/// When one is another, and the content is another too.
pub(crate) fn check(segment: &Segment, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let mut other = None;
    for (name, sum) in &entry.files {
        let path = segment.path().join(name);
        if CONTAINERS.contains(&name.as_str()) && header(&path)? != *sum {
            other = Some(path);
        }
    }
    match other {
        Some(path) => is_own(segment, entry).or_else(|error| {
            let error = error.into_damage()?;
            let what = format!("it is not the file that the manifest names ({error})");
            Err(AnchorsError::Damaged { path, what })
        }),
        None => Ok(()),
    }
}

/// Reads a segment to the last byte: its name is a hash of its records and vectors, its sums are
/// theirs.
///
/// # Errors
/// The first difference.
pub(crate) fn is_own(segment: &Segment, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let damaged = |path: &Path, what: String| AnchorsError::Damaged {
        path: path.to_owned(),
        what,
    };
    segment.verify()?;
    let name = segment.content_name()?;
    if name != entry.id {
        let what = format!("its records and vectors are those of {name}");
        return Err(damaged(segment.path(), what));
    }
    for modality in Modality::BOTH {
        let vectors = segment.vectors(modality);
        let mut sum = VectorSum::new(vectors.dim());
        (0..segment.len()).for_each(|i| sum.add(vectors.vector(i)));
        if sum.sums() != segment.sum(modality).sums() {
            let what = format!("the stored sum of {modality} vectors is not their sum");
            return Err(damaged(&segment.path().join(segment::MOMENTS), what));
        }
    }
    let path = segment.path().join(products::NAME);
    if let Some(stored) = products::read(&path, segment.dims(), segment.len() as u64)? {
        let mut moments = Moments::new(segment.dims());
        moments.add(Sides::of(|modality| segment.vectors(modality).vectors()));
        if stored != moments {
            let what = "the stored sums of products are not those of the vectors".to_owned();
            return Err(damaged(&path, what));
        }
    }
    Ok(())
}

/// Whether the segment of this entry lies in `folder`, to the last byte, with the files that it names.
///
/// # Errors
/// When the system refuses to let it be read.
pub(crate) fn is_whole(folder: &Path, entry: &SegmentEntry) -> Result<bool, AnchorsError> {
    let named = CONTAINERS.iter().filter(|n| entry.files.contains_key(**n));
    for name in named {
        if !fs::has_file(&folder.join(name))? {
            return Ok(false);
        }
    }
    let opened = Segment::open_alone(folder, entry.pairs);
    let own = opened.and_then(|segment| is_own(&segment, entry));
    Ok(if_whole(own)?.is_some())
}

/// Whether the segment of this entry had graphs when it was written.
pub(crate) fn has_graphs(entry: &SegmentEntry) -> bool {
    let named = |name: &str| entry.files.contains_key(name);
    let planned = |plan: &Option<SearchPlan>| plan.as_ref().is_some_and(|p| p.ef.is_some());
    named(segment::IMAGE_GRAPH)
        || named(segment::TEXT_GRAPH)
        || entry.files.is_empty() && (planned(&entry.image_search) || planned(&entry.text_search))
}

const CHECK_KEY: &str = ",\"check\":\"";

/// JSON objects as the lines of a file, each with its place, the number of all, and a checksum of
/// these, itself and the file's name.
pub(crate) fn sealed_rows(file: &str, objects: &[String]) -> String {
    let all = objects.len();
    let line = |(i, object): (usize, &String)| {
        let body = unsealed(object);
        let place = format!("{}/{all}", i + 1);
        let sum = row_sum(file, &place, body);
        format!("{body}{CHECK_KEY}{place} {sum}\"}}\n")
    };
    objects.iter().enumerate().map(line).collect()
}

fn row_sum(file: &str, place: &str, body: &str) -> String {
    let hash = blake3::hash(format!("{file} {place} {body}").as_bytes());
    hash.to_hex()[..16].to_owned()
}

/// The place that a row says it has, if its checksum is right.
fn sealed_place<'a>(file: &str, line: &'a str) -> Option<&'a str> {
    let (body, seal) = line.split_at(line.rfind(CHECK_KEY)?);
    let seal = seal[CHECK_KEY.len()..].strip_suffix("\"}")?;
    let (place, sum) = seal.split_once(' ')?;
    (row_sum(file, place, body) == sum).then_some(place)
}

/// A row without its checksum and without its last brace.
pub(crate) fn unsealed(line: &str) -> &str {
    let body = line.rfind(CHECK_KEY).map(|at| &line[..at]);
    body.unwrap_or_else(|| line.strip_suffix('}').unwrap_or(line))
}

/// Whether rows have checksums, which are right then.
///
/// # Errors
/// What is wrong, naming the line.
pub(crate) fn rows_sound(file: &str, text: &str) -> Result<bool, String> {
    let lines: Vec<&str> = text.lines().collect();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("its last line is cut off".to_owned());
    }
    let sealed = lines.iter().filter(|l| l.contains(CHECK_KEY)).count();
    for (i, line) in lines.iter().enumerate() {
        if let Err(error) = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(line) {
            return Err(format!("line {} is no row: {error}", i + 1));
        }
        let place = format!("{}/{}", i + 1, lines.len());
        if sealed > 0 && sealed_place(file, line) != Some(&place) {
            return Err(format!("the checksum of line {} does not agree", i + 1));
        }
    }
    Ok(sealed > 0)
}

/// The list of rows left out is what it was when it was written.
///
/// # Errors
/// When a row is damaged, or one or all are missing.
pub(crate) fn skipped_sound(segment: &Segment, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let path = segment.path().join(segment::SKIPPED);
    let must = entry.files.contains_key(segment::SKIPPED);
    if !must && fs::found(&path)?.is_none() {
        return Ok(());
    }
    let damaged = |what: String| AnchorsError::Damaged {
        path: path.clone(),
        what,
    };
    let text = fs_err::read_to_string(&path).map_err(|e| AnchorsError::of_file(&path, e))?;
    match rows_sound(segment::SKIPPED, &text) {
        Err(what) => Err(damaged(what)),
        Ok(false) if must => Err(damaged("its rows have lost their checksums".to_owned())),
        Ok(_) => Ok(()),
    }
}

/// The rows of a list that can be read, without their checksums; if it is damaged, with one that says so.
/// None where there is no list.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn readable_rows(path: &Path) -> Result<Vec<String>, AnchorsError> {
    if fs::found_itself(path)?.is_none() {
        return Ok(Vec::new());
    }
    let bytes = match fs::has_file(path)? {
        true => fs_err::read(path)?,
        // Something else in its place.
        false => Vec::new(),
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let is_sealed = text.contains(CHECK_KEY);
    let mut is_sound = text.ends_with('\n');
    let mut rows = Vec::with_capacity(lines.len());
    for (i, line) in lines.iter().enumerate() {
        let row = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(line);
        // A row that was changed would be passed on as one that was left out.
        let place = sealed_place(segment::SKIPPED, line);
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

/// Writes what is left of a damaged list of rows, and a row that says so. The damaged one is kept aside.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn mend_skipped(set: &Path, folder: &Path) -> Result<(), AnchorsError> {
    let path = folder.join(segment::SKIPPED);
    let mut rows = readable_rows(&path)?;
    if !rows.contains(&lost_row()) {
        rows.push(lost_row());
    }
    aside::keep(set, folder, segment::SKIPPED)?;
    write_rows(folder, &rows)
}

/// Writes the list of rows left out in the folder of a segment.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn write_rows(folder: &Path, rows: &[String]) -> Result<(), AnchorsError> {
    let text = sealed_rows(segment::SKIPPED, rows);
    Ok(fs::write_atomically(
        &folder.join(segment::SKIPPED),
        text.as_bytes(),
    )?)
}

/// The rows left out of these segments' sources, as a segment lists them that takes their place.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn rows_of<'a>(
    segments: impl IntoIterator<Item = &'a Segment>,
) -> Result<Vec<String>, AnchorsError> {
    let (mut rows, mut is_lost) = (Vec::new(), false);
    // A segment may stand twice in a set.
    let mut seen = BTreeSet::new();
    let paths = segments.into_iter().map(Segment::path);
    for path in paths.filter(|path| seen.insert(*path)) {
        for row in readable_rows(&path.join(segment::SKIPPED))? {
            let lost = row == lost_row();
            if row != purged_row() && !(lost && is_lost) {
                is_lost |= lost;
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// How many rows the lists of these segments of a set have.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn left_out(set: &Path, segments: &[SegmentEntry]) -> Result<u64, AnchorsError> {
    left_out_but(set, segments, |_| false)
}

/// The same without rows that are about to go.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn left_out_but(
    set: &Path,
    segments: &[SegmentEntry],
    goes: impl Fn(&str) -> bool,
) -> Result<u64, AnchorsError> {
    let mut count = 0;
    let names: BTreeSet<&String> = segments.iter().map(|entry| &entry.id).collect();
    for name in names {
        let path = segment::folder(set).join(name).join(segment::SKIPPED);
        let rows = readable_rows(&path)?;
        let is_row =
            |row: &&String| **row != lost_row() && **row != purged_row() && !goes(unsealed(row));
        count += rows.iter().filter(is_row).count() as u64;
    }
    Ok(count)
}

/// A row in the place of all others, which a purge has taken out: an empty file would look like one that was
/// cut.
pub(crate) fn purged_row() -> String {
    serde_json::json!({"kind": "purged", "reason": "rows were taken out"}).to_string()
}

/// A row that says that others may be lost.
pub(crate) fn lost_row() -> String {
    let lost = serde_json::json!({
        "origin": segment::SKIPPED,
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
        let path = folder.path().join(segment::SKIPPED);
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
