//! Finds sections in bytes, and verifies them.

use std::ops::Range;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::layout::{
    CHECKSUM_OFFSET, ENTRY_LEN, HEADER_LEN, MAGIC, MAX_SECTIONS, SectionEntry, SectionName,
    TABLE_OFFSET, TAIL, VERSION, align_up, header_checksum, u32_at, u64_at,
};
use crate::error::{Error, Result};

/// A container's sections, found in bytes that may come from a map, a `Vec` or a test.
///
/// Opening validates the first page and the file's length; it reads nothing else.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    bytes: &'a [u8],
    path: &'a Path,
    entries: Vec<SectionEntry>,
}

/// A section as the table describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionInfo {
    /// Its name.
    pub name: SectionName,
    /// Its offset in the file.
    pub offset: u64,
    /// Its length in bytes, padding not included.
    pub len: u64,
    /// xxh3-64 of its bytes, as stored in the table.
    pub checksum: u64,
}

impl<'a> Container<'a> {
    /// Reads the first page of `bytes`; `path` is for messages only.
    ///
    /// # Errors
    /// [`Error::NotReadable`] when this is another kind of file, [`Error::Version`] when a newer program
    /// wrote it, [`Error::Header`] when the first page is damaged or contradicts the length.
    pub fn open(bytes: &'a [u8], path: &'a Path, kind: [u8; 8]) -> Result<Self> {
        let Some(page) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(not_readable(
                path,
                format!(
                    "expected at least {HEADER_LEN} bytes, found {}",
                    bytes.len()
                ),
                "the file is cut short or is not an asif file; write it again",
            ));
        };
        // Magic bytes first: without them nothing else of the page means anything.
        if page[..8] != MAGIC {
            return Err(not_readable(
                path,
                format!(
                    "expected an asif file, found one that starts with {:02X?}",
                    &page[..8]
                ),
                "give a file that asif wrote",
            ));
        }
        let version = u32_at(page, 8);
        let (expected, found) = (u64_at(page, CHECKSUM_OFFSET), header_checksum(page));
        // With its own checksum right the number is meant; otherwise it may be the number that is damaged.
        if version != VERSION && expected == found {
            return Err(Error::Version {
                path: path.to_owned(),
                found: version,
                known: VERSION,
            });
        }
        if version != VERSION {
            return Err(not_readable(
                path,
                format!("expected format version {VERSION}, found {version}"),
                "use the asif that wrote it, or write it again with this one",
            ));
        }
        if expected != found {
            return Err(Error::header(
                path,
                format!("expected checksum {expected:016x}, found {found:016x}"),
            ));
        }
        // After the checksum: a damaged kind would otherwise be reported as another kind of file.
        if page[16..24] != kind {
            return Err(not_readable(
                path,
                format!(
                    "expected a file of kind `{}`, found `{}`",
                    kind.escape_ascii(),
                    page[16..24].escape_ascii()
                ),
                "give a file of the right kind",
            ));
        }
        // Nothing of the table is trusted before the checksum of its page.
        let entries = read_table(page, bytes.len() as u64, path)?;
        Ok(Self {
            bytes,
            path,
            entries,
        })
    }

    /// The sections in the order of the file.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = SectionInfo> {
        self.entries.iter().map(|e| SectionInfo {
            name: e.name,
            offset: e.offset,
            len: e.len,
            checksum: e.checksum,
        })
    }

    /// Whether the file has a section of that name.
    pub fn has(&self, name: impl Into<SectionName>) -> bool {
        let name = name.into();
        self.entries.iter().any(|e| e.name == name)
    }

    /// The bytes of a section, without verifying their checksum.
    ///
    /// # Errors
    /// [`Error::Section`] when there is no section of that name.
    pub fn section(&self, name: impl Into<SectionName>) -> Result<&'a [u8]> {
        Ok(&self.bytes[self.range(name)?])
    }

    /// The range of a section in the bytes, always in bounds.
    ///
    /// # Errors
    /// [`Error::Section`] when there is no section of that name.
    pub fn range(&self, name: impl Into<SectionName>) -> Result<Range<usize>> {
        let name = name.into();
        let entry = self
            .entries
            .iter()
            .find(|e| e.name == name)
            .ok_or_else(|| Error::section(self.path, name, "expected it, found none"))?;
        // `read_table` checked that offset + len <= bytes.len(), so neither cast truncates.
        Ok(entry.offset as usize..(entry.offset + entry.len) as usize)
    }

    /// A section's checksum as stored in the table, which identifies its content.
    ///
    /// # Errors
    /// [`Error::Section`] when there is no section of that name.
    pub fn checksum(&self, name: impl Into<SectionName>) -> Result<u64> {
        let name = name.into();
        let entry = self.entries.iter().find(|e| e.name == name);
        Ok(entry
            .ok_or_else(|| Error::section(self.path, name, "expected it, found none"))?
            .checksum)
    }

    /// Reads the whole file: each section against its checksum, each padding byte against zero.
    ///
    /// # Errors
    /// [`Error::Section`] naming the first section that differs, [`Error::Header`] for padding.
    pub fn verify(&self) -> Result<()> {
        // From the header on, so that padding before the first section is checked too.
        let mut end = HEADER_LEN;
        for entry in &self.entries {
            let range = entry.offset as usize..(entry.offset + entry.len) as usize;
            self.check_padding(end..range.start)?;
            let found = xxh3_64(&self.bytes[range.clone()]);
            if found != entry.checksum {
                return Err(Error::section(
                    self.path,
                    entry.name,
                    format!(
                        "expected checksum {:016x}, found {found:016x}",
                        entry.checksum
                    ),
                ));
            }
            end = range.end;
        }
        self.check_padding(end..self.bytes.len())
    }

    fn check_padding(&self, range: Range<usize>) -> Result<()> {
        match self.bytes[range.clone()].iter().position(|&b| b != 0) {
            None => Ok(()),
            Some(at) => Err(Error::header(
                self.path,
                format!(
                    "expected zero padding, found another byte at {}",
                    range.start + at
                ),
            )),
        }
    }
}

/// The used table entries, each checked to be at its only legal offset inside the file.
fn read_table(page: &[u8; HEADER_LEN], found_len: u64, path: &Path) -> Result<Vec<SectionEntry>> {
    let count = u32_at(page, 12) as usize;
    if count > MAX_SECTIONS {
        return Err(Error::header(
            path,
            format!("expected at most {MAX_SECTIONS} sections, found {count}"),
        ));
    }
    let file_len = u64_at(page, 24);
    if file_len != found_len {
        return Err(Error::header(
            path,
            format!("expected {file_len} bytes, found {found_len}"),
        ));
    }
    // Unused entries are zero, so that a later version cannot have meant something by them.
    let (used, unused) = page[TABLE_OFFSET..].split_at(count * ENTRY_LEN);
    if page[CHECKSUM_OFFSET + 8..TABLE_OFFSET]
        .iter()
        .chain(unused)
        .any(|&b| b != 0)
    {
        return Err(Error::header(
            path,
            "expected zeros in its unused part, found other bytes",
        ));
    }
    let mut entries: Vec<SectionEntry> = Vec::with_capacity(count);
    let mut next = HEADER_LEN as u64;
    for bytes in used.as_chunks::<ENTRY_LEN>().0 {
        let entry = SectionEntry::decode(bytes);
        if !entry.name.is_legal() || entries.iter().any(|e| e.name == entry.name) {
            return Err(Error::header(
                path,
                format!(
                    "expected unique section names in ASCII, found `{}`",
                    entry.name
                ),
            ));
        }
        // There is one legal place for each section, so that no two overlap and no byte belongs to none.
        if entry.offset != next {
            return Err(Error::section(
                path,
                entry.name,
                format!("expected it at byte {next}, found it at {}", entry.offset),
            ));
        }
        next = entry
            .offset
            // Lengths come from the file: a sum that overflows would wrap to a place inside of it.
            .checked_add(entry.len)
            .and_then(align_up)
            .filter(|&end| end <= found_len)
            .ok_or_else(|| {
                Error::section(
                    path,
                    entry.name,
                    format!(
                        "expected it inside {found_len} bytes, found {} of its own",
                        entry.len
                    ),
                )
            })?;
        entries.push(entry);
    }
    match next.checked_add(TAIL) {
        Some(end) if end == found_len => Ok(entries),
        _ => Err(Error::header(
            path,
            format!(
                "expected {TAIL} bytes after the last section, which ends at {next}, of {found_len}"
            ),
        )),
    }
}

fn not_readable(path: &Path, problem: String, advice: &'static str) -> Error {
    Error::NotReadable {
        path: path.to_owned(),
        problem,
        advice,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ContainerWriter;
    use super::super::layout::encode_header;
    use super::*;
    use fs_err as fs;

    const KIND: [u8; 8] = *b"TESTKIND";

    fn sample() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sample");
        let mut writer = ContainerWriter::create(&path, KIND).unwrap();
        writer.section("first", &[7; 100]).unwrap();
        writer.section("empty", &[]).unwrap();
        writer
            .section("third", &(0..=255).collect::<Vec<u8>>())
            .unwrap();
        writer.finish().unwrap();
        fs::read(&path).unwrap()
    }

    fn check(bytes: &[u8]) -> Result<()> {
        Container::open(bytes, Path::new("sample"), KIND)?.verify()
    }

    #[test]
    fn sections_come_back() {
        let bytes = sample();
        let container = Container::open(&bytes, Path::new("sample"), KIND).unwrap();
        assert_eq!(container.section("first").unwrap(), [7; 100]);
        assert_eq!(container.section("empty").unwrap(), [0; 0]);
        assert_eq!(container.section("third").unwrap().len(), 256);
        assert!(container.sections().all(|s| s.offset % 64 == 0));
        let error = container.section("fourth").unwrap_err().to_string();
        assert!(
            error.contains("sample") && error.contains("`fourth`"),
            "{error}"
        );
        container.verify().unwrap();
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let good = sample();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(check(&bad).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_truncation_and_extension_is_found() {
        let good = sample();
        for len in 0..good.len() {
            assert!(check(&good[..len]).is_err(), "length {len}");
        }
        for more in [1, 64, 4096] {
            let mut bad = good.clone();
            bad.resize(good.len() + more, 0);
            assert!(check(&bad).is_err());
        }
    }

    #[test]
    fn a_forged_table_with_a_right_checksum_is_found() {
        let good = sample();
        let entries: Vec<SectionEntry> = good[TABLE_OFFSET..TABLE_OFFSET + 3 * ENTRY_LEN]
            .as_chunks::<ENTRY_LEN>()
            .0
            .iter()
            .map(SectionEntry::decode)
            .collect();
        let forge = |change: &dyn Fn(&mut Vec<SectionEntry>)| {
            let mut entries = entries.clone();
            change(&mut entries);
            let mut bytes = good.clone();
            bytes[..HEADER_LEN].copy_from_slice(&encode_header(KIND, good.len() as u64, &entries));
            check(&bytes)
        };
        forge(&|_| {}).unwrap();
        for len in [1 << 32, 1 << 60, u64::MAX, u64::MAX - 4096, 101] {
            assert!(forge(&|e| e[0].len = len).is_err(), "length {len}");
        }
        for offset in [0, 64, 4097, 4160, 1 << 60, u64::MAX] {
            assert!(forge(&|e| e[1].offset = offset).is_err(), "offset {offset}");
        }
        assert!(
            forge(&|e| e[1].name = e[0].name).is_err(),
            "the same name twice"
        );
        assert!(forge(&|e| e[2].offset = e[0].offset).is_err(), "overlap");
        assert!(forge(&|e| e.truncate(2)).is_err(), "one section fewer");
        assert!(forge(&|e| e[0].checksum ^= 1).is_err(), "checksum");
    }

    #[test]
    fn a_newer_version_is_told_from_a_flipped_one() {
        let mut bytes = sample();
        bytes[8] = 2;
        let error = check(&bytes).unwrap_err();
        assert!(matches!(error, Error::NotReadable { .. }), "{error}");
        let page: &[u8; HEADER_LEN] = bytes.first_chunk().unwrap();
        let sum = header_checksum(page).to_le_bytes();
        bytes[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 8].copy_from_slice(&sum);
        let error = check(&bytes).unwrap_err();
        assert!(matches!(error, Error::Version { found: 2, .. }), "{error}");
    }

    #[test]
    fn a_file_of_another_kind_says_so() {
        let bytes = sample();
        let error = Container::open(&bytes, Path::new("x"), *b"OTHER!!!").unwrap_err();
        assert!(matches!(error, Error::NotReadable { .. }));
        assert!(error.to_string().contains("TESTKIND"), "{error}");
    }
}
