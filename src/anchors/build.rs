//! Pairs in, a published generation out.
//!
//! Pairs are taken in blocks, so memory does not grow with the set: a block's images are embedded,
//! then its captions, then its pairs are written in their order. Nothing is visible before the end;
//! what was embedded stays in the cache, so that an interrupted build continues where it stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::embed::{Embedder, Embedding, Watch};
use super::error::AnchorsError;
use super::manifest::{self, Counts, Manifest};
use super::plan::GraphPolicy;
use super::publish::{self, NewSet, WriteLock};
use super::records::Record;
use super::segment::{self, Segment, SegmentWriter};
use super::set::AnchorSet;
use crate::pairs::{self, Pair, PairReader};
use crate::space::SpaceParams;
use crate::space::vector::mean_direction;

/// Pairs embedded at a time: enough that sorting captions by length pays, little enough to hold.
const BLOCK: usize = 1024;

/// Rows that are kept word for word in a [`BuildReport`]; the whole list is on disk.
const EXAMPLES: usize = 20;

/// What to build, and where.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Files and folders of pairs, in order.
    pub pairs: Vec<PathBuf>,
    /// The set's folder.
    pub out: PathBuf,
    /// Whether a set that stands there is replaced.
    pub overwrite: bool,
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
        let report = Build::new(options, embedder, watch).run(new.path(), 1, begun)?;
        new.finish()?;
        return Ok(report);
    }
    let _lock = WriteLock::acquire(&options.out)?;
    let last = manifest::number(&publish::current(&options.out)?).unwrap_or(0);
    let report = Build::new(options, embedder, watch).run(&options.out, last + 1, begun)?;
    retire(&options.out, last + 1)?;
    Ok(report)
}

/// A build under way.
struct Build<'a> {
    options: &'a BuildOptions,
    embedder: &'a Embedder,
    watch: Watch<'a>,
    seconds: Seconds,
    captions: u64,
    skipped: Vec<SkippedRow>,
    sources: BTreeMap<String, u64>,
    licences: BTreeMap<String, u64>,
}

impl<'a> Build<'a> {
    fn new(options: &'a BuildOptions, embedder: &'a Embedder, watch: Watch<'a>) -> Self {
        Self {
            options,
            embedder,
            watch,
            seconds: Seconds::default(),
            captions: 0,
            skipped: Vec::new(),
            sources: BTreeMap::new(),
            licences: BTreeMap::new(),
        }
    }

    /// Writes generation number `generation` into `folder` and makes it the live one there.
    fn run(
        mut self,
        folder: &Path,
        generation: u64,
        begun: Instant,
    ) -> Result<BuildReport, AnchorsError> {
        let hits_before = self.embedder.cache_hits();
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
        let (image_encoder, text_encoder) = self.embedder.entries()?;
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
        let counts = Counts {
            pairs: entry.pairs,
            captions: self.captions,
            skipped: self.skipped.len() as u64,
        };
        let manifest = Manifest {
            format: manifest::FORMAT,
            generation,
            created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            made_by: concat!("asif ", env!("CARGO_PKG_VERSION")).to_owned(),
            segments: vec![entry],
            image_encoder,
            text_encoder,
            space: self.options.space,
            counts,
            sources: self.sources,
            licences: self.licences,
        };
        for entry in &manifest.segments {
            Segment::open(folder, entry, &manifest)?.verify()?;
        }
        publish::publish(folder, &manifest)?;
        let set = AnchorSet::open(folder)?;
        self.seconds.write += write_begun.elapsed().as_secs_f64();
        self.seconds.total = begun.elapsed().as_secs_f64();
        let mut by_reason = BTreeMap::new();
        for row in &self.skipped {
            *by_reason.entry(row.kind.to_owned()).or_default() += 1;
        }
        self.skipped.truncate(EXAMPLES);
        Ok(BuildReport {
            out: self.options.out.clone(),
            generation,
            counts,
            skipped_by_reason: by_reason,
            skipped_examples: self.skipped,
            skipped_list,
            from_cache: self.embedder.cache_hits() - hits_before,
            seconds: self.seconds,
            bytes: set.bytes()?,
        })
    }

    fn read_block(&mut self, reader: &mut PairReader) -> Result<Vec<Pair>, AnchorsError> {
        let begun = Instant::now();
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            match reader.next() {
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
fn mean_text(captions: Vec<Embedding>, dim: usize) -> Result<Vec<f32>, String> {
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

/// Removes the generations before `live` and the segments that only they used. Readers that have
/// them mapped keep them.
fn retire(set: &Path, live: u64) -> Result<(), AnchorsError> {
    let manifest = Manifest::read(set, &manifest::name(live))?;
    let kept_manifest = format!("{}.json", manifest::name(live));
    for entry in fs_err::read_dir(manifest::folder(set))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy() != kept_manifest {
            fs_err::remove_file(entry.path())?;
        }
    }
    for entry in fs_err::read_dir(segment::folder(set))? {
        let entry = entry?;
        let name = entry.file_name();
        if !manifest
            .segments
            .iter()
            .any(|s| name.to_string_lossy() == s.id)
        {
            fs_err::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}
