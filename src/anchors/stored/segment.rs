//! The immutable files of some pairs.
//!
//! ```text
//! segments/ID/image.vec      image vectors      } asif_index::VectorSet
//! segments/ID/text.vec       text vectors       }
//! segments/ID/image.graph     over them, where it pays
//! segments/ID/text.graph
//! segments/ID/pairs.rec      ids, captions, metadata (records.rs)
//! segments/ID/moments.sum    the exact sums of both sides' vectors, for centring
//! segments/ID/products.sum   in large segments, the sums of their products, for fitted spaces
//! segments/ID/skipped.jsonl  rows of the sources that were left out, and why
//! ```
//!
//! The id is derived from the content: the same pairs with the same vectors make the same segment.

mod sums;
mod writer;

use std::path::{Path, PathBuf};

use asif_index::{Graph, VectorSet};

use super::manifest::{Manifest, SegmentEntry};
use super::plan::{self, Planned, SearchMode, SearchPlan};
use super::records::{Record, Records};
use super::{content, products};
use crate::anchors::error::{AnchorsError, if_whole};
use crate::disk as fs;
use crate::disk::{REMOVING, REPLACED};
use crate::modality::{Modality, Sides};
use crate::space::linear::Moments;
use crate::space::vector::VectorSum;
use sums::read_sums;
use writer::ContentHash;
pub use writer::SegmentWriter;

pub(crate) const IMAGE: &str = "image.vec";
pub(crate) const TEXT: &str = "text.vec";
pub(crate) const IMAGE_GRAPH: &str = "image.graph";
pub(crate) const TEXT_GRAPH: &str = "text.graph";
pub(crate) const PAIRS: &str = "pairs.rec";
pub(crate) const MOMENTS: &str = "moments.sum";
/// The name of the list of rows that were left out.
pub const SKIPPED: &str = "skipped.jsonl";

/// The folder of segments in a set.
pub fn folder(set: &Path) -> PathBuf {
    set.join("segments")
}

/// Whether a graph lies in the folder of a segment, sound or not.
///
/// # Errors
/// When the system refuses to say.
pub(crate) fn has_graphs(folder: &Path) -> Result<bool, AnchorsError> {
    let [image, text] = [IMAGE_GRAPH, TEXT_GRAPH].map(|name| fs::found(&folder.join(name)));
    Ok(image?.is_some() || text?.is_some())
}

/// Whether a folder among the segments may be one: its name is of the form that segments have.
pub(crate) fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix('s');
    digits.is_some_and(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// How the names begin that folders have while they are written, or brought from another set.
const WRITING: &str = ".writing-";
pub(crate) const BRINGING: &str = ".bringing-";

/// Whether a name is one that writers give to what is no segment yet, or no more.
pub(crate) fn is_hidden_name(name: &str) -> bool {
    [WRITING, BRINGING, REMOVING, REPLACED]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// Whether a name among the segments is one that writers give.
pub(crate) fn is_own_name(name: &str) -> bool {
    is_name(name) || is_hidden_name(name)
}

/// The name of the segment in this folder by its content, if all its files are sound.
///
/// # Errors
/// When the system refuses to let it be read.
pub(crate) fn sound_name(folder: &Path) -> Result<Option<String>, AnchorsError> {
    let name = || {
        let pairs = Records::open(&folder.join(PAIRS))?.len() as u64;
        let segment = Segment::open_alone(folder, pairs)?;
        segment.verify()?;
        segment.content_name()
    };
    if_whole(name())
}

/// A segment, mapped.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    image: VectorSet,
    text: VectorSet,
    graphs: Sides<Option<Graph>>,
    plans: Sides<Option<SearchPlan>>,
    records: Records,
    sums: Sides<VectorSum>,
}

impl Segment {
    /// Opens the segment that `entry` names and checks that its files fit each other.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the counts and lengths differ from the manifest's.
    pub fn open(
        set: &Path,
        entry: &SegmentEntry,
        manifest: &Manifest,
    ) -> Result<Self, AnchorsError> {
        let path = folder(set).join(&entry.id);
        let plain_name = entry.id.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain_name {
            let what = format!("{:?} is not the name of a segment", entry.id);
            return Err(AnchorsError::Damaged {
                path: set.to_owned(),
                what,
            });
        }
        content::present(&path, entry)?;
        let mut segment = Self::open_alone(&path, entry.pairs)?;
        let found = segment.dims();
        if found != manifest.dims() {
            let expected = manifest.dims();
            let what = format!("expected vectors of {expected:?} numbers, found {found:?}");
            return Err(AnchorsError::Damaged { path, what });
        }
        content::check(&segment, entry)?;
        segment.plans = Sides {
            image: entry.image_search.clone(),
            text: entry.text_search.clone(),
        };
        Ok(segment)
    }

    /// Opens the segment in the folder `path`, which must hold so many pairs.
    ///
    /// # Errors
    /// When a file is missing or damaged, or they do not fit each other.
    pub fn open_alone(path: &Path, pairs: u64) -> Result<Self, AnchorsError> {
        let path = path.to_owned();
        let image = VectorSet::open(path.join(IMAGE))?;
        let text = VectorSet::open(path.join(TEXT))?;
        let graphs = Sides {
            image: plan::open_graph(&path.join(IMAGE_GRAPH), &image)?,
            text: plan::open_graph(&path.join(TEXT_GRAPH), &text)?,
        };
        let records = Records::open(&path.join(PAIRS))?;
        let found = [image.len(), text.len(), records.len()].map(|n| n as u64);
        if found != [pairs; 3] {
            let what = format!("expected {pairs} pairs, found {found:?} in its files");
            return Err(AnchorsError::Damaged { path, what });
        }
        let dims = Sides {
            image: image.dim(),
            text: text.dim(),
        };
        let sums = read_sums(&path.join(MOMENTS), dims, pairs)?;
        Ok(Self {
            path,
            image,
            text,
            graphs,
            plans: Sides::default(),
            records,
            sums,
        })
    }

    /// How many pairs it holds.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The vectors of one modality.
    pub fn vectors(&self, modality: Modality) -> &VectorSet {
        match modality {
            Modality::Image => &self.image,
            Modality::Text => &self.text,
        }
    }

    /// The lengths of both sides' vectors.
    pub fn dims(&self) -> Sides<usize> {
        Sides::of(|modality| self.vectors(modality).dim())
    }

    /// The graph over one modality's vectors, if there is one.
    pub fn graph(&self, modality: Modality) -> Option<&Graph> {
        self.graphs[modality].as_ref()
    }

    /// What answers `k` from one modality's vectors.
    pub fn searcher(&self, modality: Modality, mode: SearchMode, k: usize) -> Planned<'_> {
        let (graph, planned) = (self.graph(modality), self.plans[modality].as_ref());
        plan::searcher(self.vectors(modality), graph, planned, mode, k)
    }

    /// The sum of one modality's vectors.
    pub fn sum(&self, modality: Modality) -> &VectorSum {
        &self.sums[modality]
    }

    /// The second moments of its pairs' vectors.
    ///
    /// # Errors
    /// When the segment has a file of them and it is damaged.
    pub fn moments(&self) -> Result<Moments, AnchorsError> {
        let path = self.path.join(products::NAME);
        let stored = products::read(&path, self.dims(), self.len() as u64)?;
        Ok(stored
            .unwrap_or_else(|| products::of_vectors(Sides::of(|modality| self.vectors(modality)))))
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of pair number `i` of this segment; cheaper than [`record`](Self::record).
    ///
    /// # Errors
    /// When there is none of that number, or its record is damaged.
    pub fn pair_id(&self, i: usize) -> Result<&str, AnchorsError> {
        self.records.id(i)
    }

    /// What is known of pair number `i` of this segment besides its vectors.
    ///
    /// # Errors
    /// When there is none of that number, or its record is damaged.
    pub fn record(&self, i: usize) -> Result<Record, AnchorsError> {
        self.records.get(i)
    }

    /// Reads everything and checks every checksum.
    ///
    /// # Errors
    /// The first damage found, naming file and section.
    pub fn verify(&self) -> Result<(), AnchorsError> {
        self.image.verify()?;
        self.text.verify()?;
        for graph in self.graphs.iter().flatten() {
            graph.verify()?;
        }
        let path = self.path.join(products::NAME);
        products::read(&path, self.dims(), self.len() as u64)?;
        self.records.verify()
    }

    /// The name that its records and vectors give it.
    ///
    /// # Errors
    /// When a record lies outside its file.
    pub fn content_name(&self) -> Result<String, AnchorsError> {
        let mut content = ContentHash::default();
        for i in 0..self.len() {
            let vectors = Sides::of(|modality| self.vectors(modality).vector(i));
            content.pair(self.records.bytes(i)?, vectors);
        }
        Ok(content.name())
    }

    /// The bytes of its files.
    ///
    /// # Errors
    /// When a file cannot be looked at.
    pub fn bytes(&self) -> Result<u64, AnchorsError> {
        let mut total = 0;
        for entry in fs_err::read_dir(&self.path)? {
            total += entry?.metadata()?.len();
        }
        Ok(total)
    }
}
