//! Writes a segment.

use std::path::Path;

use crate::anchors::stored::layout;
use asif_index::{CodeCenter, VectorOptions, VectorSet, VectorSetWriter};

use super::content_hash::ContentHash;
use super::is_whole;
use super::sums::write_sums;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::layout::{
    IMAGE, IMAGE_GRAPH, MOMENTS, PAIRS, TEXT, TEXT_GRAPH, THUMBNAILS, WRITING, segments_folder,
};
use crate::anchors::stored::manifest::SegmentEntry;
use crate::anchors::stored::plan::{self, GraphPolicy};
use crate::anchors::stored::records::{PairRecord, RecordsWriter};
use crate::anchors::stored::thumbnails::{StoredPicture, ThumbnailWriter};
use crate::anchors::stored::{content, products, takeover};
use crate::disk as fs;
use crate::modality::PerModality;
use crate::space::vector::VectorSum;

/// Writes the pairs of a new segment, one after another.
#[derive(Debug)]
pub struct SegmentWriter {
    folder: tempfile::TempDir,
    image: VectorSetWriter,
    text: VectorSetWriter,
    records: RecordsWriter,
    thumbnails: ThumbnailWriter,
    sums: PerModality<VectorSum>,
    content: ContentHash,
    pairs: u64,
}

impl SegmentWriter {
    /// Begins a segment of `set` with vectors of these lengths.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn create(set: &Path, dims: PerModality<usize>) -> Result<Self, AnchorsError> {
        let segments = segments_folder(set);
        fs::create_dir_all(&segments)?;
        let folder = tempfile::Builder::new()
            .prefix(WRITING)
            .tempdir_in(&segments)?;
        // The common offset of vectors of encoders that end in a ReLU would use up most levels of the codes.
        let options = VectorOptions::default().center(CodeCenter::Mean);
        let vectors =
            |name, dim| VectorSetWriter::create(folder.path().join(name), dim, options.clone());
        Ok(Self {
            image: vectors(IMAGE, dims.image)?,
            text: vectors(TEXT, dims.text)?,
            records: RecordsWriter::create(&folder.path().join(PAIRS))?,
            thumbnails: ThumbnailWriter::new(folder.path().join(THUMBNAILS)),
            sums: dims.map(VectorSum::new),
            content: ContentHash::default(),
            pairs: 0,
            folder,
        })
    }

    /// Appends a pair without a picture.
    ///
    /// # Errors
    /// When a vector is not finite or of another length, or on an I/O error.
    pub fn push(
        &mut self,
        record: &PairRecord,
        image: &[f32],
        text: &[f32],
    ) -> Result<(), AnchorsError> {
        self.push_pair(
            record,
            StoredPicture::default(),
            PerModality { image, text },
        )
    }

    /// Appends a pair with its unit vectors, and its picture.
    ///
    /// # Errors
    /// When a vector is not finite or of another length, or on an I/O error.
    pub(crate) fn push_pair(
        &mut self,
        record: &PairRecord,
        picture: StoredPicture<'_>,
        vectors: PerModality<&[f32]>,
    ) -> Result<(), AnchorsError> {
        self.image.push(vectors.image)?;
        self.text.push(vectors.text)?;
        let place = picture.place.as_ref();
        let bytes = self.records.push(record, place)?;
        self.thumbnails.push(picture.thumbnail)?;
        self.content.pair(&bytes, vectors);
        for (sum, vector) in self.sums.as_mut().zip(vectors) {
            sum.add(vector);
        }
        self.pairs += 1;
        Ok(())
    }

    /// How many pairs it has so far.
    pub(crate) fn pairs(&self) -> u64 {
        self.pairs
    }

    /// The name that the segment will have if nothing more is pushed.
    pub(crate) fn id(&self) -> String {
        self.content.name()
    }

    /// The path for a further file of the segment.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Completes the files, builds graphs where `graphs` says so, plans the search for `k` answers,
    /// makes everything durable and gives the segment its name.
    ///
    /// # Errors
    /// On an I/O error. An existing segment of that name is then unchanged, or replaced by the new one.
    pub fn finish(self, graphs: GraphPolicy, k: usize) -> Result<SegmentEntry, AnchorsError> {
        let id = self.id();
        self.image.finish()?;
        self.text.finish()?;
        self.records.finish()?;
        self.thumbnails.finish()?;
        write_sums(&self.folder.path().join(MOMENTS), &self.sums)?;
        let names = PerModality {
            image: IMAGE,
            text: TEXT,
        };
        let open = |name| VectorSet::open(self.folder.path().join(name));
        // Read back from disk: everything below is derived from what was really written.
        let vectors: PerModality<VectorSet> = names.try_map(open)?;
        let vectors = vectors.as_ref();
        if products::worth(vectors.image.len(), vectors.map(VectorSet::dim)) {
            let path = self.folder.path().join(layout::PRODUCTS);
            products::write(&path, &products::of_vectors(vectors))?;
        }
        let planned = |set: &VectorSet, graph: &str| {
            plan::prepare(&self.folder.path().join(graph), set, graphs, k.max(1))
        };
        let image_search = planned(vectors.image, IMAGE_GRAPH)?;
        let text_search = planned(vectors.text, TEXT_GRAPH)?;
        let segments = fs::parent(self.folder.path()).to_owned();
        let destination = segments.join(&id);
        // After the graphs, since the entry names all files with their checksums.
        let mut entry = SegmentEntry {
            id,
            pairs: self.pairs,
            image_search: Some(image_search),
            text_search: Some(text_search),
            files: content::files(self.folder.path())?,
        };
        // The name is a content hash: an existing sound segment of that name is the same segment.
        let new = self.folder.path();
        // What does not make the name: the pairs may have been built from another folder since.
        let is_same =
            takeover::has_rows(&destination, new)? && takeover::has_pictures(&destination, new)?;
        if is_same && is_whole(&destination, &entry)? {
            // Its writer may have been killed before syncing the name.
            fs::sync_folder(&segments)?;
            // Another program version may have derived other files from the same content.
            entry.files = content::files(&destination)?;
        } else {
            if fs::has_folder(&destination)? {
                takeover::complete(&destination, new, vectors)?;
                entry.files = content::files(new)?;
            }
            // From here on this writer must not delete it.
            fs::publish_folder(&self.folder.keep(), &destination)?;
        }
        Ok(entry)
    }
}
