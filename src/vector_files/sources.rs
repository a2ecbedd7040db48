//! Both files of vectors and their metadata, row by row.

use std::path::{Path, PathBuf};

use super::error::VectorFileError;
use super::layout::VectorLayout;
use super::metadata::MetadataReader;
use super::reader::VectorReader;
use crate::modality::PerModality;

/// Image vectors and text vectors of the same pairs, and their metadata, in the same order.
#[derive(Debug)]
pub struct VectorSources {
    /// The vectors.
    pub vectors: PerModality<VectorReader>,
    /// The metadata, if there is any.
    pub metadata: Option<MetadataReader>,
}

impl VectorSources {
    /// Opens the files and compares their numbers of rows.
    ///
    /// # Errors
    /// When one cannot be read at all, or the numbers differ.
    pub fn open(
        image: &Path,
        text: &Path,
        metadata: Option<&Path>,
    ) -> Result<Self, VectorFileError> {
        let image = VectorReader::open(image)?;
        let text = VectorReader::open(text)?;
        let metadata = metadata.map(MetadataReader::open).transpose()?;
        let wide = metadata.as_ref().and_then(MetadataReader::wide_row);
        let wide = wide.map(|(file, line, lines)| (file.to_owned(), line, lines));
        let agree = |path: &Path, rows, wide_row| match rows == image.rows() {
            true => Ok(()),
            false => Err(VectorFileError::RowCounts {
                path: image.path().to_owned(),
                rows: image.rows(),
                other: path.to_owned(),
                other_rows: rows,
                wide_row,
            }),
        };
        agree(text.path(), text.rows(), None)?;
        if let Some(metadata) = &metadata {
            agree(metadata.path(), metadata.rows(), wide)?;
        }
        Ok(Self {
            vectors: PerModality { image, text },
            metadata,
        })
    }

    /// Opens the files of a [`VectorLayout`].
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the folder has no such layout.
    pub fn of_folder(folder: &Path) -> Result<Self, VectorFileError> {
        let layout = VectorLayout::of_folder(folder)?;
        let sources = Self::open(&layout.image, &layout.text, layout.metadata.as_deref())?;
        let PerModality { image, text } = sources.vectors.as_ref().map(VectorReader::parts);
        // Each part of one side belongs to a part of the other. If only their sums agree, one is missing or has
        // another name, and all rows behind it would be paired with others.
        let differing = image.iter().zip(&text).find(|((_, a), (_, b))| a != b);
        if let (true, Some(((path, _), (other, _)))) = (image.len() == text.len(), differing) {
            let rows = |parts: &[(PathBuf, u64)], path: &Path| {
                let at = parts.iter().position(|(part, _)| part == path);
                let at = at.expect("the part was found among these");
                parts[at].1 - at.checked_sub(1).map_or(0, |before| parts[before].1)
            };
            return Err(VectorFileError::RowCounts {
                path: path.clone(),
                rows: rows(&image, path),
                other: other.clone(),
                other_rows: rows(&text, other),
                wide_row: None,
            });
        }
        Ok(sources)
    }

    /// The pairs.
    pub fn rows(&self) -> u64 {
        self.vectors.image.rows()
    }

    /// The files as they were given.
    pub fn paths(&self) -> Vec<PathBuf> {
        let vectors = self.vectors.iter().map(VectorReader::path);
        let all = vectors.chain(self.metadata.as_ref().map(MetadataReader::path));
        all.map(Path::to_owned).collect()
    }
}
