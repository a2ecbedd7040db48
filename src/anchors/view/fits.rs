//! The parts of a recipe, fitted to a generation.

use std::sync::Arc;

use rayon::prelude::*;

use super::{PartView, RowsView};
use crate::anchors::error::AnchorsError;
use crate::anchors::set::AnchorSet;
use crate::encode::Modality;
use crate::space::center::Centering;
use crate::space::linear::{self, LinearMap, Moments};
use crate::space::recipe::Canonical;
use crate::space::{Frame, Part};

/// What several parts may share, made once.
pub(super) struct Fits<'a> {
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
    /// Nothing yet.
    pub fn new(set: &'a AnchorSet) -> Self {
        Self {
            set,
            moments: None,
            canonical: Vec::new(),
        }
    }

    /// A part of a recipe.
    ///
    /// # Errors
    /// When the pairs are too few for it, or a file is damaged.
    pub fn part(&mut self, part: &Part) -> Result<PartView, AnchorsError> {
        Ok(match *part {
            Part::Asif(params) => {
                let frames = match params.center {
                    true => [
                        self.centered(Modality::Image)?,
                        self.centered(Modality::Text)?,
                    ],
                    false => [Arc::new(Frame::Own), Arc::new(Frame::Own)],
                };
                PartView::Rows(RowsView { params, frames })
            }
            Part::Whitened {
                shrinkage,
                rows: params,
            } => {
                let maps = linear::whitening(self.moments()?, shrinkage)?;
                let frames = self.frames(maps);
                PartView::Rows(RowsView { params, frames })
            }
            Part::AsifCanonical {
                canonical,
                rows: params,
            } => {
                let at = self.canonical(canonical)?;
                let fit = &self.canonical[at];
                let frames = match &fit.frames {
                    Some(frames) => frames.clone(),
                    None => self.frames(fit.maps.clone()),
                };
                self.canonical[at].frames = Some(frames.clone());
                PartView::Rows(RowsView { params, frames })
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
