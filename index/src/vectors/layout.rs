//! Section names and the `meta` section of a vector set.

use std::path::Path;

use crate::container::SectionName;
use crate::container::layout::{u32_at, u64_at};
use crate::error::{Error, Result};
use crate::simd::{CODE_ALIGN, SKETCH_ROWS};

/// The kind of a vector set's file.
pub const KIND: [u8; 8] = *b"ASIFVECS";
/// The widest vector.
pub const MAX_DIM: usize = 65_536;
/// Ids are `u32`, and the largest `u32` means "none".
pub const MAX_ROWS: u64 = u32::MAX as u64 - 1;

pub const META: SectionName = SectionName::new("meta");
pub const VECTORS: SectionName = SectionName::new("vectors");
pub const CODES: SectionName = SectionName::new("codes");
pub const HALVES: SectionName = SectionName::new("halves");
pub const SCALES: SectionName = SectionName::new("scales");
pub const CENTER: SectionName = SectionName::new("center");
pub const SKETCHES: SectionName = SectionName::new("sketches");
pub const FACTORS: SectionName = SectionName::new("factors");
pub const ALONG: SectionName = SectionName::new("along");

const META_LEN: usize = 64;
const HAS_CENTER: u32 = 1;
const HAS_HALVES: u32 = 2;
const HAS_SKETCHES: u32 = 4;
const KNOWN_FLAGS: u32 = HAS_CENTER | HAS_HALVES | HAS_SKETCHES;

/// Columns of a code row: `dim` rounded up to whole cache lines.
pub fn stride_of(dim: usize) -> usize {
    dim.next_multiple_of(CODE_ALIGN)
}

/// Bytes of a row's sketch: one bit a column, `dim` rounded up to a multiple of 16.
pub fn sketch_width_of(dim: usize) -> usize {
    2 * dim.div_ceil(16)
}

/// The contents of the `meta` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorSetMeta {
    pub rows: u64,
    pub dim: usize,
    pub has_center: bool,
    pub has_halves: bool,
    pub has_sketches: bool,
}

impl VectorSetMeta {
    pub fn encode(&self) -> [u8; META_LEN] {
        let mut out = [0; META_LEN];
        out[..8].copy_from_slice(&self.rows.to_le_bytes());
        out[8..12].copy_from_slice(&(self.dim as u32).to_le_bytes());
        out[12..16].copy_from_slice(&(stride_of(self.dim) as u32).to_le_bytes());
        let flags = u32::from(self.has_center) * HAS_CENTER
            + u32::from(self.has_halves) * HAS_HALVES
            + u32::from(self.has_sketches) * HAS_SKETCHES;
        out[16..20].copy_from_slice(&flags.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |problem: String| Error::section(path, META, problem);
        if bytes.len() != META_LEN {
            return Err(damaged(format!(
                "expected {META_LEN} bytes, found {}",
                bytes.len()
            )));
        }
        let rows = u64_at(bytes, 0);
        if rows > MAX_ROWS {
            return Err(damaged(format!(
                "expected at most {MAX_ROWS} rows, found {rows}"
            )));
        }
        let dim = u32_at(bytes, 8) as usize;
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(damaged(format!(
                "expected a dim of 1 to {MAX_DIM}, found {dim}"
            )));
        }
        let stride = u32_at(bytes, 12) as usize;
        // The stride follows from the dimension; another one would shift every row of codes.
        if stride != stride_of(dim) {
            return Err(damaged(format!(
                "expected a stride of {}, found {stride}",
                stride_of(dim)
            )));
        }
        let flags = u32_at(bytes, 16);
        // A flag of a newer program announces sections that this one would pass over.
        if flags & !KNOWN_FLAGS != 0 || bytes[20..].iter().any(|&b| b != 0) {
            return Err(damaged(format!(
                "expected known flags and zeros, found flags {flags:#x}"
            )));
        }
        Ok(Self {
            rows,
            dim,
            has_center: flags & HAS_CENTER != 0,
            has_halves: flags & HAS_HALVES != 0,
            has_sketches: flags & HAS_SKETCHES != 0,
        })
    }

    /// The sections of the set, with their required lengths.
    pub fn lengths(&self) -> impl Iterator<Item = (SectionName, u64)> {
        // At most 2^32 rows of 2^18 bytes: no overflow, also after rounding up.
        let dim = self.dim as u64;
        let center = self.has_center.then_some((CENTER, dim * 4));
        let halves = self.has_halves.then_some((HALVES, self.rows * dim * 2));
        // Sketches are stored in whole blocks of rows.
        let rounded = self.rows.next_multiple_of(SKETCH_ROWS as u64);
        let sketches = self.has_sketches.then_some([
            (SKETCHES, rounded * sketch_width_of(self.dim) as u64),
            (FACTORS, self.rows * 4),
        ]);
        let along = (self.has_sketches && self.has_center).then_some((ALONG, self.rows * 4));
        [
            (VECTORS, self.rows * dim * 4),
            (CODES, self.rows * stride_of(self.dim) as u64),
            (SCALES, self.rows * 4),
        ]
        .into_iter()
        .chain(center)
        .chain(halves)
        .chain(sketches.into_iter().flatten())
        .chain(along)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_and_the_code_agree() {
        let text = include_str!("../../../docs/format.md");
        for fact in [
            format!("kind `{}`", KIND.escape_ascii()),
            format!("| `{META}` | {META_LEN} |"),
            format!("### `meta` ({META_LEN} bytes)"),
            format!("u32, 1 to {MAX_DIM}"),
            format!("bit {}: there are `halves`", HAS_HALVES.ilog2()),
            format!("bit {}: there is a `center`", HAS_CENTER.ilog2()),
            format!(
                "bit {}: there are `sketches` and `factors`",
                HAS_SKETCHES.ilog2()
            ),
            format!("u8 `[ceil(n / {SKETCH_ROWS}), width, {SKETCH_ROWS}]`"),
            format!("width = {} * ceil(dim / 16)", sketch_width_of(1)),
            format!("multiple of {CODE_ALIGN}: a code row is whole cache lines"),
        ] {
            assert!(text.contains(&fact), "docs/format.md does not say: {fact}");
        }
        for section in [
            VECTORS, CODES, HALVES, SCALES, CENTER, SKETCHES, FACTORS, ALONG,
        ] {
            assert!(text.contains(&format!("| `{section}` |")), "{section}");
        }
    }

    #[test]
    fn meta_survives_its_bytes_and_refuses_others() {
        let path = Path::new("set");
        let meta = VectorSetMeta {
            rows: 12,
            dim: 100,
            has_center: true,
            has_halves: true,
            has_sketches: true,
        };
        let good = meta.encode();
        assert_eq!(VectorSetMeta::decode(&good, path).unwrap(), meta);
        assert!(VectorSetMeta::decode(&good[..63], path).is_err());
        for (at, value) in [
            (4, 1),
            (8, 200),
            (11, 1),
            (12, 0),
            (16, 8),
            (20, 1),
            (63, 1),
        ] {
            let mut bad = good;
            bad[at] = value;
            assert!(VectorSetMeta::decode(&bad, path).is_err(), "byte {at}");
        }
        let lengths: Vec<u64> = meta.lengths().map(|(_, len)| len).collect();
        assert_eq!(lengths, [4800, 12 * 128, 48, 400, 2400, 64 * 14, 48, 48]);
        for flags in 0..8u8 {
            let [has_center, has_halves, has_sketches] = [1, 2, 4].map(|bit| flags & bit != 0);
            let other = VectorSetMeta {
                has_center,
                has_halves,
                has_sketches,
                ..meta
            };
            assert_eq!(VectorSetMeta::decode(&other.encode(), path).unwrap(), other);
            let along = has_center && has_sketches;
            let optional = [has_center, has_halves, has_sketches, has_sketches, along];
            let optional = optional.into_iter().filter(|&has| has).count();
            assert_eq!(other.lengths().count(), 3 + optional);
        }
    }
}
