//! The destination of a build: whether it may be built to, and the publication of what was built.

use std::path::{Path, PathBuf};

use super::options::BuildOptions;
use super::report::BuildReport;
use super::tally::PairTally;
use crate::anchors::change::writer::{self, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::manifest::{self, Manifest, ManifestCounts, SegmentEntry};
use crate::anchors::stored::publish::{self, NewSet};
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::{layout, place};
use crate::disk as fs;
use crate::encode::EncoderEntry;
use crate::modality::PerModality;

/// Checks the space, and that nothing is at the destination or what is there may be replaced.
///
/// # Errors
/// When it may not be built to.
pub(super) fn check_place(options: &BuildOptions) -> Result<(), AnchorsError> {
    options.space.validate()?;
    place::refuse_inside_set(&options.out)?;
    // A dangling link counts as existing too.
    if fs::found_itself(&options.out)?.is_some() {
        let is_set = match publish::current(&options.out) {
            Ok(_) => true,
            Err(AnchorsError::NotASet { .. }) => false,
            Err(AnchorsError::Io(error)) if fs::is_link_loop(&error) => false,
            // It is an anchor set, though a damaged one.
            Err(error) => return Err(error),
        };
        let path = options.out.clone();
        match (is_set, options.overwrite) {
            (false, _) => return Err(AnchorsError::InTheWay { path }),
            (true, false) => return Err(AnchorsError::Exists { path }),
            (true, true) => {}
        }
    }
    // The parent may be a file.
    let above = options.out.ancestors().skip(1).find(|path| path.exists());
    if let Some(path) = above.filter(|path| !path.is_dir()) {
        let path = path.to_owned();
        return Err(AnchorsError::InTheWay { path });
    }
    Ok(())
}

/// A generation, and where the rows that were skipped are listed, if there are any.
pub(super) type BuiltGeneration = (NextGeneration, Option<PathBuf>);

/// Publishes what `build` writes into the folder that it is given: a new anchor set, or a further generation of
/// one. `report` tells of the set in that folder, and of the number and the list of the generation.
///
/// # Errors
/// Those of `build` and `report`; when something else is at the destination by now; on an I/O error.
pub(super) fn publish<R>(
    options: &BuildOptions,
    mut run: R,
    build: impl FnOnce(&mut R, &Path) -> Result<BuiltGeneration, AnchorsError>,
    report: impl FnOnce(R, &Path, u64, Option<PathBuf>) -> Result<BuildReport, AnchorsError>,
) -> Result<BuildReport, AnchorsError> {
    let there = fs::found(&options.out)?.is_some();
    if there && !options.overwrite {
        let path = options.out.clone();
        return Err(AnchorsError::MadeMeanwhile { path });
    }
    if !there {
        let new = NewSet::begin(&options.out)?;
        let (next, list) = build(&mut run, new.path())?;
        writer::publish_first(new.path(), next)?;
        let report = report(run, new.path(), 1, list)?;
        new.finish()
            .map_err(|error| made_meanwhile(error, &options.out))?;
        return Ok(report);
    }
    let options_of_writer = WriteOptions {
        keep: options.keep,
        ..WriteOptions::default()
    };
    let writer = SetWriter::begin(&options.out, &options_of_writer)?;
    let (next, list) = build(&mut run, &options.out)?;
    let receipt = writer.publish(next)?;
    let generation = receipt.change.generation;
    let mut report = report(run, &options.out, generation, list)?;
    report.warnings = receipt.warnings;
    Ok(report)
}

/// The generation that has one segment, in the place of what is in `folder`.
pub(super) fn generation_of(
    options: &BuildOptions,
    folder: &Path,
    entry: SegmentEntry,
    encoders: PerModality<EncoderEntry>,
    tally: &PairTally,
) -> Result<NextGeneration, AnchorsError> {
    let before = if_whole(AnchorSet::open(folder))?;
    let before = before.map(|b| (b.manifest().generation, b.len() as u64));
    let counts = ManifestCounts {
        pairs: entry.pairs,
        captions: tally.captions,
        skipped: tally.skipped.len() as u64,
    };
    let manifest = Manifest {
        format: manifest::FORMAT,
        checksum: String::new(),
        generation: 0,
        created: String::new(),
        made_by: String::new(),
        segments: vec![entry],
        image_encoder: encoders.image,
        text_encoder: encoders.text,
        space: options.space.clone(),
        counts,
        sources: tally.sources.clone(),
        licences: tally.licences.clone(),
        tombstones: None,
        parent: before.map(|(generation, _)| generation),
        restored: None,
        change: None,
    };
    let paths = options.pairs.iter().map(|path| path.display().to_string());
    Ok(NextGeneration {
        manifest,
        tombstones: None,
        command: "build",
        detail: paths.collect::<Vec<_>>().join(", "),
        source: None,
        moved: (counts.pairs, before.map_or(0, |(_, pairs)| pairs)),
        ids: (Vec::new(), Vec::new()),
    })
}

/// Where the rows that a segment skipped are listed.
pub(crate) fn skipped_list(set: &Path, entry: &SegmentEntry) -> PathBuf {
    let segment = layout::segments_folder(set).join(&entry.id);
    segment.join(layout::SKIPPED)
}

/// The error of a build whose destination was created by another process while it ran.
fn made_meanwhile(error: AnchorsError, out: &Path) -> AnchorsError {
    let is_taken = match &error {
        AnchorsError::Exists { .. } => true,
        AnchorsError::Io(error) => {
            use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
            [AlreadyExists, DirectoryNotEmpty, NotADirectory].contains(&error.kind())
        }
        _ => false,
    };
    let path = out.to_owned();
    match is_taken && out.symlink_metadata().is_ok() {
        true => AnchorsError::MadeMeanwhile { path },
        false => error,
    }
}
