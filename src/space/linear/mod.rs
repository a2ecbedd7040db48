//! Linear maps of both sides to coordinates in which they can be compared, in closed form from the second
//! moments of anchor pairs.
//!
//! ```text
//! pairs ──> Moments (exact sums) ──> covariances ──> Cholesky, SVD ──> LinearMap of each side
//! ```
//!
//! | file | role |
//! |---|---|
//! | `moments` | exact sums of products, to which pairs can be added and removed exactly |
//! | `fit` | canonical coordinates, ridge, Procrustes, whitening |
//! | `params` | the settings of canonical coordinates |
//! | `map` | a linear map: a centre and a matrix |

pub(crate) mod fit;
pub(crate) mod map;
pub(crate) mod moments;
mod params;

pub use fit::{CanonicalFactors, FitError, canonical, procrustes, ridge, whitening};
pub use map::LinearMap;
pub use moments::{Covariances, Moments};
pub use params::CanonicalParams;
