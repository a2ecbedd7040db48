//! A space fitted to one generation: frames, maps and the cohort.
//!
//! ```text
//! recipe + generation ──> second moments ──> maps ──> weights of all anchors ──> cohort's codes
//! ```

use std::sync::Arc;

use asif_index::{Hit, Query, Search, Segments};
use rayon::prelude::*;

use super::error::AnchorsError;
use super::plan::SearchMode;
use super::set::AnchorSet;
use crate::encode::Modality;
use crate::space::center::Centering;
use crate::space::cohort::Cohort;
use crate::space::linear::{self, LinearMap, Moments};
use crate::space::recipe::{Calibration, Canonical};
use crate::space::{Code, Frame, Part, Recipe, RelativeRow, Representation, SpaceParams};

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
    Rows {
        params: SpaceParams,
        frames: [Arc<Frame>; 2],
    },
    Mapped([LinearMap; 2]),
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
            PartView::Rows { .. } => None,
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
            let level = |input: &mut Representation| {
                input.levels = cohort.levels(side, &input.codes);
            };
            inputs.par_iter_mut().for_each(level);
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
            PartView::Rows { params, frames } => Some((params, &frames[side(modality)])),
            PartView::Mapped(_) => None,
        });
        match rows {
            Some((params, frame)) => self.search(set, modality, params, frame, vectors),
            None => Ok(vec![
                RelativeRow::default();
                vectors.len() / set.dim(modality)
            ]),
        }
    }

    /// The codes of each vector, `[n][parts]`.
    fn codes(
        &self,
        set: &AnchorSet,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<Vec<Code>>, AnchorsError> {
        let n = vectors.len() / set.dim(modality);
        let mut codes: Vec<Vec<Code>> = vec![Vec::with_capacity(self.parts.len()); n];
        for part in self.parts.iter() {
            let of_part: Vec<Code> = match part {
                PartView::Rows { params, frames } => {
                    let frame = &frames[side(modality)];
                    let rows = self.search(set, modality, params, frame, vectors)?;
                    rows.into_iter().map(Code::Row).collect()
                }
                PartView::Mapped(maps) => {
                    let coordinates = maps[side(modality)].apply(vectors);
                    let rows = coordinates.rows();
                    rows.into_iter()
                        .map(|r| Code::Coordinates(r.to_vec()))
                        .collect()
                }
            };
            codes
                .iter_mut()
                .zip(of_part)
                .for_each(|(all, c)| all.push(c));
        }
        Ok(codes)
    }

    fn search(
        &self,
        set: &AnchorSet,
        modality: Modality,
        params: &SpaceParams,
        frame: &Frame,
        vectors: &[f32],
    ) -> Result<Vec<RelativeRow>, AnchorsError> {
        let queries: Vec<(Vec<f32>, f32)> = vectors
            .par_chunks_exact(set.dim(modality))
            .map(|x| frame.query(x))
            .collect();
        let live = set.live();
        let queries: Vec<Query<'_>> = queries
            .iter()
            .map(|(vector, bias)| {
                let query = Query::new(vector).bias(*bias);
                let query = live.allowed().map_or(query, |ids| query.allowed(ids));
                frame.weights().map_or(query, |w| query.weights(w))
            })
            .collect();
        let segments = set.segments().iter();
        let parts: Vec<_> = segments
            .map(|s| s.searcher(modality, self.mode, params.k))
            .collect();
        let parts = parts.iter().map(|part| part as &dyn Search).collect();
        let kept = Segments::new(parts)?.search_batch(&queries, params.k)?;
        let row = |hits: Vec<Hit>| {
            let number = |row: u32| live.number(row as usize) as u32;
            RelativeRow::from_kept(hits.iter().map(|h| (number(h.id), h.score)), params)
        };
        Ok(kept.into_iter().map(row).collect())
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

/// What several parts may share, made once.
struct Fits<'a> {
    set: &'a AnchorSet,
    moments: Option<Moments>,
    canonical: Vec<CanonicalFit>,
}

/// Canonical coordinates, and the frames of them once a part wanted them.
struct CanonicalFit {
    params: Canonical,
    maps: [LinearMap; 2],
    frames: Option<[Arc<Frame>; 2]>,
}

impl<'a> Fits<'a> {
    fn new(set: &'a AnchorSet) -> Self {
        Self {
            set,
            moments: None,
            canonical: Vec::new(),
        }
    }

    fn part(&mut self, part: &Part) -> Result<PartView, AnchorsError> {
        Ok(match *part {
            Part::Asif(params) => PartView::Rows {
                params,
                frames: if params.center {
                    [
                        self.centered(Modality::Image)?,
                        self.centered(Modality::Text)?,
                    ]
                } else {
                    [Arc::new(Frame::Own), Arc::new(Frame::Own)]
                },
            },
            Part::Whitened { shrinkage, rows } => {
                let maps = linear::whitening(self.moments()?, shrinkage)?;
                PartView::Rows {
                    params: rows,
                    frames: self.frames(maps),
                }
            }
            Part::AsifCanonical { canonical, rows } => {
                let at = self.canonical(canonical)?;
                let fit = &self.canonical[at];
                let frames = match &fit.frames {
                    Some(frames) => frames.clone(),
                    None => self.frames(fit.maps.clone()),
                };
                self.canonical[at].frames = Some(frames.clone());
                PartView::Rows {
                    params: rows,
                    frames,
                }
            }
            Part::Canonical(canonical) => {
                let at = self.canonical(canonical)?;
                PartView::Mapped(self.canonical[at].maps.clone())
            }
            Part::Ridge { shrinkage } => {
                PartView::Mapped(linear::ridge(self.moments()?, shrinkage)?)
            }
            Part::Procrustes => PartView::Mapped(linear::procrustes(self.moments()?)?),
        })
    }

    fn centered(&self, modality: Modality) -> Result<Arc<Frame>, AnchorsError> {
        Ok(Arc::new(Frame::Centered(centering(self.set, modality)?)))
    }

    fn moments(&mut self) -> Result<&Moments, AnchorsError> {
        let moments = match self.moments.take() {
            Some(moments) => moments,
            None => self.set.moments()?,
        };
        Ok(self.moments.insert(moments))
    }

    /// The place of these canonical coordinates, fitted.
    fn canonical(&mut self, params: Canonical) -> Result<usize, AnchorsError> {
        if let Some(at) = self.canonical.iter().position(|c| c.params == params) {
            return Ok(at);
        }
        let maps = linear::canonical(self.moments()?, &params)?;
        self.canonical.push(CanonicalFit {
            params,
            maps,
            frames: None,
        });
        Ok(self.canonical.len() - 1)
    }

    /// Frames in the coordinates of maps: each stored vector is projected once, for its norm.
    fn frames(&self, maps: [LinearMap; 2]) -> [Arc<Frame>; 2] {
        const ROWS: usize = 256;
        let mut modalities = [Modality::Image, Modality::Text].into_iter();
        maps.map(|map| {
            let modality = modalities.next().unwrap_or(Modality::Text);
            let mut norms = Vec::with_capacity(self.set.live().stored());
            for segment in self.set.segments() {
                let vectors = segment.vectors(modality);
                let blocks = vectors.vectors().par_chunks(ROWS * vectors.dim().max(1));
                let of_block: Vec<Vec<f32>> = blocks.map(|rows| map.norms(rows)).collect();
                norms.extend(of_block.into_iter().flatten());
            }
            Arc::new(Frame::mapped(map, &norms))
        })
    }
}

/// The place of a modality in pairs of sides.
fn side(modality: Modality) -> usize {
    match modality {
        Modality::Image => 0,
        Modality::Text => 1,
    }
}

/// The weights are of all stored rows, in which the segments are searched; the mean is of the live
/// ones only.
fn centering(set: &AnchorSet, modality: Modality) -> Result<Centering, AnchorsError> {
    let mean = set.sum(modality).mean();
    let mut dots = Vec::with_capacity(set.live().stored());
    for segment in set.segments() {
        dots.extend(segment.vectors(modality).matvec(&mean)?);
    }
    Ok(Centering::new(mean, &dots))
}
