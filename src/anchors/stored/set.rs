//! An open anchor set: one generation, its segments mapped.

mod encoders;
mod without;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::layout;
use super::manifest::Manifest;
use super::records::PairRecord;
use super::segment::Segment;
use super::tombstones::{LiveRows, Tombstones};
use super::{content, publish, witness};
use crate::anchors::AnchorId;
use crate::anchors::error::{AnchorsError, if_whole};
use crate::encode::EncoderEntry;
use crate::image_source::ImageSource;
use crate::modality::{Modality, PerModality};
use crate::space::linear::Moments;
use crate::space::vector::VectorSum;

/// An anchor set of at most this many bytes is verified completely before the first answer; a larger one
/// would keep a command waiting for longer than its answer takes.
pub(crate) const READ_WHOLE: u64 = 1 << 30;

/// One generation of an anchor set, open for reading; writers do not affect it.
#[derive(Debug)]
pub struct AnchorSet {
    path: PathBuf,
    manifest: Manifest,
    segments: Vec<Segment>,
    gone: Tombstones,
    live: LiveRows,
    sums: PerModality<VectorSum>,
    /// Fingerprints of other encoders whose canary embeddings agree.
    accepted: Vec<String>,
}

/// The live generation is damaged, and an older one was opened instead. A repair fixes the anchor set, or makes
/// the older one live.
#[derive(Debug)]
pub struct GenerationFallback {
    /// What is wrong with the live generation.
    pub damage: AnchorsError,
    /// The generation that is open.
    pub generation: u64,
}

impl std::fmt::Display for GenerationFallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the live generation is damaged ({}); answers come from generation {}, the newest \
             intact published one",
            self.damage.without_advice(),
            self.generation
        )
    }
}

impl AnchorSet {
    /// Opens the live generation of the anchor set in `path`: structure and lengths are checked, vectors
    /// are not read.
    ///
    /// # Errors
    /// When the folder is not an anchor set, or its files are inconsistent.
    pub fn open(path: &Path) -> Result<Self, AnchorsError> {
        let mut name = publish::current(path)?;
        loop {
            let result = Self::open_named(path, &name);
            // A writer may have published, and removed the generation that was live when CURRENT was read.
            match publish::current(path) {
                Ok(now) if result.is_err() && now != name => name = now,
                _ => return result,
            }
        }
    }

    /// Opens a kept generation, or, where `CURRENT` cannot be trusted, a published one.
    ///
    /// # Errors
    /// [`AnchorsError::NoGeneration`] when it is not; as [`open`](Self::open) otherwise.
    pub fn open_generation(path: &Path, generation: u64) -> Result<Self, AnchorsError> {
        let (kept, _) = witness::kept_or_published(path)?;
        if !kept.contains(&generation) {
            let kept: Vec<String> = kept.iter().map(u64::to_string).collect();
            return Err(AnchorsError::NoGeneration {
                path: path.to_owned(),
                wanted: format!("generation {generation}"),
                kept: kept.join(", "),
            });
        }
        Self::open_named(path, &layout::generation_name(generation))
    }

    /// Opens the live generation, or, when it is damaged, the newest intact kept one, and
    /// returns the fallback: callers must report it to the user.
    ///
    /// # Errors
    /// As [`open`](Self::open), of the live generation, when no other can be opened either, or when the
    /// system refuses to let a file be read.
    pub fn open_or_last_good(
        path: &Path,
    ) -> Result<(Self, Option<GenerationFallback>), AnchorsError> {
        let damage = match Self::open(path).and_then(Self::read_whole) {
            Ok(set) => return Ok((set, None)),
            Err(error @ AnchorsError::NotASet { .. })
                if !layout::generations_folder(path).is_dir() =>
            {
                return Err(error);
            }
            // An unreadable file does not count as damaged.
            Err(error) => error.into_damage()?,
        };
        for generation in witness::look(path)?.published {
            let opened = Self::open_named(path, &layout::generation_name(generation));
            if let Some(set) = if_whole(opened.and_then(Self::read_whole))? {
                return Ok((set, Some(GenerationFallback { damage, generation })));
            }
        }
        Err(damage)
    }

    /// Compares the checksums of all its files if it is small: this is fast, and an
    /// answer never comes from damaged vectors. Those of a larger set are compared by `verify` and by
    /// long-running processes.
    pub(crate) fn read_whole(self) -> Result<Self, AnchorsError> {
        if self.bytes()? > READ_WHOLE {
            return Ok(self);
        }
        self.segments.par_iter().try_for_each(Segment::verify)?;
        let entries = self.manifest.segments.iter();
        for (entry, segment) in entries.zip(&self.segments) {
            // Without checksums in the manifest only the content shows that these are the right files.
            if entry.files.is_empty() {
                segment.is_own(entry)?;
            }
        }
        Ok(self)
    }

    fn open_named(path: &Path, name: &str) -> Result<Self, AnchorsError> {
        Self::from_manifest(path, Manifest::read(path, name)?)
    }

    /// Opens the generation of a manifest, published or not.
    ///
    /// # Errors
    /// When the files in `path` are inconsistent with it or each other.
    pub(crate) fn from_manifest(path: &Path, manifest: Manifest) -> Result<Self, AnchorsError> {
        if let Err(error) = manifest.space.validate() {
            return Err(AnchorsError::Damaged {
                path: layout::generations_folder(path).join(format!(
                    "{}.json",
                    layout::generation_name(manifest.generation)
                )),
                what: format!("its space makes no sense: {error}"),
            });
        }
        let gone = Self::removed_of(path, &manifest)?;
        Self::assemble(path, manifest, gone)
    }

    /// The removed pairs of a manifest.
    ///
    /// # Errors
    /// When their file is damaged or not the one that the manifest names.
    pub(crate) fn removed_of(path: &Path, manifest: &Manifest) -> Result<Tombstones, AnchorsError> {
        let Some(file) = manifest.tombstones_path(path)? else {
            return Ok(Tombstones::none(manifest.dims()));
        };
        let gone = Tombstones::read(&file, &manifest.segments, manifest.dims())?;
        let named = manifest.tombstones.as_ref();
        let sum = named.and_then(|t| t.checksum.as_ref());
        let other = match sum {
            Some(sum) => content::header(&file)? != *sum,
            None => false,
        };
        if other || named.is_some_and(|t| t.removed != gone.count()) {
            let what = "it is not the list of removed pairs that the manifest names";
            return Err(AnchorsError::Damaged {
                path: file,
                what: what.to_owned(),
            });
        }
        Ok(gone)
    }

    fn assemble(path: &Path, manifest: Manifest, gone: Tombstones) -> Result<Self, AnchorsError> {
        let segments: Vec<Segment> = manifest
            .segments
            .iter()
            .map(|entry| Segment::open(path, entry, &manifest))
            .collect::<Result<_, _>>()?;
        let mut sums = manifest.dims().map(VectorSum::new);
        for segment in &segments {
            for modality in Modality::BOTH {
                sums[modality].merge(segment.sum(modality));
            }
        }
        let stored: Vec<usize> = segments.iter().map(Segment::len).collect();
        let live = gone.live(&stored);
        for (sum, gone) in sums.as_mut().zip(gone.sums().as_ref()) {
            sum.subtract(gone);
        }
        if live.len() as u64 != manifest.counts.pairs {
            let what = format!(
                "the manifest of generation {} says {} pairs, its files hold {}",
                manifest.generation,
                manifest.counts.pairs,
                live.len()
            );
            return Err(AnchorsError::Damaged {
                path: path.to_owned(),
                what,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            manifest,
            segments,
            gone,
            live,
            sums,
            accepted: Vec::new(),
        })
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The number of anchors: of live pairs.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether it has no anchors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of this modality's vectors.
    pub fn dim(&self, modality: Modality) -> usize {
        self.encoder(modality).identity.dim
    }

    /// The encoder that made this modality's vectors.
    pub fn encoder(&self, modality: Modality) -> &EncoderEntry {
        match modality {
            Modality::Image => &self.manifest.image_encoder,
            Modality::Text => &self.manifest.text_encoder,
        }
    }

    /// Its segments with all that they store, removed pairs too.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The second moments of the live pairs' vectors: those of all stored pairs minus those of the
    /// removed ones. The same pairs give the same bits, whatever the history of the anchor set.
    ///
    /// # Errors
    /// When a segment's file of them is damaged.
    pub fn moments(&self) -> Result<Moments, AnchorsError> {
        let dims = self.manifest.dims();
        let (mut moments, mut gone) = (Moments::new(dims), Moments::new(dims));
        let mut row = 0;
        for segment in &self.segments {
            moments.merge(&segment.moments()?);
            let mut removed = PerModality::<Vec<f32>>::default();
            for local in (0..segment.len()).filter(|local| !self.live.contains(row + local)) {
                for modality in Modality::BOTH {
                    removed[modality].extend_from_slice(segment.vectors(modality).vector(local));
                }
            }
            gone.add(removed.as_ref().map(Vec::as_slice));
            row += segment.len();
        }
        moments.subtract(&gone);
        Ok(moments)
    }

    /// The removed pairs of the segments.
    pub(crate) fn tombstones(&self) -> &Tombstones {
        &self.gone
    }

    /// Which rows of the concatenated segments are live anchors.
    pub fn live(&self) -> &LiveRows {
        &self.live
    }

    /// The exact sum of the live pairs' vectors of one modality.
    pub fn sum(&self, modality: Modality) -> &VectorSum {
        &self.sums[modality]
    }

    /// The segment and the place in it of a row, counted over all segments.
    pub fn place(&self, row: usize) -> Option<(usize, usize)> {
        let mut local = row;
        for (at, segment) in self.segments.iter().enumerate() {
            if local < segment.len() {
                return Some((at, local));
            }
            local -= segment.len();
        }
        None
    }

    /// The segment and the place in it of each live pair, in their order.
    pub(crate) fn live_places(&self) -> impl Iterator<Item = (usize, usize)> {
        let place = |row| self.place(row).expect("a live row lies in a segment");
        self.live.rows().map(place)
    }

    fn anchor(&self, anchor: AnchorId) -> Result<(&Segment, usize), AnchorsError> {
        let row = self.live.row(anchor as usize);
        match row.and_then(|row| self.place(row)) {
            Some((segment, local)) => Ok((&self.segments[segment], local)),
            None => Err(AnchorsError::Damaged {
                path: self.path.clone(),
                what: format!("there is no anchor {anchor} among {}", self.len()),
            }),
        }
    }

    /// The record of an anchor.
    ///
    /// # Errors
    /// When there is no such anchor or its record is damaged.
    pub fn record(&self, anchor: AnchorId) -> Result<PairRecord, AnchorsError> {
        let (segment, local) = self.anchor(anchor)?;
        segment.record(local)
    }

    /// The image of an anchor, if it lies anywhere: pairs can be made of vectors, and of images in memory.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn image(&self, anchor: AnchorId) -> Result<Option<ImageSource>, AnchorsError> {
        let (segment, local) = self.anchor(anchor)?;
        segment.image(local)
    }

    /// The small copy of an anchor's picture, a file in JPEG or PNG, if the anchor set has one.
    ///
    /// # Errors
    /// When there is no such anchor, or the copy is damaged.
    pub fn thumbnail(&self, anchor: AnchorId) -> Result<Option<&[u8]>, AnchorsError> {
        let (segment, local) = self.anchor(anchor)?;
        segment.thumbnail(local)
    }

    /// The id of an anchor's pair.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn pair_id(&self, anchor: AnchorId) -> Result<&str, AnchorsError> {
        let (segment, local) = self.anchor(anchor)?;
        segment.pair_id(local)
    }

    /// An anchor's unit vector of one modality, `[dim]`.
    ///
    /// # Errors
    /// When there is no such anchor.
    pub fn vector(&self, anchor: AnchorId, modality: Modality) -> Result<&[f32], AnchorsError> {
        let (segment, local) = self.anchor(anchor)?;
        Ok(segment.vectors(modality).vector(local))
    }

    /// Reads everything and checks every checksum.
    ///
    /// # Errors
    /// The first damage found, naming file and section.
    pub fn verify(&self) -> Result<(), AnchorsError> {
        self.segments.iter().try_for_each(Segment::verify)
    }

    /// The bytes of its live files.
    ///
    /// # Errors
    /// When a file cannot be examined.
    pub fn bytes(&self) -> Result<u64, AnchorsError> {
        self.segments.iter().map(Segment::bytes).sum()
    }

    /// The part of [`bytes`](Self::bytes) that small copies of pictures take.
    pub fn thumbnail_bytes(&self) -> u64 {
        self.segments.iter().map(Segment::thumbnail_bytes).sum()
    }
}
