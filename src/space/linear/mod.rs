//! Closed forms over the second moments of anchor pairs: maps that take both sides to coordinates
//! in which they can be compared.
//!
//! ```text
//! pairs ──> Moments (exact sums) ──> covariances ──> Cholesky, SVD ──> LinearMap of each side
//! ```
//!
//! | file | role |
//! |---|---|
//! | [`moments`] | exact sums of products, which pairs join and leave without a trace |
//! | [`fit`] | canonical coordinates, ridge, Procrustes, whitening |
//! | `params` | the settings of canonical coordinates |
//! | [`map`] | a centre and a matrix, applied to vectors |

pub mod fit;
pub mod map;
pub mod moments;
mod params;

pub use fit::{CanonicalFactors, FitError, canonical, procrustes, ridge, whitening};
pub use map::LinearMap;
pub use moments::Moments;
pub use params::CanonicalParams;
