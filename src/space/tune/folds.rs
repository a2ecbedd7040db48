//! Splits pairs into those that spaces are fitted on and those that they are evaluated on: nested
//! cross-validation.
//!
//! ```text
//! groups (near-duplicates)      only whole groups are held out
//! clusters of texts             whole clusters are held out, as classes without anchors
//!
//! all pairs ──┬─ outer fold: pairs and classes for the estimate, not used by the search
//!             └─ the rest ──┬─ inner fold 1: pairs and classes; fitted on the rest of the rest
//!                           └─ inner fold 2: ...
//! ```

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};

use super::clusters::clusters;
use asif_index::random::SplitMix64;

/// With fewer distinct pairs than this nothing can be held out.
pub(crate) const FEW: usize = 200;
/// The mean number of groups in a cluster.
const CLUSTER: usize = 20;
/// The fewest images of a class.
const LEAST: usize = 3;
/// The share of the pairs that a fold holds out, half of them as pairs and half as classes.
const HELD: f64 = 0.16;
/// The most pairs that a fold holds out as pairs, and as classes.
const MOST: usize = 700;

/// How folds are drawn.
#[derive(Debug, Clone, Copy)]
pub struct FoldOptions {
    /// Seed of the random draws.
    pub seed: u64,
    /// The number of inner folds.
    pub inner: usize,
}

/// One split: the pairs to fit on, and the held-out pairs and classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fold {
    /// The pairs that spaces are fitted on, ascending.
    pub fit: Vec<u32>,
    /// Held-out pairs, one of each group: each image must find its text and each text its image.
    pub pairs: Vec<u32>,
    /// Held-out classes.
    pub classes: Vec<HeldOutClass>,
}

/// A held-out cluster of pairs as a class: its images must find its prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldOutClass {
    /// The pair whose text is nearest to the mean of the cluster's texts.
    pub prompt: u32,
    /// The other pairs of the cluster.
    pub images: Vec<u32>,
}

/// The folds of some pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NestedFolds {
    /// Inner folds, on which settings are chosen.
    pub inner: Vec<Fold>,
    /// The outer fold, on which the choice is measured; none of its held-out pairs is in any inner fold.
    pub outer: Fold,
}

/// Draws folds of pairs with these groups ([`groups`](super::groups::groups)) and texts, `[n, dim]`.
pub(crate) fn folds(groups: &[u32], texts: ArrayView2<f32>, options: &FoldOptions) -> NestedFolds {
    let mut random = SplitMix64::new(options.seed);
    let units = SplitUnits::new(groups, texts, &mut random);
    let all: Vec<u32> = (0..groups.len() as u32).collect();
    let mut drawn = units.draw(options.inner + 1, &mut random);
    let outer_held = drawn.pop().expect("one more than the inner ones was drawn");
    // Inner folds see neither the pairs nor the classes of the outer one, not even to fit on.
    let rest = without(&all, &units.members(&outer_held));
    let fold = |held: &HeldOutUnits, of: &[u32]| Fold {
        fit: without(of, &units.members(held)),
        // One of each group: its near-duplicates would count as wrong answers of each other.
        pairs: held.groups.iter().map(|&g| units.groups[g][0]).collect(),
        classes: held
            .clusters
            .iter()
            .filter_map(|&c| units.class(c, texts))
            .collect(),
    };
    NestedFolds {
        inner: drawn.iter().map(|held| fold(held, &rest)).collect(),
        outer: fold(&outer_held, &all),
    }
}

/// Groups and clusters to draw from.
struct SplitUnits {
    /// The pairs of each group.
    groups: Vec<Vec<u32>>,
    /// The groups of each cluster.
    clusters: Vec<Vec<usize>>,
}

/// The groups and clusters that one fold holds out.
#[derive(Default)]
struct HeldOutUnits {
    groups: Vec<usize>,
    clusters: Vec<usize>,
}

impl SplitUnits {
    fn new(of: &[u32], texts: ArrayView2<f32>, random: &mut SplitMix64) -> Self {
        let mut by_root: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (pair, &group) in (0u32..).zip(of) {
            by_root.entry(group).or_default().push(pair);
        }
        // A sorted map makes the order of groups, and so every draw, independent of hashing.
        let groups: Vec<Vec<u32>> = by_root.into_values().collect();
        // One text a group: near-duplicates would pull a centre towards themselves.
        let first: Vec<usize> = groups.iter().map(|g| g[0] as usize).collect();
        let texts: Array2<f32> = texts.select(Axis(0), &first);
        // Two at least, so that one can be held out while the other stays.
        let count = (groups.len() / CLUSTER).max(2);
        let (cluster_of, centres) = clusters(texts.view(), count, random);
        let mut clusters = vec![Vec::new(); centres.nrows()];
        for (group, &cluster) in cluster_of.iter().enumerate() {
            clusters[cluster as usize].push(group);
        }
        Self { groups, clusters }
    }

    /// Draws what each of `count` folds holds out; no pair is in two of them.
    fn draw(&self, count: usize, random: &mut SplitMix64) -> Vec<HeldOutUnits> {
        let n: usize = self.groups.iter().map(Vec::len).sum();
        // Half of the share for pairs and half for classes; the cap bounds the time of a trial.
        let quota = ((HELD / 2.0 * n as f64) as usize).clamp(1, MOST);
        let size = |cluster: usize| -> usize {
            let groups = self.clusters[cluster].iter();
            groups.map(|&g| self.groups[g].len()).sum()
        };
        // A cluster or group that fills most of a fold would dominate its figures.
        let mut clusters: Vec<usize> = (0..self.clusters.len())
            .filter(|&c| size(c) > LEAST && size(c) <= quota / 2)
            .collect();
        random.shuffle(&mut clusters);
        // Clusters are drawn for all folds first, so that pairs are drawn only from groups that are in no
        // held-out cluster.
        let mut taken = vec![false; self.groups.len()];
        let mut folds: Vec<HeldOutUnits> = Vec::new();
        for _ in 0..count {
            let (mut held, mut images) = (HeldOutUnits::default(), 0);
            while images < quota {
                // A fold with fewer is better than one that shares a cluster with another.
                let Some(cluster) = clusters.pop() else { break };
                images += size(cluster);
                self.clusters[cluster].iter().for_each(|&g| taken[g] = true);
                held.clusters.push(cluster);
            }
            folds.push(held);
        }
        let mut groups: Vec<usize> = (0..self.groups.len())
            // As for clusters: one large group of near-duplicates would be most of what the fold measures.
            .filter(|&g| !taken[g] && self.groups[g].len() <= (quota / 4).max(1))
            .collect();
        random.shuffle(&mut groups);
        for held in &mut folds {
            let mut pairs = 0;
            while pairs < quota {
                let Some(group) = groups.pop() else { break };
                pairs += self.groups[group].len();
                held.groups.push(group);
            }
        }
        folds
    }

    /// All pairs that a fold holds out, ascending.
    fn members(&self, held: &HeldOutUnits) -> Vec<u32> {
        let of_clusters = held.clusters.iter().flat_map(|&c| &self.clusters[c]);
        let groups = held.groups.iter().chain(of_clusters);
        let mut members: Vec<u32> = groups.flat_map(|&g| &self.groups[g]).copied().collect();
        members.sort_unstable();
        members
    }

    fn class(&self, cluster: usize, texts: ArrayView2<f32>) -> Option<HeldOutClass> {
        let groups = self.clusters[cluster].iter();
        let pairs: Vec<u32> = groups.flat_map(|&g| &self.groups[g]).copied().collect();
        let rows: Vec<usize> = pairs.iter().map(|&p| p as usize).collect();
        let sum = texts.select(Axis(0), &rows).sum_axis(Axis(0));
        let near = |p: &u32| texts.row(*p as usize).dot(&sum);
        let prompt = *pairs
            .iter()
            .max_by(|a, b| near(a).total_cmp(&near(b)).then(b.cmp(a)))?;
        let images: Vec<u32> = pairs.into_iter().filter(|&p| p != prompt).collect();
        Some(HeldOutClass { prompt, images })
    }
}

/// Those of `all` that are not in `gone`; both ascending.
fn without(all: &[u32], gone: &[u32]) -> Vec<u32> {
    let mut gone = gone.iter().peekable();
    let stays = |pair: &u32| {
        // Both lists ascend, so one pass suffices instead of a search for each pair.
        while gone.next_if(|g| *g < pair).is_some() {}
        gone.peek() != Some(&pair)
    };
    all.iter().copied().filter(stays).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::vector::normalize;

    /// Pairs in blobs of 12, each third of which repeats the pair before it.
    fn drawn() -> (Vec<u32>, Array2<f32>) {
        let n = 900;
        let mut random = SplitMix64::new(5);
        let mut texts = Array2::zeros((n, 8));
        for (i, mut row) in texts.rows_mut().into_iter().enumerate() {
            let mut blob = SplitMix64::new(i as u64 / 12);
            let value = |_| blob.below(1000) as f32 - 500.0 + random.below(100) as f32;
            let mut v: Vec<f32> = (0..8).map(value).collect();
            normalize(&mut v);
            row.iter_mut().zip(v).for_each(|(r, v)| *r = v);
        }
        let groups = (0..n as u32).map(|i| if i % 3 == 2 { i - 1 } else { i });
        (groups.collect(), texts)
    }

    #[test]
    fn no_group_is_on_both_sides_and_nothing_outer_is_inner() {
        let (groups, texts) = drawn();
        let options = FoldOptions { seed: 3, inner: 2 };
        let found = folds(&groups, texts.view(), &options);
        assert_eq!(found, folds(&groups, texts.view(), &options), "seeded");
        let asked = |fold: &Fold| -> Vec<u32> {
            let classes = fold.classes.iter();
            let of_classes = classes.flat_map(|c| c.images.iter().chain([&c.prompt]));
            of_classes.chain(&fold.pairs).copied().collect()
        };
        let groups_of = |pairs: &[u32]| -> std::collections::BTreeSet<u32> {
            pairs.iter().map(|&p| groups[p as usize]).collect()
        };
        for fold in found.inner.iter().chain([&found.outer]) {
            assert!(fold.pairs.len() >= 20 && fold.classes.len() >= 2);
            assert!(groups_of(&fold.fit).is_disjoint(&groups_of(&asked(fold))));
            assert_eq!(
                groups_of(&fold.pairs).len(),
                fold.pairs.len(),
                "one a group"
            );
        }
        let outer = groups_of(&asked(&found.outer));
        for fold in &found.inner {
            assert!(outer.is_disjoint(&groups_of(&fold.fit)));
            assert!(outer.is_disjoint(&groups_of(&asked(fold))));
        }
    }
}
