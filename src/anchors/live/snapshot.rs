//! One generation and its fitted space, owned.

use std::path::Path;

use crate::anchors::search::searcher::SetSpace;
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::{AnchorSet, AnchorsError, Searcher};
use crate::modality::Modality;
use crate::space::{Recipe, Representation};

/// A generation with its fitted space. One of a [`LiveSet`](super::LiveSet) has passed every check, one that
/// was opened by itself those of opening.
///
/// Immutable. It keeps its files mapped, even after a writer has removed them.
#[derive(Debug)]
pub struct Snapshot {
    set: AnchorSet,
    space: SetSpace,
}

impl Snapshot {
    /// Fits a space to a set.
    ///
    /// # Errors
    /// When the recipe is invalid, the pairs are too few for it, or a file is damaged.
    pub fn fit(set: AnchorSet, recipe: &Recipe, mode: SearchMode) -> Result<Self, AnchorsError> {
        let space = SetSpace::fit(&set, recipe, mode)?;
        Ok(Self { set, space })
    }

    /// Opens the live generation of the anchor set at `path` and fits the space that its manifest names.
    /// No encoder is needed; nothing is verified that opening does not read.
    ///
    /// # Errors
    /// When no generation can be opened, or the pairs are too few for the space.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, AnchorsError> {
        let set = AnchorSet::open(path.as_ref())?;
        let recipe = set.manifest().space.clone();
        Self::fit(set, &recipe, SearchMode::Auto)
    }

    /// The score of each image with each text, `[images, texts]` row-major: unit vectors of the encoders
    /// that built the anchor set, `images` `[n, image dim]` and `texts` `[m, text dim]`.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn scores(&self, images: &[f32], texts: &[f32]) -> Result<Vec<f32>, AnchorsError> {
        let searcher = self.searcher();
        let images = searcher.represent(Modality::Image, images)?;
        let texts = searcher.represent(Modality::Text, texts)?;
        let shares = searcher.recipe().shares();
        let scores = |image: &Representation| {
            let of_each = texts.iter().map(|text| image.score(text, &shares));
            of_each.collect::<Vec<_>>()
        };
        Ok(images.iter().flat_map(scores).collect())
    }

    /// The set.
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
