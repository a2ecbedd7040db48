//! What a build is given.

use std::path::PathBuf;

use crate::anchors::stored::plan::GraphPolicy;
use crate::space::Recipe;

/// What to build, and where.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// Files and folders of pairs, in order; where the caller has the pairs itself, what the log names
    /// as their source.
    pub pairs: Vec<PathBuf>,
    /// The set's folder.
    pub out: PathBuf,
    /// Whether a set that stands there is replaced: it gets a further generation.
    pub overwrite: bool,
    /// How many generations are kept for rollback, the new one included.
    pub keep: usize,
    /// Whether the first bad row ends the build.
    pub strict: bool,
    /// The space that queries use unless they say otherwise.
    pub space: Recipe,
    /// Whether graphs are built.
    pub graphs: GraphPolicy,
}
