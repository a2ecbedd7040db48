//! Archives of NumPy arrays (`.npz`), stored or deflated. The array is read where it lies.

use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;
use fs_err::File;
use zip::{CompressionMethod, ZipArchive};

use super::error::VectorFileError;
use super::npy::{self, ArrayShape};
use super::path::ArrayPath;
use super::raw::RawRows;
use super::survey::TableSurvey;

/// The first bytes of every archive.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
const ENDING: &str = ".npy";

/// Where an array lies in its archive.
#[derive(Debug, Clone, Copy)]
struct MemberPlace {
    at: u64,
    compressed: u64,
    length: u64,
    deflated: bool,
    crc: u32,
}

/// Finds the array: the one that is named, else the only one that is a table of numbers.
pub(super) fn survey(file: &ArrayPath) -> Result<TableSurvey, VectorFileError> {
    let path = &file.path;
    let broken = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) if crate::disk::is_refusal(&error) => error.into(),
        error => VectorFileError::unusable(
            path,
            "an archive of NumPy arrays (.npz)",
            format!("one that cannot be read: {error}; was it cut off?"),
        ),
    };
    let mut archive = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(broken)?;
    let mut found = Vec::new();
    for number in 0..archive.len() {
        let member = archive.by_index_raw(number).map_err(broken)?;
        let name = member.name().map_err(broken)?.into_owned();
        let Some(name) = name.strip_suffix(ENDING) else {
            continue;
        };
        let deflated = match member.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            other => {
                let found = format!("{name} compressed with {other}");
                let expected = "arrays that are stored or deflated, as NumPy writes them";
                return Err(VectorFileError::unusable(path, expected, found));
            }
        };
        let place = MemberPlace {
            at: member.data_start().unwrap_or_default(),
            compressed: member.compressed_size(),
            length: member.size(),
            deflated,
            crc: member.crc32(),
        };
        found.push((name.to_owned(), place));
    }
    let chosen = match &file.array {
        Some(wanted) => found
            .iter()
            .filter(|(name, _)| name == wanted)
            .collect::<Vec<_>>(),
        None => found.iter().collect(),
    };
    let names = || {
        found
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let tables = chosen.iter().map(|(name, place)| {
        let shape =
            open(path, *place).and_then(|mut input| npy::header(&path.join(name), &mut input));
        (name, *place, shape.map(|(shape, _)| shape))
    });
    let mut tables: Vec<_> = tables.collect();
    // Beside the vectors an archive may hold other arrays, such as ids.
    if tables.len() > 1 && tables.iter().any(|(.., shape)| shape.is_ok()) {
        tables.retain(|(.., shape)| shape.is_ok());
    }
    match (tables.len(), &file.array) {
        (1, _) => {}
        (0, None) => {
            let expected = "an archive with a NumPy array";
            return Err(VectorFileError::unusable(path, expected, "one without any"));
        }
        (0, Some(name)) => {
            return Err(VectorFileError::NoSuchArray {
                path: path.clone(),
                name: name.clone(),
                names: names(),
            });
        }
        _ => {
            return Err(VectorFileError::SeveralArrays {
                path: path.clone(),
                names: tables.iter().map(|(name, ..)| (*name).clone()).collect(),
            });
        }
    }
    let (name, place, shape) = tables.swap_remove(0);
    let shape = shape?;
    let expected = shape.header + shape.data_bytes().unwrap_or(u64::MAX);
    if place.length != expected {
        return Err(VectorFileError::Length {
            path: path.join(name),
            expected,
            found: place.length,
        });
    }
    let (path, name) = (path.clone(), name.clone());
    Ok(TableSurvey {
        rows: shape.rows,
        dim: shape.dim,
        open: Box::new(move || Ok(Box::new(rows(&path, &name, place, shape)?))),
    })
}

fn open(path: &Path, place: MemberPlace) -> Result<Box<dyn Read + Send>, VectorFileError> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place.at))?;
    let bytes = file.take(place.compressed);
    Ok(match place.deflated {
        true => Box::new(DeflateDecoder::new(bytes)),
        false => Box::new(bytes),
    })
}

fn rows(
    path: &Path,
    name: &str,
    place: MemberPlace,
    shape: ArrayShape,
) -> Result<RawRows, VectorFileError> {
    let mut input = open(path, place)?;
    let member = path.join(name);
    let (_, header) = npy::header(&member, &mut input)?;
    let mut crc = Crc::new();
    crc.update(&header);
    Ok(RawRows {
        path: member,
        input,
        numbers: shape.numbers,
        dim: shape.dim,
        length: shape.data_bytes().unwrap_or(u64::MAX),
        read: 0,
        buffer: Vec::new(),
        crc: Some((place.crc, crc)),
    })
}
