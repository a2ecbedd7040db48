//! A set and a space: unit vectors to relative rows.

use asif_index::{Hit, Query};

use super::error::AnchorsError;
use super::set::AnchorSet;
use crate::space::center::Centering;
use crate::space::vector::VectorSum;
use crate::space::{RelativeRow, SpaceParams};

pub use crate::encode::Modality;

/// Searches an anchor set in one space.
#[derive(Debug)]
pub struct Searcher<'a> {
    set: &'a AnchorSet,
    params: SpaceParams,
    image: Option<Centering>,
    text: Option<Centering>,
}

impl<'a> Searcher<'a> {
    /// A searcher; with a centred space this reads every vector once, for its distance to the mean.
    ///
    /// # Errors
    /// When the parameters make no sense.
    pub fn new(set: &'a AnchorSet, params: SpaceParams) -> Result<Self, AnchorsError> {
        params.validate()?;
        let center = |modality| params.center.then(|| centering(set, modality)).transpose();
        Ok(Self {
            set,
            params,
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
        let mut kept: Vec<Vec<Hit>> = vec![Vec::new(); queries.len()];
        let mut first = 0u32;
        for segment in self.set.segments() {
            let n = segment.len();
            let weights = centering.map(|c| &c.weights()[first as usize..first as usize + n]);
            let queries: Vec<Query<'_>> = queries
                .iter()
                .map(|(vector, bias)| {
                    let query = Query::new(vector).bias(*bias);
                    weights.map_or(query, |w| query.weights(w))
                })
                .collect();
            let found = segment
                .vectors(modality)
                .search_batch(&queries, self.params.k)?;
            for (kept, found) in kept.iter_mut().zip(found) {
                kept.extend(found.into_iter().map(|h| Hit {
                    id: h.id + first,
                    ..h
                }));
            }
            first += n as u32;
        }
        if self.set.segments().len() > 1 {
            for hits in &mut kept {
                hits.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
                hits.truncate(self.params.k);
            }
        }
        let row = |hits: Vec<Hit>| {
            RelativeRow::from_kept(hits.iter().map(|h| (h.id, h.score)), &self.params)
        };
        Ok(kept.into_iter().map(row).collect())
    }
}

fn centering(set: &AnchorSet, modality: Modality) -> Result<Centering, AnchorsError> {
    let mut sum = VectorSum::new(set.dim(modality));
    for segment in set.segments() {
        sum.merge(segment.sum(modality));
    }
    let mean = sum.mean();
    let mut dots = Vec::with_capacity(set.len());
    for segment in set.segments() {
        dots.extend(segment.vectors(modality).matvec(&mean)?);
    }
    Ok(Centering::new(mean, &dots))
}
