//! Embeddings by content hash of the input, one file per encoder.
//!
//! A rebuild re-encodes only what changed, and an interrupted build continues where it stopped.
//!
//! Records are only ever appended, whole, under a file lock; a torn last record (a crash, a full
//! disk) is cut off by the next writer and ignored by readers. Each record is checked when it is
//! used: a damaged one counts as absent. A cache that cannot be written is read-only, and one that cannot be
//! used at all is an error that callers may ignore: the cache only saves time.
//!
//! | file | what it does |
//! |---|---|
//! | `file` | the bytes: header and records |
//! | `directions` | `DirectionLookup`: finds vectors by direction, whatever their norm |

mod directions;
mod file;
mod key;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::TryLockError;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fs_err::{File, OpenOptions};

pub(crate) use directions::DirectionLookup;
use file::{FINGERPRINT_BYTES, HEADER_BYTES, record_bytes};
pub use key::ContentKey;

/// The embeddings of one encoder, in one append-only file.
#[derive(Debug)]
pub struct EmbeddingCache {
    path: PathBuf,
    dim: usize,
    inner: Mutex<CacheState>,
}

#[derive(Debug)]
struct CacheState {
    file: File,
    /// The number of the record of each key.
    records: HashMap<ContentKey, u64>,
    hits: u64,
    /// Why nothing is appended any more.
    read_only: Option<String>,
    /// Whether an append has failed.
    refused: bool,
}

impl EmbeddingCache {
    /// Opens or creates the cache of the encoder with this fingerprint in `folder`.
    ///
    /// A file that belongs to something else (other magic, dimension or fingerprint) is replaced
    /// by an empty cache, since all of its content can be recomputed. One of a newer format is left
    /// unchanged. A file that cannot be opened for writing, or is locked by another process, is read-only.
    ///
    /// # Errors
    /// When the folder or file cannot be created or read, or is of a newer format, the message names it;
    /// for a fingerprint that is none, as a manifest from elsewhere may have it.
    pub fn open(folder: &Path, fingerprint: &str, dim: usize) -> std::io::Result<Self> {
        let short = short(fingerprint)?;
        let path = folder.join(format!("{short}.emb"));
        let header = file::header(short, dim);
        let opened = fs_err::create_dir_all(folder).and_then(|()| writable(&path, &header, dim));
        let (mut file, count, read_only) = match opened {
            Ok((file, count)) => (file, count, None),
            Err(error) => {
                check_kind(&path).map_err(|_| copied(&error))?;
                let mut file = File::open(&path).map_err(|_| copied(&error))?;
                let count = file::whole_records(&mut file, &header, record_bytes(dim))?;
                (
                    file,
                    count.ok_or_else(|| copied(&error))?,
                    Some(error.to_string()),
                )
            }
        };
        let records = file::index(&mut file, count, dim)?;
        Ok(Self {
            path,
            dim,
            inner: Mutex::new(CacheState {
                file,
                records,
                hits: 0,
                read_only,
                refused: false,
            }),
        })
    }

    /// The cached embedding of an input, `[dim]`, if there is one and it is sound.
    pub(crate) fn get(&self, key: &ContentKey) -> Option<Vec<f32>> {
        let mut inner = self.lock();
        let number = *inner.records.get(key)?;
        let vector = file::read(&mut inner.file, number, self.dim, key).ok()?;
        if vector.is_some() {
            inner.hits += 1;
        } else {
            inner.records.remove(key);
        }
        vector
    }

    /// Appends embeddings; `vectors` is `[keys.len(), dim]` row-major.
    ///
    /// # Errors
    /// When the file cannot be written, for one because the disk is full. What was there stays.
    pub fn put(&self, keys: &[ContentKey], vectors: &[f32]) -> std::io::Result<()> {
        let mut bytes = Vec::with_capacity(keys.len() * record_bytes(self.dim));
        for (key, vector) in keys.iter().zip(vectors.chunks_exact(self.dim)) {
            file::encode(&mut bytes, key, vector);
        }
        let mut inner = self.lock();
        if let Some(reason) = &inner.read_only {
            return Err(std::io::Error::other(reason.clone()));
        }
        self.lock_named(&mut inner)?;
        let first = file::append(&mut inner.file, &self.path, &bytes, record_bytes(self.dim));
        inner.file.unlock()?;
        let first = first?;
        inner.records.extend(keys.iter().copied().zip(first..));
        Ok(())
    }

    /// Appends embeddings as [`put`](Self::put) does. After the first failure nothing is appended any
    /// more: a full disk is asked once, and the embeddings that are there stay of use.
    ///
    /// # Errors
    /// The first failure; later calls do nothing.
    pub(crate) fn put_until_refused(
        &self,
        keys: &[ContentKey],
        vectors: &[f32],
    ) -> std::io::Result<()> {
        if self.lock().refused {
            return Ok(());
        }
        self.put(keys, vectors)
            .inspect_err(|_| self.lock().refused = true)
    }

    /// Opens the cache of an encoder only if there is one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn existing(
        folder: &Path,
        fingerprint: &str,
        dim: usize,
    ) -> std::io::Result<Option<Self>> {
        let path = folder.join(format!("{}.emb", short(fingerprint)?));
        crate::disk::has_file(&path)?
            .then(|| Self::open(folder, fingerprint, dim))
            .transpose()
    }

    /// Every cache in a folder, of any encoder.
    ///
    /// # Errors
    /// When the folder or one of the caches cannot be read.
    pub(crate) fn all(folder: &Path) -> std::io::Result<Vec<Self>> {
        let mut all = Vec::new();
        for name in crate::disk::names(folder)? {
            let path = folder.join(&name);
            let Some(fingerprint) = name.strip_suffix(".emb") else {
                continue;
            };
            if crate::disk::has_file(&path)?
                && let Some(dim) = file::dimension(&mut File::open(&path)?)?
            {
                all.push(Self::open(folder, fingerprint, dim)?);
            }
        }
        Ok(all)
    }

    /// Forgets the embeddings of these inputs, and every embedding that has one of these
    /// directions, whose input may be gone; returns how many. The file is rewritten without them.
    ///
    /// # Errors
    /// When the file cannot be read or written; it is then what it was.
    pub(crate) fn forget(
        &self,
        keys: &HashSet<ContentKey>,
        directions: &DirectionLookup,
    ) -> std::io::Result<u64> {
        let mut inner = self.lock();
        self.lock_named(&mut inner)?;
        let written = self.write_without(keys, directions);
        inner.file.unlock()?;
        let (rewritten, forgotten) = written?;
        if let Some(left) = rewritten {
            let mut options = OpenOptions::new();
            let mut file = options.read(true).write(true).open(&self.path)?;
            inner.records = file::index(&mut file, left, self.dim)?;
            inner.file = file;
        }
        Ok(forgotten)
    }

    /// Locks the file that has the name now. Where another process has written it anew since it was
    /// opened, that is opened instead: what is appended to the old one nobody would find, and two that
    /// write it anew at once would bring back what the other forgot.
    fn lock_named(&self, inner: &mut CacheState) -> std::io::Result<()> {
        loop {
            lock_file(&inner.file)?;
            let is_named = inner.file.metadata().and_then(|own| {
                let named = crate::disk::found(&self.path)?;
                Ok(named.is_some_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())))
            });
            if matches!(is_named, Ok(true)) {
                return Ok(());
            }
            inner.file.unlock()?;
            is_named?;
            let mut options = OpenOptions::new();
            let mut file = options.read(true).write(true).open(&self.path)?;
            let length = file.metadata()?.len().saturating_sub(HEADER_BYTES);
            let count = length / record_bytes(self.dim) as u64;
            inner.records = file::index(&mut file, count, self.dim)?;
            inner.file = file;
        }
    }

    /// Writes the file anew without them, if any is there; returns how many records the new file
    /// has, and how many went.
    fn write_without(
        &self,
        keys: &HashSet<ContentKey>,
        directions: &DirectionLookup,
    ) -> std::io::Result<(Option<u64>, u64)> {
        let bytes = fs_err::read(&self.path)?;
        let (header, records) = bytes.split_at((HEADER_BYTES as usize).min(bytes.len()));
        let (left, forgotten) = file::without(records, self.dim, |key, vector| {
            keys.contains(key) || directions.contains(vector)
        });
        // The torn tail is dropped too: it may be part of an embedding that has to be deleted.
        if left.len() == records.len() {
            return Ok((None, forgotten));
        }
        crate::disk::write_atomically(&self.path, &[header, &left].concat())?;
        let count = (left.len() / record_bytes(self.dim)) as u64;
        Ok((Some(count), forgotten))
    }

    /// Whether it holds nothing yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().records.is_empty()
    }

    /// How many look-ups found something.
    pub(crate) fn hits(&self) -> u64 {
        self.lock().hits
    }

    /// A panic in another thread leaves at worst a map that lacks a record, never a wrong one.
    fn lock(&self) -> MutexGuard<'_, CacheState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens or makes the file for appending; also says how many whole records it has.
fn writable(path: &Path, header: &[u8], dim: usize) -> std::io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    check_kind(path)?;
    let mut file = options.open(path)?;
    lock_file(&file)?;
    let prepared = file::prepare(&mut file, header, record_bytes(dim));
    file.unlock()?;
    Ok((file, prepared?))
}

/// Whether what has the name is a file, if anything has: reading a pipe would wait for whoever writes
/// to it.
fn check_kind(path: &Path) -> std::io::Result<()> {
    match fs_err::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            let said = format!(
                "{}: expected a file, found a pipe or device",
                path.display()
            );
            Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, said))
        }
        _ => Ok(()),
    }
}

/// Takes the lock of the file. It is held for milliseconds, so that whoever keeps it for longer is
/// stopped or gone wrong, and is not waited for.
fn lock_file(file: &File) -> std::io::Result<()> {
    const PAUSE: Duration = Duration::from_millis(10);
    for _ in 0..200 {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(std::io::Error::other(format!(
        "{}: another process keeps it locked",
        file.path().display()
    )))
}

/// The same error once more; the standard library's cannot be cloned.
fn copied(error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), error.to_string())
}

/// The part of a fingerprint that names the file: letters and digits, and so no way out of the
/// folder.
fn short(fingerprint: &str) -> std::io::Result<&str> {
    if fingerprint.is_empty() || !fingerprint.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            format!(
                "expected an encoder's fingerprint of letters and digits, found {fingerprint:?}; \
                 the manifest that has it was not made by this program"
            ),
        ));
    }
    Ok(&fingerprint[..fingerprint.len().min(FINGERPRINT_BYTES)])
}
