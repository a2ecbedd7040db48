//! What a space needs of its anchors, whether they are an anchor set on disk or matrices in memory.

use std::sync::Arc;

use super::CoordinateFrame;
use super::linear::{FitError, Moments};
use crate::modality::{Modality, PerModality};

/// The anchors nearest to an input in a frame, best first: anchor number and similarity.
pub(crate) type NearestAnchors = Vec<(u32, f32)>;

/// A search for the anchors nearest to some inputs in one frame.
#[derive(Debug, Clone, Copy)]
pub struct NearestQuery<'a> {
    /// The coordinates in which anchors and inputs are compared.
    pub frame: &'a CoordinateFrame,
    /// The number of anchors to return for each input, at most the number of anchors.
    pub k: usize,
}

/// A source of anchors: pairs of unit vectors that a space is fitted to and that inputs are compared with.
///
/// Anchors are numbered from 0. Their rows may be interleaved with rows that are not anchors (removed or
/// held-out pairs). Frames have a weight for each *stored* row, anchor or not.
pub trait AnchorSource: Sync {
    /// The error type, such as a damaged file or too few pairs for a space.
    type Error: From<FitError> + Send;

    /// The number of anchors.
    fn len(&self) -> usize;

    /// Whether there are no anchors.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lengths of both sides' vectors.
    fn dims(&self) -> PerModality<usize>;

    /// The mean of the anchors' vectors of one side, `[dim]`.
    fn mean(&self, side: Modality) -> Vec<f32>;

    /// The second moments of the anchors.
    ///
    /// # Errors
    /// When the file that holds them is damaged.
    fn moments(&self) -> Result<Arc<Moments>, Self::Error>;

    /// The unit vector of an anchor, `[dim]`.
    ///
    /// # Errors
    /// When there is no such anchor, or its file is damaged.
    fn vector(&self, anchor: u32, side: Modality) -> Result<&[f32], Self::Error>;

    /// One number for each stored row, `[stored]`. `of_block` computes them for blocks of rows, `[n, dim]`,
    /// on several threads.
    fn of_stored(&self, side: Modality, of_block: &(dyn Fn(&[f32]) -> Vec<f32> + Sync))
    -> Vec<f32>;

    /// The nearest anchors of each input for each query, `[queries][inputs]`; `inputs` are finite unit
    /// vectors, `[inputs, dim]`.
    ///
    /// # Errors
    /// When the anchors cannot be searched.
    fn nearest(
        &self,
        side: Modality,
        queries: &[NearestQuery<'_>],
        inputs: &[f32],
    ) -> Result<Vec<Vec<NearestAnchors>>, Self::Error>;
}

impl<A: AnchorSource> AnchorSource for &A {
    type Error = A::Error;

    fn len(&self) -> usize {
        (**self).len()
    }

    fn dims(&self) -> PerModality<usize> {
        (**self).dims()
    }

    fn mean(&self, side: Modality) -> Vec<f32> {
        (**self).mean(side)
    }

    fn moments(&self) -> Result<Arc<Moments>, A::Error> {
        (**self).moments()
    }

    fn vector(&self, anchor: u32, side: Modality) -> Result<&[f32], A::Error> {
        (**self).vector(anchor, side)
    }

    fn of_stored(
        &self,
        side: Modality,
        of_block: &(dyn Fn(&[f32]) -> Vec<f32> + Sync),
    ) -> Vec<f32> {
        (**self).of_stored(side, of_block)
    }

    fn nearest(
        &self,
        side: Modality,
        queries: &[NearestQuery<'_>],
        inputs: &[f32],
    ) -> Result<Vec<Vec<NearestAnchors>>, A::Error> {
        (**self).nearest(side, queries, inputs)
    }
}
