//! Every vector as one bit a number; the best of them as int8 codes; the best of those in f32.
//!
//! ```text
//! all n        1 bit a number, read in order       estimates, off by a few hundredths
//! candidates   int8, rows in order                 a few times k
//! 1.1 k        f32 (or as Rescore says)            the answers
//! ```
//!
//! The bits are an eighth of the codes' bytes and lie in the cache where those do not. How many
//! candidates a wanted recall takes depends on the vectors; [`plan`](mod@crate::plan) measures it.

use std::cell::RefCell;

use rayon::prelude::*;

use super::flat::score_ids_by_codes;
use super::select::largest;
use super::{Flat, Hit, Query, Rescore, Search};
use crate::error::{Error, Result};
use crate::simd::{Kernels, Line, SKETCH_ROWS};
use crate::vectors::sketch::QuerySketch;
use crate::vectors::{Sketches, VectorSet};

/// Rows whose sums stay in the first-level cache until they are estimates.
const BLOCK: usize = 16 * SKETCH_ROWS;
/// Candidates for each answer unless others are asked for.
const CANDIDATES: usize = 4;
/// A filter that lets fewer than one in this many through is looked up row by row, in f32.
const SPARSE: usize = 16;
/// Where one in this many is to be a candidate, reading all codes in order takes as long.
const DENSE: usize = 2;

/// A set searched by its sketches, with int8 and f32 rescoring.
///
/// The scores of the answers are the exact ones, to the bit, unless [`Rescore`] says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Sketch<'a> {
    set: &'a VectorSet,
    sketches: Sketches<'a>,
    candidates: Option<usize>,
    flat: Flat<'a>,
}

impl<'a> Sketch<'a> {
    /// Searches `set` with four candidates for each answer.
    ///
    /// # Errors
    /// [`Error::Argument`] for a set that was written without sketches.
    pub fn new(set: &'a VectorSet) -> Result<Self> {
        let sketches = set.sketches().ok_or_else(|| Error::Argument {
            what: "sketches",
            expected: "a vector set that has them".to_owned(),
            found: format!("{} without", set.path().display()),
            advice: "write it again with sketches, or choose another search",
        })?;
        Ok(Self {
            set,
            sketches,
            candidates: None,
            flat: Flat::new(set),
        })
    }

    /// The same with so many vectors rescored by their int8 codes; never fewer than the search by
    /// codes alone would hand on.
    pub fn candidates(mut self, candidates: usize) -> Self {
        self.candidates = Some(candidates);
        self
    }

    /// The number of candidates that was asked for.
    pub fn wanted_candidates(&self) -> Option<usize> {
        self.candidates
    }

    /// The same with answers scored in another way.
    pub fn rescore(mut self, rescore: Rescore) -> Self {
        self.flat = self.flat.rescore(rescore);
        self
    }

    fn search_one(&self, query: &Query<'_>, k: usize) -> Vec<Hit> {
        let (n, allowed) = (self.set.len(), query.candidates(self.set.len()));
        let k = k.min(allowed);
        let wanted = self.candidates.unwrap_or(k.saturating_mul(CANDIDATES));
        let wanted = wanted.max(self.flat.handed_on(k)).min(allowed);
        if k == 0 || allowed < n / SPARSE || wanted > n / DENSE {
            return self.flat.search_one(query, k);
        }
        let found = SCRATCH.with_borrow_mut(|scratch| {
            self.estimate(query, &mut scratch.estimates);
            scratch.ids.clear();
            largest(&scratch.estimates, wanted, &mut scratch.ids);
            // What the filter excludes is below all numbers, but not what a damaged file makes so.
            scratch.ids.retain(|&id| query.allows(id as usize));
            let mut top = self.flat.candidates(query, k);
            score_ids_by_codes(self.set, query, &scratch.ids, &mut top);
            (scratch.ids.len() >= k).then_some(top)
        });
        match found {
            Some(top) => self.flat.finish(query, top, k),
            // A damaged file's factors are not numbers.
            None => self.flat.search_one(query, k),
        }
    }

    /// Writes an estimate of each vector's score; minus infinity for one that is not allowed.
    fn estimate(&self, query: &Query<'_>, estimates: &mut Vec<f32>) {
        let kernels = Kernels::detect();
        let sketches = &self.sketches;
        let asked = QuerySketch::new(query.vector, sketches.width);
        let center = self
            .set
            .center()
            .map_or(0.0, |c| kernels.f32_dot(query.vector, c));
        let line = Line {
            total: asked.total,
            step: asked.step,
            base: query.bias + center,
        };
        estimates.resize(self.set.len(), 0.0);
        let mut sums = [0; BLOCK];
        for ((at, bits), estimates) in sketches
            .bits
            .chunks(BLOCK * sketches.width)
            .enumerate()
            .zip(estimates.chunks_mut(BLOCK))
        {
            let sums = &mut sums[..bits.len() / sketches.width];
            kernels.sketches(&asked.tables, bits, sums);
            let ids = at * BLOCK..at * BLOCK + estimates.len();
            let factors = &sketches.factors[ids.clone()];
            kernels.estimates(&sums[..estimates.len()], factors, line, estimates);
            if let Some(weights) = query.weights {
                let weights = &weights[ids.clone()];
                estimates.iter_mut().zip(weights).for_each(|(e, w)| *e *= w);
            }
            if let Some(allowed) = query.allowed {
                for (id, estimate) in ids.zip(estimates) {
                    if !allowed.contains(id) {
                        *estimate = f32::NEG_INFINITY;
                    }
                }
            }
        }
    }
}

impl Search for Sketch<'_> {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn search(&self, query: &Query<'_>, k: usize) -> Result<Vec<Hit>> {
        query.check(self.set.len(), self.set.dim())?;
        Ok(self.search_one(query, k))
    }

    fn search_batch(&self, queries: &[Query<'_>], k: usize) -> Result<Vec<Vec<Hit>>> {
        for query in queries {
            query.check(self.set.len(), self.set.dim())?;
        }
        Ok(queries
            .par_iter()
            .map(|query| self.search_one(query, k))
            .collect())
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What a query writes to; a thread keeps it from one query to the next.
#[derive(Default)]
struct Scratch {
    estimates: Vec<f32>,
    ids: Vec<u32>,
}
