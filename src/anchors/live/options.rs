//! How generations are taken over.

use crate::anchors::AnchorSet;
use crate::anchors::stored::plan::SearchMode;
use crate::space::Recipe;

/// A caller's own check of a generation, such as known answers, or that the process's encoders
/// made it ([`AnchorSet::check_encoders`]). What it returns as an error becomes part of the status;
/// a panic counts as an error.
pub type Canary = Box<dyn Fn(&AnchorSet) -> Result<(), String> + Send + Sync>;

/// How generations are taken over.
pub struct LiveOptions {
    /// The space of all generations; without one, each has its manifest's.
    pub space: Option<Recipe>,
    /// What searches the vectors.
    pub search: SearchMode,
    /// The most bytes of codes, graphs and vectors that are brought into memory before a generation goes
    /// live; a set larger than memory must not push out what it is replacing.
    pub warm_bytes: u64,
    /// The last check.
    pub canary: Option<Canary>,
    /// Whether a generation is taken whose several encoders have other weights than the live one's.
    /// Whoever answers from it must bring the queries' vectors to its weights
    /// ([`EncoderIdentity::factors_to`](crate::encode::EncoderIdentity::factors_to)).
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
