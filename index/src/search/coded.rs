//! A query as int8 codes: turns integer products into scores, and filters those that can be among the best.

use super::VectorQuery;
use super::top_k::TopK;
use crate::simd::KernelTable;
use crate::vectors::VectorSet;
use crate::vectors::quantize::QueryCodes;

/// A query as int8 codes.
pub(super) struct CodedQuery {
    /// The codes `[stride]` with their scale and offset.
    pub codes: QueryCodes,
    /// The query's bias plus its product with the centre, which the stored codes do not contain.
    base: f32,
}

/// Buffers of scores, reused from block to block.
#[derive(Default)]
pub(super) struct ScoreScratch {
    scores: Vec<f32>,
    places: Vec<u32>,
}

impl CodedQuery {
    pub fn new(set: &VectorSet, query: &VectorQuery<'_>) -> Self {
        let center = set
            .center()
            .map_or(0.0, |c| KernelTable::detect().f32_dot(query.vector, c));
        Self {
            codes: QueryCodes::new(query.vector, set.stride()),
            base: query.bias + center,
        }
    }

    #[inline(always)]
    fn score(&self, dot: i32, scale: f32) -> f32 {
        (dot - self.codes.offset) as f32 * (self.codes.scale * scale) + self.base
    }

    /// Offers the scores of a block of products, the first of which belongs to the id `first`.
    ///
    /// Of many thousand only some hundred can be among the best. So all scores of the block are computed with
    /// SIMD and without branches, and only those above the floor are pushed.
    pub fn offer(
        &self,
        set: &VectorSet,
        query: &VectorQuery<'_>,
        first: usize,
        dots: &[i32],
        scratch: &mut ScoreScratch,
        top: &mut TopK,
    ) {
        let ScoreScratch { scores, places } = scratch;
        let scales = &set.scales()[first..first + dots.len()];
        // Three plain loops instead of one with branches, so that each of them is vectorised.
        scores.resize(dots.len(), 0.0);
        for ((score, &dot), &scale) in scores.iter_mut().zip(dots).zip(scales) {
            *score = self.score(dot, scale);
        }
        if let Some(weights) = query.weights {
            let weights = &weights[first..first + dots.len()];
            scores.iter_mut().zip(weights).for_each(|(s, w)| *s *= w);
        }
        places.clear();
        // NaN never compares above the floor, but must be answered (last) if there are not enough others.
        if scores.iter().fold(false, |any, s| any | s.is_nan()) {
            places.extend(0..scores.len() as u32);
        } else {
            KernelTable::detect().ids_from(scores, top.floor_score(), places);
        }
        for &place in &*places {
            let id = first + place as usize;
            if query.allows(id) {
                top.push(scores[place as usize], id as u32);
            }
        }
    }
}

/// Offers the scores by codes of `ids`, which are all below the set's length and allowed.
pub(super) fn score_ids_by_codes(
    set: &VectorSet,
    query: &VectorQuery<'_>,
    ids: &[u32],
    top: &mut TopK,
) {
    let coded = CodedQuery::new(set, query);
    let mut dots = [0; 256];
    for ids in ids.chunks(dots.len()) {
        let dots = &mut dots[..ids.len()];
        KernelTable::detect().u8_at(&coded.codes.codes, set.codes(), ids, dots);
        for (&id, &dot) in ids.iter().zip(&*dots) {
            let weight = query.weights.map_or(1.0, |w| w[id as usize]);
            top.push(coded.score(dot, set.scales()[id as usize]) * weight, id);
        }
    }
}
