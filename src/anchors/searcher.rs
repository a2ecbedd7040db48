//! A set and a space: unit vectors to relative rows.

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
    params: SpaceParams,
    mode: SearchMode,
    image: Option<Centering>,
    text: Option<Centering>,
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
        params.validate()?;
        let center = |modality| params.center.then(|| centering(set, modality)).transpose();
        Ok(Self {
            set,
            params,
            mode,
            image: center(Modality::Image)?,
            text: center(Modality::Text)?,
        })
    }

    /// The space.
    pub fn params(&self) -> &SpaceParams {
        &self.params
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
        let centering = match modality {
            Modality::Image => self.image.as_ref(),
            Modality::Text => self.text.as_ref(),
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
        let k = self.params.k;
        let segments = self.set.segments().iter();
        let parts: Vec<_> = segments
            .map(|s| s.searcher(modality, self.mode, k))
            .collect();
        let parts = parts.iter().map(|part| part as &dyn Search).collect();
        let kept = Segments::new(parts)?.search_batch(&queries, k)?;
        let row = |hits: Vec<Hit>| {
            let number = |row: u32| live.number(row as usize) as u32;
            RelativeRow::from_kept(hits.iter().map(|h| (number(h.id), h.score)), &self.params)
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
