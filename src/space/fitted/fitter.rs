//! What the parts of a space are fitted from, each thing made once.

use std::sync::Arc;

use super::part::{FittedPart, FittedRows};
use crate::modality::Sides;
use crate::space::anchors::Anchors;
use crate::space::center::Centering;
use crate::space::comparison::Canonical;
use crate::space::linear::{CanonicalFactors, LinearMap, Moments};
use crate::space::product::Rows;
use crate::space::{Frame, Part, SpaceParams};

/// Fits parts to anchors, and keeps what several of them share.
#[derive(Debug)]
pub struct Fitter<A> {
    anchors: A,
    moments: Option<Arc<Moments>>,
    /// By shrinkage: the decomposition that all canonical coordinates of it are made of.
    factors: Vec<(f64, CanonicalFactors)>,
    maps: Vec<(Canonical, Sides<LinearMap>)>,
    frames: Vec<(Part, Sides<Arc<Frame>>)>,
}

impl<A: Anchors> Fitter<A> {
    /// Of anchors, with nothing made yet.
    pub fn new(anchors: A) -> Self {
        Self {
            anchors,
            moments: None,
            factors: Vec::new(),
            maps: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// The anchors.
    pub fn anchors(&self) -> &A {
        &self.anchors
    }

    /// A part of a recipe, fitted.
    ///
    /// # Errors
    /// When the pairs are too few for it, or a file is damaged.
    pub fn part(&mut self, part: &Part) -> Result<FittedPart, A::Error> {
        part.fit(self)
    }

    /// Relative rows in the frames that `make` gives; parts that differ in the rows alone share them.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn rows(
        &mut self,
        part: Part,
        params: SpaceParams,
        make: impl FnOnce(&mut Self) -> Result<Sides<Frame>, A::Error>,
    ) -> Result<FittedPart, A::Error> {
        let key = part.frame_key();
        let known = self.frames.iter().find(|(known, _)| *known == key);
        let frames = match known {
            Some((_, frames)) => frames.clone(),
            None => {
                let frames = make(self)?.map(Arc::new);
                self.frames.push((key, frames.clone()));
                frames
            }
        };
        Ok(FittedPart::Rows(FittedRows { params, frames }))
    }

    /// The second moments of the anchors.
    ///
    /// # Errors
    /// When a file of them is damaged.
    pub fn moments(&mut self) -> Result<&Moments, A::Error> {
        let moments = match self.moments.take() {
            Some(moments) => moments,
            None => self.anchors.moments()?,
        };
        Ok(self.moments.insert(moments))
    }

    /// Frames in which the anchors' mean is subtracted.
    pub fn centered(&self) -> Sides<Frame> {
        Sides::of(|side| {
            let mean = self.anchors.mean(side);
            let mean_row = Rows::of_one(&mean);
            let dots = self.anchors.of_stored(side, &|rows| mean_row.times(rows));
            Frame::Centered(Centering::new(mean, &dots))
        })
    }

    /// Frames in the coordinates of maps: each stored row is projected once, for its norm.
    pub fn mapped(&self, maps: Sides<LinearMap>) -> Sides<Frame> {
        let sides = Sides::of(|side| side);
        sides.zip(maps).map(|(side, map)| {
            let norms = self.anchors.of_stored(side, &|rows| map.norms(rows));
            Frame::mapped(map, &norms)
        })
    }

    /// The maps to canonical coordinates.
    ///
    /// # Errors
    /// When the pairs are too few, or a file is damaged.
    pub fn canonical(&mut self, params: Canonical) -> Result<Sides<LinearMap>, A::Error> {
        if let Some((_, maps)) = self.maps.iter().find(|(known, _)| *known == params) {
            return Ok(maps.clone());
        }
        let of_shrinkage = |(known, _): &&(f64, _)| *known == params.shrinkage;
        let maps = match self.factors.iter().find(of_shrinkage) {
            Some((_, factors)) => factors.maps(&params),
            None => {
                let factors = CanonicalFactors::of(self.moments()?, params.shrinkage)?;
                let maps = factors.maps(&params);
                self.factors.push((params.shrinkage, factors));
                maps
            }
        };
        self.maps.push((params, maps.clone()));
        Ok(maps)
    }

    /// Forgets what no part of `parts` needs but the moments and decompositions.
    pub fn retain(&mut self, parts: &[Part]) {
        let keys: Vec<Part> = parts.iter().map(|part| part.frame_key()).collect();
        self.frames.retain(|(key, _)| keys.contains(key));
        let canonical: Vec<Canonical> = parts.iter().filter_map(|part| part.canonical()).collect();
        self.maps.retain(|(params, _)| canonical.contains(params));
    }
}
