//! What is asked, what is answered, and the exact scan.
//!
//! | file | what it does |
//! |---|---|
//! | `query` | [`Query`]: a vector, an affine change of the scores, a filter; its checks |
//! | `id_set` | [`IdSet`]: a bitmap of allowed ids |
//! | `top_k` | the best `k` of a stream of scores, in one total order |
//! | `exact` | every vector in f32: one query, batches, a filter |
//!
//! **The order** of answers is total: higher scores first, equal scores by lower id, a score that
//! is not a number last. Every search of this crate uses it, so answers can be compared.

mod exact;
mod id_set;
mod query;
mod top_k;

pub use id_set::IdSet;
pub use query::{Hit, Query};
