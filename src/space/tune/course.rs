//! Folds as stages with questions: a recipe goes in, the worth of its answers comes out.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::folds::Fold;
use super::objective::{Answer, Question};
use super::stage::{Depth, Stage};
use super::{Labelled, TuneError};
use crate::progress::Cancel;
use crate::space::Recipe;
use crate::space::linear::Moments;

/// Held-out pairs, and classes: the two things that a space is to do.
pub const TASKS: usize = 2;

/// The answers of a recipe to each task's questions, over all folds.
pub type Marks = [Vec<Answer>; TASKS];

/// Some folds, each a stage.
#[derive(Debug)]
pub struct Course<'a> {
    stages: Vec<(Stage<'a>, Vec<(usize, Question)>)>,
}

/// The pairs of a set: unit vectors `[n, dim]` of both sides, and their moments.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    /// Images and texts.
    pub sides: [ArrayView2<'a, f32>; 2],
    /// Of all of them.
    pub moments: &'a Moments,
}

impl Vectors<'_> {
    /// The same for a shorter life: array views cannot be shortened by themselves.
    pub fn view(&self) -> Vectors<'_> {
        Vectors {
            sides: [self.sides[0].view(), self.sides[1].view()],
            moments: self.moments,
        }
    }
}

impl<'a> Course<'a> {
    /// The stages of these folds.
    pub fn of_folds(vectors: Vectors<'a>, folds: &[Fold], depth: Depth) -> Self {
        let stage = |fold: &Fold| {
            let [x, y] = vectors.sides;
            let moments = fitted(vectors, &fold.fit);
            let of_classes = || fold.classes.iter();
            let images: Vec<u32> = of_classes()
                .flat_map(|c| c.images.iter().copied())
                .collect();
            let prompts: Vec<u32> = of_classes().map(|c| c.prompt).collect();
            let queries = [
                rows(x, fold.pairs.iter().chain(&images)),
                rows(y, fold.pairs.iter().chain(&prompts)),
            ];
            let pairs = fold.pairs.len();
            let label = |(c, class): (u32, &super::folds::Class)| vec![c; class.images.len()];
            let labels: Vec<u32> = (0u32..).zip(&fold.classes).flat_map(label).collect();
            let classes = Question::Classes {
                texts: (pairs, prompts.len()),
                first: pairs,
                labels,
            };
            let stage = Stage::new(vectors.sides, fold.fit.clone(), moments, queries, depth);
            (stage, vec![(0, Question::Pairs(pairs)), (1, classes)])
        };
        Self {
            stages: folds.iter().map(stage).collect(),
        }
    }

    /// The pairs of the folds alone, and labelled images in the place of their classes: those
    /// images whose number is `odd` or not. Spaces for these are fitted on the pairs in `fit`.
    pub fn with_labelled(
        mut self,
        vectors: Vectors<'a>,
        fit: Vec<u32>,
        sets: &[Labelled],
        odd: bool,
        depth: Depth,
    ) -> Self {
        for (_, questions) in &mut self.stages {
            questions.retain(|(task, _)| *task == 0);
        }
        let mut queries = [0, 1].map(|side: usize| Array2::zeros((0, vectors.sides[side].ncols())));
        let mut questions = Vec::new();
        for set in sets {
            let wanted = |i: &usize| (i % 2 == 1) == odd;
            let chosen: Vec<usize> = (0..set.labels.len()).filter(wanted).collect();
            questions.push((
                1,
                Question::Classes {
                    texts: (queries[1].nrows(), set.prompts.nrows()),
                    first: queries[0].nrows(),
                    labels: chosen.iter().map(|&i| set.labels[i]).collect(),
                },
            ));
            let images = set.images.select(Axis(0), &chosen);
            for (all, more) in queries.iter_mut().zip([images.view(), set.prompts.view()]) {
                if let Ok(joined) = concatenate(Axis(0), &[all.view(), more]) {
                    *all = joined;
                }
            }
        }
        let moments = fitted(vectors, &fit);
        let stage = Stage::new(vectors.sides, fit, moments, queries, depth);
        self.stages.push((stage, questions));
        self
    }

    /// The answers of a recipe.
    ///
    /// # Errors
    /// When the pairs do not allow the space, or somebody asked to stop.
    pub fn marks(&mut self, recipe: &Recipe, cancel: &Cancel) -> Result<Marks, TuneError> {
        let mut marks = Marks::default();
        let mut units = 0;
        for (stage, questions) in &mut self.stages {
            if cancel.requested() {
                return Err(TuneError::Interrupted);
            }
            let scores = stage.scores(recipe)?;
            for (task, question) in questions {
                let answers = question.answers(scores.view());
                let shift = |a: Answer| Answer {
                    unit: a.unit + units,
                    ..a
                };
                let last = answers.iter().map(|a| a.unit + 1).max().unwrap_or(0);
                marks[*task].extend(answers.into_iter().map(shift));
                units += last;
            }
        }
        Ok(marks)
    }

    /// Forgets what none of these recipes needs.
    pub fn retain(&mut self, recipes: &[&Recipe]) {
        for (stage, _) in &mut self.stages {
            stage.retain(recipes);
        }
    }
}

/// The moments of the pairs in `fit`: those of all, less those of the others.
fn fitted(vectors: Vectors<'_>, fit: &[u32]) -> Moments {
    let [x, y] = vectors.sides;
    let n = x.nrows() as u32;
    let others: Vec<u32> = (0..n).filter(|i| fit.binary_search(i).is_err()).collect();
    let mut gone = Moments::new(x.ncols(), y.ncols());
    let held = [rows(x, others.iter()), rows(y, others.iter())];
    if let [Some(x), Some(y)] = [held[0].as_slice(), held[1].as_slice()] {
        gone.add(x, y);
    }
    let mut moments = vectors.moments.clone();
    moments.subtract(&gone);
    moments
}

fn rows<'i>(side: ArrayView2<f32>, numbers: impl Iterator<Item = &'i u32>) -> Array2<f32> {
    let numbers: Vec<usize> = numbers.map(|&i| i as usize).collect();
    side.select(Axis(0), &numbers)
}
