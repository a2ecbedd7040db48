//! Tries the available searches on trial queries, and picks the fastest that reaches the recall.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::graph::{Graph, Hnsw};
use crate::random::mix;
use crate::search::{Flat, Hit, Query, Search, Sketch};
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
pub struct Wanted {
    /// Answers a query.
    pub k: usize,
    /// Share of the exact answers that must be found; 1 means the exact scan.
    pub recall: f64,
    /// Queries in a batch.
    pub batch: usize,
}

impl Wanted {
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
pub enum Choice {
    /// [`VectorSet::search`].
    Exact,
    /// [`Flat`].
    Flat,
    /// [`Sketch`] with this number of candidates.
    Sketch {
        /// Vectors rescored by their int8 codes.
        candidates: usize,
    },
    /// [`Hnsw`] with this `ef`.
    Hnsw {
        /// The beam.
        ef: usize,
    },
}

/// A trial of one search.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Tried {
    /// The search.
    pub choice: Choice,
    /// Milliseconds a query; for batches, the time of a batch divided by its queries.
    pub query_ms: f64,
    /// The share of the exact answers that it found.
    pub recall: f64,
}

/// The chosen search, and the reason for it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// The chosen search.
    pub choice: Choice,
    /// The reason, as a sentence for people.
    pub reason: String,
    /// All trials.
    pub tried: Vec<Tried>,
}

/// Tries the scans (of sketches too if the set has them) and the graph, if there is one, with queries
/// near some of the set's own vectors, and picks the fastest that reaches the wanted recall. Takes at
/// most about a second on a set of a million vectors.
///
/// # Errors
/// [`Error::Argument`] for a recall that is not above 0 and at most 1.
pub fn plan(set: &VectorSet, graph: Option<&Graph>, wanted: Wanted) -> Result<Plan> {
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
        return Ok(Plan {
            choice: Choice::Exact,
            reason,
            tried: Vec::new(),
        });
    }
    let began = Instant::now();
    let vectors = trial_vectors(set);
    let queries: Vec<Query<'_>> = vectors.iter().map(|v| Query::new(v)).collect();
    let exact = set.search_batch(&queries, wanted.k)?;
    let attempt = |choice: Choice, searcher: &dyn Search| -> Result<Tried> {
        let found = searcher.search_batch(&queries, wanted.k)?;
        let query_ms = time(searcher, &queries, wanted)?;
        Ok(Tried {
            choice,
            query_ms,
            recall: recall(&found, &exact),
        })
    };
    let flat = attempt(Choice::Flat, &Flat::new(set))?;
    let mut tried = vec![flat];
    let enough = enough(wanted.recall);
    // Wider searches of one kind only get slower, so the first that reaches the recall is the best of
    // its kind, and one that is slower than the scan ends the trials of its kind. Each kind has its
    // share of the time.
    let share = BUDGET / (u32::from(set.sketches().is_some()) + u32::from(graph.is_some())).max(1);
    if let Ok(sketch) = Sketch::new(set) {
        for times in CANDIDATES {
            let candidates = (wanted.k as f64 * times) as usize;
            let choice = Choice::Sketch { candidates };
            let found = attempt(choice, &sketch.candidates(candidates))?;
            tried.push(found);
            let slower = found.query_ms > SLOWER * flat.query_ms;
            if found.recall >= enough || slower || began.elapsed() > share {
                break;
            }
        }
    }
    if let Some(graph) = graph {
        for beam in BEAMS {
            let ef = (wanted.k as f64 * beam) as usize;
            let found = attempt(Choice::Hnsw { ef }, &Hnsw::new(set, graph).ef(ef))?;
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
    let choice = best.map_or(Choice::Exact, |best| best.choice);
    Ok(Plan {
        choice,
        reason: explain(set, graph, wanted, choice, &tried),
        tried,
    })
}

impl Plan {
    /// The chosen search, or the scan of codes if the graph or the sketches that it needs are missing.
    pub fn searcher<'a>(&self, set: &'a VectorSet, graph: Option<&'a Graph>) -> Planned<'a> {
        match (self.choice, graph) {
            (Choice::Exact, _) => Planned::Exact(set),
            (Choice::Hnsw { ef }, Some(graph)) => Planned::Hnsw(Hnsw::new(set, graph).ef(ef)),
            (Choice::Sketch { candidates }, _) => Sketch::new(set)
                .map_or(Planned::Flat(Flat::new(set)), |sketch| {
                    Planned::Sketch(sketch.candidates(candidates))
                }),
            (Choice::Flat | Choice::Hnsw { .. }, _) => Planned::Flat(Flat::new(set)),
        }
    }
}

/// The search chosen by a plan.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Planned<'a> {
    /// Every vector in f32.
    Exact(&'a VectorSet),
    /// Every vector as int8 codes, rescored.
    Flat(Flat<'a>),
    /// Every vector as one bit a number, rescored.
    Sketch(Sketch<'a>),
    /// The graph.
    Hnsw(Hnsw<'a>),
}

impl Planned<'_> {
    fn inner(&self) -> &dyn Search {
        match self {
            Self::Exact(set) => *set,
            Self::Flat(flat) => flat,
            Self::Sketch(sketch) => sketch,
            Self::Hnsw(hnsw) => hnsw,
        }
    }
}

impl Search for Planned<'_> {
    fn len(&self) -> usize {
        self.inner().len()
    }

    fn search(&self, query: &Query<'_>, k: usize) -> Result<Vec<Hit>> {
        self.inner().search(query, k)
    }

    fn search_batch(&self, queries: &[Query<'_>], k: usize) -> Result<Vec<Vec<Hit>>> {
        self.inner().search_batch(queries, k)
    }
}

/// The recall that trials must show for `wanted` to be expected.
pub(super) fn enough(wanted: f64) -> f64 {
    (wanted + MARGIN * (1.0 - wanted)).min(1.0)
}

/// Trial queries: vectors of the set, each moved a third of the way to another, so that they are near the set
/// but not in it.
pub(super) fn trial_vectors(set: &VectorSet) -> Vec<Vec<f32>> {
    let row = |i: u64| set.vector((mix(i) % set.len() as u64) as usize);
    let between = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + (b - a) / 3.0).collect();
    (0..TRIALS as u64)
        .map(|i| between(row(2 * i), row(2 * i + 1)))
        .collect()
}

/// Milliseconds a query: the median of the trials, or of three batches.
fn time(searcher: &dyn Search, queries: &[Query<'_>], wanted: Wanted) -> Result<f64> {
    let mut times = Vec::new();
    if wanted.batch == 1 {
        for query in queries {
            let began = Instant::now();
            std::hint::black_box(searcher.search(query, wanted.k)?);
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    } else {
        let batch: Vec<Query<'_>> = queries
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
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

pub(super) fn recall(found: &[Vec<Hit>], exact: &[Vec<Hit>]) -> f64 {
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
    graph: Option<&Graph>,
    wanted: Wanted,
    choice: Choice,
    tried: &[Tried],
) -> String {
    let name = |choice: Choice| match choice {
        Choice::Exact => "the exact scan".to_owned(),
        Choice::Flat => "the int8 scan".to_owned(),
        Choice::Sketch { candidates } => format!("the 1-bit scan with {candidates} candidates"),
        Choice::Hnsw { ef } => format!("the graph with ef {ef}"),
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
    use crate::vectors::{Sketched, VectorOptions};

    #[test]
    fn a_plan_reaches_what_was_wanted_and_says_why() {
        let (n, dim) = (9000, 32);
        let set = set_with(&clustered(n, dim, 41), dim, VectorOptions::default());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("graph");
        write_graph(&path, &set, &BatchBuilder::default()).unwrap();
        let graph = Graph::open(&path, &set).unwrap();
        let vectors = clustered(20, dim, 42);
        let queries: Vec<Query<'_>> = vectors.chunks(dim).map(Query::new).collect();
        for graph in [None, Some(&graph)] {
            for wanted in [
                Wanted::new(10).recall(0.9),
                Wanted::new(100).batch(50),
                Wanted::new(100).recall(1.0),
                Wanted::new(20_000),
                Wanted::new(0),
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
                    assert_eq!(plan.choice, Choice::Exact);
                    assert_eq!(found, exact);
                }
                if graph.is_none() {
                    assert!(!matches!(plan.choice, Choice::Hnsw { .. }));
                }
                if wanted.k == 100 && wanted.recall < 1.0 {
                    let sketch = |t: &Tried| matches!(t.choice, Choice::Sketch { .. });
                    assert!(plan.tried.iter().any(sketch), "{}", plan.reason);
                }
            }
        }
        // A plan made with a graph or sketches still answers without them.
        let options = VectorOptions::default().sketches(Sketched::Never);
        let bare = set_with(&clustered(n, dim, 41), dim, options);
        for choice in [Choice::Hnsw { ef: 10 }, Choice::Sketch { candidates: 20 }] {
            let made = Plan {
                choice,
                reason: String::new(),
                tried: vec![],
            };
            let found = made.searcher(&bare, None).search(&queries[0], 7).unwrap();
            assert_eq!(found.len(), 7);
        }
        for bad in [0.0, -1.0, 1.1, f64::NAN] {
            assert!(plan(&set, None, Wanted::new(1).recall(bad)).is_err());
        }
    }
}
