//! Damages files the way accidents do, and forges them the way an attacker would.

use xxhash_rust::xxh3::xxh3_64;

const PAGE: usize = 4096;

/// The sections of a good file: name, offset, length.
pub fn sections(bytes: &[u8]) -> Vec<(String, usize, usize)> {
    let count = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    (0..count)
        .map(|i| {
            let at = 64 + 32 * i;
            let name = String::from_utf8(bytes[at..at + 8].to_vec()).unwrap();
            (
                name.trim_end_matches('\0').to_owned(),
                number(at + 8),
                number(at + 16),
            )
        })
        .collect()
}

/// Makes every checksum right again, so that what lies behind the checksums is tested.
pub fn reseal(bytes: &mut [u8]) {
    for (i, (_, offset, len)) in sections(bytes).into_iter().enumerate() {
        if let Some(section) = offset
            .checked_add(len)
            .and_then(|end| bytes.get(offset..end))
        {
            let sum = xxh3_64(section).to_le_bytes();
            bytes[64 + 32 * i + 24..][..8].copy_from_slice(&sum);
        }
    }
    bytes[32..40].fill(0);
    let sum = xxh3_64(&bytes[..PAGE]).to_le_bytes();
    bytes[32..40].copy_from_slice(&sum);
}

/// A copy with bytes of a section replaced, every checksum right.
pub fn forged(good: &[u8], section: &str, at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let (_, offset, len) = sections(good)
        .into_iter()
        .find(|s| s.0 == section)
        .expect("the section exists");
    assert!(at + new.len() <= len, "the forgery lies inside the section");
    bytes[offset + at..][..new.len()].copy_from_slice(new);
    reseal(&mut bytes);
    bytes
}

/// A copy with a table entry's offset and length replaced, every checksum right.
pub fn moved(good: &[u8], section: &str, offset: u64, len: u64) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let at = sections(good)
        .iter()
        .position(|s| s.0 == section)
        .expect("the section exists");
    bytes[64 + 32 * at + 8..][..8].copy_from_slice(&offset.to_le_bytes());
    bytes[64 + 32 * at + 16..][..8].copy_from_slice(&len.to_le_bytes());
    reseal(&mut bytes);
    bytes
}

/// Lengths to cut a file to: around each section's borders, the first page and the end.
pub fn cuts(good: &[u8]) -> Vec<usize> {
    let mut borders = vec![0, 8, 64, PAGE, good.len()];
    for (_, offset, len) in sections(good) {
        borders.extend([offset, offset + len, offset + len / 2]);
    }
    let mut cuts: Vec<usize> = borders
        .into_iter()
        .flat_map(|b| [b.saturating_sub(65), b.saturating_sub(1), b, b + 1, b + 64])
        .filter(|&len| len < good.len())
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}
