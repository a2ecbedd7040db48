//! Pairs in, a published generation out.
//!
//! Pairs are processed in blocks, so memory does not grow with the anchor set: a block's images are embedded,
//! then its captions, then its pairs are written in order. Nothing is visible before the end;
//! computed embeddings stay in the cache, so that an interrupted build continues where it stopped.
//!
//! | file | role |
//! |---|---|
//! | `mod` | options, and a whole build: a new anchor set, or a further generation of one |
//! | `destination` | whether a place may be built to |
//! | `encode` | pairs of sources to a segment; shared with [`super::add`] |
//! | `vectors`, `tally` | pairs of files of vectors to a segment; what was written and skipped |
//! | `report` | the report: what was built, and what was skipped |

mod destination;
mod encode;
mod options;
mod report;
mod tally;
mod vectors;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::incoming::IncomingPairs;
use super::writer::{self, NextGeneration, SetWriter, WriteOptions};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::anchors::stored::manifest::{self, Manifest, ManifestCounts};
use crate::anchors::stored::place;
use crate::anchors::stored::publish::NewSet;
use crate::anchors::stored::set::AnchorSet;
use crate::disk as fs;
use crate::embed::{Embedder, WorkControl};
use crate::pairs::{self, Pair, RowError};

use destination::{check_place, made_meanwhile};
pub(crate) use encode::{ALREADY, BuildRun, mean_text};
pub use options::BuildOptions;
pub(crate) use report::EXAMPLES;
pub use report::{BuildReport, BuildSeconds, SkippedRow};
pub use vectors::build_vectors;
pub(crate) use vectors::{VectorRun, check_dim, skipped_list};

/// Checks everything that can be checked before an encoder is loaded.
///
/// # Errors
/// When the space is invalid, `out` exists, or the sources cannot be read at all.
pub fn check(options: &BuildOptions) -> Result<(), AnchorsError> {
    check_place(options)?;
    pairs::open_without(&options.pairs, &options.reading, place::is_own_folder)?;
    Ok(())
}

/// Builds an anchor set, or a further generation that replaces the content of one.
///
/// # Errors
/// See [`AnchorsError`]; on failure nothing incomplete is left at `options.out`.
pub fn build(
    options: &BuildOptions,
    embedder: &Embedder,
    watch: WorkControl<'_>,
) -> Result<BuildReport, AnchorsError> {
    check_place(options)?;
    let begun = Instant::now();
    let incoming = IncomingPairs::open(&options.pairs, &options.reading)?;
    build_incoming(options, incoming, begun, embedder, watch)
}

/// As [`build`], for pairs in memory: files are opened only for images that are files. A second
/// pair with the same id, and one whose id or captions are invalid, is skipped like a row of a file.
///
/// # Errors
/// As [`build`].
pub fn build_from(
    options: &BuildOptions,
    pairs: impl Iterator<Item = Result<Pair, RowError>>,
    embedder: &Embedder,
    watch: WorkControl<'_>,
) -> Result<BuildReport, AnchorsError> {
    check_place(options)?;
    let begun = Instant::now();
    build_incoming(options, IncomingPairs::of(pairs), begun, embedder, watch)
}

fn build_incoming(
    options: &BuildOptions,
    incoming: IncomingPairs<'_>,
    begun: Instant,
    embedder: &Embedder,
    watch: WorkControl<'_>,
) -> Result<BuildReport, AnchorsError> {
    let mut build = BuildRun::new(options, embedder, watch);
    build.seconds.read = begun.elapsed().as_secs_f64();
    let there = fs::found(&options.out)?.is_some();
    if there && !options.overwrite {
        let path = options.out.clone();
        return Err(AnchorsError::MadeMeanwhile { path });
    }
    if !there {
        let new = NewSet::begin(&options.out)?;
        let (next, skipped_list) = build.next(new.path(), incoming)?;
        writer::publish_first(new.path(), next)?;
        let report = build.report(new.path(), 1, skipped_list, begun)?;
        new.finish()
            .map_err(|error| made_meanwhile(error, &options.out))?;
        return Ok(report);
    }
    let options_of_writer = WriteOptions {
        keep: options.keep,
        ..WriteOptions::default()
    };
    let writer = SetWriter::begin(&options.out, &options_of_writer)?;
    let (next, skipped_list) = build.next(&options.out, incoming)?;
    let receipt = writer.publish(next)?;
    let generation = receipt.change.generation;
    let mut report = build.report(&options.out, generation, skipped_list, begun)?;
    report.warnings = receipt.warnings;
    Ok(report)
}

impl BuildRun<'_> {
    /// Embeds all pairs; returns a generation that consists of them.
    fn next(
        &mut self,
        folder: &Path,
        incoming: IncomingPairs<'_>,
    ) -> Result<(NextGeneration, Option<PathBuf>), AnchorsError> {
        let before = if_whole(AnchorSet::open(folder))?;
        let before = before.map(|b| (b.manifest().generation, b.len() as u64));
        let (entry, skipped_list) = self.segment(folder, incoming)?;
        let (image_encoder, text_encoder) = self.embedder.entries()?;
        let counts = ManifestCounts {
            pairs: entry.pairs,
            captions: self.captions,
            skipped: self.skipped.len() as u64,
        };
        let manifest = Manifest {
            format: manifest::FORMAT,
            checksum: String::new(),
            generation: 0,
            created: String::new(),
            made_by: String::new(),
            segments: vec![entry],
            image_encoder,
            text_encoder,
            space: self.options.space.clone(),
            counts,
            sources: self.sources.clone(),
            licences: self.licences.clone(),
            tombstones: None,
            parent: before.map(|(generation, _)| generation),
            restored: None,
            change: None,
        };
        let paths = self.options.pairs.iter().map(|p| p.display().to_string());
        let next = NextGeneration {
            manifest,
            tombstones: None,
            command: "build",
            detail: paths.collect::<Vec<_>>().join(", "),
            source: None,
            moved: (counts.pairs, before.map_or(0, |(_, pairs)| pairs)),
            ids: (Vec::new(), Vec::new()),
        };
        Ok((next, skipped_list))
    }

    fn report(
        mut self,
        folder: &Path,
        generation: u64,
        skipped_list: Option<PathBuf>,
        begun: Instant,
    ) -> Result<BuildReport, AnchorsError> {
        let set = AnchorSet::open(folder)?;
        self.seconds.total = begun.elapsed().as_secs_f64();
        Ok(BuildReport {
            out: self.options.out.clone(),
            generation,
            counts: set.manifest().counts,
            skipped_by_reason: self.skipped_by_reason(),
            skipped_examples: {
                self.skipped.truncate(EXAMPLES);
                self.skipped.clone()
            },
            skipped_list,
            not_taken: self.not_taken,
            from_cache: self.cache_hits(),
            seconds: self.seconds,
            bytes: set.bytes()?,
            warnings: Vec::new(),
        })
    }
}
