//! Pairs of sources to a segment: read in blocks, embedded, written in their order.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::options::BuildOptions;
use super::report::{Seconds, SkippedRow};
use crate::anchors::change::incoming::Incoming;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout;
use crate::anchors::stored::left_out;
use crate::anchors::stored::manifest::SegmentEntry;
use crate::anchors::stored::records::Record;
use crate::anchors::stored::segment::{Segment, SegmentWriter};
use crate::embed::{Embedder, Embedding, Watch};
use crate::encode::{Ensemble, TextEncoder};
use crate::image_source::ImageSource;
use crate::pairs::Pair;
use crate::space::vector::mean_direction;

/// Pairs embedded at a time: enough that sorting captions by length pays, little enough to hold.
const BLOCK: usize = 1024;
/// Bytes of images in memory at which a block ends.
const BLOCK_BYTES: usize = 256 << 20;

/// The kind of row that a live pair has the id of.
pub(crate) const ALREADY: &str = "id already in the set";

/// A build under way.
pub(crate) struct Build<'a> {
    pub(super) options: &'a BuildOptions,
    pub(super) embedder: &'a Embedder,
    watch: Watch<'a>,
    /// Ids that a row must not have, because a live pair has them.
    taken: HashSet<String>,
    hits_before: u64,
    /// The ids of the pairs that were written.
    pub(crate) ids: Vec<String>,
    pub(crate) seconds: Seconds,
    pub(crate) captions: u64,
    pub(crate) skipped: Vec<SkippedRow>,
    pub(crate) sources: BTreeMap<String, u64>,
    pub(crate) licences: BTreeMap<String, u64>,
}

impl<'a> Build<'a> {
    pub(crate) fn new(options: &'a BuildOptions, embedder: &'a Embedder, watch: Watch<'a>) -> Self {
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
    pub(crate) fn taken(mut self, ids: HashSet<String>) -> Self {
        self.taken = ids;
        self
    }

    /// Embeds all pairs and writes them as a segment of the set in `folder`; also says where the
    /// rows left out are listed, if there are any.
    pub(crate) fn segment(
        &mut self,
        folder: &Path,
        mut incoming: Incoming<'_>,
    ) -> Result<(SegmentEntry, Option<PathBuf>), AnchorsError> {
        let mut segment = SegmentWriter::create(folder, self.embedder.dims())?;
        self.watch
            .progress
            .begin("encoding", incoming.expected.map(|rows| 2 * rows));
        loop {
            let block = self.read_block(&mut incoming)?;
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
        let entry = segment.finish(self.options.graphs, self.options.space.k())?;
        let skipped_list = listed.then(|| {
            layout::segments_folder(&self.options.out)
                .join(&entry.id)
                .join(layout::SKIPPED)
        });
        let written = layout::segments_folder(folder).join(&entry.id);
        Segment::open_alone(&written, entry.pairs)?.verify()?;
        self.seconds.write += write_begun.elapsed().as_secs_f64();
        Ok((entry, skipped_list))
    }

    /// Rows left out, by kind of reason.
    pub(crate) fn skipped_by_reason(&self) -> BTreeMap<String, u64> {
        let mut by_reason = BTreeMap::new();
        for row in &self.skipped {
            *by_reason.entry(row.kind.clone().into_owned()).or_default() += 1;
        }
        by_reason
    }

    /// Embeddings that came out of the cache so far.
    pub(crate) fn cache_hits(&self) -> u64 {
        self.embedder.cache_hits() - self.hits_before
    }

    fn read_block(&mut self, incoming: &mut Incoming<'_>) -> Result<Vec<Pair>, AnchorsError> {
        let begun = Instant::now();
        let mut block = Vec::with_capacity(BLOCK);
        let mut held = 0;
        while block.len() < BLOCK && held < BLOCK_BYTES {
            match incoming.pairs.next() {
                Some(Ok(pair)) if self.taken.contains(&pair.id) => {
                    self.watch.progress.advance(2);
                    let reason =
                        format!("the set has a pair {:?} already; remove it first", pair.id);
                    self.skip(pair.origin.to_string(), ALREADY, reason)?;
                }
                Some(Ok(pair)) => {
                    held += pair.image.held_bytes();
                    block.push(pair);
                }
                Some(Err(error)) => {
                    let error = error.of_row()?;
                    self.watch.progress.advance(2);
                    let (origin, kind) = (error.origin.to_string(), error.reason.kind());
                    if error.reason.is_bystander() {
                        self.list(origin, kind, error.reason.to_string());
                    } else {
                        self.skip(origin, kind, error.reason.to_string())?;
                    }
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
        let sources: Vec<&ImageSource> = block.iter().map(|pair| &pair.image).collect();
        let images = timed(&mut self.seconds.images, || {
            embedder.images(&sources, watch)
        })?;
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
            match mean_text(of_pair, embedder.text()) {
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
        kind: impl Into<Cow<'static, str>>,
        reason: String,
    ) -> Result<(), AnchorsError> {
        // A picture that stands for itself is named by its origin already.
        let named = reason.strip_prefix(origin.as_str());
        let reason = match named.and_then(|rest| rest.strip_prefix(": ")) {
            Some(rest) => rest.to_owned(),
            None => reason,
        };
        if self.options.strict {
            return Err(AnchorsError::Strict { origin, reason });
        }
        self.list(origin, kind, reason);
        Ok(())
    }

    fn list(&mut self, origin: String, kind: impl Into<Cow<'static, str>>, reason: String) {
        self.skipped.push(SkippedRow {
            origin,
            kind: kind.into(),
            reason,
        });
    }

    fn list_skipped(&self, folder: &Path) -> Result<(), AnchorsError> {
        let rows = self.skipped.iter();
        let rows: Vec<String> = rows.map(|r| serde_json::json!(r).to_string()).collect();
        left_out::write_rows(folder, &rows)
    }
}

/// One text vector for a pair: the mean direction of its captions' vectors.
pub(crate) fn mean_text(
    captions: Vec<Embedding>,
    encoders: &Ensemble<TextEncoder>,
) -> Result<Vec<f32>, String> {
    let dim = encoders.dim();
    let mut vectors = Vec::with_capacity(captions.len() * dim);
    let n = captions.len();
    for (at, caption) in captions.into_iter().enumerate() {
        vectors.extend(caption.map_err(|rejected| match n {
            1 => rejected.reason,
            _ => format!("caption {} of {n}: {}", at + 1, rejected.reason),
        })?);
    }
    // One caption is taken as it is: normalising twice would change its last bits.
    if vectors.len() == dim {
        return Ok(vectors);
    }
    // Each encoder's for itself, so that its weight stays what it is.
    let mut mean = vec![0.0; dim];
    for (member, place) in encoders.places().enumerate() {
        let own = vectors.chunks_exact(dim).flat_map(|v| &v[place.clone()]);
        let own: Vec<f32> = own.copied().collect();
        encoders.place(member, &mean_direction(&own, place.len()), &mut mean);
    }
    Ok(mean)
}

fn record(pair: &Pair) -> Record {
    let image = match &pair.image {
        // The path was a file a moment ago; should it not resolve now, it is kept as it was written.
        ImageSource::File(path) => {
            let whole = fs_err::canonicalize(path);
            let whole = whole.as_deref().unwrap_or(path);
            whole.to_string_lossy().into_owned()
        }
        held => held.to_string(),
    };
    Record {
        id: pair.id.clone(),
        image,
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
