//! The beam that a graph needs for a recall, whether or not it is the fastest search.

use super::choose::{BEAMS, PlanTarget, enough, recall, trial_vectors};
use crate::error::Result;
use crate::graph::{HnswGraph, HnswSearch};
use crate::search::{VectorQuery, VectorSearch};
use crate::vectors::VectorSet;

/// The smallest beam with which the graph reaches the wanted recall on the trial vectors of
/// [`plan`](super::plan()), for callers that require the graph. `None` if no beam up to eight times `k` does.
///
/// # Errors
/// As searching.
pub fn beam(set: &VectorSet, graph: &HnswGraph, wanted: PlanTarget) -> Result<Option<usize>> {
    if set.is_empty() || wanted.k == 0 {
        return Ok(None);
    }
    let vectors = trial_vectors(set);
    let queries: Vec<VectorQuery<'_>> = vectors.iter().map(|v| VectorQuery::new(v)).collect();
    let exact = set.search_batch(&queries, wanted.k)?;
    for beam in BEAMS {
        let ef = (wanted.k as f64 * beam) as usize;
        let hnsw = HnswSearch::new(set, graph).ef(ef);
        if recall(&hnsw.search_batch(&queries, wanted.k)?, &exact) >= enough(wanted.recall) {
            return Ok(Some(ef));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{BatchBuilder, write_graph};
    use crate::test_vectors::{clustered, set_with};
    use crate::vectors::VectorOptions;

    #[test]
    fn more_recall_takes_a_wider_beam_and_other_queries_find_as_much() {
        let (n, dim, k) = (9000, 32, 40);
        let set = set_with(&clustered(n, dim, 43), dim, VectorOptions::default());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph");
        write_graph(&path, &set, &BatchBuilder::default()).unwrap();
        let graph = HnswGraph::open(&path, &set).unwrap();
        let vectors = clustered(50, dim, 44);
        let queries: Vec<VectorQuery<'_>> = vectors.chunks(dim).map(VectorQuery::new).collect();
        let exact = set.search_batch(&queries, k).unwrap();
        let mut last = 0;
        for wanted in [0.5, 0.9, 0.99] {
            let ef = beam(&set, &graph, PlanTarget::new(k).recall(wanted)).unwrap();
            let ef = ef.expect("the graph is a good one");
            assert!(ef >= last, "{ef} after {last}");
            last = ef;
            let hnsw = HnswSearch::new(&set, &graph).ef(ef);
            let found = hnsw.search_batch(&queries, k).unwrap();
            assert!(recall(&found, &exact) >= wanted - 0.02, "{wanted}: ef {ef}");
        }
        assert_eq!(beam(&set, &graph, PlanTarget::new(0)).unwrap(), None);
    }
}
