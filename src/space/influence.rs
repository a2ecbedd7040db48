//! The influence of anchors on the classification of labelled images: the answers without an anchor, compared
//! with those with it.
//!
//! **One anchor**, in closed form. Removing anchor `i` from two unit rows leaves
//!
//! ```text
//! score' = (score - x_i y_i) / sqrt((1 - x_i^2) (1 - y_i^2))
//! ```
//!
//! so that one pass over the sparse rows gives the effect of every anchor. This neglects two things: an
//! anchor set without the anchor would have the next nearest one in its place in each row, with the
//! smallest of the `k` weights, and its mean would be slightly different.
//!
//! **Many anchors at once** would empty rows, so [`refilled`] takes the next nearest anchors in their place;
//! only the mean stays that of all anchors.

use rayon::prelude::*;

use super::RelativeParams;
use super::anchors::NearestAnchors;
use super::relative::RelativeRow;

/// A row whose remaining squared norm is below this counts as empty.
const NOTHING: f64 = 1e-9;
/// A margin up to this is a tie: the weights of rows are rounded to 32 bits.
const TIE: f64 = 1e-6;
/// The number of chunks of images processed in parallel; fixed, so that sums do not depend on the machine.
const PARTS: usize = 16;

/// The rows of the prompts of all classes, by anchor.
#[derive(Debug, Clone)]
pub(crate) struct PromptRows {
    /// For each anchor, the prompts whose rows contain it, with its weight.
    lists: Vec<Vec<(u32, f32)>>,
    /// The class of each prompt.
    class_of: Vec<u32>,
}

/// The effect of an anchor, or of a group of anchors, on the answers to all images.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct MarginEffect {
    /// The number of images whose margin it changes.
    pub images: u64,
    /// The mean over all images of the margin with it minus the margin without it; above 0 it helps. A margin
    /// is the score of the right label minus the best score of the others.
    pub margin: f64,
    /// Right answers that are wrong without it.
    pub lost: u64,
    /// Wrong answers that are right without it.
    pub gained: u64,
}

/// An image's relative row and its right class.
pub(crate) type LabelledRow = (RelativeRow, usize);

impl PromptRows {
    /// Builds the lists from one or more rows a class, over `anchors` anchors.
    pub(crate) fn new(anchors: usize, classes: &[Vec<RelativeRow>]) -> Self {
        let mut lists = vec![Vec::new(); anchors];
        let mut class_of = Vec::new();
        for (class, rows) in classes.iter().enumerate() {
            for row in rows {
                let prompt = class_of.len() as u32;
                class_of.push(class as u32);
                for &(anchor, weight) in row.entries() {
                    lists[anchor as usize].push((prompt, weight));
                }
            }
        }
        Self { lists, class_of }
    }

    /// The margin of each image, `[images]`: the score of its right class minus the best score of the
    /// others; see [`is_right`].
    pub(crate) fn margins(&self, images: &[LabelledRow]) -> Vec<f64> {
        images
            .par_iter()
            .map(|(row, right)| self.margin(&self.scores(row), *right))
            .collect()
    }

    /// The score of each prompt, `[prompts]`.
    fn scores(&self, row: &RelativeRow) -> Vec<f64> {
        // Only prompts that share an anchor are touched; the others keep a score of 0.
        let mut scores = vec![0.0; self.class_of.len()];
        for &(anchor, x) in row.entries() {
            for &(prompt, y) in &self.lists[anchor as usize] {
                scores[prompt as usize] += f64::from(x) * f64::from(y);
            }
        }
        scores
    }

    /// The best score of the right class minus the best of the others; 0 if there are no others.
    fn margin(&self, scores: &[f64], right: usize) -> f64 {
        // A class counts by its best prompt, as a head with the largest score does.
        let best = |is_right: bool| {
            let of = |(&class, &score): (&u32, &f64)| {
                ((class as usize == right) == is_right).then_some(score)
            };
            let all = self.class_of.iter().zip(scores).filter_map(of);
            all.fold(f64::NEG_INFINITY, f64::max)
        };
        difference(best(true), best(false))
    }
}

/// Whether an answer with this margin is right; a tie is not.
pub(crate) fn is_right(margin: f64) -> bool {
    margin > TIE
}

fn difference(right: f64, others: f64) -> f64 {
    // With one class there is no other, so no margin and no answer.
    if right.is_finite() && others.is_finite() {
        right - others
    } else {
        0.0
    }
}

/// `1 / sqrt(1 - gone)`: the factor that makes a unit row a unit row again after entries of this squared norm
/// are removed; 0 if nothing is left.
fn stretch(gone: f64) -> f64 {
    let left = 1.0 - gone;
    if left > NOTHING {
        1.0 / left.sqrt()
    } else {
        0.0
    }
}

impl MarginEffect {
    /// Compares the margins of the same images with and without some anchors.
    pub(crate) fn between(with: &[f64], without: &[f64]) -> Self {
        let mut effect = Self::default();
        for (&with, &without) in with.iter().zip(without) {
            effect.note(with, without);
        }
        effect.margin /= with.len().max(1) as f64;
        effect
    }

    /// Counts one image by its margins with and without the anchors.
    fn note(&mut self, with: f64, without: f64) {
        self.images += u64::from(with != without);
        // Summed here; the callers divide by the number of images.
        self.margin += with - without;
        let (with, without) = (is_right(with), is_right(without));
        self.lost += u64::from(with && !without);
        self.gained += u64::from(!with && without);
    }
}

/// The row of an input without the anchors for which `gone` is true: the largest `k` of its remaining
/// similarities. `nearest` are all anchors, best first.
pub(crate) fn refilled(
    nearest: &NearestAnchors,
    gone: impl Fn(u32) -> bool,
    params: &RelativeParams,
) -> RelativeRow {
    let left = nearest.iter().copied().filter(|&(anchor, _)| !gone(anchor));
    RelativeRow::from_kept(left.take(params.k), params)
}

/// The effect of each anchor, `[anchors]`.
///
/// Takes O(images x prompts x k) steps, whatever the number of anchors.
pub(crate) fn of_anchors(prompts: &PromptRows, images: &[LabelledRow]) -> Vec<MarginEffect> {
    summed(prompts.lists.len(), images, |effects, (row, right)| {
        one_image(prompts, row, *right, effects);
    })
}

/// Adds the effect of every anchor on one image.
fn one_image(prompts: &PromptRows, row: &RelativeRow, right: usize, effects: &mut [MarginEffect]) {
    let scores = prompts.scores(row);
    let with = prompts.margin(&scores, right);
    let is_own = |prompt: u32| prompts.class_of[prompt as usize] as usize == right;
    // Best prompts first: an anchor is in few prompts, so the best prompt without it is soon found. Its
    // score changes only by the image's factor.
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|&a, &b| scores[b as usize].total_cmp(&scores[a as usize]));
    let (own, others): (Vec<u32>, Vec<u32>) = order.into_iter().partition(|&p| is_own(p));
    // Remembers the anchor that touched a prompt last, so nothing has to be cleared between anchors.
    let mut touched_by = vec![u32::MAX; scores.len()];
    let mut entries = row.entries().iter().peekable();
    for (anchor, list) in (0u32..).zip(&prompts.lists) {
        let x = match entries.next_if(|e| e.0 == anchor) {
            Some(&(_, x)) => f64::from(x),
            // No prompt has it and no image row either: nothing changes.
            None if list.is_empty() => continue,
            None => 0.0,
        };
        // Removing the entry shortens the image's row, which scales all of its scores alike.
        let image = stretch(x * x);
        let (mut best_own, mut best_other) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for &(prompt, y) in list {
            touched_by[prompt as usize] = anchor;
            let y = f64::from(y);
            let score = (scores[prompt as usize] - x * y) * image * stretch(y * y);
            let best = if is_own(prompt) {
                &mut best_own
            } else {
                &mut best_other
            };
            *best = best.max(score);
        }
        // The first prompt in order that the anchor is not in is the best of all these.
        let untouched = |sorted: &[u32]| {
            let first = sorted.iter().find(|&&p| touched_by[p as usize] != anchor);
            first.map_or(f64::NEG_INFINITY, |&p| scores[p as usize] * image)
        };
        let without = difference(
            best_own.max(untouched(&own)),
            best_other.max(untouched(&others)),
        );
        effects[anchor as usize].note(with, without);
    }
}

/// Sums the effects that `note` adds for each image, and divides the margins by the number of images.
fn summed(
    n: usize,
    images: &[LabelledRow],
    note: impl Fn(&mut [MarginEffect], &LabelledRow) + Sync,
) -> Vec<MarginEffect> {
    let parts: Vec<Vec<MarginEffect>> = images
        .chunks(images.len().div_ceil(PARTS).max(1))
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|images| {
            let mut effects = vec![MarginEffect::default(); n];
            images.iter().for_each(|image| note(&mut effects, image));
            effects
        })
        .collect();
    let mut all = vec![MarginEffect::default(); n];
    for (sum, part) in parts.iter().flat_map(|part| (0..n).zip(part)) {
        let sum = &mut all[sum];
        sum.images += part.images;
        sum.margin += part.margin;
        sum.lost += part.lost;
        sum.gained += part.gained;
    }
    all.iter_mut()
        .for_each(|effect| effect.margin /= images.len().max(1) as f64);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::NegativeSimilarity;
    use proptest::prelude::*;

    const ANCHORS: usize = 12;

    fn unit(entries: impl IntoIterator<Item = (u32, f32)>) -> RelativeRow {
        let params = RelativeParams {
            k: ANCHORS,
            p: 1.0,
            negatives: NegativeSimilarity::Raw,
            ..RelativeParams::PAPER
        };
        RelativeRow::from_kept(entries, &params)
    }

    /// The same with every row computed anew, and the number of images with a margin of 0, which rounding
    /// may turn either way.
    fn naive(
        classes: &[Vec<RelativeRow>],
        images: &[LabelledRow],
        gone: &[u32],
    ) -> (MarginEffect, u64) {
        let cut = |row: &RelativeRow| {
            unit(
                row.entries()
                    .iter()
                    .copied()
                    .filter(|e| !gone.contains(&e.0)),
            )
        };
        let margin = |image: &RelativeRow, classes: &[Vec<RelativeRow>], right: usize| {
            let best = |rows: &Vec<RelativeRow>| {
                let scores = rows.iter().map(|r| f64::from(r.dot(image)));
                scores.fold(f64::NEG_INFINITY, f64::max)
            };
            let scores: Vec<f64> = classes.iter().map(best).collect();
            let others = scores.iter().enumerate().filter(|(c, _)| *c != right);
            scores[right] - others.map(|(_, s)| *s).fold(f64::NEG_INFINITY, f64::max)
        };
        let without: Vec<Vec<RelativeRow>> = classes
            .iter()
            .map(|rows| rows.iter().map(cut).collect())
            .collect();
        let (mut effect, mut ties) = (MarginEffect::default(), 0);
        for (row, right) in images {
            let before = margin(row, classes, *right);
            let after = margin(&cut(row), &without, *right);
            ties += u64::from(before.abs().min(after.abs()) < 1e-5);
            effect.note(before, after);
        }
        effect.margin /= images.len() as f64;
        (effect, ties)
    }

    fn row() -> impl Strategy<Value = RelativeRow> {
        prop::collection::btree_map(0u32..ANCHORS as u32, 0.05f32..1.0, 1..6).prop_map(unit)
    }

    proptest! {
        #[test]
        fn the_closed_form_is_what_rows_without_the_anchor_give(
            classes in prop::collection::vec(prop::collection::vec(row(), 1..3), 2..5),
            images in prop::collection::vec((row(), 0usize..2), 1..20),
        ) {
            let prompts = PromptRows::new(ANCHORS, &classes);
            let same = |found: &MarginEffect, want: &MarginEffect| (found.margin - want.margin).abs() < 1e-5;
            let close = |found: &MarginEffect, want: &MarginEffect, ties: u64| {
                let (lost, gained) = (found.lost, found.gained);
                lost.abs_diff(want.lost) <= ties && gained.abs_diff(want.gained) <= ties
            };
            for (anchor, found) in of_anchors(&prompts, &images).iter().enumerate() {
                let (want, ties) = naive(&classes, &images, &[anchor as u32]);
                prop_assert!(
                    same(found, &want) && close(found, &want, ties),
                    "{found:?} {want:?}, {ties} ties"
                );
            }
            let margins = prompts.margins(&images);
            prop_assert_eq!(MarginEffect::between(&margins, &margins), MarginEffect::default());
        }

        #[test]
        fn a_refilled_row_is_that_of_a_search_without_the_anchors(
            similarities in prop::collection::vec(-1f32..1.0, ANCHORS),
            gone in prop::collection::btree_set(0u32..ANCHORS as u32, 0..8),
            k in 1usize..ANCHORS,
        ) {
            let nearest = crate::space::relative::top_k(&similarities, ANCHORS);
            let params = RelativeParams { k, p: 4.0, negatives: NegativeSimilarity::Clamp, ..RelativeParams::PAPER };
            let found = refilled(&nearest, |a| gone.contains(&a), &params);
            let mut left: Vec<(u32, f32)> = (0u32..).zip(similarities.iter().copied()).collect();
            left.retain(|e| !gone.contains(&e.0));
            left.sort_by(|a, b| b.1.total_cmp(&a.1));
            left.truncate(k);
            let want = RelativeRow::from_kept(left, &params);
            prop_assert_eq!(found.entries().len(), want.entries().len());
            for (a, b) in found.entries().iter().zip(want.entries()) {
                prop_assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn an_anchor_that_carries_the_right_answer_helps_and_one_that_misleads_harms() {
        let classes = [
            vec![unit([(0, 1.0), (2, 1.0)])],
            vec![unit([(1, 1.0), (2, 1.0)])],
        ];
        let prompts = PromptRows::new(4, &classes);
        let images = [
            (unit([(0, 1.0), (1, 0.5)]), 0),
            (unit([(1, 0.9), (0, 1.0)]), 1),
        ];
        let effects = of_anchors(&prompts, &images);
        assert_eq!((effects[0].lost, effects[0].gained), (1, 1));
        assert_eq!((effects[1].lost, effects[1].gained), (0, 0));
        assert!(
            effects[3] == MarginEffect::default(),
            "an anchor in no row has no effect"
        );
        let none = of_anchors(&prompts, &[]);
        assert!(none.iter().all(|e| *e == MarginEffect::default()));
    }
}
