//! Finds the recipe that suits an anchor set, by nested cross-validation.
//!
//! ```text
//! pairs ──> groups of near-duplicates, clusters of texts ──> folds: inner ones, and an outer one
//!                                                              │                      │
//! present recipe ──> one change at a time, each scored on the inner folds ──> choice ─┴─> estimate
//! ```
//!
//! Without labels a space is evaluated on two tasks. Held-out images must find their texts and the
//! other way round, which measures it in the domain of the anchors. Images of held-out clusters of
//! texts must find their cluster, which has no anchors left, which measures it outside that domain.
//! Canonical coordinates are better at the first and relative rows at the second, so both count
//! equally. Labelled images, if given, replace the second task.
//!
//! | file | role |
//! |---|---|
//! | `groups` | groups of pairs that must stay on the same side of a split |
//! | `clusters` | clusters of texts with similar content |
//! | [`folds`] | which pairs are fitted on and which are held out |
//! | `scorer` | fits recipes to some pairs and scores the same queries with each |
//! | `task` | one value per task |
//! | `objective` | the reciprocal rank of each right answer |
//! | `evaluator` | evaluates recipes on folds |
//! | `compare` | compares two recipes, with the error of their difference |
//! | `grid` | the settings of a recipe that are varied |
//! | `search` | coordinate descent over these settings |
//! | [`members`] | the weights of several encoders of a modality, which are tried first |

pub(crate) mod clusters;
pub mod compare;
mod error;
pub mod evaluator;
pub mod folds;
pub(crate) mod grid;
pub(crate) mod groups;
mod labelled;
pub mod members;
pub(crate) mod objective;
pub mod scorer;
pub(crate) mod search;
pub mod task;

use std::fmt;

use serde::Serialize;

use self::compare::{RecipeMetrics, RelativeGain};
pub use self::error::TuneError;
use self::evaluator::{FoldEvaluator, SideVectors};
pub use self::labelled::LabelledImages;
use self::members::{EnsembleBlocks, ReweighedPairs};
use self::scorer::RecipeLimits;
pub use self::search::TuneTrial;
use self::task::PerTask;
use super::Recipe;
use super::recipe::ScoreCalibration;
use crate::modality::PerModality;
use crate::progress::{CancelToken, ProgressObserver};

/// The input of tuning: the pairs and the present recipe.
#[derive(Debug, Clone, Copy)]
pub struct TuneInput<'a> {
    /// The pairs.
    pub vectors: SideVectors<'a>,
    /// The captions of each pair, `[n]`.
    pub captions: &'a [Vec<String>],
    /// The present recipe, from which the search starts.
    pub recipe: &'a Recipe,
    /// Labelled images; may be empty.
    pub labelled: &'a [LabelledImages],
    /// The encoders of images and texts, with their present weights.
    pub members: &'a EnsembleBlocks,
}

/// The outcome of tuning.
#[derive(Debug, Clone, Serialize)]
pub struct TuneOutcome {
    /// The number of pairs.
    pub pairs: usize,
    /// The number of groups of near-duplicates.
    pub groups: usize,
    /// The recipe from which the search started.
    pub present: Recipe,
    /// The recommended recipe; the present one if nothing is significantly better.
    pub recommended: Recipe,
    /// The recommended weights of the encoders, if they differ from the present ones: `[images, texts]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<EnsembleBlocks>,
    /// The reason for the recommendation.
    pub reason: String,
    /// The measurement on the outer fold; `None` if there are too few pairs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<TuneEstimate>,
    /// All trials, measured on the inner folds.
    pub trials: Vec<TuneTrial>,
}

/// Why a task has no questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum UnmeasuredReason {
    /// No pairs could be held out.
    #[serde(rename = "too few distinct pairs to hold any out; add pairs")]
    FewPairs,
    /// No groups of texts could be held out, and no labelled images were given.
    #[serde(
        rename = "too few distinct pairs to hold out whole groups of texts; add pairs, or give labelled \
                  images for validation"
    )]
    FewGroups,
    /// No labelled images could be held out.
    #[serde(rename = "too few labelled images are left for the estimate; add images")]
    FewImages,
}

impl fmt::Display for UnmeasuredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The present and the found recipe on the outer fold, which the search did not use.
#[derive(Debug, Clone, Serialize)]
pub struct TuneEstimate {
    /// The number of questions about pairs and about images of classes.
    pub asked: PerTask<usize>,
    /// Why a task has no questions, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<UnmeasuredReason>,
    /// The present recipe.
    pub present: RecipeMetrics,
    /// The recipe that the search found.
    pub found: RecipeMetrics,
    /// The gain of the found one.
    pub gain: RelativeGain,
    /// Its 95 % interval.
    pub interval: [f64; 2],
}

impl TuneOutcome {
    /// Whether another recipe than the present one is recommended.
    pub fn is_change(&self) -> bool {
        self.present != self.recommended || self.members.is_some()
    }
}

/// Searches for the recipe that suits the pairs best. Deterministic.
///
/// # Errors
/// [`TuneError`].
pub fn tune(
    subject: TuneInput<'_>,
    options: &folds::FoldOptions,
    progress: &dyn ProgressObserver,
    cancel: &CancelToken,
) -> Result<TuneOutcome, TuneError> {
    let TuneInput {
        vectors,
        captions,
        recipe,
        labelled,
        members,
    } = subject;
    let PerModality {
        image: images,
        text: texts,
    } = vectors.sides;
    progress.begin("groups", None);
    // Near-duplicates are found before anything is split: one on each side would answer for the other.
    let groups = groups::groups(images, captions);
    let mut distinct = groups.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let mut outcome = TuneOutcome {
        pairs: images.nrows(),
        groups: distinct.len(),
        present: recipe.clone(),
        recommended: recipe.clone(),
        members: None,
        reason: String::new(),
        estimate: None,
        trials: Vec::new(),
    };
    // With so few pairs none can be held out, so there is nothing to measure with.
    if distinct.len() < folds::FEW {
        progress.end();
        outcome.reason = format!(
            "expected at least {} distinct pairs to measure on, found {}: the present recipe stays",
            folds::FEW,
            distinct.len()
        );
        return Ok(outcome);
    }
    let folds = folds::folds(&groups, texts, options);
    progress.end();
    let calibration = recipe.calibration.unwrap_or_default();
    // Lists of nearest anchors and scores are computed once, so they must be as deep as any trial needs.
    let depth = RecipeLimits {
        k: grid::DEEPEST.max(recipe.k()),
        cohort: calibration.cohort,
        top: deepest_top(&calibration),
    };
    let tried = TuneContext {
        folds: &folds,
        depth,
        labelled,
        members,
    };
    // Weights of encoders come first: they change every vector, and so everything that is cached later.
    let weighed = tried.weights(vectors, recipe, progress, cancel)?;
    let other = weighed
        .as_ref()
        .map(|to| ReweighedPairs::new(vectors, members, to));
    let best = match &other {
        Some(other) => other.vectors(),
        None => vectors.view(),
    };
    let to = weighed.as_ref().unwrap_or(members);
    let found = search::search(&mut tried.inner(best, to), recipe, progress, cancel)?;
    outcome.trials = found.trials;
    let is_change = found.recipe != *recipe || weighed.is_some();
    if !is_change {
        outcome.reason = "no trial was significantly better".to_owned();
    }
    progress.begin("estimate", Some(2));
    // The present recipe is measured with the present weights, the found one with those it would get.
    let present = tried.outer(vectors, members).marks(recipe, cancel)?;
    progress.advance(1);
    let marks = tried.outer(best, to).marks(&found.recipe, cancel)?;
    progress.end();
    let base = RecipeMetrics::of(&present);
    let asked = present.as_ref().map(Vec::len);
    let estimate = TuneEstimate {
        asked,
        not_asked: not_asked(asked, labelled),
        present: base,
        found: RecipeMetrics::of(&marks),
        gain: compare::gain(&marks, &present, &base),
        interval: compare::interval(&marks, &present, &base, options.seed),
    };
    // The search picked the best of many trials, so its own figures flatter the choice; the outer fold does not.
    if is_change {
        let reason = if estimate.interval[0] > 0.0 {
            outcome.recommended = found.recipe;
            outcome.members = weighed;
            "significantly better on the pairs of the search, and on pairs that were held back from it"
        } else {
            "significantly better on the pairs of the search, but not on pairs that were held back from it: the present \
             recipe stays"
        };
        outcome.reason = reason.to_owned();
    }
    outcome.estimate = Some(estimate);
    Ok(outcome)
}

/// Why a task has no figure.
fn not_asked(asked: PerTask<usize>, labelled: &[LabelledImages]) -> Option<UnmeasuredReason> {
    // Order matters: without held-out pairs there are no held-out groups either.
    match (asked.pairs, asked.classes) {
        (0, _) => Some(UnmeasuredReason::FewPairs),
        (_, 0) if labelled.is_empty() => Some(UnmeasuredReason::FewGroups),
        (_, 0) => Some(UnmeasuredReason::FewImages),
        _ => None,
    }
}

/// The data that trials of recipes and weights share.
struct TuneContext<'a> {
    folds: &'a folds::NestedFolds,
    depth: RecipeLimits,
    labelled: &'a [LabelledImages],
    members: &'a EnsembleBlocks,
}

impl TuneContext<'_> {
    /// The inner folds, for vectors with the weights `to`.
    fn inner<'v>(&self, vectors: SideVectors<'v>, to: &EnsembleBlocks) -> FoldEvaluator<'v> {
        self.evaluator(vectors, &self.folds.inner, to, false)
    }

    /// The outer fold, on which nothing is chosen.
    fn outer<'v>(&self, vectors: SideVectors<'v>, to: &EnsembleBlocks) -> FoldEvaluator<'v> {
        self.evaluator(vectors, std::slice::from_ref(&self.folds.outer), to, true)
    }

    fn evaluator<'v>(
        &self,
        vectors: SideVectors<'v>,
        folds: &[folds::Fold],
        to: &EnsembleBlocks,
        odd: bool,
    ) -> FoldEvaluator<'v> {
        let evaluator = FoldEvaluator::of_folds(vectors, folds, self.depth);
        // Labelled vectors are stored with the present weights and must follow the weights that are tried.
        if self.labelled.is_empty() {
            return evaluator;
        }
        let labelled: Vec<LabelledImages> = self
            .labelled
            .iter()
            .map(|set| LabelledImages {
                images: self.members.image.reweigh(set.images.view(), &to.image),
                prompts: self.members.text.reweigh(set.prompts.view(), &to.text),
                ..set.clone()
            })
            .collect();
        // No pair of the outer fold may be fitted on, else its estimate would know the answers.
        let fit = self.folds.outer.fit.clone();
        evaluator.with_labelled(vectors, fit, &labelled, odd, self.depth)
    }

    /// The weights of the encoders that are significantly better than the present ones, with the present
    /// recipe; `None` if there are none.
    fn weights(
        &self,
        vectors: SideVectors<'_>,
        recipe: &Recipe,
        progress: &dyn ProgressObserver,
        cancel: &CancelToken,
    ) -> Result<Option<EnsembleBlocks>, TuneError> {
        let candidates = members::around(self.members);
        if candidates.is_empty() {
            return Ok(None);
        }
        progress.begin("encoders", Some(1 + candidates.len() as u64));
        let present = self.inner(vectors, self.members).marks(recipe, cancel)?;
        progress.advance(1);
        let base = RecipeMetrics::of(&present);
        let mut tried = Vec::with_capacity(candidates.len());
        for to in candidates {
            let other = ReweighedPairs::new(vectors, self.members, &to);
            let marks = self.inner(other.vectors(), &to).marks(recipe, cancel)?;
            tried.push((to, marks));
            progress.advance(1);
        }
        progress.end();
        // Only the nearest significant change is taken, by the rule that the recipes' search uses.
        Ok(search::nearest(tried, &present, &base).map(|(to, _)| to))
    }
}

/// The largest number of counted scores of this cohort in any trial.
fn deepest_top(calibration: &ScoreCalibration) -> usize {
    // `top` is given for a cohort of 1,000 and scales with the cohort.
    calibration.top.max(grid::TOP * calibration.cohort / 1000)
}
