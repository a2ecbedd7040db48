//! Class heads: the prompts of all classes, ready to score images.

use serde::{Deserialize, Serialize};

use super::bank::CodeBank;
use super::calibrate::ScoreNormalization;
use super::representation::{Representation, contribution};

/// How the prompts of one class become one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromptAggregation {
    /// The largest score over the prompts of the class (ASIF's reference).
    Max,
    /// One prompt embedding a class: the mean of the unit embeddings, normalised again (CLIP).
    Mean,
    /// The mean score over the prompts of the class.
    MeanScore,
}

/// The prompts of `n` classes, ready to score images.
#[derive(Debug, Clone)]
pub struct ClassHead {
    shares: Vec<f64>,
    /// The prompts' codes in each part of the space.
    banks: Vec<CodeBank>,
    /// The prompts' levels in each part.
    levels: Vec<Vec<ScoreNormalization>>,
    class_of_prompt: Vec<u32>,
    classes: usize,
    aggregate: PromptAggregation,
}

impl ClassHead {
    /// A head over `anchors` anchors from `prompts[c]`, the prompts of class `c` in a space with
    /// these shares. Each class has at least one prompt; with [`PromptAggregation::Mean`] exactly one, its mean
    /// embedding.
    pub fn new(
        anchors: usize,
        shares: &[f64],
        prompts: &[Vec<Representation>],
        aggregate: PromptAggregation,
    ) -> Self {
        // A class without a prompt would score minus infinity or 0 / 0.
        debug_assert!(prompts.iter().all(|of_class| !of_class.is_empty()));
        let all = || prompts.iter().flatten();
        let banks = (0..shares.len())
            .map(|part| CodeBank::new(anchors, all().map(|p| &p.codes[part])))
            .collect();
        let class_of = |(c, prompts): (usize, &Vec<Representation>)| vec![c as u32; prompts.len()];
        Self {
            shares: shares.to_vec(),
            banks,
            levels: all().map(|p| p.levels.clone()).collect(),
            class_of_prompt: prompts.iter().enumerate().flat_map(class_of).collect(),
            classes: prompts.len(),
            aggregate,
        }
    }

    /// The score of each prompt for an image, `[prompts]`, class after class.
    fn prompt_scores(&self, image: &Representation) -> Vec<f64> {
        assert_eq!(
            self.banks.len(),
            image.codes.len(),
            "the image is of this space"
        );
        let mut sums = vec![0f64; self.class_of_prompt.len()];
        for (part, (bank, code)) in self.banks.iter().zip(&image.codes).enumerate() {
            // Part by part: a bank holds the codes of all prompts of one part, ready for a single pass.
            let scores = bank.scores(code);
            for ((sum, score), levels) in sums.iter_mut().zip(scores).zip(&self.levels) {
                *sum += contribution(&self.shares, &image.levels, levels, part, score);
            }
        }
        sums
    }

    /// The score of each class for an image of the same space, `[classes]`.
    pub fn scores(&self, image: &Representation) -> Vec<f32> {
        let start = match self.aggregate {
            PromptAggregation::MeanScore => 0.0,
            PromptAggregation::Max | PromptAggregation::Mean => f64::NEG_INFINITY,
        };
        // The neutral element of the aggregation: a negative score must not lose against a 0 of no prompt.
        let mut scores = vec![(start, 0u32); self.classes];
        for (&class, score) in self.class_of_prompt.iter().zip(self.prompt_scores(image)) {
            let (value, prompts) = &mut scores[class as usize];
            *prompts += 1;
            match self.aggregate {
                PromptAggregation::MeanScore => *value += score,
                PromptAggregation::Max | PromptAggregation::Mean => *value = value.max(score),
            }
        }
        let finish = |(value, prompts)| match self.aggregate {
            PromptAggregation::MeanScore => (value / f64::from(prompts)) as f32,
            PromptAggregation::Max | PromptAggregation::Mean => value as f32,
        };
        scores.into_iter().map(finish).collect()
    }
}

/// `softmax(scale * scores)`, `[classes]`, summing to 1; empty for no classes.
pub(crate) fn softmax(scores: &[f32], scale: f64) -> Vec<f32> {
    // The largest score is subtracted first, so that no exponential overflows; the quotient is unchanged.
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
    use crate::space::bank::PartCode;
    use crate::space::{RelativeParams, RelativeRow};
    use proptest::prelude::*;

    fn input(s: &[f32], levels: &[(f32, f32)]) -> Representation {
        let params = RelativeParams {
            k: 5,
            p: 2.0,
            ..RelativeParams::PAPER
        };
        let row = RelativeRow::from_similarities(s, &params);
        Representation {
            codes: vec![PartCode::Row(row), PartCode::Coordinates(s.to_vec())],
            levels: levels
                .iter()
                .map(|&(origin, slope)| ScoreNormalization { origin, slope })
                .collect(),
        }
    }

    proptest! {
        #[test]
        fn a_head_scores_as_pairs_do_one_by_one(
            prompts in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(-1f32..1.0, 9), 1..4), 1..6),
            image in prop::collection::vec(-1f32..1.0, 9),
            calibrated in any::<bool>(),
        ) {
            let levels = |v: &[f32]| -> Vec<(f32, f32)> {
                if calibrated { vec![(v[0], 3.0 + v[1]), (v[2], 2.0)] } else { Vec::new() }
            };
            let shares = [0.25, 0.75];
            let prompts: Vec<Vec<Representation>> = prompts
                .iter()
                .map(|class| class.iter().map(|s| input(s, &levels(s))).collect())
                .collect();
            let image = input(&image, &levels(&image));
            for aggregate in [PromptAggregation::Max, PromptAggregation::MeanScore] {
                let got = ClassHead::new(9, &shares, &prompts, aggregate).scores(&image);
                for (got, prompts) in got.iter().zip(&prompts) {
                    let scores = prompts.iter().map(|p| image.score(p, &shares));
                    let want = match aggregate {
                        PromptAggregation::MeanScore => scores.sum::<f32>() / prompts.len() as f32,
                        _ => scores.fold(f32::NEG_INFINITY, f32::max),
                    };
                    prop_assert!((got - want).abs() < 1e-4, "{got} {want}");
                }
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
