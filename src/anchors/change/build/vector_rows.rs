//! The rows of pairs of vectors: what their metadata says, and their ids.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use crate::anchors::change::live_ids::{IdHash, id_hash};
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::places::ImagePlace;
use crate::image_source::ImageSource;
use crate::modality::{Modality, PerModality};
use crate::pairs::path_text::{path_of, text_of};
use crate::pairs::{PairOrigin, RowError};
use crate::vector_files::{MetadataReader, MetadataRow, VectorFileError};

/// What metadata says of a pair, and where its image lies.
#[derive(Default)]
pub(super) struct ToldPair {
    pub(super) row: MetadataRow,
    pub(super) place: Option<ImagePlace>,
    /// The row of the metadata.
    pub(super) origin: Option<PairOrigin>,
}

/// Rows of metadata with the places of their images.
pub(super) struct MetadataRows {
    reader: MetadataReader,
    /// The folder of the file that is read, and the same as records tell it.
    folder: Option<(PathBuf, String)>,
}

impl MetadataRows {
    pub(super) fn new(reader: MetadataReader) -> Self {
        Self {
            reader,
            folder: None,
        }
    }

    /// The next row. There is one, since the rows were counted.
    pub(super) fn next_row(&mut self) -> Result<Result<ToldPair, RowError>, AnchorsError> {
        let row = self.reader.next_row()?;
        let row = row.ok_or_else(|| VectorFileError::Unusable {
            path: self.reader.path().to_owned(),
            expected: format!("{} rows as when it was opened", self.reader.rows()),
            found: "fewer; it was changed while it was read".to_owned(),
        })?;
        Ok(row.map(|mut row| {
            let place = row.image.take().map(|written| self.place(&written));
            let (image, place) = place.map_or((None, None), |(name, place)| (Some(name), place));
            row.image = image;
            let origin = Some(self.reader.origin());
            ToldPair { row, place, origin }
        }))
    }

    /// The name of an image that a row names, and where it lies.
    fn place(&mut self, written: &str) -> (String, Option<ImagePlace>) {
        let base = self.reader.base();
        let known = self.folder.as_ref().filter(|(known, _)| known == base);
        if known.is_none() {
            let from = if base == Path::new("") {
                Path::new(".")
            } else {
                base
            };
            let whole = fs_err::canonicalize(from).unwrap_or_else(|_| from.to_owned());
            self.folder = Some((base.to_owned(), text_of(&whole)));
        }
        let (base, folder) = self.folder.as_ref().expect("it was set above");
        if let Some((name, place)) = ImagePlace::in_folder(folder, written) {
            return (name, Some(place));
        }
        let image = ImageSource::File(base.join(path_of(written)));
        ImagePlace::of(&image, written, base)
    }
}

/// The ids of the rows so far, as hashes: a pair takes 24 bytes here, however long its id is.
#[derive(Debug, Default)]
pub(super) struct UsedIds {
    rows: HashMap<IdHash, u32>,
}

impl UsedIds {
    /// Takes an id that a row has of its own; else that id and the row that has it.
    pub(super) fn claim(&mut self, id: String, row: u64) -> Result<String, (String, u64)> {
        match self.rows.entry(id_hash(&id)) {
            Entry::Vacant(free) => {
                free.insert(short(row));
                Ok(id)
            }
            Entry::Occupied(taken) => Err((id, u64::from(*taken.get()))),
        }
    }

    /// An id made of `written`, with `#2`, `#3`, ... where it is taken.
    pub(super) fn derive(&mut self, written: &str, row: u64) -> String {
        let mut id = written.to_owned();
        let mut number = 1_u64;
        loop {
            match self.claim(id, row) {
                Ok(id) => return id,
                Err(_) => {
                    number += 1;
                    id = format!("{written}#{number}");
                }
            }
        }
    }
}

/// Whether all vectors of a modality are the same one, as those of a model that failed.
#[derive(Debug, Default)]
pub(super) struct AlikeVectors {
    pairs: u64,
    first: PerModality<Vec<f32>>,
    differs: PerModality<bool>,
}

impl AlikeVectors {
    pub(super) fn see(&mut self, vectors: PerModality<&[f32]>) {
        self.pairs += 1;
        for modality in Modality::BOTH {
            let vector = vectors[modality];
            match self.pairs {
                1 => self.first[modality] = vector.to_vec(),
                // Once two differ, nothing is compared any more.
                _ => {
                    self.differs[modality] =
                        self.differs[modality] || self.first[modality] != vector
                }
            }
        }
    }

    /// One sentence for each modality whose vectors are all the same.
    pub(super) fn notes(&self) -> Vec<String> {
        let alike = Modality::BOTH.into_iter();
        let alike = alike.filter(|modality| self.pairs > 1 && !self.differs[*modality]);
        let said = alike.map(|modality| {
            format!(
                "all {} {modality} vectors are the same, so nothing can be told apart by them; check what made them",
                self.pairs
            )
        });
        said.collect()
    }
}

/// A row number; no anchor set has more pairs than this counts.
fn short(row: u64) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}
