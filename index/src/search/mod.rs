//! What is asked, what is answered, and the scans.
//!
//! | file | what it does |
//! |---|---|
//! | `query` | [`Query`]: a vector, an affine change of the scores, a filter; its checks |
//! | `id_set` | [`IdSet`]: a bitmap of allowed ids |
//! | `ranked` | [`RankedIds`]: such a bitmap with each id's rank |
//! | `top_k` | the best `k` of a stream of scores, in one total order |
//! | `exact` | every vector in f32: one query, batches, a filter |
//! | `rescore` | [`Rescore`]: what the best candidates are scored with in the end |
//! | `coded` | a query as int8 codes, and which of its scores are looked at |
//! | `group` | many queries through the codes at once |
//! | `flat` | [`Flat`]: every vector as int8 codes, the best of them again in f32 |
//! | `sketch` | [`Sketch`]: every vector as one bit a number, the best as int8 codes, then in f32 |
//! | `select` | the ids of the largest of many estimates |
//! | `segments` | [`Segments`]: several sets searched as one |
//!
//! **The order** of answers is total: higher scores first, equal scores by lower id, a score that
//! is not a number last. Every search of this crate uses it, so answers can be compared.

mod coded;
mod exact;
mod flat;
mod group;
mod id_set;
mod query;
mod ranked;
mod rescore;
mod segments;
mod select;
mod sketch;
pub(crate) mod top_k;

pub use flat::Flat;
pub use id_set::IdSet;
pub use query::{Hit, Query};
pub use ranked::RankedIds;
pub use rescore::Rescore;
pub use segments::Segments;
pub use sketch::Sketch;

use rayon::prelude::*;

use crate::error::Result;

/// Something that answers queries: a set scanned exactly, its codes, a graph, several of them.
pub trait Search: Sync {
    /// How many vectors there are; their ids are `0..len`.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The best `min(k, most, allowed)` answers, in the order of [this module](self), on the calling
    /// thread.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) when the query does not fit or is not finite.
    fn search(&self, query: &Query<'_>, k: usize) -> Result<Vec<Hit>>;

    /// The same answers for many queries, on the current rayon pool.
    ///
    /// # Errors
    /// As [`search`](Self::search), for the first query that does not fit.
    fn search_batch(&self, queries: &[Query<'_>], k: usize) -> Result<Vec<Vec<Hit>>> {
        let answers: Vec<Result<_>> = queries.par_iter().map(|q| self.search(q, k)).collect();
        answers.into_iter().collect()
    }
}
