//! Tries the available searches on trial queries, and picks the fastest that reaches the recall.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::graph::{HnswGraph, HnswSearch};
use crate::random::mix;
use crate::search::{FlatSearch, SearchHit, SketchSearch, VectorQuery, VectorSearch};
use crate::vectors::VectorSet;

/// The number of trial queries.
const TRIALS: usize = 16;
/// After this time no further beam is tried: the widest so far, or the scan, is taken.
const BUDGET: Duration = Duration::from_millis(800);
/// Beams tried, as multiples of k.
pub(super) const BEAMS: [f64; 11] = [0.84, 0.92, 1.0, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0, 5.0, 8.0];
/// Candidates of a sketch tried, as multiples of k.
const CANDIDATES: [f64; 12] = [
    1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 9.0, 14.0, 20.0, 30.0,
];
/// A search this many times slower than the scan of codes is really slower, not disturbed by other load.
const SLOWER: f64 = 1.2;
/// The safety margin of the recall: sixteen queries estimate the missing share to about a tenth of it.
const MARGIN: f64 = 0.1;

/// The target of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlanTarget {
    /// Answers a query.
    pub k: usize,
    /// Share of the exact answers that must be found; 1 means the exact scan.
    pub recall: f64,
    /// Queries in a batch.
    pub batch: usize,
}

impl PlanTarget {
    /// `k` answers at a recall of 0.98, one query at a time.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            recall: 0.98,
            batch: 1,
        }
    }

    /// Sets the recall.
    pub fn recall(mut self, recall: f64) -> Self {
        self.recall = recall;
        self
    }

    /// Sets the batch size.
    pub fn batch(mut self, batch: usize) -> Self {
        self.batch = batch.max(1);
        self
    }
}

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SearchMethod {
    /// [`VectorSet::search`].
    Exact,
    /// [`FlatSearch`].
    Flat,
    /// [`SketchSearch`] with this number of candidates.
    Sketch {
        /// Vectors rescored by their int8 codes.
        candidates: usize,
    },
    /// [`HnswSearch`] with this `ef`.
    Hnsw {
        /// The beam.
        ef: usize,
    },
}

/// A trial of one search.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PlanTrial {
    /// The search.
    pub choice: SearchMethod,
    /// Milliseconds a query; for batches, the time of a batch divided by its queries.
    pub query_ms: f64,
    /// The share of the exact answers that it found.
    pub recall: f64,
}

/// The chosen search, and the reason for it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexPlan {
    /// The chosen search.
    pub choice: SearchMethod,
    /// The reason, as a sentence for people.
    pub reason: String,
    /// All trials.
    pub tried: Vec<PlanTrial>,
}

/// Tries the scans (of sketches too if the set has them) and the graph, if there is one, with queries
/// near some of the set's own vectors, and picks the fastest that reaches the wanted recall. Takes at
/// most about a second on a set of a million vectors.
///
/// # Errors
/// [`Error::Argument`] for a recall that is not above 0 and at most 1.
pub fn plan(set: &VectorSet, graph: Option<&HnswGraph>, wanted: PlanTarget) -> Result<IndexPlan> {
    // Written so that NaN fails too.
    if !(wanted.recall > 0.0 && wanted.recall <= 1.0) {
        return Err(Error::Argument {
            what: "recall",
            expected: "above 0, at most 1".to_owned(),
            found: wanted.recall.to_string(),
            advice: "choose one in that range",
        });
    }
    if wanted.recall == 1.0 || set.is_empty() || wanted.k == 0 {
        let reason = if wanted.recall == 1.0 {
            "every answer must be the exact one: every vector is read in f32".to_owned()
        } else {
            "the result is empty, so every search is equal".to_owned()
        };
        return Ok(IndexPlan {
            choice: SearchMethod::Exact,
            reason,
            tried: Vec::new(),
        });
    }
    let began = Instant::now();
    let vectors = trial_vectors(set);
    let queries: Vec<VectorQuery<'_>> = vectors.iter().map(|v| VectorQuery::new(v)).collect();
    let exact = set.search_batch(&queries, wanted.k)?;
    // Recall and time are of the same queries, so that they can be weighed against each other.
    let attempt = |choice: SearchMethod, searcher: &dyn VectorSearch| -> Result<PlanTrial> {
        let found = searcher.search_batch(&queries, wanted.k)?;
        let query_ms = time(searcher, &queries, wanted)?;
        Ok(PlanTrial {
            choice,
            query_ms,
            recall: recall(&found, &exact),
        })
    };
    let flat = attempt(SearchMethod::Flat, &FlatSearch::new(set))?;
    let mut tried = vec![flat];
    let enough = enough(wanted.recall);
    // Wider searches of one kind only get slower, so the first that reaches the recall is the best of
    // its kind, and one that is slower than the scan ends the trials of its kind. Each kind has its
    // share of the time.
    // The graph is tried last and has what the sketches left of the whole.
    let share = BUDGET / (u32::from(set.sketches().is_some()) + u32::from(graph.is_some())).max(1);
    if let Ok(sketch) = SketchSearch::new(set) {
        for times in CANDIDATES {
            let candidates = (wanted.k as f64 * times) as usize;
            let choice = SearchMethod::Sketch { candidates };
            let found = attempt(choice, &sketch.candidates(candidates))?;
            tried.push(found);
            // The margin keeps a moment of other load from ending the trials.
            let slower = found.query_ms > SLOWER * flat.query_ms;
            if found.recall >= enough || slower || began.elapsed() > share {
                break;
            }
        }
    }
    if let Some(graph) = graph {
        for beam in BEAMS {
            let ef = (wanted.k as f64 * beam) as usize;
            let found = attempt(
                SearchMethod::Hnsw { ef },
                &HnswSearch::new(set, graph).ef(ef),
            )?;
            tried.push(found);
            if found.recall >= enough || found.query_ms > flat.query_ms || began.elapsed() > BUDGET
            {
                break;
            }
        }
    }
    let best = tried
        .iter()
        .filter(|t| t.recall >= enough)
        .min_by(|a, b| a.query_ms.total_cmp(&b.query_ms))
        .copied();
    // Where nothing reaches the recall only the exact scan is sure to.
    let choice = best.map_or(SearchMethod::Exact, |best| best.choice);
    Ok(IndexPlan {
        choice,
        reason: explain(set, graph, wanted, choice, &tried),
        tried,
    })
}

impl IndexPlan {
    /// The chosen search, or the scan of codes if the graph or the sketches that it needs are missing.
    pub fn searcher<'a>(
        &self,
        set: &'a VectorSet,
        graph: Option<&'a HnswGraph>,
    ) -> PlannedSearch<'a> {
        match (self.choice, graph) {
            (SearchMethod::Exact, _) => PlannedSearch::Exact(set),
            (SearchMethod::Hnsw { ef }, Some(graph)) => {
                PlannedSearch::Hnsw(HnswSearch::new(set, graph).ef(ef))
            }
            (SearchMethod::Sketch { candidates }, _) => SketchSearch::new(set)
                .map_or(PlannedSearch::Flat(FlatSearch::new(set)), |sketch| {
                    PlannedSearch::Sketch(sketch.candidates(candidates))
                }),
            (SearchMethod::Flat | SearchMethod::Hnsw { .. }, _) => {
                PlannedSearch::Flat(FlatSearch::new(set))
            }
        }
    }
}

/// The search chosen by a plan.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum PlannedSearch<'a> {
    /// Every vector in f32.
    Exact(&'a VectorSet),
    /// Every vector as int8 codes, rescored.
    Flat(FlatSearch<'a>),
    /// Every vector as one bit a number, rescored.
    Sketch(SketchSearch<'a>),
    /// The graph.
    Hnsw(HnswSearch<'a>),
}

impl PlannedSearch<'_> {
    fn inner(&self) -> &dyn VectorSearch {
        match self {
            Self::Exact(set) => *set,
            Self::Flat(flat) => flat,
            Self::Sketch(sketch) => sketch,
            Self::Hnsw(hnsw) => hnsw,
        }
    }
}

impl VectorSearch for PlannedSearch<'_> {
    fn len(&self) -> usize {
        self.inner().len()
    }

    fn search(&self, query: &VectorQuery<'_>, k: usize) -> Result<Vec<SearchHit>> {
        self.inner().search(query, k)
    }

    fn search_batch(&self, queries: &[VectorQuery<'_>], k: usize) -> Result<Vec<Vec<SearchHit>>> {
        self.inner().search_batch(queries, k)
    }
}

/// The recall that trials must show for `wanted` to be expected.
pub(super) fn enough(wanted: f64) -> f64 {
    // A share of what may be missing, so that the margin shrinks as the wanted recall nears 1.
    (wanted + MARGIN * (1.0 - wanted)).min(1.0)
}

/// Trial queries: vectors of the set, each moved a third of the way to another, so that they are near the set
/// but not in it.
pub(super) fn trial_vectors(set: &VectorSet) -> Vec<Vec<f32>> {
    let row = |i: u64| set.vector((mix(i) % set.len() as u64) as usize);
    // A vector of the set itself would be its own best answer, which every search finds.
    let between = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + (b - a) / 3.0).collect();
    (0..TRIALS as u64)
        .map(|i| between(row(2 * i), row(2 * i + 1)))
        .collect()
}

/// Milliseconds a query: the median of the trials, or of three batches.
fn time(
    searcher: &dyn VectorSearch,
    queries: &[VectorQuery<'_>],
    wanted: PlanTarget,
) -> Result<f64> {
    let mut times = Vec::new();
    if wanted.batch == 1 {
        for query in queries {
            let began = Instant::now();
            std::hint::black_box(searcher.search(query, wanted.k)?);
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    } else {
        let batch: Vec<VectorQuery<'_>> = queries
            // Few trial queries fill a batch by repetition.
            .iter()
            .cycle()
            .take(wanted.batch.min(64))
            .copied()
            .collect();
        for _ in 0..3 {
            let began = Instant::now();
            std::hint::black_box(searcher.search_batch(&batch, wanted.k)?);
            times.push(began.elapsed().as_secs_f64() * 1e3 / batch.len() as f64);
        }
    }
    // The median, because a single disturbed run must not decide.
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

pub(super) fn recall(found: &[Vec<SearchHit>], exact: &[Vec<SearchHit>]) -> f64 {
    let (mut hit, mut all) = (0, 0);
    for (found, exact) in found.iter().zip(exact) {
        let ids: HashSet<u32> = exact.iter().map(|h| h.id).collect();
        hit += found.iter().filter(|h| ids.contains(&h.id)).count();
        all += exact.len();
    }
    hit as f64 / all.max(1) as f64
}

fn explain(
    set: &VectorSet,
    graph: Option<&HnswGraph>,
    wanted: PlanTarget,
    choice: SearchMethod,
    tried: &[PlanTrial],
) -> String {
    let name = |choice: SearchMethod| match choice {
        SearchMethod::Exact => "the exact scan".to_owned(),
        SearchMethod::Flat => "the int8 scan".to_owned(),
        SearchMethod::Sketch { candidates } => {
            format!("the 1-bit scan with {candidates} candidates")
        }
        SearchMethod::Hnsw { ef } => format!("the graph with ef {ef}"),
    };
    let list: Vec<String> = tried
        .iter()
        .map(|t| {
            format!(
                "{} took {:.3} ms at recall {:.4}",
                name(t.choice),
                t.query_ms,
                t.recall
            )
        })
        .collect();
    format!(
        "{} vectors of {}, k {}, recall {} wanted, {} at a time: {}{}{}; picked {}",
        set.len(),
        set.dim(),
        wanted.k,
        wanted.recall,
        wanted.batch,
        list.join(", "),
        if set.sketches().is_none() {
            ", no sketches"
        } else {
            ""
        },
        if graph.is_none() { ", no graph" } else { "" },
        name(choice)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{BatchBuilder, write_graph};
    use crate::test_vectors::{clustered, set_with};
    use crate::vectors::{SketchPolicy, VectorOptions};

    #[test]
    fn a_plan_reaches_what_was_wanted_and_says_why() {
        let (n, dim) = (9000, 32);
        let set = set_with(&clustered(n, dim, 41), dim, VectorOptions::default());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph");
        write_graph(&path, &set, &BatchBuilder::default()).unwrap();
        let graph = HnswGraph::open(&path, &set).unwrap();
        let vectors = clustered(20, dim, 42);
        let queries: Vec<VectorQuery<'_>> = vectors.chunks(dim).map(VectorQuery::new).collect();
        for graph in [None, Some(&graph)] {
            for wanted in [
                PlanTarget::new(10).recall(0.9),
                PlanTarget::new(100).batch(50),
                PlanTarget::new(100).recall(1.0),
                PlanTarget::new(20_000),
                PlanTarget::new(0),
            ] {
                let plan = plan(&set, graph, wanted).unwrap();
                let searcher = plan.searcher(&set, graph);
                let exact = set.search_batch(&queries, wanted.k).unwrap();
                let found = searcher.search_batch(&queries, wanted.k).unwrap();
                assert!(found.iter().all(|hits| hits.len() == wanted.k.min(n)));
                let reached = recall(&found, &exact);
                let some = exact.iter().any(|hits| !hits.is_empty());
                assert!(
                    !some || reached >= wanted.recall - 0.03,
                    "{reached}: {}",
                    plan.reason
                );
                assert!(!plan.reason.is_empty());
                if wanted.recall == 1.0 {
                    assert_eq!(plan.choice, SearchMethod::Exact);
                    assert_eq!(found, exact);
                }
                if graph.is_none() {
                    assert!(!matches!(plan.choice, SearchMethod::Hnsw { .. }));
                }
                if wanted.k == 100 && wanted.recall < 1.0 {
                    let sketch = |t: &PlanTrial| matches!(t.choice, SearchMethod::Sketch { .. });
                    assert!(plan.tried.iter().any(sketch), "{}", plan.reason);
                }
            }
        }
        // A plan made with a graph or sketches still answers without them.
        let options = VectorOptions::default().sketches(SketchPolicy::Never);
        let bare = set_with(&clustered(n, dim, 41), dim, options);
        for choice in [
            SearchMethod::Hnsw { ef: 10 },
            SearchMethod::Sketch { candidates: 20 },
        ] {
            let made = IndexPlan {
                choice,
                reason: String::new(),
                tried: vec![],
            };
            let found = made.searcher(&bare, None).search(&queries[0], 7).unwrap();
            assert_eq!(found.len(), 7);
        }
        for bad in [0.0, -1.0, 1.1, f64::NAN] {
            assert!(plan(&set, None, PlanTarget::new(1).recall(bad)).is_err());
        }
    }
}
