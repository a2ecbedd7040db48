//! The manifest of a generation: which segments it is made of, and what made them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::AnchorsError;
use super::plan::SearchPlan;
use crate::encode::EncoderIdentity;
use crate::space::SpaceParams;

/// The manifest format that this program writes, and the only one that it reads.
pub const FORMAT: u32 = 1;

/// A generation of an anchor set, as JSON under `generations/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// 1 for the first generation of a set, then one more each time.
    pub generation: u64,
    /// When it was made, RFC 3339 in UTC.
    pub created: String,
    /// The program version that made it.
    pub made_by: String,
    /// The segments, in anchor order.
    pub segments: Vec<SegmentEntry>,
    /// What turned images into vectors.
    pub image_encoder: EncoderEntry,
    /// What turned captions into vectors.
    pub text_encoder: EncoderEntry,
    /// How similarities become relative rows, unless a query says otherwise.
    pub space: SpaceParams,
    /// How many of what.
    pub counts: Counts,
    /// Pairs by the value of their `source`.
    pub sources: BTreeMap<String, u64>,
    /// Pairs by the value of their `licence` (or `license`).
    pub licences: BTreeMap<String, u64>,
}

/// One segment of a generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentEntry {
    /// The folder's name under `segments/`.
    pub id: String,
    /// How many pairs it holds.
    pub pairs: u64,
    /// How its image vectors are searched; the scan of codes where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_search: Option<SearchPlan>,
    /// How its text vectors are searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_search: Option<SearchPlan>,
}

/// An encoder, and what it made of its canary input when the set was built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderEntry {
    /// Which model, with which preprocessing.
    #[serde(flatten)]
    pub identity: EncoderIdentity,
    /// The embedding of the canary input, `[dim]`.
    pub canary: Vec<f32>,
}

/// How many of what a generation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Anchor pairs.
    pub pairs: u64,
    /// Captions over all pairs.
    pub captions: u64,
    /// Rows of the sources that were left out, listed in the segment's `skipped.jsonl`.
    pub skipped: u64,
}

/// The folder of manifests in a set.
pub fn folder(set: &Path) -> PathBuf {
    set.join("generations")
}

/// The file name of a generation: `g000001`.
pub fn name(generation: u64) -> String {
    format!("g{generation:06}")
}

/// The generation that a file name names.
pub fn number(name: &str) -> Option<u64> {
    name.strip_prefix('g')?.parse().ok()
}

impl Manifest {
    /// Reads the manifest of the generation called `name` in `set`.
    ///
    /// # Errors
    /// When the file cannot be read, is not a manifest, or has a newer format.
    pub fn read(set: &Path, name: &str) -> Result<Self, AnchorsError> {
        let path = folder(set).join(format!("{name}.json"));
        let bytes = fs_err::read(&path).map_err(AnchorsError::Io)?;
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|source| AnchorsError::Manifest {
                path: path.clone(),
                source,
            })?;
        if manifest.format != FORMAT {
            return Err(AnchorsError::Format {
                path,
                found: manifest.format,
                known: FORMAT,
            });
        }
        Ok(manifest)
    }
}
