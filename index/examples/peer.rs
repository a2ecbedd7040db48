//! Our side of `tools/peers/peers.py`: answers commands on standard input with lines of JSON.
//!
//! `peer VECTORS.npy QUERIES.npy K FOLDER [halves]`, then a command a line:
//!
//! * `build NAME`: builds flat, sketch, hnsw or (with the feature) hnsw_rs; `{"s": .., "cpu_s": .., "bytes": ..}`
//! * `answers NAME EF FILE`: all queries, one at a time (EF of a sketch: its candidates); u32 ids `[queries, k]` go to FILE
//! * `single NAME EF FIRST COUNT`: times of single queries, `{"ms": [..]}`
//! * `batch NAME EF COUNT`: queries a second of one batch
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Instant;

use asif_index::bench::read_npy;
use asif_index::{
    BatchBuilder, FlatSearch, HnswGraph, HnswSearch, RescorePrecision, SearchHit, SketchSearch,
    VectorOptions, VectorQuery, VectorSearch, VectorSet, VectorSetWriter, write_graph,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One of the things measured, under the name that the commands use.
struct Index {
    set: VectorSet,
    graph: Option<HnswGraph>,
    #[cfg(feature = "hnsw-rs")]
    peer: Option<asif_index::graph::HnswRs>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [vectors, queries, k, folder, rest @ ..] = &arguments[..] else {
        return Err("peer VECTORS.npy QUERIES.npy K FOLDER [halves]".into());
    };
    let options = VectorOptions::default().halves(rest.iter().any(|word| word == "halves"));
    let (vectors, queries) = (read_npy(vectors)?, read_npy(queries)?);
    let (k, folder) = (k.parse::<usize>()?, PathBuf::from(folder));
    rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build_global()?;
    let set_path = folder.join("peer.vec");
    let began = (Instant::now(), cpu_seconds());
    let mut writer = VectorSetWriter::create(&set_path, vectors.dim, options)?;
    writer.push_rows(&vectors.data)?;
    let mut bytes = writer.finish()?.file_bytes;
    let set_cost = (began.0.elapsed().as_secs_f64(), cpu_seconds() - began.1);
    let mut index = Index {
        set: VectorSet::open(&set_path)?,
        graph: None,
        #[cfg(feature = "hnsw-rs")]
        peer: None,
    };
    let questions: Vec<VectorQuery<'_>> = queries
        .data
        .chunks_exact(queries.dim)
        .map(VectorQuery::new)
        .collect();
    println!("{{\"rows\": {}, \"dim\": {}}}", vectors.rows(), vectors.dim);
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["build", name] => {
                let began = (Instant::now(), cpu_seconds());
                if name == "hnsw" {
                    bytes += build_graph(&mut index, &folder)?;
                }
                #[cfg(feature = "hnsw-rs")]
                if name == "hnsw_rs" {
                    index.peer = Some(asif_index::graph::HnswRs::build(&index.set, 16, 200));
                }
                let own = name != "hnsw_rs";
                let seconds = began.0.elapsed().as_secs_f64() + if own { set_cost.0 } else { 0.0 };
                let cpu = cpu_seconds() - began.1 + if own { set_cost.1 } else { 0.0 };
                println!("{{\"s\": {seconds}, \"cpu_s\": {cpu}, \"bytes\": {bytes}}}");
            }
            ["answers", name, ef, file] => {
                let mut ids = Vec::new();
                for query in &questions {
                    ids.extend(
                        search(&index, name, ef.parse()?, query, k)?
                            .iter()
                            .map(|h| h.id),
                    );
                }
                fs_err::write(file, bytemuck::cast_slice::<u32, u8>(&ids))?;
                println!("{{\"answers\": {}}}", ids.len());
            }
            ["single", name, ef, first, count] => {
                let (ef, first, count) = (ef.parse()?, first.parse::<usize>()?, count.parse()?);
                let mut times = Vec::new();
                for query in questions.iter().cycle().skip(first).take(count) {
                    let began = Instant::now();
                    std::hint::black_box(search(&index, name, ef, query, k)?);
                    times.push(began.elapsed().as_secs_f64() * 1e3);
                }
                println!("{{\"ms\": {times:?}}}");
            }
            ["batch", name, ef, count] => {
                let batch: Vec<VectorQuery<'_>> = questions
                    .iter()
                    .cycle()
                    .take(count.parse()?)
                    .copied()
                    .collect();
                let began = (Instant::now(), cpu_seconds());
                std::hint::black_box(search_batch(&index, name, ef.parse()?, &batch, k)?);
                let (wall, cpu) = (began.0.elapsed().as_secs_f64(), cpu_seconds() - began.1);
                let n = batch.len() as f64;
                println!("{{\"qps\": {}, \"qps_cpu\": {}}}", n / wall, 2.0 * n / cpu);
            }
            _ => return Err(format!("not a command: {line}").into()),
        }
    }
    Ok(())
}

fn build_graph(index: &mut Index, folder: &Path) -> Result<u64> {
    let path = folder.join("peer.graph");
    let summary = write_graph(&path, &index.set, &BatchBuilder::default())?;
    index.graph = Some(HnswGraph::open(&path, &index.set)?);
    Ok(summary.file_bytes)
}

fn search(
    index: &Index,
    name: &str,
    ef: usize,
    query: &VectorQuery<'_>,
    k: usize,
) -> Result<Vec<SearchHit>> {
    #[cfg(feature = "hnsw-rs")]
    if name == "hnsw_rs" {
        let peer = index.peer.as_ref().ok_or("build it first")?;
        return Ok(peer.search(query.vector, k, ef));
    }
    with_searcher(index, name, ef, |searcher| Ok(searcher.search(query, k)?))
}

fn search_batch(
    index: &Index,
    name: &str,
    ef: usize,
    queries: &[VectorQuery<'_>],
    k: usize,
) -> Result<Vec<Vec<SearchHit>>> {
    #[cfg(feature = "hnsw-rs")]
    if name == "hnsw_rs" {
        use rayon::prelude::*;
        let peer = index.peer.as_ref().ok_or("build it first")?;
        return Ok(queries
            .par_iter()
            .map(|q| peer.search(q.vector, k, ef))
            .collect());
    }
    with_searcher(index, name, ef, |searcher| {
        Ok(searcher.search_batch(queries, k)?)
    })
}

fn with_searcher<T>(
    index: &Index,
    name: &str,
    ef: usize,
    use_it: impl FnOnce(&dyn VectorSearch) -> Result<T>,
) -> Result<T> {
    let set = &index.set;
    let hnsw = |rescore| -> Result<HnswSearch<'_>> {
        let graph = index.graph.as_ref().ok_or("build it first")?;
        Ok(HnswSearch::new(set, graph).ef(ef).rescore(rescore))
    };
    match name {
        "exact" => use_it(set),
        "flat" => use_it(&FlatSearch::new(set)),
        "flat-halves" => use_it(&FlatSearch::new(set).rescore(RescorePrecision::Halves)),
        "flat-codes" => use_it(&FlatSearch::new(set).rescore(RescorePrecision::Codes)),
        "sketch" => use_it(&SketchSearch::new(set)?.candidates(ef)),
        "sketch-codes" => use_it(
            &SketchSearch::new(set)?
                .candidates(ef)
                .rescore(RescorePrecision::Codes),
        ),
        "hnsw" => use_it(&hnsw(RescorePrecision::Exact)?),
        "hnsw-halves" => use_it(&hnsw(RescorePrecision::Halves)?),
        "hnsw-codes" => use_it(&hnsw(RescorePrecision::Codes)?),
        _ => Err(format!("not an index: {name}").into()),
    }
}

/// Processor time of the whole process, from the kernel's ticks of a hundredth of a second.
fn cpu_seconds() -> f64 {
    let stat = fs_err::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or("");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|f| f.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}
