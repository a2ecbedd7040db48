//! Pairs in, a published generation out.
//!
//! Pairs are taken in blocks, so memory does not grow with the set: a block's images are embedded,
//! then its captions, then its pairs are written in their order. Nothing is visible before the end;
//! what was embedded stays in the cache, so that an interrupted build continues where it stopped.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::embed::{Embedder, Embedding, Watch};
use super::error::AnchorsError;
use super::manifest::{self, Counts, Manifest, SegmentEntry};
use super::plan::GraphPolicy;
use super::publish::{self, NewSet};
use super::records::Record;
use super::segment::{self, Segment, SegmentWriter};
use super::set::AnchorSet;
use super::writer::{self, Next, WriteOptions, Writer};
use crate::pairs::{self, Pair, PairReader};
use crate::space::SpaceParams;
use crate::space::vector::mean_direction;

/// Pairs embedded at a time: enough that sorting captions by length pays, little enough to hold.
const BLOCK: usize = 1024;

/// Rows that are kept word for word in a [`BuildReport`]; the whole list is on disk.
pub(super) const EXAMPLES: usize = 20;

/// The kind of row that a live pair has the id of.
pub(super) const ALREADY: &str = "id already in the set";

/// What to build, and where.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Files and folders of pairs, in order.
    pub pairs: Vec<PathBuf>,
    /// The set's folder.
    pub out: PathBuf,
    /// Whether a set that stands there is replaced: it gets a further generation.
    pub overwrite: bool,
    /// How many generations are kept for rollback, the new one included.
    pub keep: usize,
    /// Whether the first bad row ends the build.
    pub strict: bool,
    /// The space that queries use unless they say otherwise.
    pub space: SpaceParams,
    /// Whether graphs are built.
    pub graphs: GraphPolicy,
}

/// What was built.
#[derive(Debug, Clone, Serialize)]
pub struct BuildReport {
    /// The set's folder.
    pub out: PathBuf,
    /// The generation that is live now.
    pub generation: u64,
    /// How many of what.
    #[serde(flatten)]
    pub counts: Counts,
    /// Rows left out, by kind of reason.
    pub skipped_by_reason: BTreeMap<String, u64>,
    /// The first rows left out.
    pub skipped_examples: Vec<SkippedRow>,
    /// Where all rows left out are listed, if there are any.
    pub skipped_list: Option<PathBuf>,
    /// Embeddings that came out of the cache.
    pub from_cache: u64,
    /// Seconds by phase.
    pub seconds: Seconds,
    /// Bytes of the set on disk.
    pub bytes: u64,
}

/// Seconds by phase.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Seconds {
    /// Looking at the sources and reading rows.
    pub read: f64,
    /// Reading, decoding and encoding images.
    pub images: f64,
    /// Encoding captions.
    pub captions: f64,
    /// Writing and publishing.
    pub write: f64,
    /// All of it.
    pub total: f64,
}

/// A row of a source that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedRow {
    /// File and row.
    pub origin: String,
    /// The reason in a few words, the same for all rows with the same fault.
    pub kind: &'static str,
    /// The reason in full.
    pub reason: String,
}

/// Refuses what can be refused before an encoder is loaded.
///
/// # Errors
/// When the space makes no sense, `out` is in the way, or the sources cannot be read at all.
pub fn check(options: &BuildOptions) -> Result<(), AnchorsError> {
    options.space.validate()?;
    if options.out.exists() {
        let is_set = publish::current(&options.out).is_ok();
        let path = options.out.clone();
        match (is_set, options.overwrite) {
            (false, _) => return Err(AnchorsError::InTheWay { path }),
            (true, false) => return Err(AnchorsError::Exists { path }),
            (true, true) => {}
        }
    }
    pairs::open(&options.pairs)?;
    Ok(())
}

/// Builds a set, or a further generation that replaces what a set holds.
///
/// # Errors
/// See [`AnchorsError`]; whatever happens, nothing half-made is left at `options.out`.
pub fn build(
    options: &BuildOptions,
    embedder: &Embedder,
    watch: Watch<'_>,
) -> Result<BuildReport, AnchorsError> {
    check(options)?;
    let begun = Instant::now();
    if !options.out.exists() {
        let new = NewSet::begin(&options.out)?;
        let mut build = Build::new(options, embedder, watch);
        let (next, skipped_list) = build.next(new.path())?;
        writer::publish_first(new.path(), next)?;
        let report = build.report(new.path(), 1, skipped_list, begun)?;
        new.finish()?;
        return Ok(report);
    }
    let options_of_writer = WriteOptions {
        keep: options.keep,
        ..WriteOptions::default()
    };
    let writer = Writer::begin(&options.out, &options_of_writer)?;
    let mut build = Build::new(options, embedder, watch);
    let (next, skipped_list) = build.next(&options.out)?;
    let receipt = writer.publish(next)?;
    build.report(&options.out, receipt.change.generation, skipped_list, begun)
}

/// A build under way.
pub(super) struct Build<'a> {
    options: &'a BuildOptions,
    embedder: &'a Embedder,
    watch: Watch<'a>,
    /// Ids that a row must not have, because a live pair has them.
    taken: HashSet<String>,
    hits_before: u64,
    /// The ids of the pairs that were written.
    pub(super) ids: Vec<String>,
    pub(super) seconds: Seconds,
    pub(super) captions: u64,
    pub(super) skipped: Vec<SkippedRow>,
    pub(super) sources: BTreeMap<String, u64>,
    pub(super) licences: BTreeMap<String, u64>,
}

impl<'a> Build<'a> {
    pub(super) fn new(options: &'a BuildOptions, embedder: &'a Embedder, watch: Watch<'a>) -> Self {
        Self {
            options,
            embedder,
            watch,
            taken: HashSet::new(),
            hits_before: embedder.cache_hits(),
            ids: Vec::new(),
            seconds: Seconds::default(),
            captions: 0,
            skipped: Vec::new(),
            sources: BTreeMap::new(),
            licences: BTreeMap::new(),
        }
    }

    /// Rows with these ids are passed over.
    pub(super) fn taken(mut self, ids: HashSet<String>) -> Self {
        self.taken = ids;
        self
    }

    /// Embeds all pairs and writes them as a segment of the set in `folder`; also says where the
    /// rows left out are listed, if there are any.
    pub(super) fn segment(
        &mut self,
        folder: &Path,
    ) -> Result<(SegmentEntry, Option<PathBuf>), AnchorsError> {
        let mut reader = timed(&mut self.seconds.read, || pairs::open(&self.options.pairs))?;
        let mut segment = SegmentWriter::create(
            folder,
            self.embedder.image().dim(),
            self.embedder.text().dim(),
        )?;
        self.watch
            .progress
            .begin("encoding", reader.expected_rows().map(|rows| 2 * rows));
        loop {
            let block = self.read_block(&mut reader)?;
            if block.is_empty() {
                break;
            }
            self.add_block(block, &mut segment)?;
        }
        self.watch.progress.end();
        if segment.pairs() == 0 {
            let first = self
                .skipped
                .first()
                .map_or_else(String::new, |s| format!("{}: {}", s.origin, s.reason));
            return Err(AnchorsError::NoPairs {
                skipped: self.skipped.len() as u64,
                first,
            });
        }
        let write_begun = Instant::now();
        let listed = !self.skipped.is_empty();
        if listed {
            self.list_skipped(segment.path())?;
        }
        let entry = segment.finish(self.options.graphs, self.options.space.k)?;
        let skipped_list = listed.then(|| {
            segment::folder(&self.options.out)
                .join(&entry.id)
                .join(segment::SKIPPED)
        });
        let written = segment::folder(folder).join(&entry.id);
        Segment::open_alone(&written, entry.pairs)?.verify()?;
        self.seconds.write += write_begun.elapsed().as_secs_f64();
        Ok((entry, skipped_list))
    }

    /// Embeds all pairs; returns the generation that holds nothing else.
    fn next(&mut self, folder: &Path) -> Result<(Next, Option<PathBuf>), AnchorsError> {
        let (entry, skipped_list) = self.segment(folder)?;
        let (image_encoder, text_encoder) = self.embedder.entries()?;
        let before = AnchorSet::open(folder).ok();
        let counts = Counts {
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
            space: self.options.space,
            counts,
            sources: self.sources.clone(),
            licences: self.licences.clone(),
            tombstones: None,
            parent: before.as_ref().map(|b| b.manifest().generation),
            restored: None,
            change: None,
        };
        let paths = self.options.pairs.iter().map(|p| p.display().to_string());
        let next = Next {
            manifest,
            tombstones: None,
            command: "build",
            detail: paths.collect::<Vec<_>>().join(", "),
            moved: (counts.pairs, before.map_or(0, |b| b.len() as u64)),
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
            from_cache: self.cache_hits(),
            seconds: self.seconds,
            bytes: set.bytes()?,
        })
    }

    /// Rows left out, by kind of reason.
    pub(super) fn skipped_by_reason(&self) -> BTreeMap<String, u64> {
        let mut by_reason = BTreeMap::new();
        for row in &self.skipped {
            *by_reason.entry(row.kind.to_owned()).or_default() += 1;
        }
        by_reason
    }

    /// Embeddings that came out of the cache so far.
    pub(super) fn cache_hits(&self) -> u64 {
        self.embedder.cache_hits() - self.hits_before
    }

    fn read_block(&mut self, reader: &mut PairReader) -> Result<Vec<Pair>, AnchorsError> {
        let begun = Instant::now();
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            match reader.next() {
                Some(Ok(pair)) if self.taken.contains(&pair.id) => {
                    self.watch.progress.advance(2);
                    let reason =
                        format!("the set has a pair {:?} already; remove it first", pair.id);
                    self.skip(pair.origin.to_string(), ALREADY, reason)?;
                }
                Some(Ok(pair)) => block.push(pair),
                Some(Err(error)) => {
                    self.watch.progress.advance(2);
                    let kind = error.reason.kind();
                    self.skip(error.origin.to_string(), kind, error.reason.to_string())?;
                }
                None => break,
            }
        }
        self.seconds.read += begun.elapsed().as_secs_f64();
        Ok(block)
    }

    fn add_block(
        &mut self,
        block: Vec<Pair>,
        segment: &mut SegmentWriter,
    ) -> Result<(), AnchorsError> {
        let (embedder, watch) = (self.embedder, self.watch);
        let paths: Vec<&Path> = block.iter().map(|p| p.image.as_path()).collect();
        let images = timed(&mut self.seconds.images, || embedder.images(&paths, watch))?;
        let captions: Vec<&str> = block
            .iter()
            .zip(&images)
            .filter(|(_, image)| image.is_ok())
            .flat_map(|(pair, _)| pair.captions.iter().map(String::as_str))
            .collect();
        // A caption is no step of the progress bar, whose unit is half a pair.
        let quiet = Watch {
            progress: &crate::progress::Silent,
            ..watch
        };
        let texts = timed(&mut self.seconds.captions, || {
            embedder.texts(&captions, quiet)
        })?;
        let mut texts = texts.into_iter();
        for (pair, image) in block.iter().zip(images) {
            watch.progress.advance(1);
            let image = match image {
                Ok(vector) => vector,
                Err(rejected) => {
                    self.skip(pair.origin.to_string(), "image not usable", rejected.reason)?;
                    continue;
                }
            };
            let of_pair: Vec<Embedding> = texts.by_ref().take(pair.captions.len()).collect();
            match mean_text(of_pair, embedder.text().dim()) {
                Ok(text) => {
                    let begun = Instant::now();
                    segment.push(&record(pair), &image, &text)?;
                    self.seconds.write += begun.elapsed().as_secs_f64();
                    self.count(pair);
                }
                Err(reason) => self.skip(pair.origin.to_string(), "caption not usable", reason)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, pair: &Pair) {
        self.ids.push(pair.id.clone());
        self.captions += pair.captions.len() as u64;
        let text = |keys: &[&str]| keys.iter().find_map(|k| pair.meta.get(*k)?.as_str());
        for (tally, value) in [
            (&mut self.sources, text(&["source"])),
            (&mut self.licences, text(&["licence", "license"])),
        ] {
            if let Some(value) = value {
                *tally.entry(value.to_owned()).or_default() += 1;
            }
        }
    }

    fn skip(
        &mut self,
        origin: String,
        kind: &'static str,
        reason: String,
    ) -> Result<(), AnchorsError> {
        if self.options.strict {
            return Err(AnchorsError::Strict { origin, reason });
        }
        self.skipped.push(SkippedRow {
            origin,
            kind,
            reason,
        });
        Ok(())
    }

    fn list_skipped(&self, folder: &Path) -> Result<(), AnchorsError> {
        let mut lines = String::new();
        for row in &self.skipped {
            lines.push_str(&serde_json::json!(row).to_string());
            lines.push('\n');
        }
        Ok(fs_err::write(folder.join(segment::SKIPPED), lines)?)
    }
}

/// One text vector for a pair: the mean direction of its captions' vectors.
pub(super) fn mean_text(captions: Vec<Embedding>, dim: usize) -> Result<Vec<f32>, String> {
    let mut vectors = Vec::with_capacity(captions.len() * dim);
    for caption in captions {
        vectors.extend(caption.map_err(|rejected| rejected.reason)?);
    }
    // One caption is taken as it is: normalising twice would change its last bits.
    Ok(if vectors.len() == dim {
        vectors
    } else {
        mean_direction(&vectors, dim)
    })
}

fn record(pair: &Pair) -> Record {
    // The path was a file a moment ago; should it not resolve now, it is kept as it was written.
    let image = fs_err::canonicalize(&pair.image).unwrap_or_else(|_| pair.image.clone());
    Record {
        id: pair.id.clone(),
        image: image.to_string_lossy().into_owned(),
        captions: pair.captions.clone(),
        meta: serde_json::Value::Object(pair.meta.clone()).to_string(),
    }
}

fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += Duration::as_secs_f64(&begun.elapsed());
    result
}
