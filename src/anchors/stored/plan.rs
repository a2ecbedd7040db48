//! How a segment's vectors are searched: planned when it is written, chosen again by a query.
//!
//! A graph is built where the index crate's planner expects it to pay on this machine; then what
//! exists is tried and the choice is written into the manifest, so that opening a set measures
//! nothing. `asif inspect --plan` plans anew and says why.

use std::path::Path;

pub use asif_index::plan::Planned;
use asif_index::plan::{Choice, Machine, Wanted, beam, plan};
use asif_index::{BatchBuilder, Flat, Graph, Hnsw, Sketch, VectorSet, write_graph};
use serde::{Deserialize, Serialize};

use crate::anchors::error::AnchorsError;

/// The share of the exact answers that a planned search must find.
const RECALL: f64 = 0.99;
/// So many vectors are searched without a graph, whatever is expected of one: measured at 100,000,
/// the scan of one bit a number is faster for k from 200 to 800 at a recall of 0.99
/// (docs/benchmarks.md), and costs no build.
const FEW: usize = 150_000;
/// So many vectors are scanned as 8-bit codes even where one bit a number is faster. What the bits
/// find is planned on the set's own vectors, but a space of canonical coordinates asks with others;
/// the codes' answers are exact for any question, and cost a fifth of a millisecond here.
const SMALL: usize = 30_000;
const SMALL_REASON: &str =
    "; of so few vectors the 8-bit codes are taken, whose answers are exact in every space";
/// The beam of a graph that nothing was planned for, as a multiple of the answers.
const UNPLANNED: usize = 8;

/// Whether a segment gets graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GraphPolicy {
    /// Where one is expected to pay on this machine.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What searches a set's vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchMode {
    /// What was planned for each segment.
    #[default]
    Auto,
    /// Every vector in 32-bit floating point: the answers of the formulas, to the bit.
    Exact,
    /// Every vector as 8-bit codes, the best rescored.
    Flat,
    /// Every vector as one bit a number, the best rescored by 8-bit codes and again; where a segment
    /// has no such bits, [`SearchMode::Flat`].
    Sketch,
    /// The graph, with the beam that finds 99 answers in 100; where a segment has none, or it does
    /// not find as many, [`SearchMode::Flat`].
    Hnsw,
}

/// The search planned for one modality of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchPlan {
    /// `exact`, `flat`, `sketch` or `hnsw`; a reader that does not know it uses `flat`.
    pub search: String,
    /// The graph's beam at `k` answers, where there is a graph, picked or not; the number of pairs
    /// where no beam finds enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef: Option<usize>,
    /// The candidates of a sketch at `k` answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<usize>,
    /// The answers it was planned for.
    pub k: usize,
    /// What was tried, and why this was picked.
    pub reason: String,
}

/// Builds the graph of `set` at `path` if the policy says so, and plans its search for `k` answers.
///
/// # Errors
/// On an I/O error.
pub fn prepare(
    path: &Path,
    set: &VectorSet,
    policy: GraphPolicy,
    k: usize,
) -> Result<SearchPlan, AnchorsError> {
    let wanted = match policy {
        GraphPolicy::Always => true,
        GraphPolicy::Never => false,
        GraphPolicy::Auto => {
            set.len() > FEW && Machine::calibrate().graph_pays(set.len(), set.dim(), k).0
        }
    };
    if wanted {
        write_graph(path, set, &BatchBuilder::default())?;
    }
    make(set, open_graph(path, set)?.as_ref(), k)
}

/// Plans the search of what exists, on this machine, in at most about a second.
///
/// # Errors
/// When the vectors cannot be searched.
pub fn make(set: &VectorSet, graph: Option<&Graph>, k: usize) -> Result<SearchPlan, AnchorsError> {
    let wanted = Wanted::new(k).recall(RECALL);
    let plan = plan(set, graph, wanted)?;
    let mut reason = plan.reason;
    let (search, candidates) = match plan.choice {
        Choice::Sketch { .. } if set.len() <= SMALL => {
            reason.push_str(SMALL_REASON);
            ("flat", None)
        }
        Choice::Hnsw { .. } => ("hnsw", None),
        Choice::Sketch { candidates } => ("sketch", Some(candidates)),
        Choice::Exact => ("exact", None),
        _ => ("flat", None),
    };
    let ef = match (plan.choice, graph) {
        (Choice::Hnsw { ef }, _) => Some(ef),
        (_, Some(graph)) => Some(beam(set, graph, wanted)?.unwrap_or(set.len())),
        (_, None) => None,
    };
    Ok(SearchPlan {
        search: search.to_owned(),
        ef,
        candidates,
        k,
        reason,
    })
}

/// The graph at `path`, if there is one.
///
/// # Errors
/// When it is there and is damaged, or belongs to other vectors.
pub fn open_graph(path: &Path, set: &VectorSet) -> Result<Option<Graph>, AnchorsError> {
    match crate::disk::found(path)? {
        Some(_) => Ok(Some(Graph::open(path, set)?)),
        None => Ok(None),
    }
}

/// What answers `k` from `set` in this mode.
pub fn searcher<'a>(
    set: &'a VectorSet,
    graph: Option<&'a Graph>,
    planned: Option<&SearchPlan>,
    mode: SearchMode,
    k: usize,
) -> Planned<'a> {
    // What was planned for another number of answers grows with it; a graph's beam does not shrink,
    // as fewer answers are not easier to find.
    let scaled = |count: Option<usize>, least: f64| {
        let times = k as f64 / planned?.k.max(1) as f64;
        Some((count? as f64 * times.max(least)) as usize)
    };
    let mode = match (mode, planned.map(|p| p.search.as_str())) {
        (SearchMode::Auto, Some("hnsw")) => SearchMode::Hnsw,
        (SearchMode::Auto, Some("sketch")) => SearchMode::Sketch,
        (SearchMode::Auto, Some("exact")) => SearchMode::Exact,
        (SearchMode::Auto, _) => SearchMode::Flat,
        (mode, _) => mode,
    };
    match (mode, graph) {
        (SearchMode::Exact, _) => Planned::Exact(set),
        (SearchMode::Hnsw, Some(graph)) => {
            let ef = scaled(planned.and_then(|p| p.ef), 1.0);
            Planned::Hnsw(Hnsw::new(set, graph).ef(ef.unwrap_or(k.saturating_mul(UNPLANNED))))
        }
        (SearchMode::Sketch, _) => {
            Sketch::new(set).map_or(Planned::Flat(Flat::new(set)), |sketch| {
                let candidates = scaled(planned.and_then(|p| p.candidates), 0.0);
                // Unasked for, as many as real embeddings need for 99 of 100 answers, and some more.
                Planned::Sketch(sketch.candidates(candidates.unwrap_or(k.saturating_mul(6))))
            })
        }
        _ => Planned::Flat(Flat::new(set)),
    }
}
