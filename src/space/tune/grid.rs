//! The axes of the search: the settings of a recipe that are varied one at a time.

use std::fmt;

use crate::space::linear::CanonicalParams;
use crate::space::recipe::{HubnessCorrection, ScoreCalibration, WeightedPart};
use crate::space::{Recipe, RelativeParams, SpacePart};

/// A setting of a recipe that the search varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecipeAxis {
    /// The parts and their weights.
    Weights,
    /// The shrinkage of canonical coordinates.
    Shrinkage,
    /// The power of the correlations in canonical coordinates.
    Exponent,
    /// `k` of rows over the encoders' vectors.
    K,
    /// `p` of rows over the encoders' vectors.
    P,
    /// `k` of rows over canonical coordinates.
    CanonicalK,
    /// `p` of rows over canonical coordinates.
    CanonicalP,
    /// How many scores with the cohort count.
    Top,
}

/// All axes in the order in which they are searched, the most important first.
pub(crate) const AXES: [RecipeAxis; 8] = [
    RecipeAxis::Weights,
    RecipeAxis::Shrinkage,
    RecipeAxis::Exponent,
    RecipeAxis::CanonicalK,
    RecipeAxis::CanonicalP,
    RecipeAxis::K,
    RecipeAxis::P,
    RecipeAxis::Top,
];

/// At most 3: the folds come from the anchors' own domain and may prefer more, but images from other domains
/// are then classified much worse.
const SHRINKAGES: [f64; 4] = [0.1, 0.3, 1.0, 3.0];
const EXPONENTS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
const KS: [usize; 6] = [50, 100, 200, 400, 800, 1600];
const PS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
const TOPS: [usize; 5] = [25, 50, 100, 200, 400];
/// Factors of a weight; a second round may go further.
const FACTORS: [f64; 2] = [0.5, 2.0];

/// The largest `k` that [`RecipeAxis::around`] tries.
pub(crate) const DEEPEST: usize = 1600;
/// The largest number of counted scores that it tries, for a cohort of 1,000.
pub(crate) const TOP: usize = 400;

impl RecipeAxis {
    /// All recipes that differ from `recipe` in this setting only, the nearest first.
    pub(crate) fn around(self, recipe: &Recipe) -> Vec<Recipe> {
        let mut found = match self {
            Self::Weights => weights(recipe),
            Self::Shrinkage => canonical(recipe, &SHRINKAGES, |c| &mut c.shrinkage),
            Self::Exponent => canonical(recipe, &EXPONENTS, |c| &mut c.exponent),
            Self::K => rows(recipe, true, &KS, |r| &mut r.k),
            Self::P => rows(recipe, true, &PS, |r| &mut r.p),
            Self::CanonicalK => rows(recipe, false, &KS, |r| &mut r.k),
            Self::CanonicalP => rows(recipe, false, &PS, |r| &mut r.p),
            Self::Top => tops(recipe),
        };
        // Values outside what a recipe may hold are not proposed, so callers need no error path.
        found.retain(|other| other != recipe && other.validate().is_ok());
        found.dedup();
        found
    }
}

impl fmt::Display for RecipeAxis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weights => "weights",
            Self::Shrinkage => "shrinkage",
            Self::Exponent => "exponent",
            Self::K => "asif k",
            Self::P => "asif p",
            Self::CanonicalK => "asif-canonical k",
            Self::CanonicalP => "asif-canonical p",
            Self::Top => "calibration",
        })
    }
}

fn weights(recipe: &Recipe) -> Vec<Recipe> {
    let mut found = Vec::new();
    // Scores are calibrated before they are added, so without calibration no weight has an effect.
    if recipe.calibration.is_none() {
        return found;
    }
    for at in 0..recipe.parts.len() {
        for factor in FACTORS {
            let mut other = recipe.clone();
            other.parts[at].weight *= factor;
            found.push(other);
        }
        // A recipe needs one part, so the last one is never removed.
        if recipe.parts.len() > 1 {
            let mut other = recipe.clone();
            other.parts.remove(at);
            found.push(other);
        }
    }
    // A part that is missing is added with the mean weight of the others.
    let weight = recipe.parts.iter().map(|p| p.weight).sum::<f64>() / recipe.parts.len() as f64;
    for part in Recipe::fused().parts.iter().map(|p| p.part) {
        if !recipe.parts.iter().any(|p| p.part.name() == part.name()) {
            let mut other = recipe.clone();
            other.parts.push(WeightedPart { weight, part });
            found.push(other);
        }
    }
    found
}

fn canonical(
    recipe: &Recipe,
    values: &[f64],
    field: fn(&mut CanonicalParams) -> &mut f64,
) -> Vec<Recipe> {
    varied(recipe, values, |part| part.canonical_mut().map(field))
}

fn rows<T: Copy + PartialOrd>(
    recipe: &Recipe,
    plain: bool,
    values: &[T],
    field: fn(&mut RelativeParams) -> &mut T,
) -> Vec<Recipe> {
    // Rows over whitened vectors are not varied.
    varied(recipe, values, |part| {
        let is_wanted = match plain {
            true => part.plain().is_some(),
            false => part.canonical().is_some(),
        };
        part.rows_mut().filter(|_| is_wanted).map(field)
    })
}

/// The recipe with each of `values`, ascending, in all parts that have the field. Values nearest to
/// that of the first such part come first.
fn varied<T: Copy + PartialOrd>(
    recipe: &Recipe,
    values: &[T],
    field: impl Fn(&mut SpacePart) -> Option<&mut T>,
) -> Vec<Recipe> {
    let mut copy = recipe.clone();
    let present = copy
        .parts
        .iter_mut()
        .find_map(|p| field(&mut p.part).copied());
    let Some(present) = present else {
        return Vec::new();
    };
    let with = |&value: &T| {
        let mut other = recipe.clone();
        for part in &mut other.parts {
            if let Some(field) = field(&mut part.part) {
                *field = value;
            }
        }
        other
    };
    nearest_first(values, present).iter().map(with).collect()
}

/// Orders values by how many other values are between them and `present`.
fn nearest_first<T: Copy + PartialOrd>(values: &[T], present: T) -> Vec<T> {
    // A value between two of the grid stands at the place where it would be inserted.
    let place = values.iter().filter(|v| **v < present).count();
    let mut numbered: Vec<(usize, T)> = values.iter().copied().enumerate().collect();
    numbered.sort_by_key(|(i, _)| i.abs_diff(place));
    numbered.into_iter().map(|(_, value)| value).collect()
}

fn tops(recipe: &Recipe) -> Vec<Recipe> {
    // Without a correction no score with the cohort counts.
    let corrects = |c: &ScoreCalibration| c.hubness != HubnessCorrection::None;
    let Some(calibration) = recipe.calibration.filter(corrects) else {
        return Vec::new();
    };
    let with = |top: usize| {
        let mut other = recipe.clone();
        other.calibration = Some(ScoreCalibration { top, ..calibration });
        other
    };
    // The grid is written for a cohort of 1,000; the share of the cohort is what is varied.
    let tops = TOPS.map(|top| top * calibration.cohort / 1000);
    nearest_first(&tops, calibration.top)
        .into_iter()
        .map(with)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_axis_changes_the_default_and_keeps_it_valid() {
        let recipe = Recipe::fused();
        for axis in AXES {
            let around = axis.around(&recipe);
            assert!(around.len() >= 3, "{axis}");
            assert!(!around.contains(&recipe), "{axis}");
            assert!(
                around
                    .iter()
                    .all(|r| r.validate().is_ok() && r.k() <= DEEPEST),
                "{axis}"
            );
        }
        let scaled = recipe.clone().with_hubness(HubnessCorrection::None);
        assert!(RecipeAxis::Top.around(&scaled).is_empty());
        assert!(RecipeAxis::Weights.around(&scaled).len() >= 3);
        let plain = Recipe::from(RelativeParams::default());
        assert!(RecipeAxis::Weights.around(&plain).is_empty());
        let ks: Vec<usize> = RecipeAxis::K.around(&plain).iter().map(Recipe::k).collect();
        assert_eq!(ks, [100, 400, 50, 800, 1600], "the nearest first");
    }
}
