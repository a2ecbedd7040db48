//! Vectors and records of anchors, and their nearest neighbours in the anchor set.

use ndarray::Array2;
use rayon::prelude::*;

use crate::anchors::search::searched::SearchedSet;
use crate::anchors::stored::plan::SearchMode;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::{AnchorId, AnchorSet, AnchorsError};
use crate::embed::WorkControl;
use crate::modality::Modality;
use crate::space::CoordinateFrame;
use crate::space::anchors::{AnchorSource, NearestQuery};
use crate::space::vector::dot;

/// The vectors of some anchors, `[anchors, dim]`.
pub fn vectors(
    set: &AnchorSet,
    anchors: &[AnchorId],
    modality: Modality,
) -> Result<Array2<f32>, AnchorsError> {
    let mut rows = Array2::zeros((anchors.len(), set.dim(modality)));
    for (mut row, &anchor) in rows.rows_mut().into_iter().zip(anchors) {
        let vector = set.vector(anchor, modality)?;
        row.iter_mut()
            .zip(vector)
            .for_each(|(to, from)| *to = *from);
    }
    Ok(rows)
}

/// All live records, in the order of anchors.
pub(crate) fn records(set: &AnchorSet) -> Result<Vec<PairRecord>, AnchorsError> {
    let anchors = 0..set.len() as AnchorId;
    anchors.into_par_iter().map(|a| set.record(a)).collect()
}

/// The anchors nearest to each of some anchors, with the exact cosine, nearest first: at most `k` each,
/// without the anchor itself. Uses the search planned for the anchor set, which may miss one in a hundred.
pub(crate) fn nearest(
    set: &AnchorSet,
    anchors: &[AnchorId],
    modality: Modality,
    k: usize,
    watch: WorkControl<'_>,
) -> Result<Vec<Vec<(AnchorId, f32)>>, AnchorsError> {
    const BATCH: usize = 512;
    let searched = SearchedSet::new(set, SearchMode::Auto);
    let query = NearestQuery {
        frame: &CoordinateFrame::Own,
        k: k + 1,
    };
    let phase = match modality {
        Modality::Image => "images",
        Modality::Text => "texts",
    };
    watch.progress.begin(phase, Some(anchors.len() as u64));
    let mut all = Vec::with_capacity(anchors.len());
    for batch in anchors.chunks(BATCH) {
        if watch.cancel.requested() {
            return Err(AnchorsError::Interrupted);
        }
        let queries = vectors(set, batch, modality)?;
        let flat: Vec<f32> = queries.iter().copied().collect();
        let found = searched.nearest(modality, &[query], &flat)?;
        for (&own, neighbours) in batch.iter().zip(found.into_iter().flatten()) {
            let vector = set.vector(own, modality)?;
            let mut near = Vec::with_capacity(k + 1);
            for (other, _) in neighbours.into_iter().filter(|found| found.0 != own) {
                near.push((other, dot(vector, set.vector(other, modality)?) as f32));
            }
            near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            near.truncate(k);
            all.push(near);
        }
        watch.progress.advance(batch.len() as u64);
    }
    watch.progress.end();
    Ok(all)
}
