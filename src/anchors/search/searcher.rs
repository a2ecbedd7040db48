//! An anchor set and a fitted space: maps unit vectors into the space.

use std::sync::Arc;

use super::searched::SearchedSet;
use crate::anchors::error::AnchorsError;
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::stored::set::AnchorSet;
use crate::modality::Modality;
use crate::space::anchors::NearestAnchors;
use crate::space::explain::ScoreExplanation;
use crate::space::{FittedSpace, Recipe, RelativeRow, Representation};

/// A space fitted to an anchor set, and the search mode. Cheap to clone, so the owner of an anchor set
/// can keep it and create searchers at no cost.
#[derive(Debug, Clone)]
pub(in crate::anchors) struct SetSpace {
    space: FittedSpace,
    mode: SearchMode,
    mark: FitMark,
}

/// Tells one fit from all others, also from one of the same space to the same pairs. Clones of a fitted space
/// share it: what was made with one of them belongs to all.
#[derive(Debug, Clone)]
pub(crate) struct FitMark(Arc<()>);

impl PartialEq for FitMark {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl SetSpace {
    /// Fits a space; see [`FittedSpace::fit`] for what that costs.
    ///
    /// # Errors
    /// When the recipe is invalid, the pairs are too few for it, or a file is damaged.
    pub(in crate::anchors) fn fit(
        set: &AnchorSet,
        recipe: &Recipe,
        mode: SearchMode,
    ) -> Result<Self, AnchorsError> {
        // Recipes come from requests and files; an invalid one must not reach the arithmetic.
        recipe.validate()?;
        let space = FittedSpace::fit(&SearchedSet::new(set, mode), recipe)?;
        let mark = FitMark(Arc::new(()));
        Ok(Self { space, mode, mark })
    }

    /// The recipe, as far as it applies to this number of anchors.
    pub(crate) fn recipe(&self) -> &Recipe {
        self.space.recipe()
    }
}

/// Searches an anchor set in one space.
#[derive(Debug, Clone)]
pub struct Searcher<'a> {
    anchors: SearchedSet<'a>,
    space: SetSpace,
}

impl<'a> Searcher<'a> {
    /// A searcher, with the space fitted to the set: see [`FittedSpace::fit`] for what that costs.
    ///
    /// # Errors
    /// When the recipe is invalid, the pairs are too few for it, or a file is damaged.
    pub fn new(
        set: &'a AnchorSet,
        recipe: impl Into<Recipe>,
        mode: SearchMode,
    ) -> Result<Self, AnchorsError> {
        Ok(Self::of(set, SetSpace::fit(set, &recipe.into(), mode)?))
    }

    /// A searcher of `set`, which this space must have been fitted to.
    pub(in crate::anchors) fn of(set: &'a AnchorSet, space: SetSpace) -> Self {
        Self {
            anchors: SearchedSet::new(set, space.mode),
            space,
        }
    }

    /// The anchor set.
    pub fn set(&self) -> &'a AnchorSet {
        self.anchors.set()
    }

    /// The mark of its fitted space.
    pub(crate) fn mark(&self) -> &FitMark {
        &self.space.mark
    }

    /// The recipe of the space.
    pub fn recipe(&self) -> &Recipe {
        self.space.recipe()
    }

    /// Maps each unit vector of one modality into the space; `vectors` is `[n, dim]` row-major.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn represent(
        &self,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Representation>, AnchorsError> {
        let Self { anchors, space } = self;
        self.check(modality, vectors)?;
        space.space.represent(anchors, modality, vectors)
    }

    /// The relative row of each unit vector, in the first part of the space that has rows; empty
    /// rows when none has.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn rows(
        &self,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<RelativeRow>, AnchorsError> {
        let Self { anchors, space } = self;
        self.check(modality, vectors)?;
        space.space.rows(anchors, modality, vectors)
    }

    /// The `k` nearest anchors of each unit vector, in the coordinates of the first part of the space
    /// that has rows.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub(crate) fn nearest(
        &self,
        modality: Modality,
        k: usize,
        vectors: &[f32],
    ) -> Result<Vec<NearestAnchors>, AnchorsError> {
        let Self { anchors, space } = self;
        self.check(modality, vectors)?;
        space.space.nearest(anchors, modality, k, vectors)
    }

    /// The anchors behind the score of an image and a text, which are of this searcher; see
    /// [`FittedSpace::explain`].
    ///
    /// # Errors
    /// When a stored vector cannot be read.
    pub fn explain(
        &self,
        image: &Representation,
        text: &Representation,
    ) -> Result<ScoreExplanation, AnchorsError> {
        let Self { anchors, space } = self;
        space.space.explain(anchors, image, text)
    }

    /// Checks for complete vectors of finite numbers; not every space uses the index, which would check
    /// it.
    fn check(&self, modality: Modality, vectors: &[f32]) -> Result<(), AnchorsError> {
        let dim = self.set().dim(modality);
        let wrong = |expected: String, found: String| asif_index::Error::Argument {
            what: "vectors",
            expected,
            found,
            advice: "give unit vectors of this anchor set's encoders",
        };
        if !vectors.len().is_multiple_of(dim) {
            let expected = format!("a multiple of {dim} numbers");
            return Err(wrong(expected, vectors.len().to_string()).into());
        }
        match vectors.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(at) => {
                let found = format!("{} at {at}", vectors[at]);
                Err(wrong("finite numbers".to_owned(), found).into())
            }
        }
    }
}
