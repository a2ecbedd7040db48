//! `asif bench`.

use std::path::PathBuf;

use asif_index::bench::{BenchInput, BenchOptions, BenchReport, IndexKind, run as measure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::context::CommandContext;
use crate::errors::exit::UsageError;
use crate::options::args::MAX_THREADS;
use crate::output::format;

/// Measure components on this machine.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    /// Benchmark the vector index on any vectors: recall, single queries, batches, building, opening.
    ///
    /// Recall is the share of the exact answers (in 32-bit arithmetic, over all vectors) that the
    /// index finds. Queries are timed one at a time on one thread, batches on all.
    Index(IndexArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif bench index --vectors anchors.npy --queries images.npy --k 800 --json
  asif bench index --generate 100000,384 --index hnsw --recall 0.98")]
struct IndexArgs {
    /// The vectors, an .npy file of f32 [n, dim].
    #[arg(long, env = "ASIF_VECTORS", value_name = "F.npy", requires = "queries")]
    vectors: Option<PathBuf>,

    /// The queries, an .npy file of f32 [queries, dim].
    #[arg(long, env = "ASIF_QUERIES", value_name = "Q.npy", requires = "vectors")]
    queries: Option<PathBuf>,

    /// Generate N synthetic vectors of dimension D in clusters instead; the result says so.
    #[arg(
        long,
        env = "ASIF_GENERATE",
        value_name = "N,D",
        value_parser = pair,
        conflicts_with = "vectors",
        required_unless_present = "vectors"
    )]
    generate: Option<(usize, usize)>,

    /// Nearest neighbours per query.
    #[arg(long, env = "ASIF_K", default_value_t = 800, value_name = "N")]
    k: usize,

    /// The index kind.
    #[arg(long, env = "ASIF_INDEX_KIND", value_enum, default_value_t = IndexKindArg::Auto)]
    index: IndexKindArg,

    /// The recall to reach.
    #[arg(
        long,
        env = "ASIF_RECALL",
        default_value_t = 0.98,
        value_name = "SHARE"
    )]
    recall: f64,

    /// Threads for builds and batches [default: all cores].
    #[arg(long, env = "ASIF_THREADS", value_name = "N", value_parser = threads)]
    threads: Option<usize>,

    /// Queries per batch.
    #[arg(long, env = "ASIF_BATCH", default_value_t = 256, value_name = "B")]
    batch: usize,

    /// Rounds over all queries.
    #[arg(long, env = "ASIF_ROUNDS", default_value_t = 5, value_name = "N")]
    rounds: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IndexKindArg {
    /// A scan of all vectors in 32-bit floating point: exact.
    Exact,
    /// A scan of 8-bit codes; the best candidates are rescored.
    Flat,
    /// A scan of 1-bit sketches; the best candidates are rescored with 8-bit codes and then with 32-bit floats.
    Sketch,
    /// The graph (HNSW).
    Hnsw,
    /// The planner's choice for this size and machine.
    Auto,
}

fn threads(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|n| (1..=MAX_THREADS).contains(n));
    count.ok_or_else(|| format!("{text:?} is not a whole number from 1 to {MAX_THREADS}"))
}

/// The generated vectors must fit into free memory twice, as floats and as an index: otherwise the
/// allocation fails, or the system kills the process.
fn check_memory(n: usize, dim: usize) -> anyhow::Result<()> {
    let needed = (n as u64).saturating_mul(dim as u64).saturating_mul(2 * 4);
    match free_memory() {
        Some(free) if needed > free => Err(UsageError(format!(
            "--generate {n},{dim}: takes {} MB of memory, and {} MB are free; draw fewer",
            needed / 1_000_000,
            free / 1_000_000
        ))
        .into()),
        _ => Ok(()),
    }
}

/// Bytes of memory that are available to programs, where the system reports them.
fn free_memory() -> Option<u64> {
    let told = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = told.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn pair(text: &str) -> Result<(usize, usize), String> {
    let parsed = text
        .split_once(',')
        .and_then(|(n, d)| Some((n.trim().parse().ok()?, d.trim().parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is not two whole numbers such as 100000,384"))
}

pub fn run(args: &BenchArgs, context: &CommandContext) -> anyhow::Result<()> {
    let BenchCommand::Index(args) = &args.command;
    let folder = tempfile::tempdir()?;
    let input = match (&args.vectors, &args.queries, args.generate) {
        (Some(vectors), Some(queries), _) => BenchInput::Files {
            vectors: vectors.clone(),
            queries: queries.clone(),
        },
        (_, _, generate) => {
            let (n, dim) = generate.expect("clap asks for it where no files are given");
            check_memory(n, dim)?;
            BenchInput::Generate { n, dim }
        }
    };
    let synthetic = matches!(input, BenchInput::Generate { .. });
    let mut options = BenchOptions::new(input, folder.path());
    options.k = args.k;
    options.recall = args.recall;
    options.batch = args.batch;
    options.rounds = args.rounds;
    options.index = match args.index {
        IndexKindArg::Exact => IndexKind::Exact,
        IndexKindArg::Flat => IndexKind::Flat,
        IndexKindArg::Sketch => IndexKind::Sketch,
        IndexKindArg::Hnsw => IndexKind::Hnsw,
        IndexKindArg::Auto => IndexKind::Auto,
    };
    if let Some(threads) = args.threads {
        options.threads = threads;
    }
    let report = measure(&options)?;
    if context.json {
        return context.print_json(&json!({
            "n": report.n,
            "dim": report.dim,
            "k": report.k,
            "index": report.index,
            "ef": report.ef,
            "candidates": report.candidates,
            "recall": report.recall,
            "query_ms": {"p50": report.query_ms_p50, "p99": report.query_ms_p99},
            "qps": report.qps,
            "build_s": report.build_s,
            "file_bytes": report.file_bytes,
            "open_ms": report.open_ms,
            "rss_bytes": report.rss_bytes,
            "rss_anon_bytes": report.rss_anon_bytes,
            "threads": options.threads,
            "batch": options.batch,
            "synthetic": synthetic,
            "plan": report.plan,
        }));
    }
    context.print(table(&report, &options, synthetic))
}

fn table(report: &BenchReport, options: &BenchOptions, synthetic: bool) -> String {
    let drawn = if synthetic { ", synthetic" } else { "" };
    let mut rows = vec![
        (
            "vectors",
            format!("{} x {}{drawn}", format::count(report.n as u64), report.dim),
        ),
        (
            "index",
            match (report.ef, report.candidates) {
                (Some(ef), _) => format!("{}, ef {ef}", report.index),
                (_, Some(count)) => format!("{}, {count} candidates", report.index),
                (None, None) => report.index.to_owned(),
            },
        ),
        ("recall", format!("{:.4} at k {}", report.recall, report.k)),
        (
            "one query",
            format!(
                "{:.3} ms median, {:.3} ms p99, one thread",
                report.query_ms_p50, report.query_ms_p99
            ),
        ),
        (
            "batches",
            format!(
                "{:.0} queries/s in batches of {} on {} threads",
                report.qps, options.batch, options.threads
            ),
        ),
        ("build", format!("{:.2} s", report.build_s)),
        ("on disk", format::bytes(report.file_bytes)),
        ("open", format!("{:.2} ms", report.open_ms)),
        (
            "memory",
            format!(
                "{} resident, {} of it not page cache",
                format::bytes(report.rss_bytes),
                format::bytes(report.rss_anon_bytes)
            ),
        ),
    ];
    if let Some(plan) = &report.plan {
        rows.push(("plan", plan.clone()));
    }
    format::facts(&rows)
}
