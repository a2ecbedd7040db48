//! One generation and its fitted space, owned.

use crate::anchors::search::searcher::SetSpace;
use crate::anchors::{AnchorSet, Searcher};

/// A generation that passed every check, with its fitted space.
///
/// Immutable. It keeps its files mapped, even after a writer has removed them.
#[derive(Debug)]
pub struct Snapshot {
    set: AnchorSet,
    space: SetSpace,
}

impl Snapshot {
    pub(super) fn new(set: AnchorSet, space: SetSpace) -> Self {
        Self { set, space }
    }

    /// The anchor set.
    pub fn set(&self) -> &AnchorSet {
        &self.set
    }

    /// The number of the generation.
    pub fn generation(&self) -> u64 {
        self.set.manifest().generation
    }

    /// A searcher of the anchor set; cheap, because the space is already fitted.
    pub fn searcher(&self) -> Searcher<'_> {
        Searcher::of(&self.set, self.space.clone())
    }
}
