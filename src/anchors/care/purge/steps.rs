//! How far a failed purge got.

use std::path::Path;

use crate::anchors::error::AnchorsError;

/// The steps of a purge once it deletes, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum PurgeStep {
    Uploads,
    Cache,
    Beside,
    Log,
    SkipLists,
    Damaged,
    Generations,
    Search,
}

impl PurgeStep {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Uploads, "uploaded pictures"),
        (Self::Cache, "cached embeddings"),
        (Self::Beside, "leftovers beside the anchor set"),
        (Self::Log, "the log"),
        (Self::SkipLists, "lists of skipped rows"),
        (Self::Damaged, "files that repairs moved to damaged/"),
        (Self::Generations, "older generations with the stored pairs"),
        (Self::Search, "the search afterwards"),
    ];
}

/// The current step of a purge; `None` while it has deleted nothing.
#[derive(Debug, Default)]
pub(super) struct PurgeSteps {
    at: Option<PurgeStep>,
}

impl PurgeSteps {
    /// Marks all steps before this one as done.
    pub(crate) fn begin(&mut self, step: PurgeStep) {
        self.at = Some(step);
    }

    /// Wraps the error that stopped a purge of `set`.
    pub(crate) fn stopped(&self, set: &Path, error: AnchorsError) -> AnchorsError {
        let Some(at) = self.at else {
            return error;
        };
        let (done, left): (Vec<_>, Vec<_>) =
            PurgeStep::ALL.iter().partition(|(step, _)| *step < at);
        let words = |steps: Vec<&(PurgeStep, &str)>| {
            let names: Vec<&str> = steps.iter().map(|(_, name)| *name).collect();
            match names.is_empty() {
                true => "nothing".to_owned(),
                false => names.join(", "),
            }
        };
        let mut left = words(left);
        if at == PurgeStep::Search {
            // The data that identified the pairs was deleted with them.
            left.push_str(", which then finds only the ids and values that it is given");
        }
        AnchorsError::PurgeStopped {
            set: set.to_owned(),
            done: words(done),
            left,
            source: Box::new(error),
        }
    }
}
