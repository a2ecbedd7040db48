//! A set and a space: unit vectors to relative rows.

use std::sync::Arc;

use asif_index::{Hit, Query, Search, Segments};

use super::error::AnchorsError;
use super::plan::SearchMode;
use super::set::AnchorSet;
use crate::space::center::Centering;
use crate::space::{RelativeRow, SpaceParams};

pub use crate::encode::Modality;

/// Searches an anchor set in one space.
#[derive(Debug)]
pub struct Searcher<'a> {
    set: &'a AnchorSet,
    view: SpaceView,
}

/// All that a [`Searcher`] has besides its set: what a space is for one generation. Cheap to clone,
/// so whoever owns a set can keep its view beside it and hand out searchers for nothing.
#[derive(Debug, Clone)]
pub(super) struct SpaceView {
    params: SpaceParams,
    mode: SearchMode,
    image: Option<Arc<Centering>>,
    text: Option<Arc<Centering>>,
}

impl SpaceView {
    /// See [`Searcher::new`].
    pub(super) fn new(
        set: &AnchorSet,
        params: SpaceParams,
        mode: SearchMode,
    ) -> Result<Self, AnchorsError> {
        params.validate()?;
        let center = |modality| {
            let centering = params.center.then(|| centering(set, modality)).transpose();
            Ok::<_, AnchorsError>(centering?.map(Arc::new))
        };
        Ok(Self {
            params,
            mode,
            image: center(Modality::Image)?,
            text: center(Modality::Text)?,
        })
    }

    /// A searcher of `set`, which this view was made of.
    pub(super) fn searcher<'a>(&self, set: &'a AnchorSet) -> Searcher<'a> {
        Searcher {
            set,
            view: self.clone(),
        }
    }
}

impl<'a> Searcher<'a> {
    /// A searcher; with a centred space this reads every vector once, for its distance to the mean.
    ///
    /// # Errors
    /// When the parameters make no sense.
    pub fn new(
        set: &'a AnchorSet,
        params: SpaceParams,
        mode: SearchMode,
    ) -> Result<Self, AnchorsError> {
        Ok(Self {
            set,
            view: SpaceView::new(set, params, mode)?,
        })
    }

    /// The space.
    pub fn params(&self) -> &SpaceParams {
        &self.view.params
    }

    /// The relative row of each unit vector of one modality; `vectors` is `[n, dim]` row-major.
    ///
    /// # Errors
    /// When a vector has another length or is not finite.
    pub fn rows(
        &self,
        modality: Modality,
        vectors: &[f32],
    ) -> Result<Vec<RelativeRow>, AnchorsError> {
        let SpaceView { params, mode, .. } = self.view;
        let centering = match modality {
            Modality::Image => self.view.image.as_deref(),
            Modality::Text => self.view.text.as_deref(),
        };
        let queries: Vec<(Vec<f32>, f32)> = vectors
            .chunks_exact(self.set.dim(modality))
            .map(|x| centering.map_or_else(|| (x.to_vec(), 0.0), |c| c.query(x)))
            .collect();
        let live = self.set.live();
        let queries: Vec<Query<'_>> = queries
            .iter()
            .map(|(vector, bias)| {
                let query = Query::new(vector).bias(*bias);
                let query = live.allowed().map_or(query, |ids| query.allowed(ids));
                centering.map_or(query, |c| query.weights(c.weights()))
            })
            .collect();
        let segments = self.set.segments().iter();
        let parts: Vec<_> = segments
            .map(|s| s.searcher(modality, mode, params.k))
            .collect();
        let parts = parts.iter().map(|part| part as &dyn Search).collect();
        let kept = Segments::new(parts)?.search_batch(&queries, params.k)?;
        let row = |hits: Vec<Hit>| {
            let number = |row: u32| live.number(row as usize) as u32;
            RelativeRow::from_kept(hits.iter().map(|h| (number(h.id), h.score)), &params)
        };
        Ok(kept.into_iter().map(row).collect())
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
