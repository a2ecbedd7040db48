//! Coreset selection: fewer pairs that still cover the contents of all of them.

use ndarray::ArrayView2;

/// How many members each group contributes to a selection of `want`, `[groups]`: in proportion to its size
/// to the power `evenness`, and never more than it has. They sum to `want`, or to the number of all
/// members if that is less.
///
/// An `evenness` of 1 keeps the groups' shares, 0 makes them equal. Rounding goes to the largest
/// remainders, ties to the first group.
pub(crate) fn quotas(sizes: &[usize], want: usize, evenness: f64) -> Vec<usize> {
    let mut given = vec![0; sizes.len()];
    let mut left = want.min(sizes.iter().sum());
    // A group that is used up leaves the rest of its quota to the others, in the same proportion.
    while left > 0 {
        let open: Vec<usize> = (0..sizes.len()).filter(|&g| given[g] < sizes[g]).collect();
        let weight = |g: usize| (sizes[g] as f64).powf(evenness);
        let total: f64 = open.iter().map(|&g| weight(g)).sum();
        let share = |g: usize| left as f64 * weight(g) / total;
        let full: Vec<usize> = open
            .iter()
            .copied()
            .filter(|&g| share(g) >= (sizes[g] - given[g]) as f64)
            .collect();
        // No group overflows any more, so shares can be rounded and handed out.
        if full.is_empty() {
            let mut order = open.clone();
            order.sort_by(|&a, &b| {
                share(b)
                    .fract()
                    .total_cmp(&share(a).fract())
                    .then(a.cmp(&b))
            });
            let mut rest = left;
            for &g in &open {
                let whole = share(g) as usize;
                given[g] += whole;
                rest -= whole;
            }
            for &g in order.iter().take(rest) {
                given[g] += 1;
            }
            break;
        }
        // Full groups first: what they leave changes the shares of all others.
        for g in full {
            let take = (sizes[g] - given[g]).min(left);
            given[g] += take;
            left -= take;
        }
    }
    given
}

/// `want` of the rows of `x` `[n, d]`, chosen one after another so that each has the largest product
/// of its distance (1 - cosine) to the nearest chosen one and its `worth` `[n]`; the first is the one
/// of the largest worth. Ties go to the first row. Ascending.
///
/// With equal worths this is the greedy 2-approximation of k-centre (Gonzalez, Theoretical Computer
/// Science 38, 1985).
pub(crate) fn spread(x: ArrayView2<'_, f32>, worth: &[f64], want: usize) -> Vec<usize> {
    let n = x.nrows();
    // 2 is the largest cosine distance, so that anything chosen comes nearer.
    let mut far = vec![2f64; n];
    let mut free = vec![true; n];
    let mut chosen = Vec::with_capacity(want.min(n));
    while chosen.len() < want.min(n) {
        let gain = |i: usize| {
            if chosen.is_empty() {
                worth[i]
            } else {
                far[i] * worth[i]
            }
        };
        let best = (0..n)
            .filter(|&i| free[i])
            .fold(None, |best, i| match best {
                Some(b) if gain(b) >= gain(i) => Some(b),
                _ => Some(i),
            });
        let Some(next) = best else { break };
        free[next] = false;
        chosen.push(next);
        for (far, &s) in far.iter_mut().zip(&x.dot(&x.row(next))) {
            *far = far.min(f64::from(1.0 - s).max(0.0));
        }
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotas_are_as_many_as_wanted_and_no_more_than_there_are(
            sizes in prop::collection::vec(0usize..50, 1..9),
            want in 0usize..300,
            evenness in 0.0f64..1.5,
        ) {
            let given = quotas(&sizes, want, evenness);
            prop_assert!(given.iter().zip(&sizes).all(|(g, s)| g <= s));
            prop_assert_eq!(given.iter().sum::<usize>(), want.min(sizes.iter().sum()));
        }
    }

    #[test]
    fn shares_are_kept_or_evened_out() {
        assert_eq!(quotas(&[80, 20], 50, 1.0), [40, 10]);
        assert_eq!(quotas(&[80, 20], 30, 0.0), [15, 15]);
        assert_eq!(
            quotas(&[80, 20], 50, 0.0),
            [30, 20],
            "what a full group cannot take"
        );
        assert_eq!(quotas(&[1, 1, 1], 2, 1.0), [1, 1, 0]);
    }

    #[test]
    fn far_ones_come_first_and_worthless_ones_last() {
        let x = array![[1.0, 0.0], [0.999, 0.04], [0.0, 1.0], [-1.0, 0.0]];
        assert_eq!(spread(x.view(), &[1.0; 4], 3), [0, 2, 3]);
        assert_eq!(spread(x.view(), &[1.0, 1.0, 0.1, 0.0], 2), [0, 2]);
        assert_eq!(spread(x.view(), &[1.0; 4], 9), [0, 1, 2, 3]);
        assert!(spread(x.view(), &[1.0; 4], 0).is_empty());
    }
}
