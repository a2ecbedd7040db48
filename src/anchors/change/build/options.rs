//! Options of a build.

use std::path::PathBuf;

use super::tally::BadRowPolicy;
use crate::anchors::change::selection::IncomingSelection;
use crate::anchors::stored::plan::GraphPolicy;
use crate::pairs::PairOptions;
use crate::space::Recipe;

/// Options of a build.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Files and folders of pairs, in order; for pairs in memory, the name of the source
    /// in the log.
    pub pairs: Vec<PathBuf>,
    /// How they are read.
    pub reading: PairOptions,
    /// The anchor set's folder.
    pub out: PathBuf,
    /// Whether an existing anchor set is replaced, by a further generation.
    pub overwrite: bool,
    /// How many generations are kept for rollback, the new one included.
    pub keep: usize,
    /// Which pairs of the sources are taken.
    pub selection: IncomingSelection,
    /// Whether the first bad row is an error.
    pub strict: bool,
    /// The space that queries use unless they say otherwise.
    pub space: Recipe,
    /// Whether a small picture of each pair is kept, so that the anchor set can be explained and moved without
    /// the originals.
    pub thumbnails: bool,
    /// Whether graphs are built.
    pub graphs: GraphPolicy,
}

impl BuildOptions {
    /// How many bad rows end the build.
    pub(super) fn policy(&self) -> BadRowPolicy {
        BadRowPolicy {
            strict: self.strict,
            max_errors: self.reading.max_errors,
        }
    }
}
