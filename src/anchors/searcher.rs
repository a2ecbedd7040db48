//! A set and a space: unit vectors to what the space makes of them.

use super::error::AnchorsError;
use super::plan::SearchMode;
use super::set::AnchorSet;
pub use super::view::SpaceView;
use crate::space::{Recipe, RelativeRow, Representation};

pub use crate::encode::Modality;

/// Searches an anchor set in one space.
#[derive(Debug)]
pub struct Searcher<'a> {
    set: &'a AnchorSet,
    view: SpaceView,
}

impl<'a> Searcher<'a> {
    /// A searcher, with the space fitted to the set: see [`SpaceView::new`] for what that costs.
    ///
    /// # Errors
    /// As [`SpaceView::new`].
    pub fn new(
        set: &'a AnchorSet,
        recipe: impl Into<Recipe>,
        mode: SearchMode,
    ) -> Result<Self, AnchorsError> {
        Ok(Self::of(set, SpaceView::new(set, &recipe.into(), mode)?))
    }

    /// A searcher of `set`, which this view was made of.
    pub fn of(set: &'a AnchorSet, view: SpaceView) -> Self {
        Self { set, view }
    }

    /// The set.
    pub fn set(&self) -> &'a AnchorSet {
        self.set
    }

    /// The fitted space.
    pub fn view(&self) -> &SpaceView {
        &self.view
    }

    /// The space.
    pub fn recipe(&self) -> &Recipe {
        self.view.recipe()
    }

    /// What the space makes of each unit vector of one modality; `vectors` is `[n, dim]` row-major.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn represent(
        &self,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Representation>, AnchorsError> {
        self.view.represent(self.set, modality, vectors)
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
        self.view.rows(self.set, modality, vectors)
    }
}
