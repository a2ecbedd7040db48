//! The report of a build: what was built, and what was skipped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::anchors::change::selection::SelectionCounts;
use crate::anchors::stored::manifest::ManifestCounts;
use crate::remedy::InputRemedy;

/// How many skipped rows a [`BuildReport`] lists; the complete list is on disk.
pub(crate) const EXAMPLES: usize = 20;

/// The report of a build.
#[derive(Debug, Clone, Serialize)]
pub struct BuildReport {
    /// The anchor set's folder.
    pub out: PathBuf,
    /// The generation that is live now.
    pub generation: u64,
    /// The counts.
    #[serde(flatten)]
    pub counts: ManifestCounts,
    /// Skipped rows by kind of reason.
    pub skipped_by_reason: BTreeMap<String, u64>,
    /// The first skipped rows.
    pub skipped_examples: Vec<SkippedRow>,
    /// The list of all skipped rows, if there are any.
    pub skipped_list: Option<PathBuf>,
    /// Pairs that the selection did not take.
    #[serde(skip_serializing_if = "SelectionCounts::is_all")]
    pub not_taken: SelectionCounts,
    /// Cache hits: embeddings that were not computed.
    pub from_cache: u64,
    /// Seconds by phase.
    pub seconds: BuildSeconds,
    /// Bytes of the anchor set on disk.
    pub bytes: u64,
    /// The part of them that small copies of the pictures take.
    pub thumbnail_bytes: u64,
    /// Failures after the generation went live, as in a [`ChangeReceipt`](crate::anchors::ChangeReceipt).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What was noticed of the pairs, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Seconds by phase.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct BuildSeconds {
    /// Scanning the sources and reading rows.
    pub read: f64,
    /// Reading, decoding and encoding images.
    pub images: f64,
    /// Encoding captions.
    pub captions: f64,
    /// Writing and publishing.
    pub write: f64,
    /// The total.
    pub total: f64,
}

/// A skipped row of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedRow {
    /// File and row.
    pub origin: String,
    /// The kind of reason in a few words, the same for all rows with the same fault.
    pub kind: Cow<'static, str>,
    /// The reason in full.
    pub reason: String,
    /// What the caller can do so that it is accepted, if anything.
    #[serde(skip)]
    pub remedy: Option<InputRemedy>,
}
