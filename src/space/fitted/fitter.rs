//! Fits the parts of a space, and computes what several of them share only once.

use std::sync::Arc;

use super::part::{FittedPart, FittedRows};
use crate::modality::PerModality;
use crate::space::anchors::AnchorSource;
use crate::space::center::MeanCentering;
use crate::space::linear::{CanonicalFactors, CanonicalParams, LinearMap, Moments};
use crate::space::product::RowMatrix;
use crate::space::{CoordinateFrame, RelativeParams};

/// The key of the coordinates in which anchors are searched: the kind of a part and its settings, without
/// those of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameKey(String);

impl FrameKey {
    /// The key of a kind with these settings as text, which must show every digit of their numbers.
    pub(crate) fn new(kind: &str, settings: &[String]) -> Self {
        Self(format!("{kind} {}", settings.join(", ")))
    }
}

/// Fits parts to anchors, and caches what several of them share.
#[derive(Debug)]
pub(crate) struct SpaceFitter<A> {
    anchors: A,
    moments: Option<Arc<Moments>>,
    /// By shrinkage: the decomposition that its canonical coordinates are computed from.
    factors: Vec<(f64, CanonicalFactors)>,
    maps: Vec<(CanonicalParams, PerModality<LinearMap>)>,
    frames: Vec<(FrameKey, PerModality<Arc<CoordinateFrame>>)>,
}

impl<A: AnchorSource> SpaceFitter<A> {
    /// A fitter for these anchors.
    pub(crate) fn new(anchors: A) -> Self {
        Self {
            anchors,
            moments: None,
            factors: Vec::new(),
            maps: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// The anchors.
    pub(crate) fn anchors(&self) -> &A {
        &self.anchors
    }

    /// Relative rows in the frames that `make` returns; parts with the same key share their frames.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn rows(
        &mut self,
        key: FrameKey,
        params: RelativeParams,
        make: impl FnOnce(&mut Self) -> Result<PerModality<CoordinateFrame>, A::Error>,
    ) -> Result<FittedPart, A::Error> {
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
    /// When the file that holds them is damaged.
    pub(crate) fn moments(&mut self) -> Result<&Moments, A::Error> {
        // Taken and put back, since a reference into `self` could not be returned while it is filled.
        let moments = match self.moments.take() {
            Some(moments) => moments,
            None => self.anchors.moments()?,
        };
        Ok(self.moments.insert(moments))
    }

    /// Frames in which the anchors' mean is subtracted.
    pub(crate) fn centered(&self) -> PerModality<CoordinateFrame> {
        PerModality::of(|side| {
            // One product with the mean a stored row, removed pairs included: weights belong to stored rows.
            let mean = self.anchors.mean(side);
            let mean_row = RowMatrix::of_one(&mean);
            let dots = self.anchors.of_stored(side, &|rows| mean_row.times(rows));
            CoordinateFrame::Centered(MeanCentering::new(mean, &dots))
        })
    }

    /// Frames in the coordinates of maps: each stored row is projected once, for its norm.
    pub(crate) fn mapped(&self, maps: PerModality<LinearMap>) -> PerModality<CoordinateFrame> {
        let sides = PerModality::of(|side| side);
        sides.zip(maps).map(|(side, map)| {
            // One number a row is kept: projected anchors would take as much memory as the set itself.
            let norms = self.anchors.of_stored(side, &|rows| map.norms(rows));
            CoordinateFrame::mapped(map, &norms)
        })
    }

    /// The maps to canonical coordinates.
    ///
    /// # Errors
    /// When there are too few pairs, or a file is damaged.
    pub fn canonical(
        &mut self,
        params: CanonicalParams,
    ) -> Result<PerModality<LinearMap>, A::Error> {
        if let Some((_, maps)) = self.maps.iter().find(|(known, _)| *known == params) {
            return Ok(maps.clone());
        }
        // The decomposition depends on the shrinkage only; other settings scale its result.
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

    /// Drops frames of other keys and maps of other settings, and keeps moments and decompositions.
    pub(crate) fn retain(&mut self, keys: &[FrameKey], canonical: &[CanonicalParams]) {
        self.frames.retain(|(key, _)| keys.contains(key));
        self.maps.retain(|(params, _)| canonical.contains(params));
    }
}
