//! Do the two sides of the pairs agree on which pairs are near each other? A relative representation
//! relies on that.
//!
//! Mutual neighbours: Huh et al., ICML 2024 (arXiv 2405.07987). CKA: Kornblith et al., ICML 2019
//! (arXiv 1905.00414), with the unbiased HSIC of Song et al. (JMLR 13, 2012), because the plain one
//! grows with the length of the vectors where samples are small.

use ndarray::{Array2, Axis};

use super::gram::neighbours;
use asif_index::random::SplitMix64;

/// A mean with its 95 % interval, and its value by chance.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct NeighbourAgreement {
    /// The figure.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// The value expected of unrelated pairs.
    pub chance: f64,
}

/// The mean share of a pair's `k` nearest on one side that are among its `k` nearest on the other.
/// `x` and `y` are similarities of the same `n` pairs with each other, `[n, n]`.
///
/// The interval is the normal one of a mean over pairs. Chance is `k / (n - 1)`.
pub(crate) fn mutual_neighbours(x: &Array2<f32>, y: &Array2<f32>, k: usize) -> NeighbourAgreement {
    let n = x.nrows().min(y.nrows());
    let k = k.min(n.saturating_sub(1));
    // With one pair nobody has a neighbour; the interval says that nothing is known.
    if k == 0 {
        return NeighbourAgreement {
            value: 0.0,
            low: 0.0,
            high: 1.0,
            chance: 0.0,
        };
    }
    let shares: Vec<f64> = neighbours(x, k)
        .iter()
        .zip(&neighbours(y, k))
        .map(|(a, b)| a.iter().filter(|i| b.contains(i)).count() as f64 / k as f64)
        .collect();
    let mean = shares.iter().sum::<f64>() / n as f64;
    let squares: f64 = shares.iter().map(|s| (s - mean).powi(2)).sum();
    // The variance of the mean over pairs, with n - 1 as the unbiased divisor.
    let error = 1.96 * (squares / (n.max(2) - 1) as f64 / n as f64).sqrt();
    NeighbourAgreement {
        value: mean,
        low: (mean - error).max(0.0),
        high: (mean + error).min(1.0),
        chance: k as f64 / (n - 1) as f64,
    }
}

/// Linear CKA of both sides with unbiased HSIC: 1 if the similarities agree up to a factor, about 0 if
/// they are unrelated, and 0 for fewer than 4 pairs.
#[cfg(test)]
fn cka(x: &Array2<f32>, y: &Array2<f32>) -> f64 {
    let (x, y) = (GramStatistics::new(x), GramStatistics::new(y));
    x.cka(&y, None)
}

/// Linear CKA, and the largest of `draws` values for shuffled pairs as the level of chance.
pub(crate) fn cka_against_chance(
    x: &Array2<f32>,
    y: &Array2<f32>,
    draws: usize,
    seed: u64,
) -> (f64, f64) {
    let (x, y) = (GramStatistics::new(x), GramStatistics::new(y));
    let mut random = SplitMix64::new(seed);
    let chance = (0..draws)
        .map(|_| x.cka(&y, Some(&random.order(y.n))))
        .fold(0.0, f64::max);
    (x.cka(&y, None), chance)
}

/// Similarities without their diagonal, and the sums that HSIC needs.
struct GramStatistics<'a> {
    gram: &'a Array2<f32>,
    n: usize,
    rows: Vec<f64>,
    total: f64,
    own: f64,
}

impl<'a> GramStatistics<'a> {
    fn new(gram: &'a Array2<f32>) -> Self {
        let n = gram.nrows();
        let rows: Vec<f64> = gram
            .axis_iter(Axis(0))
            .enumerate()
            .map(|(i, row)| row.iter().map(|&v| f64::from(v)).sum::<f64>() - f64::from(row[i]))
            .collect();
        let mut this = Self {
            gram,
            n,
            total: rows.iter().sum(),
            rows,
            own: 0.0,
        };
        this.own = this.hsic(&this, None);
        this
    }

    /// Unbiased HSIC with `other`, whose pairs are taken in the order `order`.
    fn hsic(&self, other: &Self, order: Option<&[usize]>) -> f64 {
        let n = self.n;
        assert_eq!(other.n, n, "both matrices are of the same pairs");
        if n < 4 {
            return 0.0;
        }
        let at = |i: usize| order.map_or(i, |order| order[i]);
        let (mut trace, mut mixed) = (0.0, 0.0);
        for i in 0..n {
            let (a, b) = (self.gram.row(i), other.gram.row(at(i)));
            let mut sum = 0.0;
            for j in (0..n).filter(|&j| j != i) {
                sum += f64::from(a[j]) * f64::from(b[at(j)]);
            }
            trace += sum;
            mixed += self.rows[i] * other.rows[at(i)];
        }
        let m = n as f64;
        let corrected =
            trace + self.total * other.total / ((m - 1.0) * (m - 2.0)) - 2.0 / (m - 2.0) * mixed;
        corrected / (m * (m - 3.0))
    }

    fn cka(&self, other: &Self, order: Option<&[usize]>) -> f64 {
        let norm = (self.own * other.own).sqrt();
        if norm > 0.0 && norm.is_finite() {
            self.hsic(other, order) / norm
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::diagnose::gram::products;

    fn drawn(n: usize, dim: usize, seed: u64) -> Array2<f32> {
        let mut random = SplitMix64::new(seed);
        Array2::from_shape_fn((n, dim), |_| (random.unit() + random.unit() - 1.0) as f32)
    }

    #[test]
    fn a_rotation_agrees_wholly_and_strangers_by_chance() {
        let x = drawn(200, 6, 1);
        // Columns in another order and with other signs are a rotation.
        let y = Array2::from_shape_fn((200, 6), |(i, j)| {
            if j % 2 == 0 {
                -x[[i, 5 - j]]
            } else {
                x[[i, 5 - j]]
            }
        });
        let [x, y, z] = [x, y, drawn(200, 6, 2)].map(|v| products(v.view(), v.view()));
        assert!((cka(&x, &y) - 1.0).abs() < 1e-4);
        let same = mutual_neighbours(&x, &y, 10);
        assert!(same.value > 0.99, "{same:?}");
        let (found, chance) = cka_against_chance(&x, &z, 20, 3);
        assert!(found.abs() < 0.1 && chance < 0.1, "{found} {chance}");
        let strangers = mutual_neighbours(&x, &z, 10);
        assert!((strangers.chance - 10.0 / 199.0).abs() < 1e-12);
        assert!(
            strangers.low < strangers.chance && strangers.chance < strangers.high,
            "{strangers:?}"
        );
    }

    /// Kornblith's formula with the centring matrix and the plain HSIC agrees where n is large
    /// against the dimension.
    #[test]
    fn the_unbiased_value_is_near_the_plain_one_for_many_pairs() {
        let x = drawn(600, 3, 5);
        let noise = drawn(600, 3, 6);
        let y = &x * 0.8 + &noise * 0.6;
        let centred = |v: &Array2<f32>| v - &v.mean_axis(Axis(0)).unwrap();
        let (cx, cy) = (centred(&x), centred(&y));
        let norm = |m: Array2<f32>| m.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
        let plain = norm(cx.t().dot(&cy)).powi(2) / (norm(cx.t().dot(&cx)) * norm(cy.t().dot(&cy)));
        let unbiased = cka(&products(x.view(), x.view()), &products(y.view(), y.view()));
        assert!((plain - unbiased).abs() < 0.01, "{plain} {unbiased}");
        assert!((0.3..0.95).contains(&unbiased), "{unbiased}");
    }

    #[test]
    fn too_few_pairs_are_no_agreement_and_no_panic() {
        for n in 0..4 {
            let x = products(drawn(n, 2, 1).view(), drawn(n, 2, 1).view());
            assert_eq!(cka(&x, &x), 0.0);
            assert!(mutual_neighbours(&x, &x, 10).value.is_finite());
        }
    }
}
