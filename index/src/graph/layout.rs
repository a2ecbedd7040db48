//! Section names and the `meta` section of a graph.

use std::path::Path;

use crate::container::SectionName;
use crate::container::layout::{u32_at, u64_at};
use crate::error::{Error, Result};

/// The kind of a graph's file.
pub const KIND: [u8; 8] = *b"ASIFHNSW";
/// The most layers above layer 0.
pub const MAX_UPPER: usize = 16;
/// The most links of a node in a layer.
pub const MAX_WIDTH: usize = 512;

pub const META: SectionName = SectionName::new("meta");
pub const ROWS: SectionName = SectionName::new("rows");
pub const LINKS: SectionName = SectionName::new("links");
pub const NIBBLES: SectionName = SectionName::new("nibbles");
pub const STEPS: SectionName = SectionName::new("steps");

const META_LEN: usize = 64;

/// The section of the nodes of upper layer `level`, from 1.
pub fn nodes_of(level: usize) -> SectionName {
    // With at most [`MAX_UPPER`] layers the name fits the eight bytes of a section name.
    SectionName::new(&format!("nodes.{level}"))
}

/// The section of the links of upper layer `level`, from 1.
pub fn links_of(level: usize) -> SectionName {
    SectionName::new(&format!("links.{level}"))
}

/// The contents of the `meta` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphMeta {
    pub nodes: u64,
    pub dim: usize,
    /// Link slots of a node in layer 0.
    pub width: usize,
    /// Link slots of a node in upper layers.
    pub upper_width: usize,
    pub upper: usize,
    pub entry: u32,
    pub nibble_width: usize,
    pub fingerprint: u64,
}

impl GraphMeta {
    pub fn encode(&self) -> [u8; META_LEN] {
        let mut out = [0; META_LEN];
        out[..8].copy_from_slice(&self.nodes.to_le_bytes());
        for (at, value) in [self.dim, self.width, self.upper_width, self.upper]
            .into_iter()
            .enumerate()
        {
            out[8 + 4 * at..][..4].copy_from_slice(&(value as u32).to_le_bytes());
        }
        out[24..28].copy_from_slice(&self.entry.to_le_bytes());
        out[28..32].copy_from_slice(&(self.nibble_width as u32).to_le_bytes());
        out[32..40].copy_from_slice(&self.fingerprint.to_le_bytes());
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
        let number = |at| u32_at(bytes, at) as usize;
        let meta = Self {
            nodes: u64_at(bytes, 0),
            dim: number(8),
            width: number(12),
            upper_width: number(16),
            upper: number(20),
            entry: u32_at(bytes, 24),
            nibble_width: number(28),
            fingerprint: u64_at(bytes, 32),
        };
        // These bounds keep the products in `lengths` from overflowing.
        let fits = meta.nodes <= crate::vectors::MAX_ROWS
            && (1..=crate::vectors::MAX_DIM).contains(&meta.dim)
            && (1..=MAX_WIDTH).contains(&meta.width)
            && (1..=MAX_WIDTH).contains(&meta.upper_width)
            && meta.upper <= MAX_UPPER
            && meta.nibble_width == super::nibbles::width_of(meta.dim)
            // Reserved bytes must be zero, so that a later version can give them a meaning.
            && bytes[40..].iter().all(|&b| b == 0);
        if fits {
            Ok(meta)
        } else {
            Err(damaged(format!(
                "expected numbers in range, found {meta:?}"
            )))
        }
    }

    /// The sections of layer 0, and the length each must have.
    pub fn lengths(&self) -> [(SectionName, u64); 4] {
        [
            (ROWS, self.nodes * 4),
            (LINKS, self.nodes * self.width as u64 * 4),
            (NIBBLES, self.nodes * self.nibble_width as u64),
            (STEPS, self.nodes * 4),
        ]
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
            format!("u32, at most {MAX_UPPER}"),
            format!("u32, 1 to {MAX_WIDTH}"),
        ] {
            assert!(text.contains(&fact), "docs/format.md does not say: {fact}");
        }
        for section in [ROWS, LINKS, NIBBLES, STEPS] {
            assert!(text.contains(&format!("| `{section}` |")), "{section}");
        }
    }

    #[test]
    fn meta_survives_its_bytes_and_refuses_others() {
        let path = Path::new("graph");
        let meta = GraphMeta {
            nodes: 77,
            dim: 100,
            width: 32,
            upper_width: 16,
            upper: 2,
            entry: 3,
            nibble_width: 64,
            fingerprint: 9,
        };
        let good = meta.encode();
        assert_eq!(GraphMeta::decode(&good, path).unwrap(), meta);
        for (at, value) in [
            (5, 1),
            (11, 1),
            (12, 0),
            (17, 3),
            (20, 17),
            (28, 0),
            (50, 1),
        ] {
            let mut bad = good;
            bad[at] = value;
            assert!(GraphMeta::decode(&bad, path).is_err(), "byte {at}");
        }
    }
}
