//! A question and its checks.

use super::IdSet;
use crate::error::{Error, Result};

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The vector's id: its row in the set.
    pub id: u32,
    /// Its score.
    pub score: f32,
}

/// A question: the largest `(<vector, a_i> + bias) * weights[i]` over the allowed ids.
///
/// The affine form serves vectors that are to be centred without being rewritten. For a mean `m`,
/// the cosine of `x - m` and `a_i - m` is, up to the length of `x - m`,
/// `(<x - m, a_i> - <x - m, m>) * 1 / |a_i - m|`: `vector` is `x - m`, `bias` is `-<x - m, m>`,
/// and `weights` are the reciprocal lengths.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Query<'a> {
    /// The vector `[dim]`.
    pub vector: &'a [f32],
    /// Added to each dot product; 0 by default.
    pub bias: f32,
    /// One factor a stored vector `[len]`; all 1 by default.
    pub weights: Option<&'a [f32]>,
    /// The ids that may be answered; all by default.
    pub allowed: Option<&'a IdSet>,
    /// The most answers, where a batch asks for more; as many by default.
    pub most: usize,
}

impl<'a> Query<'a> {
    /// Asks for the largest dot products with `vector`.
    pub fn new(vector: &'a [f32]) -> Self {
        Self {
            vector,
            bias: 0.0,
            weights: None,
            allowed: None,
            most: usize::MAX,
        }
    }

    /// The same question with `bias` added to each dot product.
    pub fn bias(mut self, bias: f32) -> Self {
        self.bias = bias;
        self
    }

    /// The same question with each sum multiplied by its vector's weight.
    pub fn weights(mut self, weights: &'a [f32]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The same question about some ids only.
    pub fn allowed(mut self, allowed: &'a IdSet) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// The same question with at most so many answers, beside others of a batch that want more.
    pub fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// How many answers are wanted of a search for `k`.
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

    /// Whether an id may be answered.
    #[inline(always)]
    pub(crate) fn allows(&self, id: usize) -> bool {
        self.allowed.is_none_or(|allowed| allowed.contains(id))
    }

    /// How many answers there can be of `len` vectors.
    pub(crate) fn candidates(&self, len: usize) -> usize {
        self.allowed.map_or(len, IdSet::count)
    }

    /// Checks that the question fits `len` vectors of `dim` numbers.
    pub(crate) fn check(&self, len: usize, dim: usize) -> Result<()> {
        if self.vector.len() != dim {
            return Err(Error::length("query vector", dim, self.vector.len()));
        }
        if let Some(at) = self.vector.iter().position(|v| !v.is_finite()) {
            return Err(not_finite("query vector", self.vector[at]));
        }
        if !self.bias.is_finite() {
            return Err(not_finite("query bias", self.bias));
        }
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
