//! The live pairs of a generation as files of other tools.
//!
//! ```text
//! OUT/img_emb/img_emb_0.npy             image vectors, [pairs, dim] f32 of unit length
//! OUT/text_emb/text_emb_0.npy           text vectors
//! OUT/metadata/metadata_0.parquet       id, image_path, captions, and all other fields
//! ```
//!
//! The layout is that of clip-retrieval, which builds read again: the vectors to the bit, and ids, captions and
//! metadata as they were. Row `i` of all files is one pair. No path of the machine is written, so an image is
//! named relative to the source of its pair.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`export`]: the pairs, block by block |
//! | `destination` | the folder, which gets its name when it is whole |

mod destination;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::anchors::change::select;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::set::AnchorSet;
use crate::embed::WorkControl;
use crate::filter::PairFilter;
use crate::modality::Modality;
use crate::vector_files::write::{VectorTableShape, VectorWriter};
use destination::ExportFolder;

/// Pairs that are written between two looks at whether the work is cancelled.
const BLOCK: usize = 1024;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportParts {
    /// The unit vectors of both sides.
    pub vectors: bool,
    /// Ids, names of images, captions and metadata.
    pub metadata: bool,
}

/// What an export writes, and where.
#[derive(Debug, Clone)]
pub struct ExportOptions {
    /// The folder, which must not exist, or be empty.
    pub out: PathBuf,
    /// What is exported.
    pub parts: ExportParts,
    /// Only pairs that match; all live ones without it.
    pub filter: Option<PairFilter>,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// The folder.
    pub out: PathBuf,
    /// The generation that the pairs are of.
    pub generation: u64,
    /// The rows of each file.
    pub pairs: u64,
    /// The files, relative to the folder.
    pub files: Vec<String>,
    /// Keys of metadata that were left out, because a reader would take them for fields of the pair.
    pub left_out: Vec<String>,
}

/// Writes the live pairs of a generation.
///
/// # Errors
/// When the folder exists and is not empty, no pair matches, a record is damaged, metadata is asked for in a build
/// without Parquet, the work is cancelled, or on an I/O error; nothing is at `options.out` then.
pub fn export(
    set: &AnchorSet,
    options: &ExportOptions,
    watch: WorkControl<'_>,
) -> Result<ExportReport, AnchorsError> {
    if options.parts.metadata && !cfg!(feature = "parquet") {
        return Err(AnchorsError::NoParquet);
    }
    let folder = ExportFolder::begin(&options.out)?;
    let rows = match &options.filter {
        None => set.live().rows().collect(),
        Some(filter) => match select::by_filter(set, filter)? {
            rows if rows.is_empty() => return Err(select::no_match(set, filter)?),
            rows => rows,
        },
    };
    let exporting = PairExport { set, rows, watch };
    let mut report = ExportReport {
        out: options.out.clone(),
        generation: set.manifest().generation,
        pairs: exporting.rows.len() as u64,
        files: Vec::new(),
        left_out: Vec::new(),
    };
    let mut file = |name: [&str; 2]| {
        report.files.push(name.join("/"));
        folder.file(name[0], name[1])
    };
    if options.parts.vectors {
        let image = file(["img_emb", "img_emb_0.npy"])?;
        exporting.vectors(Modality::Image, "writing image vectors", &image)?;
        let text = file(["text_emb", "text_emb_0.npy"])?;
        exporting.vectors(Modality::Text, "writing text vectors", &text)?;
    }
    #[cfg(feature = "parquet")]
    if options.parts.metadata {
        let path = file(["metadata", "metadata_0.parquet"])?;
        report.left_out = exporting.metadata(&path)?;
    }
    folder.finish()?;
    Ok(report)
}

/// Pairs that are being written.
struct PairExport<'a> {
    set: &'a AnchorSet,
    /// Their rows, counted over all segments.
    rows: Vec<usize>,
    watch: WorkControl<'a>,
}

impl PairExport<'_> {
    /// Calls `write` for the segment and place of each pair.
    fn each(
        &self,
        phase: &'static str,
        mut write: impl FnMut(usize, usize) -> Result<(), AnchorsError>,
    ) -> Result<(), AnchorsError> {
        let progress = self.watch.progress;
        progress.begin(phase, Some(self.rows.len() as u64));
        for block in self.rows.chunks(BLOCK) {
            if self.watch.cancel.requested() {
                return Err(AnchorsError::Interrupted);
            }
            for &row in block {
                let place = self.set.place(row);
                let (segment, local) = place.expect("a live row lies in a segment");
                write(segment, local)?;
            }
            progress.advance(block.len() as u64);
        }
        progress.end();
        Ok(())
    }

    fn vectors(
        &self,
        modality: Modality,
        phase: &'static str,
        path: &Path,
    ) -> Result<(), AnchorsError> {
        let shape = VectorTableShape {
            rows: self.rows.len() as u64,
            dim: self.set.dim(modality),
        };
        let mut writer = VectorWriter::npy(path, shape)?;
        self.each(phase, |segment, local| {
            let vectors = self.set.segments()[segment].vectors(modality);
            Ok(writer.push(vectors.vector(local))?)
        })?;
        Ok(writer.finish()?)
    }

    /// Writes the records; returns the keys that were left out.
    #[cfg(feature = "parquet")]
    fn metadata(&self, path: &Path) -> Result<Vec<String>, AnchorsError> {
        use crate::vector_files::write::{MetadataRecord, MetadataWriter, RecordColumns};
        // A table has its columns before its first row, so the records are read twice.
        let mut columns = RecordColumns::default();
        self.each("reading metadata", |segment, local| {
            let record = self.set.segments()[segment].record(local)?;
            columns.see(&record.metadata());
            Ok(())
        })?;
        let mut writer = MetadataWriter::begin(path, &columns)?;
        self.each("writing metadata", |segment, local| {
            let record = self.set.segments()[segment].record(local)?;
            let meta = record.metadata();
            Ok(writer.push(MetadataRecord {
                id: record.id,
                image: image_name(record.image),
                captions: record.captions,
                meta,
            })?)
        })?;
        writer.finish()?;
        Ok(columns.left_out().map(str::to_owned).collect())
    }
}

/// The name of an image as it is exported. Segments of older programs name files by their absolute paths,
/// which are nobody else's business: of those the file's name is kept.
#[cfg(feature = "parquet")]
fn image_name(name: String) -> Option<String> {
    use crate::pairs::path_text::{path_of, text_of};
    let path = path_of(&name);
    match path.file_name() {
        _ if name.is_empty() => None,
        Some(file) if path.is_absolute() => Some(text_of(Path::new(file))),
        _ => Some(name),
    }
}
