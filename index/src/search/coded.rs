//! A query as codes: what turns integer products into scores, and which of them are looked at.

use super::Query;
use super::top_k::TopK;
use crate::simd::Kernels;
use crate::vectors::VectorSet;
use crate::vectors::quantize::QueryCodes;

/// A query as codes.
pub(super) struct Coded {
    /// Codes `[stride]` and what belongs to them.
    pub codes: QueryCodes,
    /// The query's bias, and its product with the centre that the stored codes leave out.
    base: f32,
}

/// What scores are written to on their way; kept from one block to the next.
#[derive(Default)]
pub(super) struct Scratch {
    scores: Vec<f32>,
    places: Vec<u32>,
}

impl Coded {
    pub fn new(set: &VectorSet, query: &Query<'_>) -> Self {
        let center = set
            .center()
            .map_or(0.0, |c| Kernels::detect().f32_dot(query.vector, c));
        Self {
            codes: QueryCodes::new(query.vector, set.stride()),
            base: query.bias + center,
        }
    }

    #[inline(always)]
    fn score(&self, dot: i32, scale: f32) -> f32 {
        (dot - self.codes.offset) as f32 * (self.codes.scale * scale) + self.base
    }

    /// Offers the scores of a block of products, the first of which is of the id `first`.
    ///
    /// Of many thousand only some hundred can be among the best. So all scores of the block are
    /// computed, a few at a time and without a branch, and those below the floor go no further.
    pub fn offer(
        &self,
        set: &VectorSet,
        query: &Query<'_>,
        first: usize,
        dots: &[i32],
        scratch: &mut Scratch,
        top: &mut TopK,
    ) {
        let Scratch { scores, places } = scratch;
        let scales = &set.scales()[first..first + dots.len()];
        scores.resize(dots.len(), 0.0);
        for ((score, &dot), &scale) in scores.iter_mut().zip(dots).zip(scales) {
            *score = self.score(dot, scale);
        }
        if let Some(weights) = query.weights {
            let weights = &weights[first..first + dots.len()];
            scores.iter_mut().zip(weights).for_each(|(s, w)| *s *= w);
        }
        places.clear();
        // What is not a number is not above the floor either, and comes last but comes.
        if scores.iter().fold(false, |any, s| any | s.is_nan()) {
            places.extend(0..scores.len() as u32);
        } else {
            Kernels::detect().ids_from(scores, top.floor_score(), places);
        }
        for &place in &*places {
            let id = first + place as usize;
            if query.allows(id) {
                top.push(scores[place as usize], id as u32);
            }
        }
    }
}

/// Offers the scores of `ids`, all below the set's length and allowed, by their codes.
pub(super) fn score_ids_by_codes(set: &VectorSet, query: &Query<'_>, ids: &[u32], top: &mut TopK) {
    let coded = Coded::new(set, query);
    let mut dots = [0; 256];
    for ids in ids.chunks(dots.len()) {
        let dots = &mut dots[..ids.len()];
        Kernels::detect().u8_at(&coded.codes.codes, set.codes(), ids, dots);
        for (&id, &dot) in ids.iter().zip(&*dots) {
            let weight = query.weights.map_or(1.0, |w| w[id as usize]);
            top.push(coded.score(dot, set.scales()[id as usize]) * weight, id);
        }
    }
}
