//! Pairs in, a published generation out.
//!
//! Pairs are processed in blocks, so memory does not grow with the anchor set: a block's images are embedded,
//! then its captions, then its pairs are written in order. Nothing is visible before the end;
//! computed embeddings stay in the cache, so that an interrupted build continues where it stopped.
//!
//! | file | role |
//! |---|---|
//! | `mod` | options, and a whole build: a new anchor set, or a further generation of one |
//! | `destination` | whether a place may be built to, and the publication there |
//! | `encode` | pairs of sources to a segment; shared with [`super::add`] |
//! | `vectors`, `vector_rows` | pairs of files of vectors to a segment; what their metadata says of a row, and its id |
//! | `tally` | what was written and skipped |
//! | `report` | the report: what was built, and what was skipped |

mod destination;
mod encode;
mod options;
mod report;
mod tally;
mod vector_rows;
mod vectors;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::incoming::IncomingPairs;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::place;
use crate::anchors::stored::set::AnchorSet;
use crate::embed::{Embedder, WorkControl};
use crate::modality::PerModality;
use crate::pairs::{self, Pair, RowError};

pub(crate) use destination::skipped_list;
use destination::{BuiltGeneration, check_place, generation_of};
pub(crate) use encode::{ALREADY, BuildRun, mean_text};
pub use options::BuildOptions;
pub(crate) use report::EXAMPLES;
pub use report::{BuildReport, BuildSeconds, SkippedRow};
pub(crate) use tally::BadRowPolicy;
pub(crate) use vectors::VectorRun;
pub use vectors::build_vectors;

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
    destination::publish(
        options,
        build,
        |build, folder| build.next(folder, incoming),
        |build, folder, generation, list| build.report(folder, generation, list, begun),
    )
}

impl BuildRun<'_> {
    /// Embeds all pairs; returns a generation that consists of them.
    fn next(
        &mut self,
        folder: &Path,
        incoming: IncomingPairs<'_>,
    ) -> Result<BuiltGeneration, AnchorsError> {
        let (entry, skipped_list) = self.segment(folder, incoming)?;
        let (image, text) = self.embedder.entries()?;
        let encoders = PerModality { image, text };
        let next = generation_of(self.options, folder, entry, encoders, &self.tally)?;
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
            skipped_by_reason: self.tally.skipped_by_reason(),
            skipped_examples: self.tally.examples(),
            skipped_list,
            not_taken: self.not_taken,
            from_cache: self.cache_hits(),
            seconds: self.seconds,
            bytes: set.bytes()?,
            thumbnail_bytes: set.thumbnail_bytes(),
            warnings: Vec::new(),
            notes: Vec::new(),
        })
    }
}
