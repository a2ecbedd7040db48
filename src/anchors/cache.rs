//! Embeddings by content hash of the input, one file an encoder.
//!
//! A rebuild re-encodes only what changed, and an interrupted build continues where it stopped.
//!
//! ```text
//! header  magic "ASIFEMB1" | dim u32 | 0 u32 | encoder fingerprint, 48 bytes, zero padded
//! record  blake3 of the input, 32 bytes | dim x f32 | first 8 bytes of blake3 of what stands before
//! ```
//!
//! Records are only ever appended, whole, under a file lock; a torn last record (a crash, a full
//! disk) is cut off by the next writer and ignored by readers. Each record is checked when it is
//! used: a damaged one counts as absent.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::space::vector::normalize;
use fs_err::{File, OpenOptions};

const MAGIC: &[u8; 8] = b"ASIFEMB1";
const FINGERPRINT_BYTES: usize = 48;
const HEADER_BYTES: u64 = 16 + FINGERPRINT_BYTES as u64;
const KEY_BYTES: usize = 32;
const CHECK_BYTES: usize = 8;

/// The content hash of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentKey([u8; KEY_BYTES]);

impl ContentKey {
    /// Of the bytes of an image file, or of a text.
    pub fn of(content: &[u8]) -> Self {
        Self(*blake3::hash(content).as_bytes())
    }
}

/// The embeddings of one encoder, in one append-only file.
#[derive(Debug)]
pub struct EmbeddingCache {
    path: PathBuf,
    dim: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// The number of the record of each key.
    records: HashMap<ContentKey, u64>,
    hits: u64,
}

impl EmbeddingCache {
    /// Opens or creates the cache of the encoder with this fingerprint in `folder`.
    ///
    /// A file that belongs to something else (other magic, dimension or fingerprint) is replaced
    /// by an empty cache: it holds nothing that cannot be made again.
    ///
    /// # Errors
    /// When the folder or file cannot be created or read; the message names it.
    pub fn open(folder: &Path, fingerprint: &str, dim: usize) -> std::io::Result<Self> {
        fs_err::create_dir_all(folder)?;
        let short = &fingerprint[..fingerprint.len().min(FINGERPRINT_BYTES)];
        let path = folder.join(format!("{short}.emb"));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let header = header(short, dim);
        file.lock()?;
        let prepared = prepare(&mut file, &header, record_bytes(dim));
        file.unlock()?;
        let records = index(&mut file, prepared?, dim)?;
        Ok(Self {
            path,
            dim,
            inner: Mutex::new(Inner {
                file,
                records,
                hits: 0,
            }),
        })
    }

    /// The cached embedding of an input, `[dim]`, if there is one and it is sound.
    pub fn get(&self, key: &ContentKey) -> Option<Vec<f32>> {
        let mut inner = self.lock();
        let number = *inner.records.get(key)?;
        let mut record = vec![0u8; record_bytes(self.dim)];
        inner
            .file
            .seek(SeekFrom::Start(offset(number, self.dim)))
            .ok()?;
        inner.file.read_exact(&mut record).ok()?;
        let (body, check) = record.split_at(record.len() - CHECK_BYTES);
        if check != checksum(body) || body[..KEY_BYTES] != key.0 {
            inner.records.remove(key);
            return None;
        }
        inner.hits += 1;
        let floats = body[KEY_BYTES..].chunks_exact(4);
        Some(
            floats
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        )
    }

    /// Appends embeddings; `vectors` is `[keys.len(), dim]` row-major.
    ///
    /// # Errors
    /// When the file cannot be written, for one because the disk is full. What was there stays.
    pub fn put(&self, keys: &[ContentKey], vectors: &[f32]) -> std::io::Result<()> {
        let mut bytes = Vec::with_capacity(keys.len() * record_bytes(self.dim));
        for (key, vector) in keys.iter().zip(vectors.chunks_exact(self.dim)) {
            let start = bytes.len();
            bytes.extend_from_slice(&key.0);
            vector
                .iter()
                .for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
            let check = checksum(&bytes[start..]);
            bytes.extend_from_slice(&check);
        }
        let mut inner = self.lock();
        inner.file.lock()?;
        let first = append(&mut inner.file, &self.path, &bytes, record_bytes(self.dim));
        inner.file.unlock()?;
        let first = first?;
        inner.records.extend(keys.iter().copied().zip(first..));
        Ok(())
    }

    /// Opens the cache of an encoder only if there is one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn existing(folder: &Path, fingerprint: &str, dim: usize) -> std::io::Result<Option<Self>> {
        let short = &fingerprint[..fingerprint.len().min(FINGERPRINT_BYTES)];
        let there = folder.join(format!("{short}.emb")).is_file();
        there
            .then(|| Self::open(folder, fingerprint, dim))
            .transpose()
    }

    /// Forgets the embeddings of these inputs, and every embedding that has one of these
    /// directions, whose input may be gone; returns how many. The file is written anew without them.
    ///
    /// What another process appends to the old file meanwhile is lost, and encoded again.
    ///
    /// # Errors
    /// When the file cannot be read or written; it is then what it was.
    pub fn forget(
        &self,
        keys: &HashSet<ContentKey>,
        directions: &Directions,
    ) -> std::io::Result<u64> {
        let mut inner = self.lock();
        inner.file.lock()?;
        let bytes = fs_err::read(&self.path)?;
        let (header, records) = bytes.split_at((HEADER_BYTES as usize).min(bytes.len()));
        let record = record_bytes(self.dim);
        let mut left = header.to_vec();
        let mut forgotten = 0;
        for entry in records.chunks_exact(record) {
            let (key, rest) = entry.split_at(KEY_BYTES);
            let known = key
                .try_into()
                .is_ok_and(|key| keys.contains(&ContentKey(key)));
            if known || directions.contains(&numbers(&rest[..self.dim * 4])) {
                forgotten += 1;
            } else {
                left.extend_from_slice(entry);
            }
        }
        if forgotten > 0 {
            super::fs::write_atomically(&self.path, &left)?;
            let mut options = OpenOptions::new();
            let mut file = options.read(true).write(true).open(&self.path)?;
            let count = ((left.len() - header.len()) / record) as u64;
            inner.records = index(&mut file, count, self.dim)?;
            // Closing the old file gives its lock back.
            inner.file = file;
        } else {
            inner.file.unlock()?;
        }
        Ok(forgotten)
    }

    /// Whether it holds nothing yet.
    pub fn is_empty(&self) -> bool {
        self.lock().records.is_empty()
    }

    /// How many look-ups found something.
    pub fn hits(&self) -> u64 {
        self.lock().hits
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A panic in another thread leaves at worst a map that lacks a record, never a wrong one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record_bytes(dim: usize) -> usize {
    KEY_BYTES + dim * 4 + CHECK_BYTES
}

fn offset(number: u64, dim: usize) -> u64 {
    HEADER_BYTES + number * record_bytes(dim) as u64
}

fn checksum(body: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&blake3::hash(body).as_bytes()[..CHECK_BYTES]);
    check
}

fn header(fingerprint: &str, dim: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&(dim as u32).to_le_bytes());
    header.extend_from_slice(&0u32.to_le_bytes());
    header.extend_from_slice(fingerprint.as_bytes());
    header.resize(HEADER_BYTES as usize, 0);
    header
}

/// Makes sure that the file starts with `header`; returns how many whole records follow.
fn prepare(file: &mut File, header: &[u8], record: usize) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    let mut found = vec![0u8; header.len()];
    file.seek(SeekFrom::Start(0))?;
    if length >= HEADER_BYTES && file.read_exact(&mut found).is_ok() && found == header {
        return Ok((length - HEADER_BYTES) / record as u64);
    }
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header)?;
    Ok(0)
}

/// Reads the keys of `count` records.
fn index(file: &mut File, count: u64, dim: usize) -> std::io::Result<HashMap<ContentKey, u64>> {
    let mut records = HashMap::with_capacity(count as usize);
    let mut key = [0u8; KEY_BYTES];
    for number in 0..count {
        file.seek(SeekFrom::Start(offset(number, dim)))?;
        file.read_exact(&mut key)?;
        records.insert(ContentKey(key), number);
    }
    Ok(records)
}

/// Appends whole records behind the last whole one; returns the number of the first.
fn append(file: &mut File, path: &Path, bytes: &[u8], record: usize) -> std::io::Result<u64> {
    let whole = file.metadata()?.len().saturating_sub(HEADER_BYTES) / record as u64;
    let end = HEADER_BYTES + whole * record as u64;
    file.seek(SeekFrom::Start(end))?;
    if let Err(error) = super::fs::write(file, path, bytes) {
        // Leave no torn record behind; if even that fails the next writer cuts it off.
        let _ = file.set_len(end);
        return Err(error);
    }
    Ok(whole)
}

/// Directions of vectors, found again whatever the vectors' lengths: stored vectors of several
/// encoders are cached ones at other lengths, rounded once or twice.
#[derive(Debug, Default)]
pub struct Directions {
    /// Unit vectors by the sum of their numbers.
    units: BTreeMap<i64, Vec<Vec<f32>>>,
}

impl Directions {
    /// What each number of two vectors of one direction may differ by.
    const ROUNDING: f32 = 1e-6;
    /// Sums are told apart in steps of this; those of one direction are in neighbouring steps.
    const STEP: f64 = 0.01;

    /// Adds the direction of a vector.
    pub fn insert(&mut self, vector: &[f32]) {
        let (step, unit) = Self::place(vector);
        self.units.entry(step).or_default().push(unit);
    }

    /// Whether a vector with this direction was added.
    pub fn contains(&self, vector: &[f32]) -> bool {
        let (step, unit) = Self::place(vector);
        let near = self.units.range(step - 1..=step + 1);
        let same = |known: &Vec<f32>| {
            let mut pairs = known.iter().zip(&unit);
            known.len() == unit.len() && pairs.all(|(a, b)| (a - b).abs() <= Self::ROUNDING)
        };
        near.flat_map(|(_, units)| units).any(same)
    }

    fn place(vector: &[f32]) -> (i64, Vec<f32>) {
        let mut unit = vector.to_vec();
        normalize(&mut unit);
        let sum: f64 = unit.iter().map(|&x| f64::from(x)).sum();
        ((sum / Self::STEP).floor() as i64, unit)
    }
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINT: &str = "0123456789abcdef";

    fn open(folder: &Path) -> EmbeddingCache {
        EmbeddingCache::open(folder, PRINT, 3).unwrap()
    }

    fn filled(folder: &Path) -> [ContentKey; 2] {
        let keys = [ContentKey::of(b"one"), ContentKey::of(b"two")];
        open(folder)
            .put(&keys, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
            .unwrap();
        keys
    }

    #[test]
    fn what_was_put_is_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let keys = filled(folder.path());
        let cache = open(folder.path());
        assert_eq!(cache.get(&keys[1]), Some(vec![4.0, 5.0, 6.0]));
        assert_eq!(cache.get(&ContentKey::of(b"three")), None);
        assert_eq!(cache.hits(), 1);
    }

    #[test]
    fn two_handles_append_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (open(folder.path()), open(folder.path()));
        let keys = [ContentKey::of(b"a"), ContentKey::of(b"b")];
        a.put(&keys[..1], &[1.0; 3]).unwrap();
        b.put(&keys[1..], &[2.0; 3]).unwrap();
        let c = open(folder.path());
        assert_eq!(c.get(&keys[0]), Some(vec![1.0; 3]));
        assert_eq!(c.get(&keys[1]), Some(vec![2.0; 3]));
    }

    #[test]
    fn a_torn_tail_is_ignored_and_then_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let keys = filled(folder.path());
        let path = open(folder.path()).path().to_owned();
        let length = fs_err::metadata(&path).unwrap().len();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 5)
            .unwrap();
        let cache = open(folder.path());
        assert!(cache.get(&keys[0]).is_some());
        assert_eq!(cache.get(&keys[1]), None);
        cache.put(&keys[1..], &[7.0; 3]).unwrap();
        assert_eq!(open(folder.path()).get(&keys[1]), Some(vec![7.0; 3]));
    }

    #[test]
    fn a_flipped_byte_counts_as_absent() {
        let folder = tempfile::tempdir().unwrap();
        let keys = filled(folder.path());
        let path = open(folder.path()).path().to_owned();
        let mut bytes = fs_err::read(&path).unwrap();
        bytes[HEADER_BYTES as usize + KEY_BYTES + 2] ^= 1;
        fs_err::write(&path, bytes).unwrap();
        let cache = open(folder.path());
        assert_eq!(cache.get(&keys[0]), None);
        assert!(cache.get(&keys[1]).is_some());
    }

    #[test]
    fn what_is_forgotten_leaves_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let keys = filled(folder.path());
        let more = [ContentKey::of(b"three"), ContentKey::of(b"four")];
        let cache = open(folder.path());
        cache.put(&more, &[7.0, 8.0, 9.0, 0.5, 0.5, 0.5]).unwrap();
        let vector: Vec<u8> = [7.0f32, 8.0, 9.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let mut directions = Directions::default();
        // At another length, and rounded, as a reweighed set stores it.
        directions.insert(&[7.0, 8.0, 9.0].map(|x: f32| x * 0.3_f32.sqrt() * 1.7));
        assert!(!directions.contains(&[7.0, 8.0, 9.001]));
        let forgotten = cache.forget(&[keys[0]].into(), &directions).unwrap();
        assert_eq!(forgotten, 2);
        let bytes = fs_err::read(cache.path()).unwrap();
        assert!(!bytes.windows(12).any(|w| w == vector));
        assert_eq!(cache.get(&keys[0]), None);
        for cache in [cache, open(folder.path())] {
            assert_eq!(cache.get(&keys[1]), Some(vec![4.0, 5.0, 6.0]));
            assert_eq!(cache.get(&more[1]), Some(vec![0.5; 3]));
            assert_eq!(cache.get(&more[0]), None);
        }
        let none = EmbeddingCache::existing(folder.path(), "another", 3).unwrap();
        assert!(none.is_none());
    }

    #[test]
    fn a_file_of_another_kind_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(
            folder.path().join(format!("{PRINT}.emb")),
            b"something else",
        )
        .unwrap();
        let keys = filled(folder.path());
        assert!(open(folder.path()).get(&keys[0]).is_some());
    }
}
