//! The files that a segment must have, and the check that they belong to it.
//!
//! A container's first page holds the checksum of every section, so the checksum in its header covers
//! the whole file. The manifest lists each file with it: a file that is missing, or that was
//! exchanged for another segment's, is detected without being read. A derived file that was rebuilt
//! by another program may have other bits; then the segment's content decides.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::layout;
use super::manifest::SegmentEntry;
use super::plan::SearchPlan;
use super::sealed_lines;
use crate::anchors::error::AnchorsError;
use crate::disk as fs;

pub(crate) const CONTAINERS: [&str; 7] = [
    layout::IMAGE,
    layout::TEXT,
    layout::IMAGE_GRAPH,
    layout::TEXT_GRAPH,
    layout::PAIRS,
    layout::MOMENTS,
    layout::PRODUCTS,
];
/// What a manifest says of a list of skipped rows: each row has a checksum of its own.
const ROWS: &str = "rows";
/// What a manifest says of thumbnails: they do not make the segment's name, so that generations that share it
/// may have been written with different ones.
const PICTURES: &str = "pictures";
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
    let sum = u64::from_le_bytes(std::array::from_fn(|i| head[CHECKSUM_AT + i]));
    Ok(format!("{sum:016x}"))
}

/// The manifest entry for the files in the folder of a segment.
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
    let skipped = folder.join(layout::SKIPPED);
    if fs::found(&skipped)?.is_some()
        && sealed_lines::rows_sound(layout::SKIPPED, &fs_err::read_to_string(&skipped)?) == Ok(true)
    {
        files.insert(layout::SKIPPED.to_owned(), ROWS.to_owned());
    }
    if fs::found(&folder.join(layout::THUMBNAILS))?.is_some() {
        files.insert(layout::THUMBNAILS.to_owned(), PICTURES.to_owned());
    }
    Ok(files)
}

/// Checks that the files that every segment has, and those that its entry names, are in its folder; the
/// list of skipped rows and the thumbnails aside: no answer needs them (`skipped_rows::skipped_sound`,
/// `thumbnails::thumbnails_sound`).
///
/// # Errors
/// The first missing file.
pub(crate) fn present(folder: &Path, entry: &SegmentEntry) -> Result<(), AnchorsError> {
    let must = |name: &str| {
        // A beam is planned only where there is a graph.
        let planned = |plan: &Option<SearchPlan>| {
            entry.files.is_empty() && plan.as_ref().is_some_and(|p| p.ef.is_some())
        };
        entry.files.contains_key(name)
            || match name {
                layout::IMAGE_GRAPH => planned(&entry.image_search),
                layout::TEXT_GRAPH => planned(&entry.text_search),
                layout::PRODUCTS => false,
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

/// Whether the segment of this entry had graphs when it was written.
pub(crate) fn has_graphs(entry: &SegmentEntry) -> bool {
    let named = |name: &str| entry.files.contains_key(name);
    let planned = |plan: &Option<SearchPlan>| plan.as_ref().is_some_and(|p| p.ef.is_some());
    named(layout::IMAGE_GRAPH)
        || named(layout::TEXT_GRAPH)
        || entry.files.is_empty() && (planned(&entry.image_search) || planned(&entry.text_search))
}
