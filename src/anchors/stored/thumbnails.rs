//! The small pictures of the pairs of a segment, so that it can be explained without the originals.
//!
//! One file a segment, in the section container of [`asif_index::container`], like that of the records:
//! `offsets`, `n + 1` little-endian u64, and `blob`, files in JPEG or, with transparency, PNG one after
//! another. A pair without a picture has no bytes. The file is missing where no pair has one.

use std::path::{Path, PathBuf};

use asif_index::container::{Container, ContainerWriter};
use asif_index::mmap::MappedFile;

use super::layout;
use super::manifest::SegmentEntry;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::places::ImagePlace;

/// The file kind in the container's header.
const KIND: [u8; 8] = *b"ASIFTHMB";
const BLOB: &str = "blob";
const OFFSETS: &str = "offsets";
/// The longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 256;

/// What a segment keeps of the picture of a pair.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredPicture<'a> {
    /// Where it lies.
    pub(crate) place: Option<ImagePlace>,
    /// A small copy, in JPEG or PNG.
    pub(crate) thumbnail: Option<&'a [u8]>,
}

/// Writes the thumbnails of a segment, one pair after another.
#[derive(Debug)]
pub(crate) struct ThumbnailWriter {
    path: PathBuf,
    /// Begun with the first picture.
    file: Option<ContainerWriter>,
    ends: Vec<u64>,
    written: u64,
}

impl ThumbnailWriter {
    /// Begins a file that will stand at `path` if a pair has a thumbnail.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            ends: Vec::new(),
            written: 0,
        }
    }

    /// Appends the thumbnail of the next pair.
    ///
    /// # Errors
    /// On an I/O error.
    pub(crate) fn push(&mut self, thumbnail: Option<&[u8]>) -> Result<(), AnchorsError> {
        if let Some(bytes) = thumbnail {
            self.begun()?.write(bytes)?;
            self.written += bytes.len() as u64;
        }
        // A pair without a picture repeats the end before it, which reads back as an empty range.
        self.ends.push(self.written);
        Ok(())
    }

    /// The file, which is begun if it has not been yet: a file that is to be there has one even if no pair has a
    /// thumbnail.
    ///
    /// # Errors
    /// On an I/O error.
    pub(crate) fn begun(&mut self) -> Result<&mut ContainerWriter, AnchorsError> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let mut file = ContainerWriter::create(&self.path, KIND)?;
                file.begin(BLOB)?;
                Ok(none.insert(file))
            }
        }
    }

    /// Completes the file and makes it durable.
    ///
    /// # Errors
    /// On an I/O error.
    pub(crate) fn finish(self) -> Result<(), AnchorsError> {
        // Without a picture there was never a file, and none is left behind.
        let Some(mut file) = self.file else {
            return Ok(());
        };
        // `n + 1` offsets: each picture lies between its own and the next, and the first begins at 0.
        let begin = 0_u64.to_le_bytes();
        let ends = self.ends.iter().flat_map(|end| end.to_le_bytes());
        let offsets: Vec<u8> = begin.into_iter().chain(ends).collect();
        file.section(OFFSETS, &offsets)?;
        file.finish()?;
        Ok(())
    }
}

/// The thumbnails of a segment are there if its entry names them, and what was written; `full` reads them all.
///
/// # Errors
/// When they are missing or damaged.
pub(crate) fn thumbnails_sound(
    folder: &Path,
    entry: &SegmentEntry,
    full: bool,
) -> Result<(), AnchorsError> {
    let path = folder.join(layout::THUMBNAILS);
    let opened = Thumbnails::open(&path, entry.pairs)?;
    match opened {
        Some(thumbnails) if full => thumbnails.verify(),
        Some(_) => Ok(()),
        None if entry.files.contains_key(layout::THUMBNAILS) => Err(AnchorsError::Damaged {
            path,
            what: "it is missing".to_owned(),
        }),
        None => Ok(()),
    }
}

/// The thumbnails of a segment, mapped.
#[derive(Debug)]
pub(crate) struct Thumbnails {
    file: MappedFile,
    blob: std::ops::Range<usize>,
    offsets: std::ops::Range<usize>,
}

impl Thumbnails {
    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes().len() as u64
    }

    /// Opens the file of a segment of so many pairs; `None` where there is none. No picture is read.
    ///
    /// # Errors
    /// When it is damaged, or has another number of pairs.
    pub(crate) fn open(path: &Path, pairs: u64) -> Result<Option<Self>, AnchorsError> {
        // A missing file is legal here; whether one should exist is known to the manifest only.
        if crate::disk::found(path)?.is_none() {
            return Ok(None);
        }
        let file = MappedFile::open(path)?;
        let container = Container::open(file.bytes(), path, KIND)?;
        let (blob, offsets) = (container.range(BLOB)?, container.range(OFFSETS)?);
        // Multiplied, not divided: a rest of a few bytes would pass a division.
        if offsets.len() as u64 != 8 * (pairs + 1) {
            return Err(AnchorsError::Damaged {
                path: path.to_owned(),
                what: format!(
                    "section `{OFFSETS}` has {} bytes, expected {} for {pairs} pairs",
                    offsets.len(),
                    8 * (pairs + 1)
                ),
            });
        }
        Ok(Some(Self {
            file,
            blob,
            offsets,
        }))
    }

    /// The thumbnail of pair `i`, if it has one.
    ///
    /// # Errors
    /// When there is no such pair, or its picture lies outside the file.
    pub(crate) fn get(&self, i: usize) -> Result<Option<&[u8]>, AnchorsError> {
        // Offsets come from the file, so a range may be reversed or too long; `get` refuses both.
        let blob = &self.file.bytes()[self.blob.clone()];
        let range = self.offset(i).zip(self.offset(i + 1));
        let found = range.and_then(|(begin, end)| blob.get(begin..end));
        let found = found.ok_or_else(|| AnchorsError::Damaged {
            path: self.file.path().to_owned(),
            what: format!("thumbnail {i} lies outside the file"),
        })?;
        Ok(Some(found).filter(|bytes| !bytes.is_empty()))
    }

    /// Checks every checksum.
    ///
    /// # Errors
    /// The first damage found.
    pub(crate) fn verify(&self) -> Result<(), AnchorsError> {
        Container::open(self.file.bytes(), self.file.path(), KIND)?.verify()?;
        // A sound checksum does not make offsets ascend, so every range is looked up once.
        (0..self.offsets.len() / 8 - 1).try_for_each(|i| self.get(i).map(drop))
    }

    fn offset(&self, i: usize) -> Option<usize> {
        let offsets = &self.file.bytes()[self.offsets.clone()];
        // `checked_mul`, for `i` is whatever number a caller asks for.
        let bytes = offsets.get(i.checked_mul(8)?..)?.first_chunk::<8>()?;
        usize::try_from(u64::from_le_bytes(*bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_come_back_by_number_and_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thumbs.bin");
        let mut writer = ThumbnailWriter::new(path.clone());
        for bytes in [None, Some(&b"first"[..]), None, Some(b"second"), None] {
            writer.push(bytes).unwrap();
        }
        writer.finish().unwrap();
        let read = Thumbnails::open(&path, 5).unwrap().unwrap();
        read.verify().unwrap();
        let all: Vec<_> = (0..5).map(|i| read.get(i).unwrap()).collect();
        assert_eq!(
            all,
            [None, Some(&b"first"[..]), None, Some(b"second"), None]
        );
        assert!(read.get(5).is_err());
        assert!(Thumbnails::open(&path, 4).is_err());
        let good = fs_err::read(&path).unwrap();
        for at in (0..good.len()).step_by(5) {
            let mut bad = good.clone();
            bad[at] ^= 0x11;
            fs_err::write(&path, &bad).unwrap();
            let verified = Thumbnails::open(&path, 5).map(|read| read.unwrap().verify());
            assert!(
                !matches!(verified, Ok(Ok(()))),
                "a flip at {at} went unnoticed"
            );
        }
    }

    #[test]
    fn a_segment_without_pictures_has_no_file_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thumbs.bin");
        let mut writer = ThumbnailWriter::new(path.clone());
        writer.push(None).unwrap();
        writer.finish().unwrap();
        assert!(Thumbnails::open(&path, 1).unwrap().is_none());
    }
}
