//! How a segment's vectors are searched: planned when it is written; a query can override it.
//!
//! A graph is built where the index crate's planner expects it to pay on this machine; then what
//! exists is measured and the choice is written into the manifest, so that opening an anchor set measures
//! nothing. `asif inspect --plan` plans again and prints the reason.

use std::path::Path;

pub(crate) use asif_index::plan::PlannedSearch;
use asif_index::plan::{MachineCosts, PlanTarget, SearchMethod, beam, plan};
use asif_index::{
    BatchBuilder, FlatSearch, HnswGraph, HnswSearch, SketchSearch, VectorSet, write_graph,
};
use serde::{Deserialize, Serialize};

use crate::anchors::error::AnchorsError;

/// The share of the exact answers that a planned search must find.
const RECALL: f64 = 0.99;
/// Up to this many vectors are searched without a graph, whatever the model predicts: measured at 100,000,
/// the scan of one bit a number is faster for k from 200 to 800 at a recall of 0.99
/// (docs/benchmarks.md), and costs no build.
const FEW: usize = 150_000;
/// Up to this many vectors are scanned as 8-bit codes even where one bit per number is faster. The recall of
/// the bits is measured on the stored vectors, but a space of canonical coordinates queries with others; the
/// codes' answers are exact for any query, and cost a fifth of a millisecond here.
const SMALL: usize = 30_000;
const SMALL_REASON: &str =
    "; of so few vectors the 8-bit codes are taken, whose answers are exact in every space";
/// The beam of a graph without a plan, as a multiple of the number of answers.
const UNPLANNED: usize = 8;

/// Whether a segment gets graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GraphPolicy {
    /// Where one is expected to be faster on this machine.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How an anchor set's vectors are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SearchMode {
    /// The planned search of each segment.
    #[default]
    Auto,
    /// Every vector in 32-bit floating point: the answers of the formulas, to the bit.
    Exact,
    /// Every vector as 8-bit codes, the best rescored.
    Flat,
    /// Every vector as one bit per number, the best rescored by 8-bit codes and then exactly; where a segment
    /// has no such bits, [`SearchMode::Flat`].
    Sketch,
    /// The graph, with the beam for a recall of 0.99; where a segment has none, or it does
    /// not reach it, [`SearchMode::Flat`].
    Hnsw,
}

/// The search planned for one modality of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchPlan {
    /// `exact`, `flat`, `sketch` or `hnsw`; a reader that does not know it uses `flat`.
    pub search: String,
    /// The graph's beam at `k` answers, where there is a graph, picked or not; the number of pairs
    /// where no beam reaches the recall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef: Option<usize>,
    /// The candidates of a sketch at `k` answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates: Option<usize>,
    /// The number of answers it was planned for.
    pub k: usize,
    /// What was measured, and why this search was picked.
    pub reason: String,
}

/// Builds the graph of `set` at `path` if the policy says so, and plans its search for `k` answers.
///
/// # Errors
/// On an I/O error.
pub(crate) fn prepare(
    path: &Path,
    set: &VectorSet,
    policy: GraphPolicy,
    k: usize,
) -> Result<SearchPlan, AnchorsError> {
    let wanted = match policy {
        // Forced policies skip the calibration, which takes a tenth of a second.
        GraphPolicy::Always => true,
        GraphPolicy::Never => false,
        GraphPolicy::Auto => {
            set.len() > FEW
                && MachineCosts::calibrate()
                    .graph_pays(set.len(), set.dim(), k)
                    .0
        }
    };
    if wanted {
        write_graph(path, set, &BatchBuilder::default())?;
    }
    make(set, open_graph(path, set)?.as_ref(), k)
}

/// Plans the search with the existing files, on this machine, in at most about a second.
///
/// # Errors
/// When the vectors cannot be searched.
pub fn make(
    set: &VectorSet,
    graph: Option<&HnswGraph>,
    k: usize,
) -> Result<SearchPlan, AnchorsError> {
    // Measured on the segment's own vectors, where the answers of the exact scan are known.
    let wanted = PlanTarget::new(k).recall(RECALL);
    let plan = plan(set, graph, wanted)?;
    let mut reason = plan.reason;
    let (search, candidates) = match plan.choice {
        SearchMethod::Sketch { .. } if set.len() <= SMALL => {
            reason.push_str(SMALL_REASON);
            ("flat", None)
        }
        SearchMethod::Hnsw { .. } => ("hnsw", None),
        SearchMethod::Sketch { candidates } => ("sketch", Some(candidates)),
        SearchMethod::Exact => ("exact", None),
        _ => ("flat", None),
    };
    let ef = match (plan.choice, graph) {
        (SearchMethod::Hnsw { ef }, _) => Some(ef),
        // A graph that lost is measured too, for a query may ask for it by name.
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
/// When it exists and is damaged, or belongs to other vectors.
pub(crate) fn open_graph(path: &Path, set: &VectorSet) -> Result<Option<HnswGraph>, AnchorsError> {
    match crate::disk::found(path)? {
        Some(_) => Ok(Some(HnswGraph::open(path, set)?)),
        None => Ok(None),
    }
}

/// The search of `k` neighbours in `set` with this mode.
pub(crate) fn searcher<'a>(
    set: &'a VectorSet,
    graph: Option<&'a HnswGraph>,
    planned: Option<&SearchPlan>,
    mode: SearchMode,
    k: usize,
) -> PlannedSearch<'a> {
    // A plan for another number of answers scales up with it; a graph's beam does not shrink,
    // as the recall of fewer answers is not higher.
    let scaled = |count: Option<usize>, least: f64| {
        let times = k as f64 / planned?.k.max(1) as f64;
        Some((count? as f64 * times.max(least)) as usize)
    };
    let mode = match (mode, planned.map(|p| p.search.as_str())) {
        (SearchMode::Auto, Some("hnsw")) => SearchMode::Hnsw,
        (SearchMode::Auto, Some("sketch")) => SearchMode::Sketch,
        (SearchMode::Auto, Some("exact")) => SearchMode::Exact,
        // Plans of newer programs may name a search that this one lacks.
        (SearchMode::Auto, _) => SearchMode::Flat,
        (mode, _) => mode,
    };
    match (mode, graph) {
        (SearchMode::Exact, _) => PlannedSearch::Exact(set),
        (SearchMode::Hnsw, Some(graph)) => {
            let ef = scaled(planned.and_then(|p| p.ef), 1.0);
            PlannedSearch::Hnsw(
                HnswSearch::new(set, graph).ef(ef.unwrap_or(k.saturating_mul(UNPLANNED))),
            )
        }
        (SearchMode::Sketch, _) => {
            SketchSearch::new(set).map_or(PlannedSearch::Flat(FlatSearch::new(set)), |sketch| {
                let candidates = scaled(planned.and_then(|p| p.candidates), 0.0);
                // The default: as many as real embeddings need for a recall of 0.99, and some more.
                PlannedSearch::Sketch(sketch.candidates(candidates.unwrap_or(k.saturating_mul(6))))
            })
        }
        _ => PlannedSearch::Flat(FlatSearch::new(set)),
    }
}
