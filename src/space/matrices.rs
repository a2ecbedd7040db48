//! Anchors in memory: some rows of two matrices.

use std::sync::Arc;

use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::anchors::{AnchorSource, NearestAnchors, NearestQuery};
use super::linear::{FitError, Moments};
use super::relative::best_k;
use crate::modality::{Modality, PerModality};

/// How many inputs are compared with all rows at once.
const BLOCK: usize = 192;
/// How many rows are processed at once.
const ROWS: usize = 256;

/// Pairs in memory, some of which are anchors.
#[derive(Debug, Clone)]
pub struct MatrixAnchors<'a> {
    /// All pairs, `[n, dim]` each.
    pairs: PerModality<ArrayView2<'a, f32>>,
    /// The rows that are anchors, ascending: an anchor's number is its place here.
    anchors: Vec<u32>,
    /// The moments of the anchors.
    moments: Arc<Moments>,
}

impl<'a> MatrixAnchors<'a> {
    /// Uses the rows `anchors`, ascending, of unit vectors, `[n, dim]` each, row-major; `moments` are the
    /// moments of these rows.
    ///
    /// # Panics
    /// When the matrices are not row-major, or an anchor is past their last row.
    pub fn new(
        pairs: PerModality<ArrayView2<'a, f32>>,
        anchors: Vec<u32>,
        moments: Moments,
    ) -> Self {
        let rows = pairs.image.nrows();
        assert_eq!(rows, pairs.text.nrows(), "a pair is a row of both");
        // Rows are handed out as slices, which needs contiguous rows.
        assert!(pairs.iter().all(|side| side.is_standard_layout()));
        assert!(anchors.is_sorted() && anchors.last().is_none_or(|&last| (last as usize) < rows));
        Self {
            pairs,
            anchors,
            moments: Arc::new(moments),
        }
    }

    /// The unit vector of an anchor, `[dim]`.
    ///
    /// # Panics
    /// When there is no such anchor.
    pub(crate) fn row(&self, anchor: u32, side: Modality) -> &[f32] {
        let row = self.anchors[anchor as usize] as usize;
        let vector = self.pairs[side].index_axis(Axis(0), row).to_slice();
        vector.expect("rows of a row-major matrix are contiguous")
    }
}

impl AnchorSource for MatrixAnchors<'_> {
    type Error = FitError;

    fn len(&self) -> usize {
        self.anchors.len()
    }

    fn dims(&self) -> PerModality<usize> {
        self.pairs.as_ref().map(|rows| rows.ncols())
    }

    fn mean(&self, side: Modality) -> Vec<f32> {
        let means = self.moments.means();
        means[side].iter().map(|&m| m as f32).collect()
    }

    fn moments(&self) -> Result<Arc<Moments>, FitError> {
        Ok(Arc::clone(&self.moments))
    }

    fn vector(&self, anchor: u32, side: Modality) -> Result<&[f32], FitError> {
        Ok(self.row(anchor, side))
    }

    fn of_stored(
        &self,
        side: Modality,
        of_block: &(dyn Fn(&[f32]) -> Vec<f32> + Sync),
    ) -> Vec<f32> {
        let rows = self.pairs[side];
        let starts: Vec<usize> = (0..rows.nrows()).step_by(ROWS).collect();
        let block = |&start: &usize| {
            let end = (start + ROWS).min(rows.nrows());
            let block = rows.slice_axis(Axis(0), Slice::from(start..end));
            of_block(
                block
                    .as_slice()
                    .expect("rows of a row-major matrix are contiguous"),
            )
        };
        starts.par_iter().flat_map_iter(block).collect()
    }

    fn nearest(
        &self,
        side: Modality,
        queries: &[NearestQuery<'_>],
        inputs: &[f32],
    ) -> Result<Vec<Vec<NearestAnchors>>, FitError> {
        let of_query = |query: &NearestQuery<'_>| self.nearest_in(side, query, inputs);
        Ok(queries.iter().map(of_query).collect())
    }
}

impl MatrixAnchors<'_> {
    /// The nearest anchors of each input in one frame, by products with all rows.
    fn nearest_in(
        &self,
        side: Modality,
        query: &NearestQuery<'_>,
        inputs: &[f32],
    ) -> Vec<NearestAnchors> {
        let rows = self.pairs[side];
        let dim = rows.ncols().max(1);
        let weights = query.frame.weights();
        let block = |inputs: &[f32]| -> Vec<NearestAnchors> {
            // Centre and mean are applied to the queries; the rows stay as they are.
            let (queries, biases): (Vec<Vec<f32>>, Vec<f32>) =
                query.frame.queries(inputs, dim).into_iter().unzip();
            let flat = queries.concat();
            let queries = ArrayView2::from_shape((biases.len(), dim), &flat);
            let products = queries
                .expect("a query has the length of a row")
                .dot(&rows.t());
            let of_input = |(products, bias): (ndarray::ArrayView1<'_, f32>, &f32)| {
                let similarity = |(anchor, &row): (u32, &u32)| {
                    // Weights belong to stored rows, of which anchors are only some.
                    let weight = weights.map_or(1.0, |weights| weights[row as usize]);
                    (anchor, (products[row as usize] + bias) * weight)
                };
                best_k(
                    (0u32..).zip(&self.anchors).map(similarity).collect(),
                    query.k,
                )
            };
            products
                .rows()
                .into_iter()
                .zip(&biases)
                .map(of_input)
                .collect()
        };
        // In blocks, since the products of all inputs with all rows would not fit in memory.
        let blocks = inputs.par_chunks(BLOCK * dim);
        blocks.flat_map_iter(block).collect()
    }
}
