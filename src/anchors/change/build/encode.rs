//! Pairs of sources to a segment: read in blocks, embedded, written in their order.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::destination::skipped_list;
use super::options::BuildOptions;
use super::report::{BuildSeconds, SkippedRow};
use super::tally::PairTally;
use crate::anchors::change::incoming::IncomingPairs;
use crate::anchors::change::live_ids::LiveIds;
use crate::anchors::change::selection::SelectionCounts;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::SegmentEntry;
use crate::anchors::stored::places::ImagePlace;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::segment::writer::SegmentWriter;
use crate::anchors::stored::thumbnails::{StoredPicture, THUMBNAIL_SIDE, thumbnails_sound};
use crate::bad_inputs::BadInputs;
use crate::embed::{Embedder, EmbeddingResult, InputRejection, WorkControl};
use crate::encode::{Ensemble, TextEncoder};
use crate::image_source::ImageSource;
use crate::modality::PerModality;
use crate::pairs::Pair;
use crate::space::vector::mean_direction;

/// Pairs embedded at a time: enough for sorting captions by length to pay off, few enough for memory.
const BLOCK: usize = 1024;
/// Bytes of images in memory at which a block ends.
const BLOCK_BYTES: usize = 256 << 20;

/// The kind of a row with the id of a live pair.
pub(crate) const ALREADY: &str = "id already in the anchor set";

/// A running build.
pub(crate) struct BuildRun<'a> {
    pub(super) options: &'a BuildOptions,
    pub(super) embedder: &'a Embedder,
    watch: WorkControl<'a>,
    /// Ids of live pairs, which a row must not have.
    taken: LiveIds,
    hits_before: u64,
    /// The ids of the written pairs.
    pub(crate) ids: Vec<String>,
    pub(crate) seconds: BuildSeconds,
    pub(crate) tally: PairTally,
    pub(crate) not_taken: SelectionCounts,
}

impl<'a> BuildRun<'a> {
    pub(crate) fn new(
        options: &'a BuildOptions,
        embedder: &'a Embedder,
        watch: WorkControl<'a>,
    ) -> Self {
        Self {
            options,
            embedder,
            watch,
            taken: LiveIds::default(),
            hits_before: embedder.cache_hits(),
            ids: Vec::new(),
            seconds: BuildSeconds::default(),
            tally: PairTally::new(options.policy()),
            not_taken: SelectionCounts::default(),
        }
    }

    /// Skips rows with these ids.
    pub(crate) fn taken(mut self, ids: LiveIds) -> Self {
        self.taken = ids;
        self
    }

    /// Embeds all pairs and writes them as a segment of the anchor set in `folder`; also returns where the
    /// skipped rows are listed, if there are any.
    pub(crate) fn segment(
        &mut self,
        folder: &Path,
        incoming: IncomingPairs<'_>,
    ) -> Result<(SegmentEntry, Option<PathBuf>), AnchorsError> {
        let mut incoming = incoming.selected(&self.options.selection);
        let mut segment = SegmentWriter::create(folder, self.embedder.dims())?;
        self.watch
            .progress
            // Two steps a row: its image and its captions.
            .begin("encoding", incoming.expected.map(|rows| 2 * rows));
        loop {
            let block = self.read_block(&mut incoming)?;
            if block.is_empty() {
                break;
            }
            self.add_block(block, &mut segment)?;
        }
        self.watch.progress.end();
        self.not_taken = incoming.tally.counts();
        let nearest = incoming
            .tally
            .nearest()
            .filter(|_| self.not_taken.filtered > 0);
        if let (0, Some(filter), Some(nearest)) =
            (segment.pairs(), &self.options.selection.filter, nearest)
        {
            let filter = filter.to_string();
            return Err(AnchorsError::NoneSelected { filter, nearest });
        }
        if segment.pairs() == 0 {
            return Err(self.tally.no_pairs());
        }
        let write_begun = Instant::now();
        let listed = self.tally.list_skipped(segment.path())?;
        let entry = segment.finish(self.options.graphs, self.options.space.k())?;
        let skipped_list = listed.then(|| skipped_list(&self.options.out, &entry));
        let written = layout::segments_folder(folder).join(&entry.id);
        Segment::open_alone(&written, entry.pairs)?.verify()?;
        thumbnails_sound(&written, &entry, true)?;
        self.seconds.write += write_begun.elapsed().as_secs_f64();
        Ok((entry, skipped_list))
    }

    /// Cache hits so far.
    pub(crate) fn cache_hits(&self) -> u64 {
        self.embedder.cache_hits() - self.hits_before
    }

    fn read_block(&mut self, incoming: &mut IncomingPairs<'_>) -> Result<Vec<Pair>, AnchorsError> {
        let begun = Instant::now();
        let mut block = Vec::with_capacity(BLOCK);
        let mut held = 0;
        // Whichever is reached first; pairs whose images are in memory would fill it otherwise.
        while block.len() < BLOCK && held < BLOCK_BYTES {
            match incoming.pairs.next() {
                Some(Ok(pair)) if self.taken.contains(&pair.id) => {
                    self.watch.progress.advance(2);
                    self.tally.skip(SkippedRow {
                        origin: pair.origin.to_string(),
                        kind: ALREADY.into(),
                        reason: format!(
                            "the anchor set already has a pair {:?}; remove it first",
                            pair.id
                        ),
                        remedy: None,
                    })?;
                }
                Some(Ok(pair)) => {
                    held += pair.image.held_bytes();
                    block.push(pair);
                }
                Some(Err(error)) => {
                    let error = error.of_row()?;
                    self.watch.progress.advance(2);
                    let row = SkippedRow {
                        origin: error.origin.to_string(),
                        kind: error.reason.kind(),
                        reason: error.reason.to_string(),
                        remedy: error.reason.remedy(),
                    };
                    // Files that were never meant as pairs must not stop a strict build.
                    match error.reason.is_bystander() {
                        true => self.tally.pass_over(row),
                        false => self.tally.skip(row)?,
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
        let thumbnails = self.options.thumbnails;
        let images = timed(&mut self.seconds.images, || match thumbnails {
            true => embedder.images_with_thumbnails(&sources, THUMBNAIL_SIDE, watch),
            false => {
                let images = embedder.images(&sources, watch)?;
                Ok(images.into_iter().map(|image| (image, None)).collect())
            }
        })?;
        let pairs = block.iter().zip(images);
        let pairs = pairs.map(|(pair, (image, thumbnail))| match image {
            Ok(image) => Ok((pair, (image, thumbnail))),
            Err(rejected) => Err((pair, rejected)),
        });
        // Captions of pairs without an image are not encoded.
        let (pairs, bad) = BadInputs::split(pairs);
        let captions = pairs.iter().flat_map(|(pair, _)| &pair.captions);
        let captions: Vec<&str> = captions.map(String::as_str).collect();
        // Captions do not advance the progress bar, whose unit is half a pair.
        let quiet = WorkControl {
            progress: &crate::progress::NoProgress,
            ..watch
        };
        let texts = timed(&mut self.seconds.captions, || {
            embedder.texts(&captions, quiet)
        })?;
        // Texts come in the order of the captions, so each pair takes its own from the front.
        let mut texts = texts.into_iter();
        let pairs = pairs.into_iter().map(|(pair, image)| {
            let of_pair: Vec<EmbeddingResult> = texts.by_ref().take(pair.captions.len()).collect();
            (pair, image, of_pair)
        });
        // Back in the order of the source, so that a rebuild makes the same segment.
        for pair in bad.put_back(pairs.collect()) {
            watch.progress.advance(1);
            let (pair, (image, thumbnail), of_pair) = match pair {
                Ok(pair) => pair,
                Err((pair, rejected)) => {
                    self.tally
                        .skip(unusable(pair, "image not usable", rejected))?;
                    continue;
                }
            };
            match mean_text(of_pair, embedder.text()) {
                Ok(text) => {
                    let begun = Instant::now();
                    let (record, place) = record(pair);
                    let picture = StoredPicture {
                        place,
                        thumbnail: thumbnail.as_deref(),
                    };
                    let vectors = PerModality {
                        image: image.as_slice(),
                        text: text.as_slice(),
                    };
                    segment.push_pair(&record, picture, vectors)?;
                    self.seconds.write += begun.elapsed().as_secs_f64();
                    self.ids.push(pair.id.clone());
                    self.tally.count(pair.captions.len(), &pair.meta);
                }
                Err(rejected) => self
                    .tally
                    .skip(unusable(pair, "caption not usable", rejected))?,
            }
        }
        Ok(())
    }
}

/// The row of a pair whose image or caption could not be embedded.
fn unusable(pair: &Pair, kind: &'static str, rejected: InputRejection) -> SkippedRow {
    SkippedRow {
        origin: pair.origin.to_string(),
        kind: kind.into(),
        reason: rejected.reason,
        remedy: rejected.remedy,
    }
}

/// One text vector for a pair: the mean direction of its captions' vectors.
pub(crate) fn mean_text(
    captions: Vec<EmbeddingResult>,
    encoders: &Ensemble<TextEncoder>,
) -> Result<Vec<f32>, InputRejection> {
    let dim = encoders.dim();
    let mut vectors = Vec::with_capacity(captions.len() * dim);
    let n = captions.len();
    if n == 0 {
        return Err("it has no caption".to_owned().into());
    }
    for (at, caption) in captions.into_iter().enumerate() {
        vectors.extend(caption.map_err(|rejected| match n {
            1 => rejected,
            _ => InputRejection {
                reason: format!("caption {} of {n}: {}", at + 1, rejected.reason),
                ..rejected
            },
        })?);
    }
    // A single caption is used unchanged: normalising twice would change its last bits.
    if vectors.len() == dim {
        return Ok(vectors);
    }
    // Per encoder, so that its weight is preserved.
    let mut mean = vec![0.0; dim];
    for (member, place) in encoders.places().enumerate() {
        encoders.place(member, &direction(&vectors, dim, place)?, &mut mean);
    }
    Ok(mean)
}

/// The mean direction of a part of vectors of `dim` numbers.
///
/// # Errors
/// When the sum is zero.
fn direction(vectors: &[f32], dim: usize, part: Range<usize>) -> Result<Vec<f32>, String> {
    let own = vectors.chunks_exact(dim).flat_map(|v| &v[part.clone()]);
    let own: Vec<f32> = own.copied().collect();
    let direction = mean_direction(&own, part.len());
    match direction.iter().any(|v| *v != 0.0) {
        true => Ok(direction),
        false => Err("its captions cancel each other out, so they have no direction".to_owned()),
    }
}

/// The record of a pair, and where its image lies.
fn record(pair: &Pair) -> (PairRecord, Option<ImagePlace>) {
    let (image, place) = ImagePlace::of(&pair.image, &pair.image_name, &pair.image_base);
    let record = PairRecord {
        id: pair.id.clone(),
        image,
        captions: pair.captions.clone(),
        meta: serde_json::Value::Object(pair.meta.clone()).to_string(),
    };
    (record, place)
}

fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += Duration::as_secs_f64(&begun.elapsed());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_that_cancel_out_are_no_vector_of_zeros() {
        let vectors = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];
        assert_eq!(direction(&vectors, 3, 0..2), Ok(vec![1.0, 0.0]));
        let opposite = [0.6, 0.8, 1.0, -0.6, -0.8, 1.0];
        assert_eq!(direction(&opposite, 3, 2..3), Ok(vec![1.0]));
        assert!(
            direction(&opposite, 3, 0..2)
                .unwrap_err()
                .contains("cancel")
        );
    }
}
