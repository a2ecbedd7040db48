//! Representations of image vectors in a space, in batches over all waiting requests.
//!
//! A search reads all anchors, and a batch of queries reads them once: with 14,000 anchors a batch takes a
//! fraction of the time of its single queries.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Refusal;
use crate::inputs::batching::{BatchOptions, Batcher};
use crate::middleware::metrics::Metrics;
use crate::sets::generation::ServedGeneration;
use crate::workers::compute::ComputePool;
use asif::modality::Modality;
use asif::space::Representation;

/// The most vectors per search. Larger batches gain nothing and delay the first answers.
const BATCH: usize = 64;

/// The vector of an image, and the generation to search.
#[derive(Debug)]
struct ImageQuery {
    served: Arc<ServedGeneration>,
    vector: Arc<[f32]>,
}

/// Searches with image vectors, in batches over all requests.
#[derive(Debug)]
pub(crate) struct SearchBatcher(Batcher<ImageQuery, Result<Representation, Refusal>>);

impl SearchBatcher {
    /// Starts the worker thread; the searches themselves run on the threads of `compute`.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(compute: Arc<ComputePool>, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let batching = BatchOptions {
            size: BATCH,
            // One call uses all threads.
            workers: 1,
            linger: Duration::ZERO,
        };
        let call = move |queries: Vec<ImageQuery>| Ok(compute.install(|| represent(&queries)));
        let told = move |call| metrics.batch("search", call);
        Batcher::start("search", batching, call, told).map(Self)
    }

    /// The representations of image vectors in the space of `served`, in order.
    ///
    /// # Errors
    /// When the search fails.
    pub async fn images(
        &self,
        served: &Arc<ServedGeneration>,
        vectors: impl Iterator<Item = Arc<[f32]>>,
    ) -> Result<Vec<Representation>, Refusal> {
        let mut queries = vectors.map(|vector| ImageQuery {
            served: Arc::clone(served),
            vector,
        });
        let mut all = Vec::new();
        loop {
            let batch: Vec<ImageQuery> = queries.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                return Ok(all);
            }
            for representation in self.0.submit(batch).await? {
                all.push(representation?);
            }
        }
    }
}

/// One search for each run of queries on the same generation; usually there is one run. A failure on one
/// generation does not affect queries on another, and a failed search is repeated query by query, so that a
/// bad query does not affect the others.
fn represent(queries: &[ImageQuery]) -> Vec<Result<Representation, Refusal>> {
    let mut all = Vec::with_capacity(queries.len());
    for run in queries.chunk_by(|a, b| Arc::ptr_eq(&a.served, &b.served)) {
        let vectors: Vec<f32> = run.iter().flat_map(|q| q.vector.iter().copied()).collect();
        let searcher = run[0].served.searcher();
        match searcher.represent(Modality::Image, &vectors) {
            Ok(found) => all.extend(found.into_iter().map(Ok)),
            Err(error) if run.len() == 1 => all.push(Err(Refusal::from(error))),
            Err(_) => all.extend(run.chunks(1).flat_map(represent)),
        }
    }
    all
}
