//! Anchors in memory: some rows of two matrices.

use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::anchors::{Anchors, NearestQuery, Neighbours};
use super::linear::{FitError, Moments};
use crate::modality::{Modality, Sides};

/// Inputs that are compared with all rows at once.
const BLOCK: usize = 192;
/// Rows that are worked on at once.
const ROWS: usize = 256;

/// Pairs in memory, some of which are anchors.
#[derive(Debug)]
pub struct MatrixAnchors<'a> {
    /// All pairs, `[n, dim]` each.
    pairs: Sides<ArrayView2<'a, f32>>,
    /// The rows that are anchors, ascending: an anchor's number is its place here.
    anchors: Vec<u32>,
    /// Those of the anchors.
    moments: Moments,
}

impl<'a> MatrixAnchors<'a> {
    /// The rows `anchors`, ascending, of unit vectors, `[n, dim]` each; `moments` are those of these
    /// rows.
    pub fn new(pairs: Sides<ArrayView2<'a, f32>>, anchors: Vec<u32>, moments: Moments) -> Self {
        Self {
            pairs,
            anchors,
            moments,
        }
    }
}

impl Anchors for MatrixAnchors<'_> {
    type Error = FitError;

    fn len(&self) -> usize {
        self.anchors.len()
    }

    fn dims(&self) -> Sides<usize> {
        self.pairs.as_ref().map(|rows| rows.ncols())
    }

    fn mean(&self, side: Modality) -> Vec<f32> {
        let means = self.moments.means();
        means[side].iter().map(|&m| m as f32).collect()
    }

    fn moments(&self) -> Result<Moments, FitError> {
        Ok(self.moments.clone())
    }

    fn vector(&self, anchor: u32, side: Modality) -> Result<&[f32], FitError> {
        let row = self.anchors.get(anchor as usize).map(|&row| row as usize);
        let vector = row.and_then(|row| self.pairs[side].index_axis(Axis(0), row).to_slice());
        Ok(vector.expect("an anchor's number is one of so many, and rows are contiguous"))
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
            of_block(block.as_standard_layout().as_slice().unwrap_or_default())
        };
        starts.par_iter().flat_map_iter(block).collect()
    }

    fn nearest(
        &self,
        side: Modality,
        queries: &[NearestQuery<'_>],
        inputs: &[f32],
    ) -> Result<Vec<Vec<Neighbours>>, FitError> {
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
    ) -> Vec<Neighbours> {
        let rows = self.pairs[side];
        let dim = rows.ncols().max(1);
        let weights = query.frame.weights();
        let block = |inputs: &[f32]| -> Vec<Neighbours> {
            let (queries, biases): (Vec<Vec<f32>>, Vec<f32>) =
                query.frame.queries(inputs, dim).into_iter().unzip();
            let flat = queries.concat();
            let queries = ArrayView2::from_shape((biases.len(), dim), &flat);
            let products = queries
                .expect("a query has the length of a row")
                .dot(&rows.t());
            let of_input = |(products, bias): (ndarray::ArrayView1<'_, f32>, &f32)| {
                let similarity = |(anchor, &row): (u32, &u32)| {
                    let weight = weights.map_or(1.0, |weights| weights[row as usize]);
                    (anchor, (products[row as usize] + bias) * weight)
                };
                best(
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
        let blocks = inputs.par_chunks(BLOCK * dim);
        blocks.flat_map_iter(block).collect()
    }
}

/// The `k` best, best first, ties by lowest anchor.
fn best(mut all: Neighbours, k: usize) -> Neighbours {
    let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if k < all.len() {
        all.select_nth_unstable_by(k, order);
        all.truncate(k);
    }
    all.sort_unstable_by(order);
    all.shrink_to_fit();
    all
}
