//! Evaluates recipes on folds: each fold has a scorer and questions, and a recipe gets the ranks of the right
//! answers.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::error::TuneError;
use super::folds::Fold;
use super::labelled::LabelledImages;
use super::objective::{ReciprocalRank, TuneQuestion};
use super::scorer::{RecipeLimits, RecipeScorer};
use super::task::PerTask;
use crate::modality::PerModality;
use crate::progress::CancelToken;
use crate::space::Recipe;
use crate::space::linear::Moments;
use crate::space::matrices::MatrixAnchors;

/// The answers of a recipe to each task's questions, over all folds.
pub(crate) type TaskRanks = PerTask<Vec<ReciprocalRank>>;

/// Folds to evaluate recipes on, each a scorer with its questions.
#[derive(Debug)]
pub(crate) struct FoldEvaluator<'a> {
    folds: Vec<(RecipeScorer<'a>, Vec<TuneQuestion>)>,
}

/// The pairs of an anchor set: unit vectors `[n, dim]` of both sides, and their moments.
#[derive(Debug, Clone, Copy)]
pub struct SideVectors<'a> {
    /// Images and texts.
    pub sides: PerModality<ArrayView2<'a, f32>>,
    /// The moments of all pairs.
    pub moments: &'a Moments,
}

impl SideVectors<'_> {
    /// The same with a shorter lifetime, because the lifetimes of array views are invariant.
    pub(crate) fn view(&self) -> SideVectors<'_> {
        SideVectors {
            sides: self.sides.as_ref().map(|rows| rows.view()),
            moments: self.moments,
        }
    }
}

impl<'a> FoldEvaluator<'a> {
    /// The scorers and questions of these folds.
    pub(crate) fn of_folds(vectors: SideVectors<'a>, folds: &[Fold], depth: RecipeLimits) -> Self {
        let scored = |fold: &Fold| {
            let moments = fitted(vectors, &fold.fit);
            let of_classes = || fold.classes.iter();
            let images: Vec<u32> = of_classes()
                .flat_map(|c| c.images.iter().copied())
                .collect();
            let prompts: Vec<u32> = of_classes().map(|c| c.prompt).collect();
            let asked = PerModality {
                image: &images,
                text: &prompts,
            };
            // Queries of a side are the pairs, then the classes' images or prompts; the questions count from
            // `pairs`.
            let queries = vectors
                .sides
                .zip(asked)
                .map(|(side, more)| rows(side, fold.pairs.iter().chain(more)));
            let pairs = fold.pairs.len();
            let label =
                |(c, class): (u32, &super::folds::HeldOutClass)| vec![c; class.images.len()];
            let labels: Vec<u32> = (0u32..).zip(&fold.classes).flat_map(label).collect();
            // Texts of pairs are no candidates for class images, nor prompts for pairs: each question has its own
            // range.
            let classes = TuneQuestion::Classes {
                texts: (pairs, prompts.len()),
                first: pairs,
                labels,
            };
            let anchors = MatrixAnchors::new(vectors.sides, fold.fit.clone(), moments);
            let scorer = RecipeScorer::new(anchors, queries, depth);
            (scorer, vec![TuneQuestion::Pairs(pairs), classes])
        };
        Self {
            folds: folds.iter().map(scored).collect(),
        }
    }

    /// The held-out pairs of the folds, with labelled images in place of their classes: the images with
    /// odd or even number, according to `odd`. Spaces for the images are fitted on the pairs in `fit`.
    pub(crate) fn with_labelled(
        mut self,
        vectors: SideVectors<'a>,
        fit: Vec<u32>,
        sets: &[LabelledImages],
        odd: bool,
        depth: RecipeLimits,
    ) -> Self {
        // Held-out pairs stay as they are; only the classes made of clusters are replaced.
        for (_, questions) in &mut self.folds {
            questions.retain(|question| matches!(question, TuneQuestion::Pairs(_)));
        }
        let none = |side: ArrayView2<f32>| Array2::zeros((0, side.ncols()));
        let mut queries: PerModality<Array2<f32>> = vectors.sides.map(none);
        let mut questions = Vec::new();
        for set in sets {
            // Even numbers serve the choice and odd ones the estimate, so that no image does both.
            let wanted = |i: &usize| (i % 2 == 1) == odd;
            let chosen: Vec<usize> = (0..set.labels.len()).filter(wanted).collect();
            questions.push(TuneQuestion::Classes {
                texts: (queries.text.nrows(), set.prompts.nrows()),
                first: queries.image.nrows(),
                labels: chosen.iter().map(|&i| set.labels[i]).collect(),
            });
            let images = set.images.select(Axis(0), &chosen);
            let more = PerModality {
                image: images.view(),
                // Prompts are the same in both halves: they are the labels, not what is measured.
                text: set.prompts.view(),
            };
            for (all, more) in queries.as_mut().zip(more) {
                *all = concatenate(Axis(0), &[all.view(), more])
                    .expect("labelled vectors have the dimension of the anchor set's encoders");
            }
        }
        let moments = fitted(vectors, &fit);
        // One scorer for all labelled images, whose space is fitted once.
        let anchors = MatrixAnchors::new(vectors.sides, fit, moments);
        self.folds
            .push((RecipeScorer::new(anchors, queries, depth), questions));
        self
    }

    /// The answers of a recipe.
    ///
    /// # Errors
    /// When the space cannot be fitted to the pairs, or on cancellation.
    pub(crate) fn marks(
        &mut self,
        recipe: &Recipe,
        cancel: &CancelToken,
    ) -> Result<TaskRanks, TuneError> {
        let mut marks = TaskRanks::default();
        let mut units = 0;
        for (scorer, questions) in &mut self.folds {
            if cancel.requested() {
                return Err(TuneError::Interrupted);
            }
            let scores = scorer.scores(recipe)?;
            for question in questions {
                let answers = question.answers(scores.view());
                // Units of different folds are different, or the error of a mean would treat them as one sample.
                let shift = |a: ReciprocalRank| ReciprocalRank {
                    unit: a.unit + units,
                    ..a
                };
                let last = answers.iter().map(|a| a.unit + 1).max().unwrap_or(0);
                let of_task = match question {
                    TuneQuestion::Pairs(_) => &mut marks.pairs,
                    TuneQuestion::Classes { .. } => &mut marks.classes,
                };
                of_task.extend(answers.into_iter().map(shift));
                units += last;
            }
        }
        Ok(marks)
    }

    /// Drops what none of these recipes needs.
    pub(crate) fn retain(&mut self, recipes: &[&Recipe]) {
        for (scorer, _) in &mut self.folds {
            scorer.retain(recipes);
        }
    }
}

/// The moments of the pairs in `fit`: those of all pairs minus those of the others.
fn fitted(vectors: SideVectors<'_>, fit: &[u32]) -> Moments {
    let n = vectors.sides.image.nrows() as u32;
    // Subtracting the few held-out pairs is cheaper than adding the others, and exact: moments are integers.
    let others: Vec<u32> = (0..n).filter(|i| fit.binary_search(i).is_err()).collect();
    let held = vectors.sides.map(|side| rows(side, others.iter()));
    let gone = Moments::of(&held);
    let mut moments = vectors.moments.clone();
    moments.subtract(&gone);
    moments
}

fn rows<'i>(side: ArrayView2<f32>, numbers: impl Iterator<Item = &'i u32>) -> Array2<f32> {
    let numbers: Vec<usize> = numbers.map(|&i| i as usize).collect();
    side.select(Axis(0), &numbers)
}
