//! Vectors to what a space makes of them, for all requests that wait at once.
//!
//! A search reads every anchor, and one over many queries reads them once: with 14,000 anchors a
//! batch takes a fraction of what its queries take one by one.

use std::sync::Arc;
use std::time::Duration;

use super::batching::{Batcher, Batching};
use super::compute::Compute;
use super::error::Refusal;
use super::ground::Ground;
use super::metrics::Metrics;
use asif::modality::Modality;
use asif::space::Representation;

/// The most vectors of a search. More gain nothing, and the last would wait for the first.
const BATCH: usize = 64;

/// An image's vector, and where it is looked for.
#[derive(Debug)]
struct Query {
    ground: Arc<Ground>,
    vector: Arc<[f32]>,
}

/// Searches for images, in batches over all requests.
#[derive(Debug)]
pub(super) struct Represent(Batcher<Query, Result<Representation, Refusal>>);

impl Represent {
    /// Starts the thread that calls; the searches themselves are on those of `compute`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(compute: Arc<Compute>, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let batching = Batching {
            size: BATCH,
            // One call has all threads.
            workers: 1,
            linger: Duration::ZERO,
        };
        let call = move |queries: Vec<Query>| Ok(compute.install(|| represent(&queries)));
        let told = move |call| metrics.batch("search", call);
        Batcher::start("search", batching, call, told).map(Self)
    }

    /// What the space of `ground` makes of image vectors of its length, in order.
    ///
    /// # Errors
    /// When the search fails.
    pub async fn images(
        &self,
        ground: &Arc<Ground>,
        vectors: impl Iterator<Item = Arc<[f32]>>,
    ) -> Result<Vec<Representation>, Refusal> {
        let mut queries = vectors.map(|vector| Query {
            ground: Arc::clone(ground),
            vector,
        });
        let mut all = Vec::new();
        loop {
            let batch: Vec<Query> = queries.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(all);
            }
            for representation in self.0.submit(batch).await? {
                all.push(representation?);
            }
        }
    }
}

/// One search for each run of queries with the same ground; mostly there is one. What fails on one
/// ground is no concern of queries on another, and a search that fails is done query by query, so that
/// one of them is no concern of others either.
fn represent(queries: &[Query]) -> Vec<Result<Representation, Refusal>> {
    let mut all = Vec::with_capacity(queries.len());
    for run in queries.chunk_by(|a, b| Arc::ptr_eq(&a.ground, &b.ground)) {
        let vectors: Vec<f32> = run.iter().flat_map(|q| q.vector.iter().copied()).collect();
        let searcher = run[0].ground.searcher();
        match searcher.represent(Modality::Image, &vectors) {
            Ok(found) => all.extend(found.into_iter().map(Ok)),
            Err(error) if run.len() == 1 => all.push(Err(Refusal::from(error))),
            Err(_) => all.extend(run.chunks(1).flat_map(represent)),
        }
    }
    all
}
