//! Fits recipes to some of the pairs, in memory, and scores the same queries with each.
//!
//! ```text
//! pairs to fit on ──> fitted parts ──> nearest anchors of each query ──> rows ──┐
//!                     (a frame, kept)  (once a frame, for every k and p)        ├─> scores of a part (kept)
//!                           └────────> coordinates ─────────────────────────────┘
//! scores of parts + weights + calibration ──> scores: cheap
//! ```
//!
//! Parts are fitted and coded as in a [`FittedSpace`](crate::space::FittedSpace), and units, levels and the
//! sum of the parts are computed by the same functions. Only the order differs, for this module caches what
//! successive trials share: a space scores an input in all parts at once and keeps nothing, while here the
//! scores of a part, with queries and cohort, are kept until a recipe has other parts. A recipe that differs
//! in weights or calibration then costs one weighting a score.

use ndarray::Array2;
use rayon::prelude::*;

use crate::modality::{Modality, PerModality};
use crate::space::anchors::{AnchorSource, NearestAnchors, NearestQuery};
use crate::space::calibrate::{ScoreNormalization, ScoreNormalizer};
use crate::space::cohort::part_unit;
use crate::space::fitted::{FittedPart, FrameKey, SpaceFitter, evenly};
use crate::space::linear::{CanonicalParams, FitError};
use crate::space::matrices::MatrixAnchors;
use crate::space::relative::RelativeRow;
use crate::space::representation::total;
use crate::space::{CodeBank, CoordinateFrame, PartCode, Recipe, SpacePart};

/// Pairs to fit spaces on, and queries to score with them.
#[derive(Debug)]
pub struct RecipeScorer<'a> {
    fitter: SpaceFitter<MatrixAnchors<'a>>,
    /// The queries of each side, then the cohort: `[inputs, dim]`.
    inputs: PerModality<Vec<f32>>,
    queries: PerModality<usize>,
    depth: RecipeLimits,
    /// By frame: the nearest anchors of each input, at most [`RecipeLimits::k`].
    nearest: Vec<(FrameKey, PerModality<Vec<NearestAnchors>>)>,
    parts: Vec<(SpacePart, PartScores)>,
}

/// Upper limits of the settings of recipes that are tried.
#[derive(Debug, Clone, Copy)]
pub struct RecipeLimits {
    /// The largest `k`.
    pub k: usize,
    /// The size of the cohort, the same for every calibration.
    pub cohort: usize,
    /// The largest number of scores with the cohort that count.
    pub top: usize,
}

/// The scores of all queries in one part.
#[derive(Debug)]
struct PartScores {
    /// `[images, texts]`.
    scores: Array2<f32>,
    /// The best scores of each query with the cohort's other side, best first.
    best: PerModality<Vec<Vec<f32>>>,
    /// The unit of its scores, if a recipe [has units](Recipe::has_units).
    unit: Option<f64>,
}

impl<'a> RecipeScorer<'a> {
    /// A scorer for spaces fitted to `anchors`; `queries` are unit vectors, `[images, dim]` and
    /// `[texts, dim]`.
    pub fn new(
        anchors: MatrixAnchors<'a>,
        queries: PerModality<Array2<f32>>,
        depth: RecipeLimits,
    ) -> Self {
        let counts = queries.as_ref().map(Array2::nrows);
        // The members that a fitted space takes, so that both calibrate alike.
        let cohort = evenly(depth.cohort, anchors.len());
        // The cohort goes through the same codes and frames as the queries, in one list a side.
        let inputs = PerModality::of(|side| {
            let mut inputs: Vec<f32> = queries[side].iter().copied().collect();
            for &anchor in &cohort {
                inputs.extend_from_slice(anchors.row(anchor, side));
            }
            inputs
        });
        Self {
            fitter: SpaceFitter::new(anchors),
            inputs,
            queries: counts,
            depth,
            nearest: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// The score of each query image with each query text, `[images, texts]`.
    ///
    /// # Errors
    /// When the space cannot be fitted to the pairs.
    pub fn scores(&mut self, recipe: &Recipe) -> Result<Array2<f32>, FitError> {
        // Small sets get a smaller `k`, as in a fitted space.
        let recipe = recipe.for_anchors(self.fitter.anchors().len());
        for part in &recipe.parts {
            self.ensure(part.part, recipe.has_units())?;
        }
        let parts: Vec<&PartScores> = recipe
            .parts
            .iter()
            .map(|wanted| {
                let known = self.parts.iter().find(|(part, _)| *part == wanted.part);
                &known.expect("every part was ensured above").1
            })
            .collect();
        let levels = PerModality::of(|side| self.levels(&parts, side, &recipe));
        let shares = recipe.shares();
        let PerModality {
            image: images,
            text: texts,
        } = self.queries;
        let row = |image: usize| {
            let (levels, parts, shares) = (&levels, &parts, &shares);
            (0..texts).map(move |text| {
                let scores = parts.iter().map(|part| part.scores[[image, text]]);
                total(shares, &levels.image[image], &levels.text[text], scores)
            })
        };
        let all: Vec<f32> = (0..images).into_par_iter().flat_map_iter(row).collect();
        Ok(Array2::from_shape_vec((images, texts), all).expect("a row has so many texts"))
    }

    /// Drops everything that none of `recipes` needs.
    pub(crate) fn retain(&mut self, recipes: &[&Recipe]) {
        let parts = recipes.iter().flat_map(|recipe| &recipe.parts);
        let wanted: Vec<SpacePart> = parts.map(|part| part.part).collect();
        self.parts.retain(|(part, _)| wanted.contains(part));
        let frames: Vec<FrameKey> = wanted.iter().map(|part| part.frame_key()).collect();
        self.nearest.retain(|(frame, _)| frames.contains(frame));
        let canonical: Vec<CanonicalParams> = wanted.iter().filter_map(|p| p.canonical()).collect();
        self.fitter.retain(&frames, &canonical);
    }

    /// The levels of each query of a side in each part, `[queries][parts]`; empty without calibration.
    fn levels(
        &self,
        parts: &[&PartScores],
        side: Modality,
        recipe: &Recipe,
    ) -> Vec<Vec<ScoreNormalization>> {
        let Some(calibration) = recipe.calibration else {
            return vec![Vec::new(); self.queries[side]];
        };
        // A cohort is never larger than the anchors that it is drawn from.
        let size = calibration.cohort.min(self.fitter.anchors().len());
        let leveller = |scores: &&PartScores| {
            let unit = || scores.unit.expect("a unit was computed with the part");
            ScoreNormalizer::of_part(recipe, &calibration, size, unit)
        };
        let levellers: Vec<ScoreNormalizer> = parts.iter().map(leveller).collect();
        let top = calibration.top_of(size);
        let of = |query: usize| {
            let level = |(scores, leveller): (&&PartScores, &ScoreNormalizer)| {
                let best = &scores.best[side][query];
                // The best ones are all that a normalizer would select from the whole list.
                leveller.level(best[..top.min(best.len())].to_vec())
            };
            parts.iter().zip(&levellers).map(level).collect()
        };
        (0..self.queries[side]).into_par_iter().map(of).collect()
    }

    /// Computes the scores of the queries in `part`, and their unit if `unit` is set, unless they are cached.
    fn ensure(&mut self, part: SpacePart, unit: bool) -> Result<(), FitError> {
        let known = self.parts.iter().position(|(known, _)| *known == part);
        match known {
            // The unit needs the cohort's codes, which were not kept, so that the part is computed again.
            Some(at) if unit && self.parts[at].1.unit.is_none() => drop(self.parts.remove(at)),
            Some(_) => return Ok(()),
            None => {}
        }
        let codes = match part.fit(&mut self.fitter)? {
            FittedPart::Rows(rows) => {
                let frames = rows.frames.as_ref().map(AsRef::as_ref);
                let row = |nearest: &NearestAnchors| {
                    // They were found for the largest k, best first: a smaller k takes the first of them.
                    let kept = nearest.iter().take(rows.params.k).copied();
                    PartCode::Row(RelativeRow::from_kept(kept, &rows.params))
                };
                // Shared by all recipes of a frame; only `k` and `p` are applied here.
                let nearest = self.nearest(part.frame_key(), frames)?;
                nearest
                    .as_ref()
                    .map(|near| near.par_iter().map(row).collect())
            }
            FittedPart::Mapped(maps) => {
                let sides = maps.as_ref().zip(self.inputs.as_ref());
                sides.map(|(map, inputs)| PartCode::coordinates(map, inputs))
            }
        };
        let scores = self.compare(&codes, unit);
        self.parts.push((part, scores));
        Ok(())
    }

    fn compare<'c>(&self, codes: &'c PerModality<Vec<PartCode>>, unit: bool) -> PartScores {
        // Images and texts each end with their cohort, so one cut separates the two.
        let split = |(codes, at): (&'c Vec<PartCode>, usize)| codes.split_at(at);
        let PerModality {
            image: images,
            text: texts,
        } = codes.as_ref().zip(self.queries).map(split);
        let bank = |codes: &[PartCode]| CodeBank::new(self.fitter.anchors().len(), codes);
        let cohort = PerModality {
            image: images.1,
            text: texts.1,
        };
        let cohort_banks = cohort.map(bank);
        let texts_bank = bank(texts.0);
        let rows: Vec<f32> = images
            .0
            .par_iter()
            .flat_map_iter(|code| texts_bank.scores(code))
            .collect();
        let shape = (self.queries.image, self.queries.text);
        let best = |queries: &[PartCode], others: &CodeBank| -> Vec<Vec<f32>> {
            let best = |code| {
                let mut scores = others.scores(code);
                scores.sort_unstable_by(|a, b| b.total_cmp(a));
                // No calibration looks at more, and the scores with the whole cohort would fill the memory.
                scores.truncate(self.depth.top);
                scores.shrink_to_fit();
                scores
            };
            queries.par_iter().map(best).collect()
        };
        PartScores {
            unit: unit.then(|| {
                part_unit(
                    cohort_banks.as_ref(),
                    cohort.map(|codes| codes.iter().collect()),
                )
            }),
            scores: Array2::from_shape_vec(shape, rows).expect("a bank scores each text"),
            // An image is compared with the cohort's texts and a text with its images, as in adaptive s-norm.
            best: PerModality {
                image: best(images.0, &cohort_banks.text),
                text: best(texts.0, &cohort_banks.image),
            },
        }
    }

    /// The nearest anchors of each input of both sides in these frames, whose key is `key`.
    fn nearest(
        &mut self,
        key: FrameKey,
        frames: PerModality<&CoordinateFrame>,
    ) -> Result<&PerModality<Vec<NearestAnchors>>, FitError> {
        let at = match self.nearest.iter().position(|(known, _)| *known == key) {
            Some(at) => at,
            None => {
                let k = self.depth.k;
                let nearest = PerModality::try_of(|side| {
                    let query = NearestQuery {
                        frame: frames[side],
                        k,
                    };
                    let found =
                        self.fitter
                            .anchors()
                            .nearest(side, &[query], &self.inputs[side])?;
                    Ok::<_, FitError>(found.into_iter().flatten().collect())
                })?;
                // The deepest list is kept: recipes with a smaller `k` share it.
                self.nearest.push((key, nearest));
                self.nearest.len() - 1
            }
        };
        Ok(&self.nearest[at].1)
    }
}
