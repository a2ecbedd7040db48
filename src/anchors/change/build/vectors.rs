//! Pairs of files of vectors to a segment: read, checked, normalised and written in one pass.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use serde_json::{Map, Value};

use super::destination::{check_place, generation_of, publish, skipped_list};
use super::encode::ALREADY;
use super::options::BuildOptions;
use super::report::{BuildReport, BuildSeconds, SkippedRow};
use super::tally::{BadRowPolicy, PairTally};
use super::vector_rows::{AlikeVectors, MetadataRows, ToldPair, UsedIds};
use crate::anchors::change::live_ids::LiveIds;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout;
use crate::anchors::stored::manifest::SegmentEntry;
use crate::anchors::stored::places::ImagePlace;
use crate::anchors::stored::plan::GraphPolicy;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::stored::segment::Segment;
use crate::anchors::stored::segment::writer::SegmentWriter;
use crate::anchors::stored::set::AnchorSet;
use crate::anchors::stored::thumbnails::StoredPicture;
use crate::embed::WorkControl;
use crate::encode::EncoderEntry;
use crate::modality::{Modality, PerModality};
use crate::pairs::RowError;
use crate::printable;
use crate::vector_files::{
    MetadataReader, VectorBlock, VectorFileError, VectorReader, VectorSources, row_place,
};

/// Builds an anchor set, or a further generation that replaces the content of one, from files of vectors.
/// `encoders` say what made them; no encoder is run.
///
/// Row `i` of both files and of the metadata is one pair. A pair without an id has the path of its image as id, or
/// the number of its row, counted from 0. A row without a usable vector, or whose metadata cannot be used, is
/// skipped with its neighbours unharmed.
///
/// # Errors
/// See [`AnchorsError`]; on failure nothing incomplete is left at `options.out`.
pub fn build_vectors(
    options: &BuildOptions,
    encoders: &PerModality<EncoderEntry>,
    sources: VectorSources,
    watch: WorkControl<'_>,
) -> Result<BuildReport, AnchorsError> {
    check_place(options)?;
    for modality in Modality::BOTH {
        let EncoderEntry { identity, .. } = &encoders[modality];
        let name = format!("the {modality} encoder {}", identity.name);
        sources.vectors[modality].check_dim(identity.dim, name)?;
    }
    let begun = Instant::now();
    let run = VectorRun::new(options.policy(), watch);
    let build = |run: &mut VectorRun<'_>, folder: &Path| {
        let (entry, listed) = run.segment(folder, sources, options.graphs, options.space.k())?;
        let list = listed.then(|| skipped_list(&options.out, &entry));
        let encoders = encoders.clone();
        let next = generation_of(options, folder, entry, encoders, &run.tally)?;
        Ok((next, list))
    };
    publish(options, run, build, |run, folder, generation, list| {
        report(run, options, folder, (generation, list), begun)
    })
}

fn report(
    mut run: VectorRun<'_>,
    options: &BuildOptions,
    folder: &Path,
    (generation, skipped_list): (u64, Option<PathBuf>),
    begun: Instant,
) -> Result<BuildReport, AnchorsError> {
    let set = AnchorSet::open(folder)?;
    run.seconds.total = begun.elapsed().as_secs_f64();
    Ok(BuildReport {
        out: options.out.clone(),
        generation,
        counts: set.manifest().counts,
        skipped_by_reason: run.tally.skipped_by_reason(),
        skipped_examples: run.tally.examples(),
        skipped_list,
        not_taken: Default::default(),
        from_cache: 0,
        seconds: run.seconds,
        bytes: set.bytes()?,
        thumbnail_bytes: set.thumbnail_bytes(),
        warnings: Vec::new(),
        notes: run.alike.notes(),
    })
}

/// Pairs of vectors that are being written.
pub(crate) struct VectorRun<'a> {
    pub(crate) tally: PairTally,
    pub(crate) seconds: BuildSeconds,
    watch: WorkControl<'a>,
    /// Ids of live pairs, which a row must not have.
    taken: LiveIds,
    /// The number of the first row, where numbers are ids.
    first_number: u64,
    /// The ids of the written pairs, if they are kept.
    ids: Option<Vec<String>>,
    used: UsedIds,
    /// Whether all ids are numbers of rows.
    numbered: bool,
    alike: AlikeVectors,
}

/// Rows of both modalities that were read together.
type BlockPair = PerModality<VectorBlock>;

impl<'a> VectorRun<'a> {
    pub(crate) fn new(policy: BadRowPolicy, watch: WorkControl<'a>) -> Self {
        Self {
            tally: PairTally::new(policy),
            seconds: BuildSeconds::default(),
            watch,
            taken: LiveIds::default(),
            first_number: 0,
            ids: None,
            used: UsedIds::default(),
            numbered: false,
            alike: AlikeVectors::default(),
        }
    }

    /// Skips rows with these ids, numbers rows after those of them that are numbers, and keeps the ids of the pairs
    /// that are written.
    pub(crate) fn beside(mut self, taken: LiveIds) -> Self {
        self.first_number = taken.first_free_number();
        self.taken = taken;
        self.ids = Some(Vec::new());
        self
    }

    /// The ids of the pairs that were written, if they were kept.
    pub(crate) fn take_ids(&mut self) -> Vec<String> {
        self.ids.take().unwrap_or_default()
    }

    /// Writes all pairs as a segment of the anchor set in `folder`; also returns whether rows were skipped.
    pub(crate) fn segment(
        &mut self,
        folder: &Path,
        sources: VectorSources,
        graphs: GraphPolicy,
        k: usize,
    ) -> Result<(SegmentEntry, bool), AnchorsError> {
        let dims = sources.vectors.as_ref().map(VectorReader::dim);
        let mut segment = SegmentWriter::create(folder, dims)?;
        self.watch
            .progress
            .begin("reading vectors", Some(sources.rows()));
        self.write_all(sources, &mut |record, place, vectors| {
            let picture = StoredPicture {
                place,
                thumbnail: None,
            };
            segment.push_pair(record, picture, vectors)
        })?;
        self.watch.progress.end();
        if segment.pairs() == 0 {
            return Err(self.tally.no_pairs());
        }
        let begun = Instant::now();
        let listed = self.tally.list_skipped(segment.path())?;
        let entry = segment.finish(graphs, k)?;
        let written = layout::segments_folder(folder).join(&entry.id);
        Segment::open_alone(&written, entry.pairs)?.verify()?;
        self.seconds.write += begun.elapsed().as_secs_f64();
        Ok((entry, listed))
    }

    /// The pairs that would be written, without writing them; returns how many there are.
    pub(crate) fn foresee(&mut self, sources: VectorSources) -> Result<u64, AnchorsError> {
        let mut pairs = 0;
        self.write_all(sources, &mut |_, _, _| {
            pairs += 1;
            Ok(())
        })?;
        Ok(pairs)
    }

    /// Calls `write` for each pair, while the next rows are read.
    fn write_all(
        &mut self,
        sources: VectorSources,
        write: &mut PairSink<'_>,
    ) -> Result<(), AnchorsError> {
        let VectorSources { vectors, metadata } = sources;
        // The readers move to their thread.
        let places = RowPlaces(vectors.as_ref().map(VectorReader::parts));
        self.numbered = metadata.is_none();
        let dims = vectors.as_ref().map(VectorReader::dim);
        let (sender, receiver) = sync_channel(1);
        std::thread::scope(|scope| {
            let reading = std::thread::Builder::new()
                .name("vectors".to_owned())
                .spawn_scoped(scope, move || read_blocks(vectors, &sender))?;
            let written = self.write_blocks(&receiver, metadata, &places, dims, write);
            // A reader that waits to hand over a block stops.
            drop(receiver);
            let read = reading
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written?;
            Ok(read?)
        })
    }

    fn write_blocks(
        &mut self,
        blocks: &Receiver<BlockPair>,
        metadata: Option<MetadataReader>,
        places: &RowPlaces,
        dims: PerModality<usize>,
        write: &mut PairSink<'_>,
    ) -> Result<(), AnchorsError> {
        let mut metadata = metadata.map(MetadataRows::new);
        let mut row = 0;
        loop {
            let waited = Instant::now();
            let Ok(block) = blocks.recv() else { break };
            self.seconds.read += waited.elapsed().as_secs_f64();
            if self.watch.cancel.requested() {
                return Err(AnchorsError::Interrupted);
            }
            let begun = Instant::now();
            let faults = block.as_ref().map(|block| block.faults.iter().peekable());
            let PerModality {
                image: mut image_faults,
                text: mut text_faults,
            } = faults;
            let images = block.image.values.chunks_exact(dims.image);
            let texts = block.text.values.chunks_exact(dims.text);
            let rows = images.len();
            for (at, (image, text)) in images.zip(texts).enumerate() {
                let of_row = |fault: &&(usize, _)| fault.0 == at;
                let fault = [
                    (Modality::Image, image_faults.next_if(of_row)),
                    (Modality::Text, text_faults.next_if(of_row)),
                ];
                let fault = fault.into_iter().find_map(|(modality, fault)| {
                    let (_, fault) = fault?;
                    Some(SkippedRow {
                        origin: places.of(modality, row),
                        kind: fault.kind(),
                        reason: fault.to_string(),
                        remedy: None,
                    })
                });
                let told = match &mut metadata {
                    Some(rows) => rows.next_row()?,
                    None => Ok(ToldPair::default()),
                };
                let pair = told.map_err(skipped);
                match pair.and_then(|told| self.pair(told, row, fault, places)) {
                    Err(reason) => self.tally.skip(reason)?,
                    Ok(pair) => {
                        let vectors = PerModality { image, text };
                        self.alike.see(vectors);
                        write(&pair.record, pair.place, vectors)?;
                        self.tally.count(pair.record.captions.len(), &pair.meta);
                        if let Some(ids) = &mut self.ids {
                            ids.push(pair.record.id);
                        }
                    }
                }
                row += 1;
            }
            self.watch.progress.advance(rows as u64);
            self.seconds.write += begun.elapsed().as_secs_f64();
        }
        Ok(())
    }

    /// The pair of a row, or why it is skipped.
    fn pair(
        &mut self,
        told: ToldPair,
        row: u64,
        fault: Option<SkippedRow>,
        places: &RowPlaces,
    ) -> Result<VectorPair, SkippedRow> {
        let ToldPair {
            row: told,
            place,
            origin,
        } = told;
        // What an id is at fault for is told where the id stands.
        let origin = || match &origin {
            Some(origin) => origin.to_string(),
            None => places.of(Modality::Image, row),
        };
        let derived = told.image;
        let id = match (told.id, &derived) {
            (Some(id), _) => match fault {
                // A row that is skipped must not claim an id that another could use.
                Some(fault) => return Err(fault),
                None => self.used.claim(id, row).map_err(|(id, first)| {
                    let first = places.of(Modality::Image, first);
                    SkippedRow {
                        origin: origin(),
                        kind: "duplicate id".into(),
                        reason: format!(
                            "duplicate id {id:?}, first used for {first}; ids must be unique, so rename one"
                        ),
                        remedy: None,
                    }
                })?,
            },
            (None, Some(image)) => self.used.derive(&printable::line(image), row),
            (None, None) => {
                let number = self.first_number.saturating_add(row).to_string();
                match self.numbered {
                    // Numbers of rows are unique by themselves.
                    true => number,
                    false => self.used.derive(&number, row),
                }
            }
        };
        if let Some(fault) = fault {
            return Err(fault);
        }
        if self.taken.contains(&id) {
            return Err(SkippedRow {
                origin: origin(),
                kind: ALREADY.into(),
                reason: format!("the anchor set already has a pair {id:?}; remove it first"),
                remedy: None,
            });
        }
        Ok(VectorPair {
            record: PairRecord {
                id,
                image: derived.unwrap_or_default(),
                captions: told.captions,
                meta: Value::Object(told.meta.clone()).to_string(),
            },
            meta: told.meta,
            place,
        })
    }
}

/// Receives the pairs.
type PairSink<'s> = dyn FnMut(&PairRecord, Option<ImagePlace>, PerModality<&[f32]>) -> Result<(), AnchorsError>
    + 's;

/// A pair that is to be written.
struct VectorPair {
    record: PairRecord,
    meta: Map<String, Value>,
    place: Option<ImagePlace>,
}

fn skipped(error: RowError) -> SkippedRow {
    SkippedRow {
        origin: error.origin.to_string(),
        kind: error.reason.kind(),
        reason: error.reason.to_string(),
        remedy: error.reason.remedy(),
    }
}

/// Reads both files and hands their rows over, until they end or nobody takes them.
fn read_blocks(
    mut vectors: PerModality<VectorReader>,
    blocks: &SyncSender<BlockPair>,
) -> Result<(), VectorFileError> {
    let rows = vectors.as_ref().map(VectorReader::block_rows);
    let rows = rows.image.min(rows.text);
    loop {
        let mut block = BlockPair::default();
        let mut read = 0;
        for (reader, block) in vectors.as_mut().zip(block.as_mut()) {
            read = reader.next_block(rows, block)?;
        }
        if read == 0 || blocks.send(block).is_err() {
            return Ok(());
        }
    }
}

/// Names the file and row of a vector.
struct RowPlaces(PerModality<Vec<(PathBuf, u64)>>);

impl RowPlaces {
    /// The file, and the row in it.
    fn of(&self, modality: Modality, row: u64) -> String {
        row_place(&self.0[modality], row)
    }
}
