//! Coordinate descent over the settings of a recipe: a change is kept if its gain is significant.

use serde::Serialize;

use super::compare::{self, RecipeMetrics, RelativeGain};
use super::error::TuneError;
use super::evaluator::{FoldEvaluator, TaskRanks};
use super::grid::{AXES, RecipeAxis};
use crate::progress::{CancelToken, ProgressObserver};
use crate::space::Recipe;

/// The number of standard errors that the gain of a kept change must exceed.
pub(crate) const ERRORS: f64 = 2.0;
/// The number of rounds over all axes; later rounds skip recipes that were tried before.
const ROUNDS: usize = 2;

/// A recipe that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct TuneTrial {
    /// The setting that was changed in the best recipe so far; `None` for the first trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<String>,
    /// The recipe.
    pub recipe: Recipe,
    /// Its quality on the inner folds.
    pub worth: RecipeMetrics,
    /// Its gain over the first recipe.
    pub gain: RelativeGain,
    /// Whether the search continued from it.
    pub kept: bool,
}

/// The recipe at which the search ended, and all trials in order.
#[derive(Debug)]
pub(crate) struct RecipeSearchResult {
    /// The recipe.
    pub recipe: Recipe,
    /// All trials, the first with the recipe that the search began with.
    pub trials: Vec<TuneTrial>,
}

/// Coordinate descent from `first`. Along each axis a value is a candidate if it is better than the
/// present one by [`ERRORS`] standard errors of their difference and not worse at either task by more
/// than one standard error. Of the candidates within one standard error of the best, the nearest to the
/// present value is taken, so that a setting without a measurable effect stays and no setting changes
/// further than the pairs justify.
///
/// # Errors
/// When `first` cannot be fitted, or on cancellation. Other recipes that cannot be fitted are skipped.
pub(crate) fn search(
    evaluator: &mut FoldEvaluator<'_>,
    first: &Recipe,
    progress: &dyn ProgressObserver,
    cancel: &CancelToken,
) -> Result<RecipeSearchResult, TuneError> {
    // An estimate for the progress: later axes start from another recipe and may propose more.
    let planned: usize = AXES.iter().map(|a| a.around(first).len()).sum();
    progress.begin("settings", Some(1 + planned as u64));
    let mut best = first.clone();
    let mut marks = evaluator.marks(first, cancel)?;
    // Gains of all trials are relative to the first recipe, not to the best so far, and so comparable.
    let start = marks.clone();
    let base = RecipeMetrics::of(&start);
    let mut trials = vec![trial(None, first, &start, (&start, &base), true)];
    progress.advance(1);
    for round in 0..ROUNDS {
        // Compared at the end of the round, because a setting may move away and back within one.
        let before = best.clone();
        for axis in AXES {
            let tried = along(
                evaluator,
                axis,
                &best,
                &mut trials,
                (&start, &base),
                progress,
                cancel,
            )?;
            if let Some((recipe, found)) = nearest(tried, &marks, &base) {
                // The latest trial of this recipe is the one of this step.
                if let Some(t) = trials.iter_mut().rfind(|t| t.recipe == recipe) {
                    t.kept = true;
                }
                (best, marks) = (recipe, found);
            }
            // Kept are the scores of the present recipe; the next axis starts from it.
            evaluator.retain(&[&best]);
        }
        // A second round follows only a change, since the first one tried everything from here.
        if round > 0 || best == before {
            break;
        }
    }
    progress.end();
    Ok(RecipeSearchResult {
        recipe: best,
        trials,
    })
}

/// Tries the recipes along an axis that were not tried yet, the nearest first.
fn along(
    evaluator: &mut FoldEvaluator<'_>,
    axis: RecipeAxis,
    from: &Recipe,
    trials: &mut Vec<TuneTrial>,
    base: (&TaskRanks, &RecipeMetrics),
    progress: &dyn ProgressObserver,
    cancel: &CancelToken,
) -> Result<Vec<(Recipe, TaskRanks)>, TuneError> {
    let mut tried = Vec::new();
    for recipe in axis.around(from) {
        // It did not win then, and a later round comes by the same recipes.
        if trials.iter().any(|t| t.recipe == recipe) {
            continue;
        }
        let marks = match evaluator.marks(&recipe, cancel) {
            Ok(marks) => marks,
            // A recipe that these pairs cannot be fitted with is no candidate, and no reason to stop.
            Err(TuneError::Fit(_)) => continue,
            Err(error) => return Err(error),
        };
        // Scores of other recipes would fill the memory, and only these two are built upon.
        evaluator.retain(&[from, &recipe]);
        trials.push(trial(Some(axis), &recipe, &marks, base, false));
        tried.push((recipe, marks));
        progress.advance(1);
    }
    Ok(tried)
}

/// The first of `tried` that is significantly better than `present` and within one standard error of
/// the best.
pub(super) fn nearest<T>(
    tried: Vec<(T, TaskRanks)>,
    present: &TaskRanks,
    base: &RecipeMetrics,
) -> Option<(T, TaskRanks)> {
    let worth = |marks: &TaskRanks| compare::gain(marks, present, base).value;
    let best = tried
        .iter()
        .max_by(|a, b| worth(&a.1).total_cmp(&worth(&b.1)))?;
    let chosen = tried.iter().position(|(_, marks)| {
        let (over, under) = (
            compare::gain(marks, present, base),
            compare::gain(&best.1, marks, base),
        );
        // Not 0: two recipes that differ by rounding alone have no error either.
        over.value > (ERRORS * over.error).max(1e-9) && under.value <= under.error
    })?;
    tried.into_iter().nth(chosen)
}

fn trial(
    axis: Option<RecipeAxis>,
    recipe: &Recipe,
    marks: &TaskRanks,
    (start, base): (&TaskRanks, &RecipeMetrics),
    kept: bool,
) -> TuneTrial {
    TuneTrial {
        axis: axis.map(|a| a.to_string()),
        recipe: recipe.clone(),
        worth: RecipeMetrics::of(marks),
        gain: compare::gain(marks, start, base),
        kept,
    }
}
