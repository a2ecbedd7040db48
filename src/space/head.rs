//! Class heads: the rows of all prompts as inverted lists `anchor -> (prompt, weight)`.
//!
//! An image row has at most `k` entries, so scoring it against every prompt is a walk over at most
//! `k` short lists, whatever the number of anchors.

use serde::{Deserialize, Serialize};

use super::relative::RelativeRow;

/// How the prompts of one class become one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The largest score over the prompts of the class (ASIF's reference).
    Max,
    /// One prompt embedding a class: the mean of the unit embeddings, normalised again (CLIP).
    Mean,
}

/// The prompts of `n` classes, ready to score image rows.
#[derive(Debug, Clone)]
pub struct ClassHead {
    /// `lists[starts[i]..starts[i + 1]]` are the prompts that anchor `i` speaks for.
    starts: Vec<u32>,
    lists: Vec<(u32, f32)>,
    class_of_prompt: Vec<u32>,
    classes: usize,
}

impl ClassHead {
    /// A head over `anchors` anchors from `rows[c]`, the relative rows of class `c`'s prompts.
    ///
    /// With [`Aggregate::Mean`] a class has one row: that of its mean prompt embedding.
    /// Entries that name an anchor beyond `anchors` are dropped.
    pub fn new(anchors: usize, rows: &[Vec<RelativeRow>]) -> Self {
        let prompts = || {
            rows.iter()
                .enumerate()
                .flat_map(|(c, rows)| rows.iter().map(move |r| (c as u32, r)))
        };
        let mut starts = vec![0u32; anchors + 1];
        for (_, row) in prompts() {
            for &(anchor, _) in row.entries().iter().filter(|e| (e.0 as usize) < anchors) {
                starts[anchor as usize + 1] += 1;
            }
        }
        for i in 0..anchors {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut lists = vec![(0u32, 0f32); starts[anchors] as usize];
        for (prompt, (_, row)) in prompts().enumerate() {
            for &(anchor, weight) in row.entries().iter().filter(|e| (e.0 as usize) < anchors) {
                let slot = &mut next[anchor as usize];
                lists[*slot as usize] = (prompt as u32, weight);
                *slot += 1;
            }
        }
        let class_of_prompt = prompts().map(|(c, _)| c).collect();
        Self {
            starts,
            lists,
            class_of_prompt,
            classes: rows.len(),
        }
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The score of each class for an image's row, `[classes]`; a class without prompts scores 0.
    pub fn scores(&self, row: &RelativeRow) -> Vec<f32> {
        let mut by_prompt = vec![0f64; self.class_of_prompt.len()];
        for &(anchor, weight) in row.entries() {
            let i = anchor as usize;
            let Some(&[start, end]) = self.starts.get(i..i + 2) else {
                continue;
            };
            for &(prompt, w) in &self.lists[start as usize..end as usize] {
                by_prompt[prompt as usize] += f64::from(weight) * f64::from(w);
            }
        }
        let mut scores = vec![f64::NEG_INFINITY; self.classes];
        for (&class, &score) in self.class_of_prompt.iter().zip(&by_prompt) {
            let best = &mut scores[class as usize];
            *best = best.max(score);
        }
        scores
            .into_iter()
            .map(|s| if s.is_finite() { s as f32 } else { 0.0 })
            .collect()
    }
}

/// `softmax(scale * scores)`, `[classes]`, summing to 1; empty for no classes.
pub fn softmax(scores: &[f32], scale: f64) -> Vec<f32> {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = scores
        .iter()
        .map(|&s| (scale * (f64::from(s) - f64::from(top))).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| (w / sum) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::SpaceParams;
    use proptest::prelude::*;

    fn row(s: &[f32]) -> RelativeRow {
        RelativeRow::from_similarities(
            s,
            &SpaceParams {
                k: 5,
                p: 2.0,
                ..SpaceParams::PAPER
            },
        )
    }

    proptest! {
        #[test]
        fn inverted_lists_give_the_best_dot_product_of_each_class(
            prompts in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(-1f32..1.0, 9), 1..4), 1..6),
            image in prop::collection::vec(-1f32..1.0, 9),
        ) {
            let rows: Vec<Vec<RelativeRow>> =
                prompts.iter().map(|c| c.iter().map(|s| row(s)).collect()).collect();
            let image = row(&image);
            let got = ClassHead::new(9, &rows).scores(&image);
            for (c, rows) in rows.iter().enumerate() {
                let want = rows.iter().map(|r| r.dot(&image)).fold(f32::NEG_INFINITY, f32::max);
                prop_assert!((got[c] - want).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn softmax_sums_to_one_and_survives_large_scales() {
        let s = softmax(&[0.9, 0.1, -0.5], 1e6);
        assert_eq!(s, [1.0, 0.0, 0.0]);
        let s = softmax(&[0.2, 0.2], 20.0);
        assert_eq!(s, [0.5, 0.5]);
        assert!(softmax(&[], 1.0).is_empty());
    }
}
