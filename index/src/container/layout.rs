//! The container's constants, and its header and table entries as bytes.

use std::fmt;

/// First eight bytes of every file.
pub const MAGIC: [u8; 8] = [0x89, b'A', b'S', b'I', b'F', 0x0D, 0x0A, 0x1A];
/// The format version this code writes and reads.
pub const VERSION: u32 = 1;
/// Header and table together: one page, and where the first section starts.
pub const HEADER_LEN: usize = 4096;
/// Every section starts at a multiple of this.
pub const ALIGN: u64 = 64;
/// Zero bytes after the last section.
pub const TAIL: u64 = 64;
/// Length of the header without the table, and so the offset of the table.
pub const TABLE_OFFSET: usize = 64;
/// Length of one table entry.
pub const ENTRY_LEN: usize = 32;
/// The most sections of a file.
pub const MAX_SECTIONS: usize = (HEADER_LEN - TABLE_OFFSET) / ENTRY_LEN;
/// Offset of the header's own checksum.
pub const CHECKSUM_OFFSET: usize = 32;

/// A section's name: one to eight printable ASCII bytes, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SectionName([u8; 8]);

impl SectionName {
    /// Names a section. Bytes of `name` past the eighth are cut off.
    pub const fn new(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut out = [0; 8];
        let mut i = 0;
        // A `while` loop, because iterators do not work in a `const fn`.
        while i < bytes.len() && i < 8 {
            out[i] = bytes[i];
            i += 1;
        }
        Self(out)
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// One to eight printable ASCII bytes, then only zeros.
    pub(super) fn is_legal(self) -> bool {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(8);
        len > 0
            && self.0[..len].iter().all(u8::is_ascii_graphic)
            // Non-zero bytes after the first zero would make two names print alike.
            && self.0[len..].iter().all(|&b| b == 0)
    }
}

impl From<&str> for SectionName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(8);
        write!(f, "{}", self.0[..len].escape_ascii())
    }
}

impl fmt::Debug for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SectionName({self})")
    }
}

/// One table entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SectionEntry {
    pub name: SectionName,
    pub offset: u64,
    pub len: u64,
    pub checksum: u64,
}

impl SectionEntry {
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        out[..8].copy_from_slice(&self.name.bytes());
        out[8..16].copy_from_slice(&self.offset.to_le_bytes());
        out[16..24].copy_from_slice(&self.len.to_le_bytes());
        out[24..].copy_from_slice(&self.checksum.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8; ENTRY_LEN]) -> Self {
        let mut name = [0; 8];
        name.copy_from_slice(&bytes[..8]);
        Self {
            name: SectionName::from_bytes(name),
            offset: u64_at(bytes, 8),
            len: u64_at(bytes, 16),
            checksum: u64_at(bytes, 24),
        }
    }
}

/// The first page of a file.
pub fn encode_header(kind: [u8; 8], file_len: u64, entries: &[SectionEntry]) -> [u8; HEADER_LEN] {
    let mut page = [0; HEADER_LEN];
    page[..8].copy_from_slice(&MAGIC);
    page[8..12].copy_from_slice(&VERSION.to_le_bytes());
    page[12..16].copy_from_slice(&(entries.len() as u32).to_le_bytes());
    page[16..24].copy_from_slice(&kind);
    page[24..32].copy_from_slice(&file_len.to_le_bytes());
    for (slot, entry) in page[TABLE_OFFSET..]
        .chunks_exact_mut(ENTRY_LEN)
        .zip(entries)
    {
        slot.copy_from_slice(&entry.encode());
    }
    // Computed last, with its own field still zero, as readers will see it.
    let checksum = header_checksum(&page);
    page[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 8].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// xxh3-64 of the first page with the checksum field read as zero.
pub fn header_checksum(page: &[u8; HEADER_LEN]) -> u64 {
    let mut copy = *page;
    copy[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 8].fill(0);
    xxhash_rust::xxh3::xxh3_64(&copy)
}

/// `offset` rounded up to the next legal start of a section; `None` past 2^64.
pub fn align_up(offset: u64) -> Option<u64> {
    offset.checked_next_multiple_of(ALIGN)
}

/// The u32 at `at`; the caller has checked that it lies inside.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

/// The u64 at `at`; the caller has checked that it lies inside.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_and_the_code_agree() {
        let text = include_str!("../../../docs/format.md");
        let magic: Vec<String> = MAGIC.iter().map(|b| format!("{b:02X}")).collect();
        for fact in [
            format!("magic | `{}`", magic.join(" ")),
            format!("Format version: `{VERSION}`"),
            format!("version | u32, `{VERSION}`"),
            format!("at most `{MAX_SECTIONS}`"),
            format!("### Table entry ({ENTRY_LEN} bytes, `{MAX_SECTIONS}` of them"),
            format!("### Header ({TABLE_OFFSET} bytes)"),
            format!(
                "| {CHECKSUM_OFFSET} | 8 | checksum | u64, xxh3-64 of the first `{HEADER_LEN}`"
            ),
            format!("starts at `{HEADER_LEN}`"),
            format!("multiple of `{ALIGN}`"),
            format!("come `{TAIL}` more zero bytes"),
        ] {
            let flat = text.replace('\n', " ");
            assert!(flat.contains(&fact), "docs/format.md does not say: {fact}");
        }
    }

    #[test]
    fn an_entry_survives_its_bytes() {
        let entry = SectionEntry {
            name: SectionName::new("vectors"),
            offset: 4096,
            len: 1 << 60,
            checksum: 0x0123_4567_89AB_CDEF,
        };
        assert_eq!(SectionEntry::decode(&entry.encode()), entry);
    }

    #[test]
    fn names_are_checked() {
        for (bytes, legal) in [
            (*b"codes\0\0\0", true),
            (*b"exactly8", true),
            (*b"\0\0\0\0\0\0\0\0", false),
            (*b"a\0b\0\0\0\0\0", false),
            (*b"a b\0\0\0\0\0", false),
            (*b"\xFFab\0\0\0\0\0", false),
        ] {
            assert_eq!(
                SectionName::from_bytes(bytes).is_legal(),
                legal,
                "{bytes:?}"
            );
        }
    }
}
