//! The weights of several encoders of a modality, tried on held-out pairs.
//!
//! A joined vector is a concatenation of blocks, one for each encoder, whose norm is the root of the
//! encoder's weight (see [`Ensemble`](crate::encode::Ensemble)). Changing weights rescales the blocks.

use ndarray::{Array2, ArrayView2, Axis};
use serde::Serialize;

use super::evaluator::SideVectors;
use crate::modality::{Modality, PerModality};
use crate::space::linear::Moments;

/// Factors of a weight relative to the others of its side.
const FACTORS: [f64; 2] = [0.5, 2.0];

/// The encoders of one modality in a joined vector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EncoderBlocks {
    /// The length of each encoder's vectors.
    pub dims: Vec<usize>,
    /// The weight of each encoder in the mean of similarities; they sum to 1.
    pub weights: Vec<f64>,
}

impl EncoderBlocks {
    /// The same encoders with each weight halved and doubled relative to the others; empty for a single
    /// encoder.
    fn around(&self) -> Vec<Self> {
        if self.weights.len() < 2 {
            return Vec::new();
        }
        let mut all = Vec::new();
        for at in 0..self.weights.len() {
            for factor in FACTORS {
                let mut other = self.clone();
                other.weights[at] *= factor;
                let sum: f64 = other.weights.iter().sum();
                other.weights.iter_mut().for_each(|w| *w /= sum);
                // With two encoders, halving one weight is doubling the other; each is tried once.
                if !all.iter().any(|known: &Self| known.is_near(&other)) {
                    all.push(other);
                }
            }
        }
        all
    }

    fn is_near(&self, other: &Self) -> bool {
        // Weights that went through a division differ in their last bits.
        let pairs = self.weights.iter().zip(&other.weights);
        pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3)
    }

    /// Joined vectors `[n, dim]` with other weights.
    pub(crate) fn reweigh(&self, rows: ArrayView2<f32>, to: &Self) -> Array2<f32> {
        let mut rows = rows.to_owned();
        let mut begin = 0;
        for ((dim, old), new) in self.dims.iter().zip(&self.weights).zip(&to.weights) {
            // A block's norm is the root of its weight, so similarities scale with the weight itself.
            let scale = (new / old).sqrt() as f32;
            let end = begin + dim;
            let block = begin..end;
            rows.slice_axis_mut(Axis(1), block.into())
                .map_inplace(|x| *x *= scale);
            begin = end;
        }
        rows
    }
}

/// The weights of both modalities.
pub type EnsembleBlocks = PerModality<EncoderBlocks>;

/// All weights that differ from `members` in one encoder of one modality.
pub(crate) fn around(members: &EnsembleBlocks) -> Vec<EnsembleBlocks> {
    let of = |side: Modality| {
        members[side].around().into_iter().map(move |blocks| {
            let mut other = members.clone();
            other[side] = blocks;
            other
        })
    };
    Modality::BOTH.into_iter().flat_map(of).collect()
}

/// The pairs of an anchor set with other weights of the encoders.
#[derive(Debug)]
pub(crate) struct ReweighedPairs {
    sides: PerModality<Array2<f32>>,
    moments: Moments,
}

impl ReweighedPairs {
    /// Rescales pairs with the weights `from` to the weights `to`.
    pub(crate) fn new(
        vectors: SideVectors<'_>,
        from: &EnsembleBlocks,
        to: &EnsembleBlocks,
    ) -> Self {
        let sides = PerModality::of(|side| from[side].reweigh(vectors.sides[side], &to[side]));
        // Rescaled vectors have other moments, and rounding makes them no multiple of the present ones.
        let moments = Moments::of(&sides);
        Self { sides, moments }
    }

    /// The vectors.
    pub fn vectors(&self) -> SideVectors<'_> {
        SideVectors {
            sides: self.sides.as_ref().map(|rows| rows.view()),
            moments: &self.moments,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn two(a: f64, b: f64) -> EncoderBlocks {
        EncoderBlocks {
            dims: vec![2, 1],
            weights: vec![a, b],
        }
    }

    #[test]
    fn blocks_get_the_length_of_their_weight() {
        let half = 0.5_f32.sqrt();
        let rows = array![[0.6 * half, 0.8 * half, half]];
        let other = two(0.5, 0.5).reweigh(rows.view(), &two(0.8, 0.2));
        let expected = [0.6 * 0.8_f32.sqrt(), 0.8 * 0.8_f32.sqrt(), 0.2_f32.sqrt()];
        for (a, b) in other.iter().zip(expected) {
            assert!((a - b).abs() < 1e-6, "{other:?}");
        }
    }

    #[test]
    fn each_weight_is_tried_smaller_and_larger_once() {
        let alone = EncoderBlocks {
            dims: vec![3],
            weights: vec![1.0],
        };
        let all = around(&PerModality {
            image: two(0.5, 0.5),
            text: alone.clone(),
        });
        let weights: Vec<f64> = all
            .iter()
            .map(|m| (m.image.weights[0] * 3.0).round())
            .collect();
        assert_eq!(weights, [1.0, 2.0], "halving one is doubling the other");
        assert!(all.iter().all(|m| m.text == alone));
        assert!(
            around(&PerModality {
                image: alone.clone(),
                text: alone,
            })
            .is_empty()
        );
    }
}
