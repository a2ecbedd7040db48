//! Centring: the anchors' mean is subtracted from both sides, which are then normalised again.
//!
//! The stored vectors are never rewritten. With mean `m`, query `x` and anchor `a_i`, both unit,
//!
//! ```text
//! x' = (x - m) / |x - m|
//! <x', (a_i - m) / |a_i - m|>  =  (<x', a_i> - <x', m>) * 1/|a_i - m|
//! ```
//!
//! which is the affine form `(<q, a_i> + bias) * weights[i]` that the index searches. So one file
//! serves centred and uncentred spaces, and adding or removing pairs changes only `m` and the weights.

use super::vector::{ROUNDING, dot, normalize_rest};

/// One modality's centring: the anchors' mean, and each anchor's weight.
#[derive(Debug, Clone)]
pub struct MeanCentering {
    mean: Vec<f32>,
    mean_norm: f64,
    weights: Vec<f32>,
}

impl MeanCentering {
    /// From the anchors' mean `[dim]` and `dots[i] = <m, a_i>` of the unit anchors, `[n]`.
    ///
    /// `|a_i - m|^2 = |a_i|^2 - 2 <m, a_i> + |m|^2`, so the vectors need not be read a second time.
    /// An anchor that equals the mean up to rounding has no direction, so its weight is 0. The square is a
    /// difference of numbers near 1, each with an error of about `2^-23` (`|a_i|^2`, `m` and `dots`), so
    /// anything below `2^-20` is rounding.
    pub(crate) fn new(mean: Vec<f32>, dots: &[f32]) -> Self {
        let mean_squared = dot(&mean, &mean);
        let weights = dots
            .iter()
            .map(|&d| {
                let squared = 1.0 - 2.0 * f64::from(d) + mean_squared;
                // Below the rounding the square may even be negative, whose root is NaN.
                if squared > ROUNDING * (1.0 + mean_squared) {
                    (1.0 / squared.sqrt()) as f32
                } else {
                    0.0
                }
            })
            .collect();
        Self {
            mean,
            mean_norm: mean_squared.sqrt(),
            weights,
        }
    }

    /// The query `x'` for a unit vector `x`, and its bias `-<x', m>`; both 0 for an input that equals the
    /// mean up to rounding.
    pub(crate) fn query(&self, x: &[f32]) -> (Vec<f32>, f32) {
        let mut q: Vec<f32> = x.iter().zip(&self.mean).map(|(&a, &m)| a - m).collect();
        normalize_rest(&mut q, dot(x, x).sqrt() + self.mean_norm);
        // Of the normalised query, so that the bias has the scale of the products it is added to.
        let bias = -dot(&q, &self.mean);
        (q, bias as f32)
    }

    /// `1/|a_i - m|`, `[n]`.
    pub(crate) fn weights(&self) -> &[f32] {
        &self.weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::vector::{VectorSum, normalize};
    use proptest::prelude::*;

    fn unit(v: &[f32]) -> Vec<f32> {
        let mut v = v.to_vec();
        normalize(&mut v);
        v
    }

    proptest! {
        #[test]
        fn the_affine_form_is_the_cosine_of_centred_vectors(
            raw in prop::collection::vec(prop::collection::vec(0.05f32..1.0, 8), 3..12),
            x in prop::collection::vec(0.05f32..1.0, 8),
        ) {
            let anchors: Vec<Vec<f32>> = raw.iter().map(|v| unit(v)).collect();
            let mut mean = VectorSum::new(8);
            anchors.iter().for_each(|a| mean.add(a));
            let mean = mean.mean();
            let dots: Vec<f32> = anchors.iter().map(|a| dot(a, &mean) as f32).collect();
            let centering = MeanCentering::new(mean.clone(), &dots);
            let x = unit(&x);
            let (q, bias) = centering.query(&x);
            for (a, w) in anchors.iter().zip(centering.weights()) {
                let direct: Vec<f32> = a.iter().zip(&mean).map(|(a, m)| a - m).collect();
                prop_assume!(dot(&direct, &direct).sqrt() > 0.01);
                let want = dot(&q, &unit(&direct));
                let got = (dot(&q, a) + f64::from(bias)) * f64::from(*w);
                prop_assert!((want - got).abs() < 2e-4, "{want} {got}");
            }
        }
    }

    /// In double precision the distance of these inputs to the mean is that of `f32` rounding.
    #[test]
    fn an_input_at_the_mean_and_equal_anchors_have_no_direction() {
        for seed in 1..200u32 {
            let raw: Vec<f32> = (0..24)
                .map(|i| ((seed * 37 + i * 101) % 97) as f32 - 48.5)
                .collect();
            let anchor = unit(&raw);
            for n in [1, 2, 3, 7] {
                let mut sum = VectorSum::new(24);
                (0..n).for_each(|_| sum.add(&anchor));
                let mean = sum.mean();
                let d = dot(&anchor, &mean) as f32;
                let centering = MeanCentering::new(mean, &vec![d; n]);
                assert!(centering.weights().iter().all(|w| *w == 0.0), "{seed} {n}");
                let mut near = anchor.clone();
                near.iter_mut().for_each(|v| *v *= 1.0 + f32::EPSILON);
                for x in [&anchor, &near] {
                    let (q, bias) = centering.query(x);
                    assert!(q.iter().all(|v| *v == 0.0) && bias == 0.0, "{seed} {n}");
                }
            }
        }
    }

    #[test]
    fn an_anchor_at_the_mean_gets_no_weight() {
        let c = MeanCentering::new(vec![1.0, 0.0], &[1.0, 0.0]);
        assert_eq!(c.weights()[0], 0.0);
        assert!((c.weights()[1] - 0.5f32.sqrt()).abs() < 1e-7);
    }
}
