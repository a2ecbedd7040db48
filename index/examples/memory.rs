//! Memory beyond the page cache while searching, in a process that does nothing else.
//!
//! `memory build VECTORS.npy FOLDER` writes a set and its graph; `memory search FOLDER K` opens them
//! and searches with the set's own rows as queries, and prints a line of JSON a phase: the largest
//! anonymous memory that a sampling thread saw, in bytes and in bytes a vector.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use asif_index::bench::{ProcessMemory, read_npy};
use asif_index::{
    BatchBuilder, FlatSearch, HnswGraph, HnswSearch, VectorOptions, VectorQuery, VectorSearch,
    VectorSet, VectorSetWriter, write_graph,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The interval between two samples of the memory.
const PAUSE: Duration = Duration::from_millis(1);
/// Queries one at a time, and of a batch.
const SINGLE: usize = 200;
const BATCH: usize = 256;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build_global()?;
    match words[..] {
        ["build", vectors, folder] => build(vectors.as_ref(), folder.as_ref()),
        ["search", folder, k] => search(folder.as_ref(), k.parse()?),
        _ => Err("memory build VECTORS.npy FOLDER | memory search FOLDER K".into()),
    }
}

fn build(vectors: &Path, folder: &Path) -> Result<()> {
    let vectors = read_npy(vectors)?;
    let path = folder.join("memory.vec");
    let mut writer = VectorSetWriter::create(&path, vectors.dim, VectorOptions::default())?;
    writer.push_rows(&vectors.data)?;
    writer.finish()?;
    drop(vectors);
    let set = VectorSet::open(&path)?;
    write_graph(folder.join("memory.graph"), &set, &BatchBuilder::default())?;
    Ok(())
}

fn search(folder: &Path, k: usize) -> Result<()> {
    let set = VectorSet::open(folder.join("memory.vec"))?;
    let graph = HnswGraph::open(folder.join("memory.graph"), &set)?;
    let report = |phase: &str, bytes: u64| {
        let each = bytes as f64 / set.len().max(1) as f64;
        println!(
            "{{\"phase\": \"{phase}\", \"n\": {}, \"rss_anon_bytes\": {bytes}, \"a_vector\": {each:.2}}}",
            set.len()
        );
    };
    report("open", ProcessMemory::now().anonymous);
    let step = (set.len() / BATCH).max(1);
    let rows = (0..set.len()).step_by(step);
    let queries: Vec<VectorQuery<'_>> = rows.map(|row| VectorQuery::new(set.vector(row))).collect();
    let (flat, hnsw) = (FlatSearch::new(&set), HnswSearch::new(&set, &graph));
    for (name, searcher) in [
        ("exact", &set as &dyn VectorSearch),
        ("scan", &flat),
        ("graph", &hnsw),
    ] {
        let single = || -> Result<()> {
            for query in queries.iter().take(SINGLE) {
                std::hint::black_box(searcher.search(query, k)?);
            }
            Ok(())
        };
        let batch = || -> Result<()> {
            std::hint::black_box(searcher.search_batch(&queries, k)?);
            Ok(())
        };
        report(&format!("{name}, one at a time"), peak(single)?);
        report(&format!("{name}, a batch"), peak(batch)?);
    }
    Ok(())
}

/// The largest anonymous memory seen while `work` runs.
fn peak(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let (most, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(ProcessMemory::now().anonymous, Ordering::Relaxed);
                std::thread::sleep(PAUSE);
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })?;
    Ok(most.into_inner())
}
