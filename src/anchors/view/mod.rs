//! A space fitted to one generation: frames, maps and the cohort.
//!
//! ```text
//! recipe + generation ──> second moments ──> maps ──> weights of all anchors ──> cohort's codes
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `fits` | the parts of a recipe, fitted |
//! | `search` | vectors to relative rows |

mod fits;
mod search;

use std::sync::Arc;

use rayon::prelude::*;

use super::error::AnchorsError;
use super::plan::SearchMode;
use super::set::AnchorSet;
use crate::encode::Modality;
use crate::space::cohort::Cohort;
use crate::space::linear::LinearMap;
use crate::space::recipe::Calibration;
use crate::space::{Code, Frame, Recipe, RelativeRow, Representation, SpaceParams};

use fits::Fits;

/// Inputs that are calibrated together: as many as a kernel multiplies at once.
const TOGETHER: usize = asif_index::simd::TILE;

/// All that a [`Searcher`](super::Searcher) has besides its set: what a space is for one generation.
/// Cheap to clone, so whoever owns a set can keep its view beside it and hand out searchers for
/// nothing.
#[derive(Debug, Clone)]
pub struct SpaceView {
    recipe: Arc<Recipe>,
    mode: SearchMode,
    parts: Arc<[PartView]>,
    cohort: Option<Arc<Cohort>>,
}

/// A part of the recipe, fitted. Pairs are of the image's side and the text's.
#[derive(Debug)]
enum PartView {
    Rows(RowsView),
    Mapped([LinearMap; 2]),
}

/// How relative rows are found.
#[derive(Debug)]
struct RowsView {
    params: SpaceParams,
    frames: [Arc<Frame>; 2],
}

impl SpaceView {
    /// Fits a space. What is fitted depends on the live pairs only, to the bit.
    ///
    /// Cost: a centred space reads every vector once; one with maps multiplies every vector with
    /// them; calibration searches the cohort.
    ///
    /// # Errors
    /// When the recipe makes no sense, or the pairs are too few for it.
    pub fn new(set: &AnchorSet, recipe: &Recipe, mode: SearchMode) -> Result<Self, AnchorsError> {
        recipe.validate()?;
        let recipe = recipe.for_anchors(set.len());
        let mut fits = Fits::new(set);
        let parts: Vec<PartView> = recipe
            .parts
            .iter()
            .map(|p| fits.part(&p.part))
            .collect::<Result<_, _>>()?;
        let mut view = Self {
            recipe: Arc::new(recipe),
            mode,
            parts: parts.into(),
            cohort: None,
        };
        if let Some(calibration) = view.recipe.calibration {
            view.cohort = Some(Arc::new(view.cohort(set, calibration)?));
        }
        Ok(view)
    }

    /// The recipe, as far as it can be used with so many anchors.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The maps of each part that compares coordinates directly, with the part's place.
    pub fn maps(&self) -> impl Iterator<Item = (usize, &[LinearMap; 2])> {
        self.parts.iter().enumerate().filter_map(|(i, p)| match p {
            PartView::Mapped(maps) => Some((i, maps)),
            PartView::Rows(_) => None,
        })
    }

    /// What the space makes of unit vectors of one modality; `vectors` is `[n, dim]` row-major.
    pub(super) fn represent(
        &self,
        set: &AnchorSet,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Representation>, AnchorsError> {
        let mut inputs: Vec<Representation> = self
            .codes(set, modality, vectors)?
            .into_iter()
            .map(|codes| Representation {
                codes,
                levels: Vec::new(),
            })
            .collect();
        if let Some(cohort) = &self.cohort {
            let side = side(modality);
            let level = |inputs: &mut [Representation]| {
                let codes: Vec<&[Code]> = inputs.iter().map(|input| &input.codes[..]).collect();
                let levels = cohort.levels(side, &codes);
                for (input, levels) in inputs.iter_mut().zip(levels) {
                    input.levels = levels;
                }
            };
            inputs.par_chunks_mut(TOGETHER).for_each(level);
        }
        Ok(inputs)
    }

    /// The relative rows of the first part that has rows.
    pub(super) fn rows(
        &self,
        set: &AnchorSet,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<RelativeRow>, AnchorsError> {
        let rows = self.parts.iter().find_map(|part| match part {
            PartView::Rows(rows) => Some(rows),
            PartView::Mapped(_) => None,
        });
        let Some(rows) = rows else {
            return Ok(vec![
                RelativeRow::default();
                vectors.len() / set.dim(modality)
            ]);
        };
        let mut of_parts = search::rows(set, modality, self.mode, &[rows], vectors)?;
        Ok(of_parts.pop().unwrap_or_default())
    }

    /// The codes of each vector, `[n][parts]`.
    fn codes(
        &self,
        set: &AnchorSet,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Vec<Code>>, AnchorsError> {
        let with_rows = self.parts.iter().filter_map(|part| match part {
            PartView::Rows(rows) => Some(rows),
            PartView::Mapped(_) => None,
        });
        let with_rows: Vec<&RowsView> = with_rows.collect();
        let rows = search::rows(set, modality, self.mode, &with_rows, vectors)?;
        let mut rows = rows.into_iter();
        let n = vectors.len() / set.dim(modality);
        let mut codes: Vec<Vec<Code>> = vec![Vec::with_capacity(self.parts.len()); n];
        for part in self.parts.iter() {
            let of_part: Vec<Code> = match part {
                PartView::Rows(_) => rows.next().into_iter().flatten().map(Code::Row).collect(),
                PartView::Mapped(maps) => {
                    let map = &maps[side(modality)];
                    let coordinates = map.apply(vectors);
                    let of_each = coordinates.chunks_exact(map.coordinates().max(1));
                    of_each.map(|u| Code::Coordinates(u.to_vec())).collect()
                }
            };
            codes
                .iter_mut()
                .zip(of_part)
                .for_each(|(all, c)| all.push(c));
        }
        Ok(codes)
    }

    /// Evenly taken anchors: which they are depends on their number only.
    fn cohort(&self, set: &AnchorSet, calibration: Calibration) -> Result<Cohort, AnchorsError> {
        let size = calibration.cohort.min(set.len());
        let side = |modality| {
            let mut vectors = Vec::with_capacity(size * set.dim(modality));
            for i in 0..size {
                let anchor = (i as u64 * set.len() as u64 / size as u64) as u32;
                vectors.extend_from_slice(set.vector(anchor, modality)?);
            }
            self.codes(set, modality, &vectors)
        };
        let codes = [side(Modality::Image)?, side(Modality::Text)?];
        Ok(Cohort::new(set.len(), &codes, &self.recipe, &calibration))
    }
}

/// The place of a modality in pairs of sides.
fn side(modality: Modality) -> usize {
    match modality {
        Modality::Image => 0,
        Modality::Text => 1,
    }
}
