//! What a rewritten segment inherits from the existing folder of that name.
//!
//! Kept generations may name more files than a writer creates: graphs that were not requested,
//! thumbnails, and rows that another build skipped. When the old folder is damaged and removed, these are kept.

use std::collections::HashSet;
use std::path::Path;

use super::skipped_rows;
use asif_index::{BatchBuilder, HnswGraph, VectorSet, write_graph};

use super::layout::{IMAGE_GRAPH, PAIRS, SKIPPED, TEXT_GRAPH, THUMBNAILS};
use super::records::PairRecords;
use super::thumbnails::Thumbnails;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;
use crate::modality::PerModality;

/// Whether the list of skipped rows in `old` has each row of that in `new`.
///
/// # Errors
/// On an I/O error.
pub(crate) fn has_rows(old: &Path, new: &Path) -> Result<bool, AnchorsError> {
    let rows = skipped_rows::readable_rows(&old.join(SKIPPED))?;
    let wanted = skipped_rows::readable_rows(&new.join(SKIPPED))?;
    let rows: HashSet<&String> = rows.iter().collect();
    Ok(wanted.iter().all(|row| rows.contains(row)))
}

/// Whether the images of pairs lie where `new` says according to `old` too, and `old` has thumbnails if `new`
/// has.
///
/// # Errors
/// When the files of `new` cannot be read.
pub(crate) fn has_pictures(old: &Path, new: &Path) -> Result<bool, AnchorsError> {
    let theirs = if_whole(PairRecords::open(&old.join(PAIRS)))?;
    let own = PairRecords::open(&new.join(PAIRS))?;
    let same_places = theirs.is_some_and(|theirs| theirs.place_bytes() == own.place_bytes());
    let has = |folder: &Path| Ok::<_, AnchorsError>(fs::found(&folder.join(THUMBNAILS))?.is_some());
    Ok(same_places && (has(old)? || !has(new)?))
}

/// Completes the folder `new`, which has its writer's files, with graphs over `vectors`
/// and the skipped rows of the folder `old`, durably. A damaged graph is rebuilt.
///
/// # Errors
/// On an I/O error.
pub(crate) fn complete(
    old: &Path,
    new: &Path,
    vectors: PerModality<&VectorSet>,
) -> Result<(), AnchorsError> {
    let names = PerModality {
        image: IMAGE_GRAPH,
        text: TEXT_GRAPH,
    };
    for (name, set) in names.zip(vectors) {
        let [from, to] = [old, new].map(|folder| folder.join(name));
        if fs::found(&to)?.is_some() || fs::found_itself(&from)?.is_none() {
            continue;
        }
        let opened = HnswGraph::open(&from, set).and_then(|graph| graph.verify());
        match if_whole(opened.map_err(AnchorsError::from))?.is_some() {
            true => fs::link_or_copy(&from, &to)?,
            false => drop(write_graph(&to, set, &BatchBuilder::default())?),
        }
    }
    let [from, to] = [old, new].map(|folder| folder.join(THUMBNAILS));
    if fs::found(&to)?.is_none() {
        let theirs = Thumbnails::open(&from, vectors.image.len() as u64);
        let sound = theirs.and_then(|found| found.map(|t| t.verify().map(|()| t)).transpose());
        if if_whole(sound)?.flatten().is_some() {
            fs::link_or_copy(&from, &to)?;
        }
    }
    rows(old, new)?;
    Ok(fs::sync_folder(new)?)
}

/// Completes the list of skipped rows in the folder `new` with that of `old`, which stays as it is. Durable
/// when `new` is synced.
///
/// # Errors
/// On an I/O error.
pub(crate) fn rows(old: &Path, new: &Path) -> Result<(), AnchorsError> {
    let [from, to] = [old, new].map(|folder| folder.join(SKIPPED));
    let (theirs, own) = (
        skipped_rows::readable_rows(&from)?,
        skipped_rows::readable_rows(&to)?,
    );
    let has_all = |list: &[String], of: &[String]| {
        let (lost, list) = (
            skipped_rows::lost_row(),
            list.iter().collect::<HashSet<_>>(),
        );
        of.iter().all(|row| *row == lost || list.contains(row))
    };
    let is_sound = |list: &[String]| !list.is_empty() && !list.contains(&skipped_rows::lost_row());
    if theirs.is_empty() || is_sound(&own) && has_all(&own, &theirs) {
        return Ok(());
    }
    // An earlier copy may be truncated because its writer was killed.
    if is_sound(&theirs) && has_all(&theirs, &own) {
        fs::remove_file(&to)?;
        return Ok(fs::link_or_copy(&from, &to)?);
    }
    let known: HashSet<&String> = theirs.iter().collect();
    let further = own.iter().filter(|row| !known.contains(row));
    let all: Vec<String> = theirs.iter().chain(further).cloned().collect();
    skipped_rows::write_rows(new, &all)
}
