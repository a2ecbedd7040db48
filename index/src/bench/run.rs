//! Builds an index over given vectors, searches it, and compares with the exact answers.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::input::load;
use super::memory::ProcessMemory;
use super::npy::NpyMatrix;
use super::options::{BenchOptions, IndexKind, argument};
use crate::error::Result;
use crate::graph::{BatchBuilder, HnswGraph, HnswSearch, write_graph};
use crate::plan::{MachineCosts, PlanTarget, PlannedSearch, plan};
use crate::search::{FlatSearch, SearchHit, SketchSearch, VectorQuery, VectorSearch};
use crate::vectors::{SketchPolicy, VectorOptions, VectorSet, VectorSetWriter};

/// Values of ef, as multiples of k, that are tried until the wanted recall is reached.
const EF_STEPS: [f64; 10] = [0.84, 0.92, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0, 5.0, 8.0];
/// Candidates of a sketch, as multiples of k, that are tried likewise.
const CANDIDATE_STEPS: [f64; 12] = [
    1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 9.0, 14.0, 20.0, 30.0,
];

/// The result of a benchmark.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BenchReport {
    /// The number of vectors.
    pub n: usize,
    /// Their dimension.
    pub dim: usize,
    /// Answers a query.
    pub k: usize,
    /// What was searched: `exact`, `flat`, `sketch` or `hnsw`.
    pub index: &'static str,
    /// The beam of a graph search.
    pub ef: Option<usize>,
    /// The candidates of a sketch.
    pub candidates: Option<usize>,
    /// The share of the exact answers that were found, over all queries.
    pub recall: f64,
    /// Median time of one query on one thread, milliseconds.
    pub query_ms_p50: f64,
    /// The 99th percentile of the same.
    pub query_ms_p99: f64,
    /// Queries a second in batches on all threads.
    pub qps: f64,
    /// Seconds from f32 rows in memory to all files that are searched, on disk.
    pub build_s: f64,
    /// Bytes of these files.
    pub file_bytes: u64,
    /// Milliseconds to open them.
    pub open_ms: f64,
    /// Resident memory of the process after the searches, mapped pages of the files included; 0 if the system
    /// does not report it.
    pub rss_bytes: u64,
    /// The part of these that is not page cache. It includes memory that building left with the
    /// allocator, and the exact answers; `examples/memory.rs` measures a process that only searches.
    pub rss_anon_bytes: u64,
    /// The reason for this index, if the planner chose it.
    pub plan: Option<String>,
}

/// Runs a benchmark.
///
/// # Errors
/// [`Error::Argument`](crate::Error::Argument) when an option is invalid or vectors and queries do not match,
/// and all errors of reading, writing and searching.
pub fn run(options: &BenchOptions) -> Result<BenchReport> {
    let (vectors, queries) = load(&options.input)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|error| {
            argument(
                "threads",
                "a number the system can start",
                &error.to_string(),
            )
        })?;
    // Without a round or a query there is no time to report.
    if options.k == 0 || options.batch == 0 || options.rounds == 0 {
        return Err(argument("k, batch and rounds", "at least 1", "0"));
    }
    pool.install(|| measure(options, vectors, &queries))
}

fn measure(options: &BenchOptions, vectors: NpyMatrix, queries: &NpyMatrix) -> Result<BenchReport> {
    let files = BenchFiles::in_folder(&options.folder);
    let began = Instant::now();
    let sketches = match options.index {
        IndexKind::Sketch => SketchPolicy::Always,
        IndexKind::Auto => SketchPolicy::Auto,
        IndexKind::Exact | IndexKind::Flat | IndexKind::Hnsw => SketchPolicy::Never,
    };
    let vector_options = VectorOptions::default().sketches(sketches);
    let mut writer = VectorSetWriter::create(&files.set, vectors.dim, vector_options)?;
    writer.push_rows(&vectors.data)?;
    let mut file_bytes = writer.finish()?.file_bytes;
    let mut build_s = began.elapsed().as_secs_f64();
    // Freed before the measurement, since its pages would count as memory of the search.
    drop(vectors);

    let began = Instant::now();
    let set = VectorSet::open(&files.set)?;
    let mut open_ms = began.elapsed().as_secs_f64() * 1e3;
    let queries: Vec<VectorQuery<'_>> = queries
        .data
        .chunks_exact(queries.dim)
        .map(VectorQuery::new)
        .collect();
    // The answers that recall is counted against.
    let exact = set.search_batch(&queries, options.k)?;

    let (n, dim) = (set.len(), set.dim());
    let wants_graph = match options.index {
        IndexKind::Hnsw => true,
        IndexKind::Auto => {
            options.recall < 1.0 && MachineCosts::calibrate().graph_pays(n, dim, options.k).0
        }
        IndexKind::Exact | IndexKind::Flat | IndexKind::Sketch => false,
    };
    let mut graph = None;
    if wants_graph {
        let began = Instant::now();
        file_bytes += write_graph(&files.graph, &set, &BatchBuilder::default())?.file_bytes;
        build_s += began.elapsed().as_secs_f64();
        let began = Instant::now();
        graph = Some(HnswGraph::open(&files.graph, &set)?);
        open_ms += began.elapsed().as_secs_f64() * 1e3;
    }
    let (searcher, plan) = pick(options, &set, graph.as_ref(), &queries, &exact)?;
    let (name, ef, candidates) = match searcher {
        PlannedSearch::Exact(_) => ("exact", None, None),
        PlannedSearch::Flat(_) => ("flat", None, None),
        PlannedSearch::Sketch(sketch) => ("sketch", None, sketch.wanted_candidates()),
        PlannedSearch::Hnsw(hnsw) => ("hnsw", hnsw.wanted_ef(), None),
    };

    // Found once for the recall; this also warms the caches before the times are taken.
    let found = searcher.search_batch(&queries, options.k)?;
    let mut times = Vec::with_capacity(options.rounds * queries.len());
    for _ in 0..options.rounds {
        for query in &queries {
            let began = Instant::now();
            // `black_box`, or a result that nobody uses could be optimised away.
            std::hint::black_box(searcher.search(query, options.k)?);
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let batch: Vec<VectorQuery<'_>> = queries
        .iter()
        .cycle()
        .take(options.batch)
        .copied()
        .collect();
    let began = Instant::now();
    for _ in 0..options.rounds {
        std::hint::black_box(searcher.search_batch(&batch, options.k)?);
    }
    let qps = (options.rounds * batch.len()) as f64 / began.elapsed().as_secs_f64();
    let memory = ProcessMemory::now();
    Ok(BenchReport {
        n,
        dim,
        k: options.k,
        index: name,
        ef,
        candidates,
        recall: recall(&found, &exact),
        query_ms_p50: percentile(&times, 0.5),
        query_ms_p99: percentile(&times, 0.99),
        qps,
        build_s,
        file_bytes,
        open_ms,
        rss_bytes: memory.resident,
        rss_anon_bytes: memory.anonymous,
        plan,
    })
}

/// The search that the options ask for, or the planner's choice.
fn pick<'a>(
    options: &BenchOptions,
    set: &'a VectorSet,
    graph: Option<&'a HnswGraph>,
    queries: &[VectorQuery<'_>],
    exact: &[Vec<SearchHit>],
) -> Result<(PlannedSearch<'a>, Option<String>)> {
    let k = options.k;
    match (options.index, graph) {
        (IndexKind::Exact, _) => Ok((PlannedSearch::Exact(set), None)),
        (IndexKind::Auto, _) => {
            let plan = plan(set, graph, PlanTarget::new(k).recall(options.recall))?;
            Ok((plan.searcher(set, graph), Some(plan.reason)))
        }
        (IndexKind::Hnsw, Some(graph)) => {
            let mut hnsw = HnswSearch::new(set, graph);
            for step in EF_STEPS {
                hnsw = hnsw.ef((k as f64 * step) as usize);
                if recall(&hnsw.search_batch(queries, k)?, exact) >= options.recall {
                    break;
                }
            }
            Ok((PlannedSearch::Hnsw(hnsw), None))
        }
        (IndexKind::Sketch, _) => {
            let mut sketch = SketchSearch::new(set)?;
            for step in CANDIDATE_STEPS {
                sketch = sketch.candidates((k as f64 * step) as usize);
                if recall(&sketch.search_batch(queries, k)?, exact) >= options.recall {
                    break;
                }
            }
            Ok((PlannedSearch::Sketch(sketch), None))
        }
        (IndexKind::Flat | IndexKind::Hnsw, _) => {
            Ok((PlannedSearch::Flat(FlatSearch::new(set)), None))
        }
    }
}

/// The files of one run, removed when it ends.
struct BenchFiles {
    set: PathBuf,
    graph: PathBuf,
}

impl BenchFiles {
    fn in_folder(folder: &Path) -> Self {
        let id = std::process::id();
        Self {
            set: folder.join(format!("bench-{id}.vec")),
            graph: folder.join(format!("bench-{id}.graph")),
        }
    }
}

impl Drop for BenchFiles {
    fn drop(&mut self) {
        for path in [&self.set, &self.graph] {
            // Fails if the file was never written, which is fine.
            let _ = fs_err::remove_file(path);
        }
    }
}

fn recall(found: &[Vec<SearchHit>], exact: &[Vec<SearchHit>]) -> f64 {
    let (mut hit, mut all) = (0, 0);
    for (found, exact) in found.iter().zip(exact) {
        let ids: HashSet<u32> = exact.iter().map(|h| h.id).collect();
        hit += found.iter().filter(|h| ids.contains(&h.id)).count();
        all += exact.len();
    }
    hit as f64 / all.max(1) as f64
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    let at = at.min(sorted.len().saturating_sub(1));
    let found = sorted.get(at).copied();
    found.expect("a run has one round and one query at least")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::BenchInput;

    #[test]
    fn every_index_is_measured_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        for (index, name) in [
            (IndexKind::Exact, "exact"),
            (IndexKind::Flat, "flat"),
            (IndexKind::Sketch, "sketch"),
            (IndexKind::Hnsw, "hnsw"),
            (IndexKind::Auto, ""),
        ] {
            let mut options =
                BenchOptions::new(BenchInput::Generate { n: 6000, dim: 32 }, folder.path());
            (options.index, options.k, options.rounds) = (index, 50, 1);
            let report = run(&options).unwrap();
            assert!(name.is_empty() || report.index == name, "{report:?}");
            assert_eq!(report.plan.is_some(), name.is_empty());
            assert_eq!(report.candidates.is_some(), report.index == "sketch");
            assert_eq!((report.n, report.dim), (6000, 32));
            assert!(report.recall >= 0.98, "{report:?}");
            assert!(report.query_ms_p50 > 0.0 && report.qps > 0.0 && report.file_bytes > 0);
        }
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn options_without_sense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let good = BenchOptions::new(BenchInput::Generate { n: 10, dim: 4 }, folder.path());
        for change in [
            |o: &mut BenchOptions| o.k = 0,
            |o: &mut BenchOptions| o.batch = 0,
            |o: &mut BenchOptions| o.input = BenchInput::Generate { n: 0, dim: 4 },
            |o: &mut BenchOptions| o.input = BenchInput::Generate { n: 4, dim: 0 },
        ] {
            let mut options = good.clone();
            change(&mut options);
            assert!(run(&options).is_err());
        }
    }
}
