//! The file of an [`EmbeddingCache`](super::EmbeddingCache):
//!
//! ```text
//! header  magic "ASIFEMB1" | dim u32 | 0 u32 | encoder fingerprint, 48 bytes, zero padded
//! record  key of the input, 32 bytes    | dim x f32 | first 8 bytes of blake3 of the preceding bytes
//! ```
//!
//! The key is the blake3 of a text, or of an image file together with the version of decoding.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use fs_err::File;

use super::key::{ContentKey, KEY_BYTES};
use crate::disk as fs;

const MAGIC: &[u8; 8] = b"ASIFEMB1";
pub(super) const FINGERPRINT_BYTES: usize = 48;
pub(super) const HEADER_BYTES: u64 = 16 + FINGERPRINT_BYTES as u64;
const CHECK_BYTES: usize = 8;

/// How long a record is.
pub(super) fn record_bytes(dim: usize) -> usize {
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

/// The header of the cache file of an encoder with vectors of dimension `dim`.
pub(super) fn header(fingerprint: &str, dim: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&(dim as u32).to_le_bytes());
    header.extend_from_slice(&0u32.to_le_bytes());
    header.extend_from_slice(fingerprint.as_bytes());
    header.resize(HEADER_BYTES as usize, 0);
    header
}

/// The vector dimension of a file, if it is a cache.
pub(super) fn dimension(file: &mut File) -> std::io::Result<Option<usize>> {
    let mut start = [0u8; 12];
    // Without a whole header there is nothing to read a dimension from.
    let read = file.metadata()?.len() >= HEADER_BYTES && has_read(file, &mut start)?;
    let (magic, dim) = start.split_at(MAGIC.len());
    let dim = u32::from_le_bytes(dim.try_into().expect("four bytes follow the magic"));
    Ok((read && magic == MAGIC && dim > 0).then_some(dim as usize))
}

/// Fills `bytes`; false where the file ends early. An I/O error is passed on: it does not show what
/// the file holds.
fn has_read(file: &mut File, bytes: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// How many whole records the file has; `None` when it does not start with `header`.
pub(super) fn whole_records(
    file: &mut File,
    header: &[u8],
    record: usize,
) -> std::io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    let mut found = vec![0u8; header.len()];
    file.seek(SeekFrom::Start(0))?;
    let read = length >= HEADER_BYTES && has_read(file, &mut found)?;
    if read && found == header {
        // A torn record at the end does not count; the next writer cuts it off.
        return Ok(Some((length - HEADER_BYTES) / record as u64));
    }
    let (kind, version) = MAGIC.split_at(MAGIC.len() - 1);
    // Deleting it would throw away the work of a newer program.
    if found.starts_with(kind) && !found[kind.len()..].starts_with(version) {
        let what = "written by a newer asif in another format; it is left as it is";
        let said = format!("{}: {what}", file.path().display());
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, said));
    }
    Ok(None)
}

/// Makes sure that the file starts with `header`; returns how many whole records follow.
pub(super) fn prepare(file: &mut File, header: &[u8], record: usize) -> std::io::Result<u64> {
    if let Some(count) = whole_records(file, header, record)? {
        return Ok(count);
    }
    // Another file, or a torn header: the cache only saves time, so it begins anew.
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header)?;
    Ok(0)
}

/// Reads the keys of `count` records.
pub(super) fn index(
    file: &mut File,
    count: u64,
    dim: usize,
) -> std::io::Result<HashMap<ContentKey, u64>> {
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
pub(super) fn append(
    file: &mut File,
    path: &Path,
    bytes: &[u8],
    record: usize,
) -> std::io::Result<u64> {
    // Computed again under the caller's lock, since another process may have appended.
    let whole = file.metadata()?.len().saturating_sub(HEADER_BYTES) / record as u64;
    let end = HEADER_BYTES + whole * record as u64;
    file.seek(SeekFrom::Start(end))?;
    if let Err(error) = fs::write(file, path, bytes) {
        // Truncate the torn record; if even that fails the next writer does it.
        let _ = file.set_len(end);
        return Err(error);
    }
    Ok(whole)
}

/// Appends the record of an input's vector to `bytes`.
pub(super) fn encode(bytes: &mut Vec<u8>, key: &ContentKey, vector: &[f32]) {
    let start = bytes.len();
    bytes.extend_from_slice(&key.0);
    vector
        .iter()
        .for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
    let check = checksum(&bytes[start..]);
    bytes.extend_from_slice(&check);
}

/// Reads record `number`: the vector, or `None` if it is damaged or belongs to another input.
pub(super) fn read(
    file: &mut File,
    number: u64,
    dim: usize,
    key: &ContentKey,
) -> std::io::Result<Option<Vec<f32>>> {
    let mut record = vec![0u8; record_bytes(dim)];
    file.seek(SeekFrom::Start(offset(number, dim)))?;
    file.read_exact(&mut record)?;
    let (body, check) = record.split_at(record.len() - CHECK_BYTES);
    // The key is compared too: the index may be older than the file.
    let sound = check == checksum(body) && body[..KEY_BYTES] == key.0;
    Ok(sound.then(|| numbers(&body[KEY_BYTES..])))
}

/// The bytes `records` without the records that `gone` selects by key and vector,
/// and how many were dropped.
pub(super) fn without(
    records: &[u8],
    dim: usize,
    gone: impl Fn(&ContentKey, &[f32]) -> bool,
) -> (Vec<u8>, u64) {
    let (mut left, mut count) = (Vec::with_capacity(records.len()), 0);
    for record in records.chunks_exact(record_bytes(dim)) {
        let (key, rest) = record.split_at(KEY_BYTES);
        let mut hash = [0; KEY_BYTES];
        hash.copy_from_slice(key);
        if gone(&ContentKey(hash), &numbers(&rest[..dim * 4])) {
            count += 1;
        } else {
            left.extend_from_slice(record);
        }
    }
    (left, count)
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}
