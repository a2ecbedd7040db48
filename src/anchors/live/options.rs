//! Options for switching generations.

use crate::anchors::AnchorSet;
use crate::anchors::stored::plan::SearchMode;
use crate::space::Recipe;

/// A caller's check of a generation, such as known answers, or that the process's encoders
/// built it (`AnchorSet::check_encoders`). Its error becomes part of the status;
/// a panic counts as an error.
pub type CanaryCheck = Box<dyn Fn(&AnchorSet) -> Result<(), String> + Send + Sync>;

/// Options for switching generations.
pub struct LiveOptions {
    /// The space for all generations; `None` uses that of each manifest.
    pub space: Option<Recipe>,
    /// What searches the vectors.
    pub search: SearchMode,
    /// The maximum bytes of codes, graphs and vectors that are read into memory before a generation goes
    /// live; an anchor set larger than memory must not evict the one it replaces.
    pub warm_bytes: u64,
    /// The caller's check, run last.
    pub canary: Option<CanaryCheck>,
    /// Whether to accept a generation whose encoders have other weights than the live one's.
    /// The caller must then rescale the vectors of queries to its weights
    /// (`EncoderIdentity::factors_to`).
    pub any_weights: bool,
}

impl Default for LiveOptions {
    /// The manifest's space, the planned search, up to 2 GiB warmed, no canary, no other weights.
    fn default() -> Self {
        Self {
            space: None,
            search: SearchMode::Auto,
            warm_bytes: 2 << 30,
            canary: None,
            any_weights: false,
        }
    }
}

impl std::fmt::Debug for LiveOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveOptions")
            .field("space", &self.space)
            .field("search", &self.search)
            .field("warm_bytes", &self.warm_bytes)
            .field("canary", &self.canary.as_ref().map(|_| ".."))
            .field("any_weights", &self.any_weights)
            .finish()
    }
}
