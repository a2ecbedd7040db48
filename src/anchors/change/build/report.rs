//! What was built, and what was left out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::anchors::stored::manifest::Counts;
use crate::remedy::InputRemedy;

/// Rows that are kept word for word in a [`BuildReport`]; the whole list is on disk.
pub(crate) const EXAMPLES: usize = 20;

/// What was built.
#[derive(Debug, Clone, Serialize)]
pub struct BuildReport {
    /// The set's folder.
    pub out: PathBuf,
    /// The generation that is live now.
    pub generation: u64,
    /// How many of what.
    #[serde(flatten)]
    pub counts: Counts,
    /// Rows left out, by kind of reason.
    pub skipped_by_reason: BTreeMap<String, u64>,
    /// The first rows left out.
    pub skipped_examples: Vec<SkippedRow>,
    /// Where all rows left out are listed, if there are any.
    pub skipped_list: Option<PathBuf>,
    /// Embeddings that came out of the cache.
    pub from_cache: u64,
    /// Seconds by phase.
    pub seconds: Seconds,
    /// Bytes of the set on disk.
    pub bytes: u64,
    /// What failed after the generation was live, as in a [`Receipt`](crate::anchors::Receipt).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Seconds by phase.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Seconds {
    /// Looking at the sources and reading rows.
    pub read: f64,
    /// Reading, decoding and encoding images.
    pub images: f64,
    /// Encoding captions.
    pub captions: f64,
    /// Writing and publishing.
    pub write: f64,
    /// All of it.
    pub total: f64,
}

/// A row of a source that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedRow {
    /// File and row.
    pub origin: String,
    /// The reason in a few words, the same for all rows with the same fault.
    pub kind: Cow<'static, str>,
    /// The reason in full.
    pub reason: String,
    /// What the caller can do so that it is accepted, if anything.
    #[serde(skip)]
    pub remedy: Option<InputRemedy>,
}
