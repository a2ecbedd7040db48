//! Spaces tried in memory: any recipe, fitted to some of the pairs, scores the same queries.
//!
//! ```text
//! pairs to fit on ──> maps ──> coordinates ──> nearest anchors of each query ──> rows ──┐
//!                      (a frame, kept)           (once a frame, for every k and p)      ├─> scores of a part (kept)
//!                                  └───────────> coordinates ───────────────────────────┘
//! scores of parts + weights + calibration ──> scores: cheap
//! ```
//!
//! What a [`SpaceView`](crate::anchors::searcher::SpaceView) does for a set on disk is done here for
//! rows of a matrix; rows, levels, weights and maps are the same code.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::fits::Fits;
use crate::space::calibrate::{Level, Leveller, spread};
use crate::space::linear::{FitError, LinearMap, Moments};
use crate::space::recipe::Canonical;
use crate::space::relative::RelativeRow;
use crate::space::representation::weight;
use crate::space::{Bank, Code, Part, Recipe};

/// Queries that are compared with all anchors at once.
const BLOCK: usize = 192;
/// Vectors that are mapped at once.
const ROWS: usize = 256;

/// Some pairs to fit spaces on, and queries to score with them.
#[derive(Debug)]
pub struct Stage<'a> {
    /// All pairs, images and texts, `[n, dim]` each.
    pairs: [ArrayView2<'a, f32>; 2],
    /// The rows of the pairs that spaces are fitted on, ascending.
    fit: Vec<u32>,
    /// The queries of each side, then the cohort.
    inputs: [Array2<f32>; 2],
    queries: [usize; 2],
    depth: Depth,
    fits: Fits,
    frames: Vec<(Frame, [Nearest; 2])>,
    parts: Vec<(Part, Scores)>,
}

/// How far recipes that are tried may reach.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// The most anchors in a row.
    pub k: usize,
    /// The anchors of the cohort, of every calibration.
    pub cohort: usize,
    /// The most of its scores that count.
    pub top: usize,
}

/// The coordinates in which anchors are searched.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Frame {
    Own,
    Centered,
    Whitened(f64),
    Canonical(Canonical),
}

/// The nearest anchors of each input, best first, at most [`Depth::k`].
type Nearest = Vec<Vec<(u32, f32)>>;

/// What one part says of all queries.
#[derive(Debug)]
struct Scores {
    /// `[images, texts]`.
    scores: Array2<f32>,
    /// The best scores of each query with the cohort's other side, best first.
    best: [Vec<Vec<f32>>; 2],
    /// What its scores are counted in, where a recipe [has units](Recipe::has_units).
    unit: Option<f64>,
}

impl<'a> Stage<'a> {
    /// A stage for spaces fitted on the rows `fit` of `pairs`, which must be ascending.
    ///
    /// `moments` are those of these rows; `queries` are unit vectors, `[images, dim]` and
    /// `[texts, dim]`.
    pub fn new(
        pairs: [ArrayView2<'a, f32>; 2],
        fit: Vec<u32>,
        moments: Moments,
        queries: [Array2<f32>; 2],
        depth: Depth,
    ) -> Self {
        let size = depth.cohort.min(fit.len());
        let cohort: Vec<usize> = (0..size)
            .map(|i| fit[(i as u64 * fit.len() as u64 / size as u64) as usize] as usize)
            .collect();
        let counts = [queries[0].nrows(), queries[1].nrows()];
        let mut sides = pairs.iter();
        let inputs = queries.map(|mut all| {
            if let Some(side) = sides.next() {
                for &row in &cohort {
                    // Both have the side's length, so a row always fits.
                    let _ = all.push_row(side.row(row));
                }
            }
            all
        });
        Self {
            pairs,
            fit,
            inputs,
            queries: counts,
            depth,
            fits: Fits::new(moments),
            frames: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// The score of each query image with each query text, `[images, texts]`.
    ///
    /// # Errors
    /// When the pairs do not allow the space.
    pub fn scores(&mut self, recipe: &Recipe) -> Result<Array2<f32>, FitError> {
        let recipe = recipe.for_anchors(self.fit.len());
        for part in &recipe.parts {
            self.ensure(part.part, recipe.has_units())?;
        }
        let parts: Vec<&Scores> = recipe
            .parts
            .iter()
            .filter_map(|p| Some(&self.parts.iter().find(|(part, _)| *part == p.part)?.1))
            .collect();
        let levels = [0, 1].map(|side| self.levels(&parts, side, &recipe));
        let shares = recipe.shares();
        let [images, texts] = self.queries;
        let row = |image: usize| {
            let (levels, parts, shares) = (&levels, &parts, &shares);
            (0..texts).map(move |text| {
                let (x, y) = (levels[0][image].as_slice(), levels[1][text].as_slice());
                let numbered = parts.iter().enumerate();
                let sum = numbered.map(|(part, scores)| {
                    let (factor, summand) = weight(shares, x, y, part);
                    factor * f64::from(scores.scores[[image, text]]) + summand
                });
                sum.sum::<f64>() as f32
            })
        };
        let all: Vec<f32> = (0..images).into_par_iter().flat_map_iter(row).collect();
        Ok(Array2::from_shape_vec((images, texts), all).unwrap_or_default())
    }

    /// Forgets all that none of `recipes` needs.
    pub fn retain(&mut self, recipes: &[&Recipe]) {
        let wanted = |part: &Part| {
            recipes
                .iter()
                .any(|r| r.parts.iter().any(|p| p.part == *part))
        };
        self.parts.retain(|(part, _)| wanted(part));
        let frame = |frame: Frame| {
            let mut parts = recipes.iter().flat_map(|r| &r.parts);
            parts.any(|p| framed(&p.part) == Some(frame))
        };
        self.frames.retain(|(f, _)| frame(*f));
    }

    /// The levels of each query of a side in each part, `[queries][parts]`; empty when nothing is
    /// calibrated.
    fn levels(&self, parts: &[&Scores], side: usize, recipe: &Recipe) -> Vec<Vec<Level>> {
        let Some(calibration) = recipe.calibration else {
            return vec![Vec::new(); self.queries[side]];
        };
        let size = calibration.cohort.min(self.fit.len());
        let leveller = |scores: &&Scores| {
            let unit = scores.unit.filter(|_| recipe.has_units());
            Leveller::new(&calibration, size, unit.unwrap_or(1.0))
        };
        let levellers: Vec<Leveller> = parts.iter().map(leveller).collect();
        let top = calibration.top_of(size);
        let of = |query: usize| {
            let level = |(scores, leveller): (&&Scores, &Leveller)| {
                let best = &scores.best[side][query];
                leveller.level(best[..top.min(best.len())].to_vec())
            };
            parts.iter().zip(&levellers).map(level).collect()
        };
        (0..self.queries[side]).into_par_iter().map(of).collect()
    }

    /// Computes what `part` says of the queries, and the unit of its scores if that is wanted,
    /// unless it is known.
    fn ensure(&mut self, part: Part, unit: bool) -> Result<(), FitError> {
        let known = self.parts.iter().position(|(known, _)| *known == part);
        match known {
            Some(at) if unit && self.parts[at].1.unit.is_none() => drop(self.parts.remove(at)),
            Some(_) => return Ok(()),
            None => {}
        }
        let codes = match (framed(&part), part.rows()) {
            (Some(frame), Some(params)) => {
                let row = |nearest: &Vec<(u32, f32)>| {
                    let kept = nearest.iter().take(params.k).copied();
                    Code::Row(RelativeRow::from_kept(kept, params))
                };
                let nearest = self.nearest(frame)?;
                [0, 1].map(|side: usize| nearest[side].par_iter().map(row).collect::<Vec<_>>())
            }
            _ => {
                let maps = self.fits.direct(&part)?;
                [0, 1].map(|side: usize| {
                    let rows = mapped(Some(&maps[side]), self.inputs[side].view());
                    let coordinates = rows.rows().into_iter();
                    coordinates.map(|r| Code::Coordinates(r.to_vec())).collect()
                })
            }
        };
        let scores = self.compare(&codes, unit);
        self.parts.push((part, scores));
        Ok(())
    }

    fn compare(&self, codes: &[Vec<Code>; 2], unit: bool) -> Scores {
        let [images, texts] = [0, 1].map(|side| codes[side].split_at(self.queries[side]));
        let bank = |codes: &[Code]| Bank::new(self.fit.len(), codes);
        let texts_bank = bank(texts.0);
        let rows: Vec<f32> = images
            .0
            .par_iter()
            .flat_map_iter(|code| texts_bank.scores(code))
            .collect();
        let shape = (self.queries[0], self.queries[1]);
        let best = |queries: &[Code], cohort: &[Code]| -> Vec<Vec<f32>> {
            let cohort = bank(cohort);
            let best = |code| {
                let mut scores = cohort.scores(code);
                scores.sort_unstable_by(|a, b| b.total_cmp(a));
                scores.truncate(self.depth.top);
                scores.shrink_to_fit();
                scores
            };
            queries.par_iter().map(best).collect()
        };
        let within = |members: &[Code], others: &[Code]| -> Vec<Vec<f32>> {
            let others = bank(others);
            members.par_iter().map(|m| others.scores(m)).collect()
        };
        let spread = || spread([within(images.1, texts.1), within(texts.1, images.1)].concat());
        Scores {
            unit: unit.then(spread),
            scores: Array2::from_shape_vec(shape, rows).unwrap_or_default(),
            best: [best(images.0, texts.1), best(texts.0, images.1)],
        }
    }

    /// The nearest anchors of each input of both sides in a frame.
    fn nearest(&mut self, frame: Frame) -> Result<&[Nearest; 2], FitError> {
        let at = match self.frames.iter().position(|(f, _)| *f == frame) {
            Some(at) => at,
            None => {
                let maps = match frame {
                    Frame::Own => None,
                    Frame::Centered => Some(self.fits.centering()),
                    Frame::Whitened(shrinkage) => Some(self.fits.whitening(shrinkage)?),
                    Frame::Canonical(canonical) => Some(self.fits.canonical(canonical)?),
                };
                let side = |side: usize| {
                    let map = maps.as_ref().map(|maps| &maps[side]);
                    let anchors = mapped(map, self.pairs[side]);
                    let inputs = mapped(map, self.inputs[side].view());
                    search(&inputs, &anchors, &self.fit, self.depth.k)
                };
                self.frames.push((frame, [side(0), side(1)]));
                self.frames.len() - 1
            }
        };
        Ok(&self.frames[at].1)
    }
}

fn framed(part: &Part) -> Option<Frame> {
    match part {
        Part::Asif(rows) if rows.center => Some(Frame::Centered),
        Part::Asif(_) => Some(Frame::Own),
        Part::Whitened { shrinkage, .. } => Some(Frame::Whitened(*shrinkage)),
        Part::AsifCanonical { canonical, .. } => Some(Frame::Canonical(*canonical)),
        Part::Canonical(_) | Part::Ridge { .. } | Part::Procrustes => None,
    }
}

/// The unit coordinates of each row; without a map the rows themselves.
fn mapped(map: Option<&LinearMap>, rows: ArrayView2<f32>) -> Array2<f32> {
    let Some(map) = map else {
        return rows.to_owned();
    };
    let starts: Vec<usize> = (0..rows.nrows()).step_by(ROWS).collect();
    let block = |&start: &usize| {
        let end = (start + ROWS).min(rows.nrows());
        let block = rows.slice_axis(Axis(0), Slice::from(start..end));
        let block = block.as_standard_layout();
        block
            .as_slice()
            .map_or_else(Vec::new, |rows| map.apply(rows))
    };
    let all: Vec<f32> = starts.par_iter().flat_map_iter(block).collect();
    Array2::from_shape_vec((rows.nrows(), map.coordinates()), all).unwrap_or_default()
}

/// The `k` anchors that are nearest to each input; `fit` are the rows that are anchors, and an
/// anchor's number is its place there.
fn search(inputs: &Array2<f32>, rows: &Array2<f32>, fit: &[u32], k: usize) -> Nearest {
    let starts: Vec<usize> = (0..inputs.nrows()).step_by(BLOCK).collect();
    let block = |&start: &usize| -> Nearest {
        let end = (start + BLOCK).min(inputs.nrows());
        let block = inputs.slice_axis(Axis(0), Slice::from(start..end));
        let all = block.dot(&rows.t());
        let best = |row: ndarray::ArrayView1<f32>| {
            let similarity = |(anchor, &at): (u32, &u32)| (anchor, row[at as usize]);
            let mut kept: Vec<(u32, f32)> = (0u32..).zip(fit).map(similarity).collect();
            let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            if k < kept.len() {
                kept.select_nth_unstable_by(k, order);
                kept.truncate(k);
            }
            kept.sort_unstable_by(order);
            kept.shrink_to_fit();
            kept
        };
        all.rows().into_iter().map(best).collect()
    };
    let blocks: Vec<Nearest> = starts.par_iter().map(block).collect();
    blocks.into_iter().flatten().collect()
}
