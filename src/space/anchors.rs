//! What a space needs of its anchors, whether they are an anchor set on disk or matrices in memory.

use std::sync::Arc;

use super::CoordinateFrame;
use super::linear::{FitError, Moments};
use crate::modality::{Modality, PerModality};

/// The anchors nearest to an input in a frame, best first: anchor number and similarity.
pub type NearestAnchors = Vec<(u32, f32)>;

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
///
/// A [`Searcher`](crate::anchors::Searcher) has the pairs of an anchor set on disk,
/// [`MatrixAnchors`](super::matrices::MatrixAnchors) are pairs in memory. A
/// [`FittedSpace`](super::FittedSpace) can be fitted to anchors that lie elsewhere as well:
///
/// ```
/// use std::sync::Arc;
///
/// use asif::space::anchors::{AnchorSource, NearestAnchors, NearestQuery};
/// use asif::space::linear::{FitError, Moments};
/// use asif::space::{FittedSpace, Recipe};
/// use asif::{Modality, PerModality};
///
/// /// Pairs of unit vectors, row after row.
/// struct OwnAnchors(PerModality<Vec<f32>>);
///
/// const DIM: usize = 2;
///
/// impl AnchorSource for OwnAnchors {
///     type Error = FitError;
///
///     fn len(&self) -> usize {
///         self.0.image.len() / DIM
///     }
///
///     fn dims(&self) -> PerModality<usize> {
///         PerModality::of(|_| DIM)
///     }
///
///     fn mean(&self, side: Modality) -> Vec<f32> {
///         let moments = self.moments().expect("they are in memory");
///         moments.means()[side].iter().map(|&m| m as f32).collect()
///     }
///
///     fn moments(&self) -> Result<Arc<Moments>, FitError> {
///         let mut moments = Moments::new(self.dims());
///         moments.add(self.0.as_ref().map(Vec::as_slice));
///         Ok(Arc::new(moments))
///     }
///
///     fn vector(&self, anchor: u32, side: Modality) -> Result<&[f32], FitError> {
///         Ok(&self.0[side][anchor as usize * DIM..][..DIM])
///     }
///
///     fn of_stored(
///         &self,
///         side: Modality,
///         of_block: &(dyn Fn(&[f32]) -> Vec<f32> + Sync),
///     ) -> Vec<f32> {
///         of_block(&self.0[side])
///     }
///
///     fn nearest(
///         &self,
///         side: Modality,
///         queries: &[NearestQuery<'_>],
///         inputs: &[f32],
///     ) -> Result<Vec<Vec<NearestAnchors>>, FitError> {
///         let in_frame = |wanted: &NearestQuery<'_>| {
///             let weights = wanted.frame.weights();
///             let of_input = |(query, bias): (Vec<f32>, f32)| {
///                 let rows = self.0[side].chunks_exact(DIM).enumerate();
///                 let similarity = |(i, row): (usize, &[f32])| {
///                     let dot: f32 = row.iter().zip(&query).map(|(a, q)| a * q).sum();
///                     (i as u32, (dot + bias) * weights.map_or(1.0, |w| w[i]))
///                 };
///                 let mut found: NearestAnchors = rows.map(similarity).collect();
///                 found.sort_by(|a, b| b.1.total_cmp(&a.1));
///                 found.truncate(wanted.k);
///                 found
///             };
///             let inputs = wanted.frame.queries(inputs, DIM);
///             inputs.into_iter().map(of_input).collect()
///         };
///         Ok(queries.iter().map(in_frame).collect())
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let anchors = OwnAnchors(PerModality {
///     image: vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8],
///     text: vec![0.0, 1.0, 1.0, 0.0, 0.8, 0.6],
/// });
/// let space = FittedSpace::fit(&anchors, &Recipe::named("paper")?)?;
/// let image = space.represent(&anchors, Modality::Image, &[1.0, 0.0])?;
/// let texts = space.represent(&anchors, Modality::Text, &[0.0, 1.0, 1.0, 0.0])?;
/// let score = |text: usize| image[0].score(&texts[text], &[1.0]);
/// assert!(score(0) > score(1));
/// # Ok(())
/// # }
/// ```
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
