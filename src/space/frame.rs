//! The coordinates in which anchors and queries are compared, as an affine form of the stored
//! vectors: no projected copy of an anchor is ever kept.
//!
//! For a map `(a - c) M` and a query with unit coordinates `u`,
//!
//! ```text
//! <u, (a_i - c) M / |(a_i - c) M|>  =  (<q, a_i> + b) * w_i
//! q = M u,  b = -<q, c>,  w_i = 1 / |(a_i - c) M|
//! ```
//!
//! which is what the index searches. Centring alone is the case `M = I`.

use super::center::MeanCentering;
use super::linear::LinearMap;

/// The coordinates in which one modality's vectors are compared.
#[derive(Debug, Clone)]
pub enum CoordinateFrame {
    /// The encoder's own coordinates.
    Own,
    /// Centred: the anchors' mean is subtracted.
    Centered(MeanCentering),
    /// The coordinates of a linear map.
    Mapped {
        /// The map.
        map: LinearMap,
        /// `1 / |(a_i - c) M|` of every stored vector, `[n]`.
        weights: Vec<f32>,
    },
}

impl CoordinateFrame {
    /// The coordinates of a linear map; `norms` are [`LinearMap::norms`] of every stored vector.
    pub(crate) fn mapped(map: LinearMap, norms: &[f32]) -> Self {
        // A row that the map sends to the origin has no direction, and must not be near to everything.
        let weight = |&n: &f32| if n > 1e-6 { 1.0 / n } else { 0.0 };
        let weights = norms.iter().map(weight).collect();
        Self::Mapped { map, weights }
    }

    /// The query of each unit vector, and its bias; `vectors` is `[n, dim]`.
    ///
    /// The similarity of an input and a stored vector `a` is `(<query, a> + bias) * weight`, with the weight
    /// of `a` of [`weights`](Self::weights).
    pub fn queries(&self, vectors: &[f32], dim: usize) -> Vec<(Vec<f32>, f32)> {
        let each = vectors.chunks_exact(dim.max(1));
        match self {
            Self::Own => each.map(|x| (x.to_vec(), 0.0)).collect(),
            Self::Centered(centering) => each.map(|x| centering.query(x)).collect(),
            Self::Mapped { map, .. } => {
                let (queries, biases) = map.pull_back(&map.apply(vectors));
                let queries = queries.chunks_exact(dim.max(1)).map(<[f32]>::to_vec);
                queries.zip(biases).collect()
            }
        }
    }

    /// The weight of every stored vector, `[n]`; `None` means 1 for each.
    pub fn weights(&self) -> Option<&[f32]> {
        match self {
            Self::Own => None,
            Self::Centered(centering) => Some(centering.weights()),
            Self::Mapped { weights, .. } => Some(weights),
        }
    }
}
