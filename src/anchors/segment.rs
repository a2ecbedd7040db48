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

use std::path::{Path, PathBuf};

use asif_index::container::{Container, ContainerWriter};
use asif_index::mmap::MappedFile;
use asif_index::{Center, Graph, VectorOptions, VectorSet, VectorSetWriter};

use super::error::{AnchorsError, if_whole};
use super::fs::{REMOVING, REPLACED};
use super::manifest::{Manifest, SegmentEntry};
use super::plan::{self, GraphPolicy, Planned, SearchMode, SearchPlan};
use super::products;
use super::records::{Record, Records, RecordsWriter};
use super::{content, fs, takeover};
use crate::modality::{Modality, Sides};
use crate::space::linear::Moments;
use crate::space::vector::VectorSum;

pub(super) const IMAGE: &str = "image.vec";
pub(super) const TEXT: &str = "text.vec";
pub(super) const IMAGE_GRAPH: &str = "image.graph";
pub(super) const TEXT_GRAPH: &str = "text.graph";
pub(super) const PAIRS: &str = "pairs.rec";
pub(super) const MOMENTS: &str = "moments.sum";
/// The name of the list of rows that were left out.
pub const SKIPPED: &str = "skipped.jsonl";

/// The kind of `moments.sum`, as the container's header has it.
const MOMENTS_KIND: [u8; 8] = *b"ASIFSUMS";

/// The folder of segments in a set.
pub fn folder(set: &Path) -> PathBuf {
    set.join("segments")
}

/// Whether a graph lies in the folder of a segment, sound or not.
///
/// # Errors
/// When the system refuses to say.
pub(super) fn has_graphs(folder: &Path) -> Result<bool, AnchorsError> {
    let [image, text] = [IMAGE_GRAPH, TEXT_GRAPH].map(|name| fs::found(&folder.join(name)));
    Ok(image?.is_some() || text?.is_some())
}

/// Writes the pairs of a new segment, one after another.
#[derive(Debug)]
pub struct SegmentWriter {
    folder: tempfile::TempDir,
    image: VectorSetWriter,
    text: VectorSetWriter,
    records: RecordsWriter,
    sums: Sides<VectorSum>,
    content: ContentHash,
    pairs: u64,
}

/// The hash of records and vectors that names a segment.
#[derive(Debug, Default)]
struct ContentHash {
    hasher: blake3::Hasher,
    /// A vector's bytes, on their way into the hash: one call a vector, not one a number.
    bytes: Vec<u8>,
}

impl ContentHash {
    fn pair(&mut self, record: &[u8], vectors: Sides<&[f32]>) {
        self.hasher.update(record);
        for vector in vectors {
            self.bytes.clear();
            self.bytes
                .extend(vector.iter().flat_map(|x| x.to_le_bytes()));
            self.hasher.update(&self.bytes);
        }
    }

    fn name(&self) -> String {
        format!("s{}", &self.hasher.finalize().to_hex()[..16])
    }
}

/// Whether a folder among the segments may be one: its name is of the form that segments have.
pub(super) fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix('s');
    digits.is_some_and(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// How the names begin that folders have while they are written, or brought from another set.
const WRITING: &str = ".writing-";
pub(super) const BRINGING: &str = ".bringing-";

/// Whether a name is one that writers give to what is no segment yet, or no more.
pub(super) fn is_hidden_name(name: &str) -> bool {
    [WRITING, BRINGING, REMOVING, REPLACED]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// Whether a name among the segments is one that writers give.
pub(super) fn is_own_name(name: &str) -> bool {
    is_name(name) || is_hidden_name(name)
}

impl SegmentWriter {
    /// Begins a segment of `set` with vectors of these lengths.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(set: &Path, dims: Sides<usize>) -> Result<Self, AnchorsError> {
        let segments = folder(set);
        fs::create_dir_all(&segments)?;
        let folder = tempfile::Builder::new()
            .prefix(WRITING)
            .tempdir_in(&segments)?;
        // What encoders that end in a ReLU have in common would take most levels of the codes.
        let options = VectorOptions::default().center(Center::Mean);
        let vectors =
            |name, dim| VectorSetWriter::create(folder.path().join(name), dim, options.clone());
        Ok(Self {
            image: vectors(IMAGE, dims.image)?,
            text: vectors(TEXT, dims.text)?,
            records: RecordsWriter::create(&folder.path().join(PAIRS))?,
            sums: dims.map(VectorSum::new),
            content: ContentHash::default(),
            pairs: 0,
            folder,
        })
    }

    /// Appends a pair with its unit vectors.
    ///
    /// # Errors
    /// When a vector is not finite or of another length, or the disk refuses.
    pub fn push(
        &mut self,
        record: &Record,
        image: &[f32],
        text: &[f32],
    ) -> Result<(), AnchorsError> {
        self.image.push(image)?;
        self.text.push(text)?;
        let bytes = self.records.push(record)?;
        let vectors = Sides { image, text };
        self.content.pair(&bytes, vectors);
        for (sum, vector) in self.sums.as_mut().zip(vectors) {
            sum.add(vector);
        }
        self.pairs += 1;
        Ok(())
    }

    /// How many pairs it has so far.
    pub fn pairs(&self) -> u64 {
        self.pairs
    }

    /// The name that the segment will have, if nothing more is pushed.
    pub fn id(&self) -> String {
        self.content.name()
    }

    /// Where a further file of the segment may be written.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Completes the files, builds graphs where `graphs` says so, plans the search for `k` answers,
    /// makes everything durable and gives the segment its name.
    ///
    /// # Errors
    /// When the disk refuses. What stood under the segment's name is still there then, or the new one.
    pub fn finish(self, graphs: GraphPolicy, k: usize) -> Result<SegmentEntry, AnchorsError> {
        let id = self.id();
        self.image.finish()?;
        self.text.finish()?;
        self.records.finish()?;
        write_sums(&self.folder.path().join(MOMENTS), &self.sums)?;
        let names = Sides {
            image: IMAGE,
            text: TEXT,
        };
        let open = |name| VectorSet::open(self.folder.path().join(name));
        let vectors: Sides<VectorSet> = names.try_map(open)?;
        let vectors = vectors.as_ref();
        if products::worth(vectors.image.len(), vectors.map(VectorSet::dim)) {
            let path = self.folder.path().join(products::NAME);
            products::write(&path, &products_of(vectors))?;
        }
        let planned = |set: &VectorSet, graph: &str| {
            plan::prepare(&self.folder.path().join(graph), set, graphs, k.max(1))
        };
        let image_search = planned(vectors.image, IMAGE_GRAPH)?;
        let text_search = planned(vectors.text, TEXT_GRAPH)?;
        let segments = fs::parent(self.folder.path()).to_owned();
        let destination = segments.join(&id);
        let mut entry = SegmentEntry {
            id,
            pairs: self.pairs,
            image_search: Some(image_search),
            text_search: Some(text_search),
            files: content::files(self.folder.path())?,
        };
        // Content decides the name: what stands there already and is sound is the same segment.
        let new = self.folder.path();
        if content::is_whole(&destination, &entry)? && takeover::has_rows(&destination, new)? {
            // Its writer may have been killed before its name was durable.
            fs::sync_folder(&segments)?;
            // Another program may have derived other bits from the same content.
            entry.files = content::files(&destination)?;
        } else {
            if fs::has_folder(&destination)? {
                takeover::complete(&destination, new, vectors)?;
                entry.files = content::files(new)?;
            }
            // From here on its deletion is no longer this writer's.
            fs::publish_folder(&self.folder.keep(), &destination)?;
        }
        Ok(entry)
    }
}

/// The name of the segment in this folder by its content, if all its files are sound.
///
/// # Errors
/// When the system refuses to let it be read.
pub(super) fn sound_name(folder: &Path) -> Result<Option<String>, AnchorsError> {
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
        Ok(stored.unwrap_or_else(|| products_of(Sides::of(|modality| self.vectors(modality)))))
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

fn products_of(vectors: Sides<&VectorSet>) -> Moments {
    let mut moments = Moments::new(vectors.map(VectorSet::dim));
    moments.add(vectors.map(VectorSet::vectors));
    moments
}

fn write_sums(path: &Path, sums: &Sides<VectorSum>) -> Result<(), AnchorsError> {
    let mut file = ContainerWriter::create(path, MOMENTS_KIND)?;
    for modality in Modality::BOTH {
        let sum = &sums[modality];
        let bytes: Vec<u8> = sum.sums().iter().flat_map(|s| s.to_le_bytes()).collect();
        file.section(modality.name(), &bytes)?;
    }
    file.finish()?;
    Ok(())
}

/// Reads both sums. They are small and every centred answer depends on them, so unlike the vectors
/// their checksums are compared at each open.
fn read_sums(
    path: &Path,
    dims: Sides<usize>,
    pairs: u64,
) -> Result<Sides<VectorSum>, AnchorsError> {
    let file = MappedFile::open(path)?;
    let container = Container::open(file.bytes(), path, MOMENTS_KIND)?;
    container.verify()?;
    Sides::try_of(|modality| {
        let (name, dim) = (modality.name(), dims[modality]);
        let bytes = container.section(name)?;
        let (numbers, rest) = bytes.as_chunks::<16>();
        if numbers.len() != dim || !rest.is_empty() {
            let what = format!(
                "section `{name}` has {} bytes, not {}",
                bytes.len(),
                dim * 16
            );
            return Err(AnchorsError::Damaged {
                path: path.to_owned(),
                what,
            });
        }
        let sums = numbers.iter().map(|b| i128::from_le_bytes(*b)).collect();
        Ok(VectorSum::from_parts(sums, pairs))
    })
}
