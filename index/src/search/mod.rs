//! Queries, answers, and the scans.
//!
//! | file | what it does |
//! |---|---|
//! | `query` | [`VectorQuery`]: a vector, an affine form of the scores, a filter; its validation |
//! | `id_set` | [`IdSet`]: a bitmap of allowed ids |
//! | `ranked` | [`RankedIds`]: such a bitmap with each id's rank |
//! | `top_k` | the best `k` of a stream of scores, in one total order |
//! | `exact` | the exact scan in f32: one query, batches, a filter |
//! | `rescore` | [`RescorePrecision`]: the precision with which the best candidates are rescored |
//! | `coded` | a query as int8 codes |
//! | `group` | scans the codes for many queries at once |
//! | `flat` | [`FlatSearch`]: the scan of int8 codes, rescored in f32 |
//! | `sketch` | [`SketchSearch`]: the scan of sketches (one bit a number), rescored by int8 codes and then in f32 |
//! | `select` | the ids of the largest of many estimates |
//! | `segments` | [`SegmentedSearch`]: several sets searched as one |
//!
//! **The order** of answers is total: higher scores first, equal scores by lower id, NaN last. Every
//! search of this crate uses it, so answers can be compared.

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

pub use flat::FlatSearch;
pub use id_set::IdSet;
pub use query::{SearchHit, VectorQuery};
pub use ranked::RankedIds;
pub use rescore::RescorePrecision;
pub use segments::SegmentedSearch;
pub use sketch::SketchSearch;

use rayon::prelude::*;

use crate::error::Result;

/// A search that answers queries: the exact scan, the scan of codes, a graph, or several of them as one.
pub trait VectorSearch: Sync {
    /// The number of vectors; their ids are `0..len`.
    fn len(&self) -> usize;

    /// Whether there are no vectors.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The best `min(k, most, allowed)` answers, in the order of [this module](self), on the calling
    /// thread.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) when the query has a wrong length or is not finite.
    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>>;

    /// The same answers for many queries, on the current rayon pool.
    ///
    /// # Errors
    /// As [`search`](Self::search), for the first query that does not fit.
    fn search_batch(&self, queries: &[VectorQuery<'_>], k: usize) -> Result<Vec<Vec<SearchHit>>> {
        let answers: Vec<Result<_>> = queries.par_iter().map(|q| self.search(q, k)).collect();
        answers.into_iter().collect()
    }
}
