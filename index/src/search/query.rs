//! Queries and their validation.

use super::IdSet;
use crate::error::{Error, Result};

/// One answer of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SearchHit {
    /// The vector's id: its row in the set.
    pub id: u32,
    /// Its score.
    pub score: f32,
}

/// A query for the largest `(<vector, a_i> + bias) * weights[i]` over the allowed ids.
///
/// The affine form allows searching centred vectors without rewriting them. For a mean `m`, the cosine of
/// `x - m` and `a_i - m` is, up to the length of `x - m`,
/// `(<x - m, a_i> - <x - m, m>) * 1 / |a_i - m|`: `vector` is `x - m`, `bias` is `-<x - m, m>`,
/// and `weights` are the reciprocal lengths.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct VectorQuery<'a> {
    /// The vector `[dim]`.
    pub vector: &'a [f32],
    /// Added to each dot product; 0 by default.
    pub bias: f32,
    /// One factor a stored vector `[len]`; all 1 by default.
    pub weights: Option<&'a [f32]>,
    /// The filter: the ids allowed as answers; all by default.
    pub allowed: Option<&'a IdSet>,
    /// The most answers of this query in a batch with a larger `k`; unlimited by default.
    pub most: usize,
}

impl<'a> VectorQuery<'a> {
    /// A query for the largest dot products with `vector`.
    pub fn new(vector: &'a [f32]) -> Self {
        Self {
            vector,
            bias: 0.0,
            weights: None,
            allowed: None,
            most: usize::MAX,
        }
    }

    /// Sets the bias, which is added to each dot product.
    pub fn bias(mut self, bias: f32) -> Self {
        self.bias = bias;
        self
    }

    /// Sets the weights, by which each sum is multiplied.
    pub fn weights(mut self, weights: &'a [f32]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Sets the filter.
    pub fn allowed(mut self, allowed: &'a IdSet) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// Limits the answers of this query in a batch with a larger `k`.
    pub fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// The number of answers wanted of a search for `k`.
    #[inline(always)]
    pub(crate) fn wanted(&self, k: usize) -> usize {
        k.min(self.most)
    }

    /// The score of an id from its dot product.
    #[inline(always)]
    pub(crate) fn score(&self, id: usize, dot: f32) -> f32 {
        match self.weights {
            None => dot + self.bias,
            Some(weights) => (dot + self.bias) * weights[id],
        }
    }

    /// Whether the filter allows an id.
    #[inline(always)]
    pub(crate) fn allows(&self, id: usize) -> bool {
        self.allowed.is_none_or(|allowed| allowed.contains(id))
    }

    /// The number of allowed ids of `len` vectors.
    pub(crate) fn candidates(&self, len: usize) -> usize {
        self.allowed.map_or(len, IdSet::count)
    }

    /// Validates the query for `len` vectors of `dim` numbers.
    pub(crate) fn check(&self, len: usize, dim: usize) -> Result<()> {
        if self.vector.len() != dim {
            return Err(Error::length("query vector", dim, self.vector.len()));
        }
        // All scores would be NaN, and the answers simply the first ids.
        if let Some(at) = self.vector.iter().position(|v| !v.is_finite()) {
            return Err(not_finite("query vector", self.vector[at]));
        }
        if !self.bias.is_finite() {
            return Err(not_finite("query bias", self.bias));
        }
        // Weights and filters are indexed by id; a wrong length would panic in the middle of a scan.
        if let Some(weights) = self.weights
            && weights.len() != len
        {
            return Err(Error::length("query weights", len, weights.len()));
        }
        if let Some(allowed) = self.allowed
            && allowed.len() != len
        {
            return Err(Error::length("allowed ids", len, allowed.len()));
        }
        Ok(())
    }
}

fn not_finite(what: &'static str, found: f32) -> Error {
    Error::Argument {
        what,
        expected: "finite numbers".to_owned(),
        found: found.to_string(),
        advice: "check what produced it",
    }
}
