//! Integrity check of one generation against its manifest.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::anchors::AnchorId;
use crate::anchors::error::AnchorsError;
use crate::anchors::search::searcher::Searcher;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::{Manifest, ManifestCounts};
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::stored::set::{AnchorSet, READ_WHOLE};
use crate::anchors::stored::skipped_rows;
use crate::anchors::stored::thumbnails::thumbnails_sound;
use crate::modality::Modality;

/// Checks a generation: its files exist and belong to it, and its fitted space scores. `full` reads
/// every byte, compares every sum with what it is of, and counts again what the manifest counts;
/// without it files are read completely up to 1 GiB.
///
/// # Errors
/// The first problem found.
pub(crate) fn generation(set: &Path, number: u64, full: bool) -> Result<(), AnchorsError> {
    let manifest = Manifest::read(set, &layout::generation_name(number))?;
    let opened = AnchorSet::from_manifest(set, manifest)?;
    let whole = full || opened.bytes()? <= READ_WHOLE;
    for (entry, segment) in opened.manifest().segments.iter().zip(opened.segments()) {
        if full {
            segment.is_own(entry)?;
        } else if whole {
            segment.verify()?;
            // The name is a content hash, and comparing it is cheaper than recomputing all sums.
            if entry.files.is_empty() {
                segment.is_own(entry)?;
            }
        }
        skipped_rows::skipped_sound(segment.path(), entry)?;
        thumbnails_sound(segment.path(), entry, whole)?;
    }
    if full {
        counts_agree(&opened)?;
    }
    let space = opened.manifest().space.clone();
    answers(&Searcher::new(&opened, space, SearchMode::Auto)?)
}

/// The fitted space gives a number for a pair.
///
/// # Errors
/// When it returns a non-finite score, or fails.
pub(crate) fn answers(searcher: &Searcher<'_>) -> Result<(), AnchorsError> {
    let set = searcher.set();
    let shares = searcher.recipe().shares();
    let of = |modality| searcher.represent(modality, set.vector(0, modality)?);
    let (image, text) = (of(Modality::Image)?, of(Modality::Text)?);
    let score = image
        .first()
        .zip(text.first())
        .map(|(i, t)| i.score(t, &shares));
    match score {
        Some(score) if score.is_finite() => Ok(()),
        score => Err(AnchorsError::Damaged {
            path: manifest_path(set),
            what: format!("its fitted space fails: the score of a pair is {score:?}"),
        }),
    }
}

fn manifest_path(set: &AnchorSet) -> std::path::PathBuf {
    let name = layout::generation_name(set.manifest().generation);
    layout::generations_folder(set.path()).join(format!("{name}.json"))
}

/// What the manifest counts is what the records of the live pairs say, and each id is there once.
fn counts_agree(set: &AnchorSet) -> Result<(), AnchorsError> {
    let damaged = |what: String| AnchorsError::Damaged {
        path: manifest_path(set),
        what,
    };
    let mut ids = HashSet::with_capacity(set.len());
    // Skipped rows are not in the records; their list is checked elsewhere.
    let mut found = ManifestCounts {
        skipped: set.manifest().counts.skipped,
        ..ManifestCounts::default()
    };
    let [mut sources, mut licences] = [BTreeMap::new(), BTreeMap::new()];
    for anchor in 0..set.len() as AnchorId {
        let record = set.record(anchor)?;
        found.pairs += 1;
        found.captions += record.captions.len() as u64;
        for (tally, value) in [
            (&mut sources, record.meta_text("source")),
            (&mut licences, record.licence()),
        ] {
            if let Some(value) = value {
                *tally.entry(value).or_insert(0) += 1;
            }
        }
        // Ids are unique among live pairs only: a removed pair may have been added again.
        if let Some(id) = ids.replace(record.id) {
            return Err(damaged(format!("two live pairs have the id {id:?}")));
        }
    }
    let said = set.manifest();
    if said.counts != found {
        let of = said.counts;
        return Err(damaged(format!(
            "it counts {of:?}, but its records have {found:?}"
        )));
    }
    for (what, said, found) in [
        ("sources", &said.sources, sources),
        ("licences", &said.licences, licences),
    ] {
        if *said != found {
            return Err(damaged(format!(
                "its {what} are {said:?}, but its records have {found:?}"
            )));
        }
    }
    Ok(())
}
