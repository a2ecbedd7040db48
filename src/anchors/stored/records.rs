//! The record of a pair: id, image, captions, metadata.
//!
//! One file a segment, in the section container of [`asif_index::container`]: `offsets`, `n + 1`
//! little-endian u64, and `blob`, the encoded records one after another. A record is read by its
//! number without touching the others. Where images lie is in two further sections (`places.rs`).

use std::path::Path;

use asif_index::container::{Container, ContainerWriter};
use asif_index::mmap::MappedFile;
use bincode::{Decode, Encode};
use serde_json::{Map, Value};

use super::places::{ImagePlace, PLACES, PlaceRoots, PlaceWriter, ROOTS};
use crate::anchors::error::AnchorsError;
use crate::filter::PairFields;
use crate::image_source::ImageSource;

/// The file kind in the container's header.
pub(crate) const KIND: [u8; 8] = *b"ASIFPAIR";
const BLOB: &str = "blob";
const OFFSETS: &str = "offsets";

/// The record of a pair: everything but its vectors.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PairRecord {
    /// The pair's id in its source.
    pub id: String,
    /// The image's name, relative to the source of the pair; in a segment without places, the absolute path of
    /// its file.
    pub image: String,
    /// One or more captions.
    pub captions: Vec<String>,
    /// All other fields of the source's record, as a JSON object.
    pub meta: String,
}

impl PairRecord {
    /// The licence, under either spelling.
    pub(crate) fn licence(&self) -> Option<String> {
        let meta = self.meta_text("licence");
        meta.or_else(|| self.meta_text("license"))
    }

    /// The first caption; empty for a pair that was made from vectors without one.
    pub(crate) fn first_caption(&self) -> &str {
        self.captions.first().map_or("", String::as_str)
    }

    /// The metadata's value for `key`, if it is there and is a string.
    ///
    /// # Panics
    /// As [`metadata`](Self::metadata).
    pub fn meta_text(&self, key: &str) -> Option<String> {
        self.metadata().get(key)?.as_str().map(str::to_owned)
    }

    /// The metadata.
    ///
    /// # Panics
    /// When [`meta`](Self::meta) is not a JSON object. Such a record is neither written nor read, so it was
    /// constructed by the caller. Without metadata no filter would find it, and a pair to be removed
    /// would stay.
    pub fn metadata(&self) -> Map<String, Value> {
        self.checked_metadata()
            .expect("records are written and read with a JSON object only")
    }

    /// What filters look at; `meta` is [its metadata](Self::metadata).
    pub fn fields<'a>(&'a self, meta: &'a Map<String, Value>) -> PairFields<'a> {
        PairFields {
            id: &self.id,
            image: &self.image,
            captions: &self.captions,
            meta,
        }
    }

    /// The metadata, or why it is invalid.
    fn checked_metadata(&self) -> Result<Map<String, Value>, String> {
        serde_json::from_str(&self.meta)
            .map_err(|e| format!("its metadata is not a JSON object: {e}"))
    }
}

/// The encoding of records; the only place that uses bincode.
mod codec {
    use super::PairRecord;

    /// The maximum size of an encoded record; a larger length is damage.
    const LIMIT: usize = 64 << 20;

    fn config() -> impl bincode::config::Config {
        bincode::config::standard().with_limit::<LIMIT>()
    }

    pub(crate) fn encode(record: &PairRecord) -> Result<Vec<u8>, String> {
        bincode::encode_to_vec(record, config()).map_err(|e| e.to_string())
    }

    /// The id, which is the first field of a record.
    pub(crate) fn decode_id(bytes: &[u8]) -> Result<&str, String> {
        bincode::borrow_decode_from_slice(bytes, config())
            .map(|(id, _)| id)
            .map_err(|e| e.to_string())
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<PairRecord, String> {
        let (record, read) =
            bincode::decode_from_slice(bytes, config()).map_err(|e| e.to_string())?;
        if read != bytes.len() {
            return Err(format!(
                "a record of {} bytes ends after {read}",
                bytes.len()
            ));
        }
        Ok(record)
    }
}

/// Writes the records of a segment, one after another.
#[derive(Debug)]
pub(crate) struct RecordsWriter {
    file: ContainerWriter,
    offsets: Vec<u64>,
    places: PlaceWriter,
}

impl RecordsWriter {
    /// Begins a file that will stand at `path`.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(crate) fn create(path: &Path) -> Result<Self, AnchorsError> {
        let mut file = ContainerWriter::create(path, KIND)?;
        file.begin(BLOB)?;
        Ok(Self {
            file,
            offsets: vec![0],
            places: PlaceWriter::default(),
        })
    }

    /// Appends a record, and where its image lies; returns the record's bytes.
    ///
    /// # Errors
    /// When the record is larger than 64 MiB, its metadata is not a JSON object, or on an I/O error.
    pub(crate) fn push(
        &mut self,
        record: &PairRecord,
        place: Option<&ImagePlace>,
    ) -> Result<Vec<u8>, AnchorsError> {
        // Refused here, where the pair is known; a reader would find a damaged record.
        record.checked_metadata().map_err(|found| {
            AnchorsError::Index(asif_index::Error::Argument {
                what: "a pair's metadata",
                expected: "a JSON object".to_owned(),
                found: format!("of pair {:?} another text: {found}", record.id),
                advice: "give {} where there is none",
            })
        })?;
        self.places.push(place);
        self.append(record)
    }

    fn append(&mut self, record: &PairRecord) -> Result<Vec<u8>, AnchorsError> {
        let bytes = codec::encode(record).map_err(|what| AnchorsError::Damaged {
            path: self.file.path().to_owned(),
            what: format!("pair {:?} cannot be stored: {what}", record.id),
        })?;
        self.file.write(&bytes)?;
        // `offsets` begins with 0, so there is always a last one.
        let end = self.offsets[self.offsets.len() - 1] + bytes.len() as u64;
        self.offsets.push(end);
        Ok(bytes)
    }

    /// Completes the file and makes it durable.
    ///
    /// # Errors
    /// On an I/O error.
    pub(crate) fn finish(mut self) -> Result<(), AnchorsError> {
        let offsets: Vec<u8> = self.offsets.iter().flat_map(|o| o.to_le_bytes()).collect();
        self.file.section(OFFSETS, &offsets)?;
        if let Some((roots, places)) = self.places.sections() {
            self.file.section(ROOTS, roots.as_bytes())?;
            self.file.section(PLACES, &places)?;
        }
        self.file.finish()?;
        Ok(())
    }
}

/// The records of a segment, mapped.
#[derive(Debug)]
pub(crate) struct PairRecords {
    file: MappedFile,
    blob: std::ops::Range<usize>,
    offsets: std::ops::Range<usize>,
    places: Option<(PlaceRoots, std::ops::Range<usize>)>,
}

impl PairRecords {
    /// Opens the file; checks structure and lengths, reads no record.
    ///
    /// # Errors
    /// When the file is missing or its structure is damaged.
    pub fn open(path: &Path) -> Result<Self, AnchorsError> {
        let file = MappedFile::open(path)?;
        let container = Container::open(file.bytes(), path, KIND)?;
        let (blob, offsets) = (container.range(BLOB)?, container.range(OFFSETS)?);
        // There is one offset more than records, so at least one.
        if offsets.len() < 8 || offsets.len() % 8 != 0 {
            let what = format!(
                "section `offsets` has {} bytes, not a multiple of 8",
                offsets.len()
            );
            return Err(AnchorsError::Damaged {
                path: path.to_owned(),
                what,
            });
        }
        // Roots and places belong together; sets of before have neither.
        let places = match container.has(PLACES) {
            true => {
                let (roots, range) = (container.section(ROOTS)?, container.range(PLACES)?);
                let read =
                    PlaceRoots::read(roots, &file.bytes()[range.clone()], offsets.len() / 8 - 1);
                Some((
                    read.map_err(|what| AnchorsError::Damaged {
                        path: path.to_owned(),
                        what,
                    })?,
                    range,
                ))
            }
            false => None,
        };
        Ok(Self {
            file,
            blob,
            offsets,
            places,
        })
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len() / 8 - 1
    }

    /// Record number `i`.
    ///
    /// # Errors
    /// When there is no such record, or it is damaged.
    pub(crate) fn get(&self, i: usize) -> Result<PairRecord, AnchorsError> {
        let damaged = |e| self.damaged(format!("record {i}: {e}"));
        let record = codec::decode(self.bytes(i)?).map_err(damaged)?;
        // A filter would skip it, and a pair to be deleted would stay.
        record.checked_metadata().map_err(damaged)?;
        Ok(record)
    }

    /// The id of record number `i`, without reading the rest of it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn id(&self, i: usize) -> Result<&str, AnchorsError> {
        codec::decode_id(self.bytes(i)?).map_err(|e| self.damaged(format!("record {i}: {e}")))
    }

    /// Where the image of record number `i` lies; `None` where it lies nowhere, and in a
    /// segment without places.
    ///
    /// # Errors
    /// When there is no such record, or its place is damaged.
    pub(crate) fn place(&self, i: usize) -> Result<Option<ImagePlace>, AnchorsError> {
        let Some((roots, range)) = &self.places else {
            return Ok(None);
        };
        let place = roots.place(&self.file.bytes()[range.clone()], i);
        place.map_err(|what| self.damaged(what))
    }

    /// Everything that is known of where images lie, as it is stored.
    pub(crate) fn place_bytes(&self) -> Option<(&PlaceRoots, &[u8])> {
        let (roots, range) = self.places.as_ref()?;
        Some((roots, &self.file.bytes()[range.clone()]))
    }

    /// The bytes that stand for a record in its file.
    ///
    /// # Errors
    /// When it is too large.
    pub(crate) fn encoded(record: &PairRecord) -> Result<Vec<u8>, String> {
        codec::encode(record)
    }

    /// The image of record number `i`, if it lies anywhere.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(crate) fn image(&self, i: usize) -> Result<Option<ImageSource>, AnchorsError> {
        let name = self.get(i)?.image;
        if self.places.is_some() {
            return Ok(self.place(i)?.map(|place| place.image(&name)));
        }
        // Segments of older programs have no places and name files by their absolute paths.
        let is_path = Path::new(&name).is_absolute();
        Ok(is_path.then(|| ImageSource::from(name.as_str())))
    }

    /// The bytes of record number `i`, as [`RecordsWriter::push`] returned them.
    ///
    /// # Errors
    /// When there is no such record, or it lies outside the file.
    pub(crate) fn bytes(&self, i: usize) -> Result<&[u8], AnchorsError> {
        // Offsets come from the file, so a range may be reversed or too long.
        let blob = &self.file.bytes()[self.blob.clone()];
        self.offset(i)
            .zip(i.checked_add(1).and_then(|next| self.offset(next)))
            .and_then(|(start, end)| blob.get(start..end))
            .ok_or_else(|| {
                let what = format!("record {i} of {} lies outside the file", self.len());
                self.damaged(what)
            })
    }

    fn damaged(&self, what: String) -> AnchorsError {
        AnchorsError::Damaged {
            path: self.file.path().to_owned(),
            what,
        }
    }

    /// Checks every checksum and decodes every record.
    ///
    /// # Errors
    /// The first damage found.
    pub(crate) fn verify(&self) -> Result<(), AnchorsError> {
        Container::open(self.file.bytes(), self.file.path(), KIND)?.verify()?;
        (0..self.len()).try_for_each(|i| {
            self.place(i)?;
            self.get(i).map(drop)
        })
    }

    /// Rejects unknown sections: copying these records into another segment
    /// would lose them.
    ///
    /// # Errors
    /// [`AnchorsError::UnknownField`].
    pub(crate) fn refuse_unknown(&self) -> Result<(), AnchorsError> {
        let container = Container::open(self.file.bytes(), self.file.path(), KIND)?;
        let names = container.sections().map(|section| section.name.to_string());
        match names
            .into_iter()
            .find(|name| ![BLOB, OFFSETS, ROOTS, PLACES].contains(&name.as_str()))
        {
            Some(field) => Err(AnchorsError::UnknownField {
                path: self.file.path().to_owned(),
                field,
                made_by: "a newer asif".to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn offset(&self, i: usize) -> Option<usize> {
        let offsets = &self.file.bytes()[self.offsets.clone()];
        let bytes = offsets.get(i.checked_mul(8)?..)?.first_chunk::<8>()?;
        usize::try_from(u64::from_le_bytes(*bytes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> PairRecord {
        PairRecord {
            id: id.to_owned(),
            image: format!("/pictures/{id}.jpg"),
            captions: vec!["a cat".into(), "ネコ".into()],
            meta: r#"{"source":"drawn","year":2026}"#.into(),
        }
    }

    #[test]
    fn metadata_that_is_no_object_is_neither_written_nor_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.rec");
        let mut writer = RecordsWriter::create(&path).unwrap();
        for meta in ["", "not json", "[1]"] {
            let other = PairRecord {
                meta: meta.into(),
                ..record("x")
            };
            let error = writer.push(&other, None).unwrap_err().to_string();
            assert!(
                error.contains("JSON object") && error.contains("\"x\""),
                "{error}"
            );
            assert!(other.checked_metadata().is_err());
            // As a file may have it that was damaged before its checksum was made.
            writer.append(&other).unwrap();
        }
        writer.push(&record("a"), None).unwrap();
        writer.finish().unwrap();
        let records = PairRecords::open(&path).unwrap();
        for bad in 0..3 {
            let error = records.get(bad).unwrap_err();
            assert!(matches!(error, AnchorsError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("metadata"), "{error}");
        }
        assert_eq!(records.get(3).unwrap(), record("a"));
        assert!(records.verify().is_err());
    }

    fn written(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("pairs.rec");
        let mut writer = RecordsWriter::create(&path).unwrap();
        for id in ["a", "b", "c"] {
            writer.push(&record(id), None).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    #[test]
    fn records_come_back_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let records = PairRecords::open(&written(folder.path())).unwrap();
        assert_eq!(records.len(), 3);
        assert_eq!(records.get(1).unwrap(), record("b"));
        assert_eq!(records.id(2).unwrap(), "c");
        assert_eq!(
            records.get(2).unwrap().meta_text("source").as_deref(),
            Some("drawn")
        );
        assert_eq!(records.get(2).unwrap().meta_text("year"), None);
        records.verify().unwrap();
        for beyond in [3, usize::MAX / 8, usize::MAX] {
            assert!(matches!(
                records.get(beyond),
                Err(AnchorsError::Damaged { .. })
            ));
        }
    }

    /// As docs/format.md says.
    #[test]
    fn a_record_is_written_as_specified() {
        let long = PairRecord {
            captions: vec!["x".repeat(250), "y".repeat(300)],
            ..record("a")
        };
        let text = |text: &str, length: &[u8]| [length, text.as_bytes()].concat();
        let expected = [
            text("a", &[1]),
            text("/pictures/a.jpg", &[15]),
            vec![2],
            text(&long.captions[0], &[250]),
            text(&long.captions[1], &[251, 44, 1]),
            text(&long.meta, &[30]),
        ];
        assert_eq!(codec::encode(&long).unwrap(), expected.concat());
    }

    #[test]
    fn a_section_of_a_newer_program_is_read_past_and_not_written_again_without() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let records = PairRecords::open(&path).unwrap();
        records.refuse_unknown().unwrap();
        let newer = folder.path().join("newer.rec");
        let old = Container::open(records.file.bytes(), &path, KIND).unwrap();
        let mut file = ContainerWriter::create(&newer, KIND).unwrap();
        for name in [BLOB, OFFSETS] {
            file.section(name, old.section(name).unwrap()).unwrap();
        }
        file.section("colours", b"red").unwrap();
        file.finish().unwrap();
        let newer = PairRecords::open(&newer).unwrap();
        newer.verify().unwrap();
        assert_eq!(newer.get(1).unwrap(), record("b"));
        let refused = newer.refuse_unknown().unwrap_err().to_string();
        assert!(refused.contains("\"colours\""), "{refused}");
    }

    #[test]
    fn damage_is_an_error_or_the_same_record_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let good = fs_err::read(&path).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 0x81;
            fs_err::write(&path, &bad).unwrap();
            if let Ok(records) = PairRecords::open(&path) {
                assert!(records.verify().is_err(), "a flip at {at} went unnoticed");
                for i in 0..4 {
                    let _ = (records.get(i), records.id(i));
                }
            }
        }
        for length in [0, 1, 4095, 4096, good.len() - 1] {
            fs_err::write(&path, &good[..length]).unwrap();
            assert!(PairRecords::open(&path).is_err());
        }
    }
}
