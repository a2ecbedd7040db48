//! Relative rows: the relative representation of an input by its similarities to the anchors (Norelli et al.
//! 2023, section 3).
//!
//! The order of steps matters: the `k` largest similarities are kept, each is raised to the power
//! `p`, the row is divided by its L2 norm. Two inputs of different modality are then compared by
//! the dot product of their rows, because entry `i` of both refers to pair `i`.

use super::params::{NegativeSimilarity, RelativeParams};
use super::vector::ROUNDING;

/// A sparse unit row over the anchors: `(anchor, weight)` with anchors ascending.
///
/// Entries whose weight is zero are not stored. A row that has no entry left (all similarities
/// were negative and clamped) is empty and scores 0 against everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RelativeRow {
    entries: Vec<(u32, f32)>,
}

impl RelativeRow {
    /// The row of the similarities `(anchor, s)` that the top-k search returned.
    ///
    /// `kept` holds at most `params.k` entries with distinct anchors, in any order; the row does
    /// not depend on that order. Similarities are of unit vectors: if none exceeds [`ROUNDING`], the input is
    /// orthogonal to all anchors up to rounding, and the row is empty.
    pub(crate) fn from_kept(
        kept: impl IntoIterator<Item = (u32, f32)>,
        params: &RelativeParams,
    ) -> Self {
        let mut powered: Vec<(u32, f64)> = kept
            .into_iter()
            .map(|(anchor, s)| (anchor, f64::from(s)))
            .collect();
        // Normalising cancels a common factor, so dividing by the largest similarity first only changes the
        // range: no power can then underflow the whole row.
        let largest = powered.iter().map(|(_, s)| s.abs()).fold(0.0, f64::max);
        if largest <= ROUNDING {
            return Self::default();
        }
        powered = powered
            .into_iter()
            .map(|(anchor, s)| (anchor, power(s / largest, params)))
            // Zero weights are dropped so that every stored entry takes part in scores.
            .filter(|&(_, w)| w != 0.0 && w.is_finite())
            .collect();
        // Sorted: two rows are compared by walking both in order.
        powered.sort_unstable_by_key(|&(anchor, _)| anchor);
        // Summed in double precision and in order of the anchors, so that the order of the search does not show.
        let norm = powered.iter().map(|(_, w)| w * w).sum::<f64>().sqrt();
        let entries = if norm > 0.0 {
            powered
                .into_iter()
                .map(|(anchor, w)| (anchor, (w / norm) as f32))
                .collect()
        } else {
            Vec::new()
        };
        Self { entries }
    }

    /// The row of a full list of similarities, `[n]`: the plain way, for small inputs and tests.
    #[cfg(test)]
    pub(crate) fn from_similarities(similarities: &[f32], params: &RelativeParams) -> Self {
        Self::from_kept(top_k(similarities, params.k), params)
    }

    /// `(anchor, weight)`, anchors ascending.
    pub fn entries(&self) -> &[(u32, f32)] {
        &self.entries
    }

    /// The score of two rows: the sum over shared anchors of the product of both weights.
    pub(crate) fn dot(&self, other: &Self) -> f32 {
        shared(self, other)
            .map(|(_, a, b)| f64::from(a) * f64::from(b))
            .sum::<f64>() as f32
    }
}

/// The anchors that two rows share, ascending, with both weights.
pub(crate) fn shared<'a>(
    x: &'a RelativeRow,
    y: &'a RelativeRow,
) -> impl Iterator<Item = (u32, f32, f32)> + 'a {
    let (mut left, mut right) = (x.entries.iter().peekable(), y.entries.iter().peekable());
    std::iter::from_fn(move || {
        loop {
            let (&&(a, wa), &&(b, wb)) = (left.peek()?, right.peek()?);
            match a.cmp(&b) {
                std::cmp::Ordering::Less => {
                    left.next();
                }
                std::cmp::Ordering::Greater => {
                    right.next();
                }
                std::cmp::Ordering::Equal => {
                    left.next();
                    right.next();
                    return Some((a, wa, wb));
                }
            }
        }
    })
}

/// The `k` largest of `similarities` as `(anchor, s)`, largest first, ties by lowest anchor.
///
/// `k` above the number of anchors keeps them all. `NaN` sorts below every number.
#[cfg(test)]
pub(crate) fn top_k(similarities: &[f32], k: usize) -> Vec<(u32, f32)> {
    best_k((0u32..).zip(similarities.iter().copied()).collect(), k)
}

/// As [`top_k`], of anchors with their similarities.
pub(super) fn best_k(mut all: Vec<(u32, f32)>, k: usize) -> Vec<(u32, f32)> {
    let rank = |s: f32| if s.is_nan() { f32::NEG_INFINITY } else { s };
    let order =
        |a: &(u32, f32), b: &(u32, f32)| rank(b.1).total_cmp(&rank(a.1)).then(a.0.cmp(&b.0));
    // Selecting first, so that only k entries are sorted; the total order makes ties deterministic.
    if k < all.len() {
        all.select_nth_unstable_by(k, order);
        all.truncate(k);
    }
    all.sort_unstable_by(order);
    all.shrink_to_fit();
    all
}

fn power(s: f64, params: &RelativeParams) -> f64 {
    let raised = |s: f64| {
        if params.p.fract() == 0.0 && params.p <= 1024.0 {
            s.powi(params.p as i32)
        } else {
            s.powf(params.p)
        }
    };
    match params.negatives {
        NegativeSimilarity::Raw => raised(s),
        NegativeSimilarity::Clamp => raised(s.max(0.0)),
        NegativeSimilarity::Signed => raised(s.abs()).copysign(s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn params(k: usize, p: f64, negatives: NegativeSimilarity) -> RelativeParams {
        RelativeParams {
            k,
            p,
            center: false,
            negatives,
        }
    }

    /// The formulas once more, dense and in `f64`, written for plainness only.
    fn dense_model(s: &[f32], params: &RelativeParams) -> Vec<f64> {
        let mut order: Vec<usize> = (0..s.len()).collect();
        order.sort_by(|&a, &b| s[b].partial_cmp(&s[a]).unwrap().then(a.cmp(&b)));
        let mut row = vec![0.0; s.len()];
        for &i in order.iter().take(params.k) {
            let v = f64::from(s[i]);
            row[i] = match params.negatives {
                NegativeSimilarity::Raw => v.powf(params.p),
                NegativeSimilarity::Clamp => v.max(0.0).powf(params.p),
                NegativeSimilarity::Signed => v.signum() * v.abs().powf(params.p),
            };
        }
        let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.iter_mut().for_each(|v| *v /= norm);
        }
        row
    }

    fn any_params() -> impl Strategy<Value = RelativeParams> {
        let negatives = prop::sample::select(vec![
            NegativeSimilarity::Raw,
            NegativeSimilarity::Clamp,
            NegativeSimilarity::Signed,
        ]);
        (1usize..40, 1u32..12, negatives).prop_map(|(k, p, n)| params(k, f64::from(p), n))
    }

    proptest! {
        #[test]
        fn equals_the_dense_double_precision_model(
            x in prop::collection::vec(-1f32..1.0, 1..30),
            y in prop::collection::vec(-1f32..1.0, 30),
            params in any_params(),
        ) {
            let y = &y[..x.len()];
            let (mx, my) = (dense_model(&x, &params), dense_model(y, &params));
            let (rx, ry) = (
                RelativeRow::from_similarities(&x, &params),
                RelativeRow::from_similarities(y, &params),
            );
            for &(i, w) in rx.entries() {
                prop_assert!((f64::from(w) - mx[i as usize]).abs() < 1e-5);
            }
            let stored: Vec<u32> = rx.entries().iter().map(|e| e.0).collect();
            let nonzero: Vec<u32> = (0u32..).zip(&mx).filter(|e| e.1.abs() > 1e-9).map(|e| e.0).collect();
            prop_assert!(nonzero.iter().all(|i| stored.contains(i)));
            let want: f64 = mx.iter().zip(&my).map(|(a, b)| a * b).sum();
            prop_assert!((f64::from(rx.dot(&ry)) - want).abs() < 1e-5);
        }
    }

    #[test]
    fn ties_go_to_the_lowest_anchor_and_k_one_keeps_one() {
        let s = [0.5, 0.9, 0.9, 0.9];
        assert_eq!(top_k(&s, 2), [(1, 0.9), (2, 0.9)]);
        let row = RelativeRow::from_similarities(&s, &params(1, 8.0, NegativeSimilarity::Raw));
        assert_eq!(row.entries(), [(1, 1.0)]);
    }

    #[test]
    fn duplicate_anchors_share_their_weight() {
        let row =
            RelativeRow::from_similarities(&[0.7, 0.7], &params(800, 8.0, NegativeSimilarity::Raw));
        assert!(
            row.entries()
                .iter()
                .all(|e| (e.1 - 0.5f32.sqrt()).abs() < 1e-7)
        );
    }

    #[test]
    fn k_above_n_keeps_all() {
        assert_eq!(top_k(&[0.1, 0.2], 800).len(), 2);
    }

    /// A defect of the reference implementation, kept for the paper's setting only: an even power of a
    /// negative similarity is a positive weight.
    #[test]
    fn dissimilar_anchors_have_positive_weight_only_when_raw() {
        let s = [-0.9, 0.1];
        let row = |n| RelativeRow::from_similarities(&s, &params(800, 8.0, n));
        assert!(row(NegativeSimilarity::Raw).entries()[0].1 > 0.99);
        assert_eq!(row(NegativeSimilarity::Clamp).entries(), [(1, 1.0)]);
        assert!(row(NegativeSimilarity::Signed).entries()[0].1 < -0.99);
    }

    #[test]
    fn a_row_of_negatives_is_empty_when_clamped_and_scores_zero() {
        let clamp = params(800, 4.0, NegativeSimilarity::Clamp);
        let none = RelativeRow::from_similarities(&[-0.5, -0.1], &clamp);
        let some = RelativeRow::from_similarities(&[0.5, 0.1], &clamp);
        assert!(none.entries().is_empty());
        assert_eq!(none.dot(&some), 0.0);
    }

    /// Image rows are normalised too. The reference implementation does not normalise them, which does not
    /// change the argmax over texts but does change text-to-image search.
    #[test]
    fn similarities_of_rounding_make_no_row() {
        for negatives in [
            NegativeSimilarity::Raw,
            NegativeSimilarity::Clamp,
            NegativeSimilarity::Signed,
        ] {
            for s in [[0.0; 3], [3e-8, -6e-8, 1e-8], [9e-7, 2e-8, 0.0]] {
                let row = RelativeRow::from_similarities(&s, &params(3, 8.0, negatives));
                assert!(row.entries().is_empty(), "{s:?}");
            }
        }
    }

    #[test]
    fn rows_are_unit() {
        let row = RelativeRow::from_similarities(&[0.3, 0.2, 0.9], &RelativeParams::PAPER);
        assert!((row.dot(&row) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_high_power_does_not_underflow_to_nothing() {
        let row =
            RelativeRow::from_similarities(&[1e-4; 4], &params(4, 64.0, NegativeSimilarity::Raw));
        assert_eq!(row.entries().len(), 4);
    }
}
