//! The immutable files of some pairs.
//!
//! ```text
//! segments/ID/image.vec      image vectors      } asif_index::VectorSet
//! segments/ID/text.vec       text vectors       }
//! segments/ID/image.graph     graphs over them, where they are faster
//! segments/ID/text.graph
//! segments/ID/pairs.rec      ids, captions, metadata (records.rs)
//! segments/ID/thumbs.bin     small pictures of the pairs, where they have any
//! segments/ID/moments.sum    the exact sums of both sides' vectors, for centring
//! segments/ID/products.sum   in large segments, the sums of their products, for fitted spaces
//! segments/ID/skipped.jsonl  skipped rows of the sources, and why
//! ```
//!
//! The id is derived from the content: the same pairs with the same vectors make the same segment.

mod content_hash;
mod sums;
pub mod writer;

use std::path::{Path, PathBuf};

use super::layout;
use asif_index::{HnswGraph, VectorSet};

use super::manifest::{Manifest, SegmentEntry};
use super::plan::{self, PlannedSearch, SearchMode, SearchPlan};
use super::records::{PairRecord, PairRecords};
use super::thumbnails::{StoredPicture, Thumbnails};
use super::{content, products};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;
use crate::image_source::ImageSource;
use crate::modality::{Modality, PerModality};
use crate::space::linear::Moments;
use crate::space::vector::VectorSum;
use content_hash::ContentHash;
use sums::read_sums;

/// Whether the folder of a segment contains a graph, damaged or not.
///
/// # Errors
/// When the operating system denies access.
pub(crate) fn has_graphs(folder: &Path) -> Result<bool, AnchorsError> {
    // Damaged graphs count too: the question is what lies in the folder, not what can be used.
    let [image, text] =
        [layout::IMAGE_GRAPH, layout::TEXT_GRAPH].map(|name| fs::found(&folder.join(name)));
    Ok(image?.is_some() || text?.is_some())
}

/// The name of the segment in this folder by its content, if all its files are sound.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn sound_name(folder: &Path) -> Result<Option<String>, AnchorsError> {
    let name = || {
        let pairs = PairRecords::open(&folder.join(layout::PAIRS))?.len() as u64;
        let segment = Segment::open_alone(folder, pairs)?;
        segment.verify()?;
        segment.content_name()
    };
    // A damaged segment has no name; only a failure of the medium is an error of this question.
    if_whole(name())
}

/// Whether `folder` contains the segment of this entry, bit for bit, with the files that it names.
///
/// # Errors
/// When the operating system denies reading it.
pub(crate) fn is_whole(folder: &Path, entry: &SegmentEntry) -> Result<bool, AnchorsError> {
    // A missing file would open as "none" (graphs, thumbnails), so presence is asked before opening.
    let named = content::CONTAINERS
        .iter()
        .filter(|n| entry.files.contains_key(**n));
    for name in named {
        if !fs::has_file(&folder.join(name))? {
            return Ok(false);
        }
    }
    let opened = Segment::open_alone(folder, entry.pairs);
    let own = opened.and_then(|segment| segment.is_own(entry));
    Ok(if_whole(own)?.is_some())
}

/// A segment, mapped.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    image: VectorSet,
    text: VectorSet,
    graphs: PerModality<Option<HnswGraph>>,
    plans: PerModality<Option<SearchPlan>>,
    records: PairRecords,
    /// `None` also where they are damaged: no answer needs them, and `verify` tells.
    thumbnails: Option<Thumbnails>,
    sums: PerModality<VectorSum>,
}

impl Segment {
    /// Opens the segment that `entry` names and checks that its files are consistent.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the counts and lengths differ from the manifest's.
    pub fn open(
        set: &Path,
        entry: &SegmentEntry,
        manifest: &Manifest,
    ) -> Result<Self, AnchorsError> {
        let path = layout::segments_folder(set).join(&entry.id);
        // The id comes from a file and becomes a path: `..` or a separator must not lead out of the set.
        let plain_name = entry.id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain_name {
            let what = format!("{:?} is not the name of a segment", entry.id);
            return Err(AnchorsError::Damaged {
                path: set.to_owned(),
                what,
            });
        }
        // Before opening: a missing optional file would otherwise look like a segment that never had it.
        content::present(&path, entry)?;
        let mut segment = Self::open_alone(&path, entry.pairs)?;
        let found = segment.dims();
        if found != manifest.dims() {
            let expected = manifest.dims();
            let what = format!("expected vectors of {expected:?} numbers, found {found:?}");
            return Err(AnchorsError::Damaged { path, what });
        }
        // Plans are taken over after the check, for they were measured on exactly the files that it names.
        segment.check(entry)?;
        segment.plans = PerModality {
            image: entry.image_search.clone(),
            text: entry.text_search.clone(),
        };
        Ok(segment)
    }

    /// Opens the segment in the folder `path`, which must hold so many pairs.
    ///
    /// # Errors
    /// When a file is missing or damaged, or they are inconsistent.
    pub(crate) fn open_alone(path: &Path, pairs: u64) -> Result<Self, AnchorsError> {
        let path = path.to_owned();
        let image = VectorSet::open(path.join(layout::IMAGE))?;
        let text = VectorSet::open(path.join(layout::TEXT))?;
        let graphs = PerModality {
            image: plan::open_graph(&path.join(layout::IMAGE_GRAPH), &image)?,
            text: plan::open_graph(&path.join(layout::TEXT_GRAPH), &text)?,
        };
        let records = PairRecords::open(&path.join(layout::PAIRS))?;
        // A row number means the same pair in all three files, so a difference in length cannot be read around.
        let found = [image.len(), text.len(), records.len()].map(|n| n as u64);
        if found != [pairs; 3] {
            let what = format!("expected {pairs} pairs, found {found:?} in its files");
            return Err(AnchorsError::Damaged { path, what });
        }
        let dims = PerModality {
            image: image.dim(),
            text: text.dim(),
        };
        let sums = read_sums(&path.join(layout::MOMENTS), dims, pairs)?;
        // Damage here must not keep a set from opening: thumbnails are for people and enter no score.
        let thumbnails = Thumbnails::open(&path.join(layout::THUMBNAILS), pairs);
        Ok(Self {
            path,
            image,
            text,
            graphs,
            plans: PerModality::default(),
            records,
            thumbnails: if_whole(thumbnails)?.flatten(),
            sums,
        })
    }

    /// How many pairs it holds.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vectors of one modality.
    pub fn vectors(&self, modality: Modality) -> &VectorSet {
        match modality {
            Modality::Image => &self.image,
            Modality::Text => &self.text,
        }
    }

    /// The vector dimensions of both modalities.
    pub(crate) fn dims(&self) -> PerModality<usize> {
        PerModality::of(|modality| self.vectors(modality).dim())
    }

    /// The graph over one modality's vectors, if there is one.
    pub fn graph(&self, modality: Modality) -> Option<&HnswGraph> {
        self.graphs[modality].as_ref()
    }

    /// The search of `k` neighbours among one modality's vectors.
    pub(crate) fn searcher(
        &self,
        modality: Modality,
        mode: SearchMode,
        k: usize,
    ) -> PlannedSearch<'_> {
        let (graph, planned) = (self.graph(modality), self.plans[modality].as_ref());
        plan::searcher(self.vectors(modality), graph, planned, mode, k)
    }

    /// The sum of one modality's vectors.
    pub(crate) fn sum(&self, modality: Modality) -> &VectorSum {
        &self.sums[modality]
    }

    /// The second moments of its pairs' vectors.
    ///
    /// # Errors
    /// When the segment has a file of them and it is damaged.
    pub(crate) fn moments(&self) -> Result<Moments, AnchorsError> {
        let path = self.path.join(layout::PRODUCTS);
        let stored = products::read(&path, self.dims(), self.len() as u64)?;
        // Small segments have no file of products; computing them is cheap and gives the same integers.
        Ok(stored.unwrap_or_else(|| {
            products::of_vectors(PerModality::of(|modality| self.vectors(modality)))
        }))
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of pair number `i` of this segment; cheaper than `record`.
    ///
    /// # Errors
    /// When there is no such pair, or its record is damaged.
    pub fn pair_id(&self, i: usize) -> Result<&str, AnchorsError> {
        self.records.id(i)
    }

    /// The record of pair number `i` of this segment.
    ///
    /// # Errors
    /// When there is no such pair, or its record is damaged.
    pub(crate) fn record(&self, i: usize) -> Result<PairRecord, AnchorsError> {
        self.records.get(i)
    }

    /// The image of pair number `i`, if it lies anywhere.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub(crate) fn image(&self, i: usize) -> Result<Option<ImageSource>, AnchorsError> {
        self.records.image(i)
    }

    /// The small copy of the picture of pair number `i`, a file in JPEG or PNG, if there is one.
    ///
    /// # Errors
    /// When it lies outside its file.
    pub(crate) fn thumbnail(&self, i: usize) -> Result<Option<&[u8]>, AnchorsError> {
        match &self.thumbnails {
            Some(thumbnails) => thumbnails.get(i),
            None => Ok(None),
        }
    }

    /// What it keeps of the picture of pair number `i`.
    ///
    /// # Errors
    /// When the place or the picture is damaged.
    pub(crate) fn picture(&self, i: usize) -> Result<StoredPicture<'_>, AnchorsError> {
        Ok(StoredPicture {
            place: self.records.place(i)?,
            thumbnail: self.thumbnail(i)?,
        })
    }

    /// The vectors of pair number `i`.
    pub(crate) fn pair_vectors(&self, i: usize) -> PerModality<&[f32]> {
        PerModality::of(|modality| self.vectors(modality).vector(i))
    }

    /// Reads everything that answers need and checks every checksum.
    ///
    /// # Errors
    /// The first damage found, naming file and section.
    pub(crate) fn verify(&self) -> Result<(), AnchorsError> {
        self.image.verify()?;
        self.text.verify()?;
        for graph in self.graphs.iter().flatten() {
            graph.verify()?;
        }
        let path = self.path.join(layout::PRODUCTS);
        products::read(&path, self.dims(), self.len() as u64)?;
        self.records.verify()
    }

    /// Checks that the files are those that the entry names.
    ///
    /// # Errors
    /// When a file differs, and the content differs too.
    pub(crate) fn check(&self, entry: &SegmentEntry) -> Result<(), AnchorsError> {
        // Headers hold the checksums of all sections, so comparing headers compares files without reading them.
        let mut other = None;
        for (name, sum) in &entry.files {
            let path = self.path().join(name);
            if content::CONTAINERS.contains(&name.as_str()) && content::header(&path)? != *sum {
                other = Some(path);
            }
        }
        match other {
            // Another program version may lay out the same content differently: the content decides.
            Some(path) => self.is_own(entry).or_else(|error| {
                let error = error.into_damage()?;
                let what = format!("it is not the file that the manifest names ({error})");
                Err(AnchorsError::Damaged { path, what })
            }),
            None => Ok(()),
        }
    }

    /// Reads a segment completely and checks that its name is the hash of its records and vectors, and its
    /// sums are theirs.
    ///
    /// # Errors
    /// The first difference found.
    pub(crate) fn is_own(&self, entry: &SegmentEntry) -> Result<(), AnchorsError> {
        let damaged = |path: &Path, what: String| AnchorsError::Damaged {
            path: path.to_owned(),
            what,
        };
        self.verify()?;
        let name = self.content_name()?;
        if name != entry.id {
            let what = format!("its records and vectors are those of {name}");
            return Err(damaged(self.path(), what));
        }
        // Sums are compared as integers, so that any difference is damage and never rounding.
        for modality in Modality::BOTH {
            let vectors = self.vectors(modality);
            let mut sum = VectorSum::new(vectors.dim());
            (0..self.len()).for_each(|i| sum.add(vectors.vector(i)));
            if sum.sums() != self.sum(modality).sums() {
                let what = format!("the stored sum of {modality} vectors is not their sum");
                return Err(damaged(&self.path().join(layout::MOMENTS), what));
            }
        }
        let path = self.path().join(layout::PRODUCTS);
        if let Some(stored) = products::read(&path, self.dims(), self.len() as u64)? {
            let mut moments = Moments::new(self.dims());
            moments.add(PerModality::of(|modality| self.vectors(modality).vectors()));
            if stored != moments {
                let what = "the stored sums of products are not those of the vectors".to_owned();
                return Err(damaged(&path, what));
            }
        }
        Ok(())
    }

    /// Rejects records with data of a newer program: a segment made from them would lose it.
    ///
    /// # Errors
    /// [`AnchorsError::UnknownField`].
    pub(crate) fn refuse_unknown(&self) -> Result<(), AnchorsError> {
        self.records.refuse_unknown()
    }

    /// The name derived from its records and vectors.
    ///
    /// # Errors
    /// When a record lies outside its file.
    pub(crate) fn content_name(&self) -> Result<String, AnchorsError> {
        let mut content = ContentHash::default();
        for i in 0..self.len() {
            content.pair(self.records.bytes(i)?, self.pair_vectors(i));
        }
        Ok(content.name())
    }

    /// The bytes of its files.
    ///
    /// # Errors
    /// When a file cannot be examined.
    pub(crate) fn bytes(&self) -> Result<u64, AnchorsError> {
        let mut total = 0;
        for entry in fs_err::read_dir(&self.path)? {
            total += entry?.metadata()?.len();
        }
        Ok(total)
    }

    /// The bytes of its file of thumbnails; 0 without one.
    pub(crate) fn thumbnail_bytes(&self) -> u64 {
        self.thumbnails.as_ref().map_or(0, Thumbnails::bytes)
    }
}
