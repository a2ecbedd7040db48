//! What is done with a file of any bytes: the body of the fuzz targets in `fuzz/`, and of the plain
//! test that replays their corpus. Panics where an answer is not what it must be.

use std::sync::LazyLock;

use asif_index::{
    BatchBuilder, Error, FlatSearch, HnswGraph, HnswSearch, IdSet, RescorePrecision, SearchHit,
    VectorOptions, VectorQuery, VectorSearch, VectorSet, VectorSetWriter, write_graph,
};
use xxhash_rust::xxh3::xxh3_64;

/// Length of a file's first page.
const PAGE: usize = 4096;
/// Answers asked for: one, some, and more than small files hold.
const KS: [usize; 3] = [1, 17, 300];
/// Rows and dim of the set that the graphs are over: enough for two upper layers at `m` 4.
const ROWS: usize = 160;
const DIM: usize = 9;

/// A good vector set, with and without the sections that a set may have.
pub fn good_set(rows: usize, halves: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("set");
    let options = VectorOptions::default().halves(halves);
    let mut writer = VectorSetWriter::create(&path, DIM, options).expect("a set begins");
    let numbers: Vec<f32> = (0..rows * DIM)
        .map(|i| ((i * i) % 97) as f32 - 48.0)
        .collect();
    writer.push_rows(&numbers).expect("rows are written");
    writer.finish().expect("a set ends");
    fs_err::read(&path).expect("a set is read")
}

static SET: LazyLock<VectorSet> = LazyLock::new(|| {
    VectorSet::from_bytes("set", &good_set(ROWS, true)).expect("a good set opens")
});

/// A good graph over the set that [`graph_file`] uses.
pub fn good_graph() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("graph");
    let mut builder = BatchBuilder::default();
    builder.m = 4;
    write_graph(&path, &SET, &builder).expect("a graph is written");
    fs_err::read(&path).expect("a graph is read")
}

/// Opens the bytes as a vector set, as they are and with their checksums made right; searches and
/// verifies. Returns how many of the two opened.
pub fn vector_file(bytes: &[u8]) -> usize {
    let resealed = resealed(bytes);
    let files = [Some(bytes), resealed.as_deref()].into_iter().flatten();
    let sets: Vec<VectorSet> = files
        .filter_map(|bytes| VectorSet::from_bytes("fuzz", bytes).ok())
        .collect();
    for set in &sets {
        let vector = vec![0.5f32; set.dim()];
        let flat = FlatSearch::new(set);
        let halves = flat.rescore(RescorePrecision::Halves);
        let codes = flat.rescore(RescorePrecision::Codes);
        for searcher in [set as &dyn VectorSearch, &flat, &halves, &codes] {
            ask(searcher, &vector, true);
        }
        // A damaged file may verify: its checksums were made right. It must not panic.
        let _ = set.verify();
    }
    sets.len()
}

/// The same for a graph over a good set.
pub fn graph_file(bytes: &[u8]) -> usize {
    let resealed = resealed(bytes);
    let files = [Some(bytes), resealed.as_deref()].into_iter().flatten();
    let graphs: Vec<HnswGraph> = files
        .filter_map(|bytes| HnswGraph::from_bytes("fuzz", bytes, &SET).ok())
        .collect();
    for graph in &graphs {
        let hnsw = HnswSearch::new(&SET, graph);
        let wide = hnsw.ef(10);
        let codes = hnsw.rescore(RescorePrecision::Codes);
        for searcher in [&hnsw, &wide, &codes] {
            ask(searcher, SET.vector(7), false);
        }
        // Whatever it says, it must come to an end.
        let _ = graph.verify();
    }
    graphs.len()
}

/// Asks in every way; `all`: there must be as many answers as there can be, else damage may be found.
fn ask(searcher: &dyn VectorSearch, vector: &[f32], all: bool) {
    let n = searcher.len();
    let mut allowed = IdSet::all(n);
    for id in (0..n).step_by(3) {
        allowed.remove(id);
    }
    let weights = vec![0.25; n];
    let plain = VectorQuery::new(vector);
    let some = plain.allowed(&allowed);
    let weighted = plain.weights(&weights).bias(-1.0);
    for k in KS {
        let mut singles = Vec::new();
        for (query, most) in [(plain, n), (some, n - n.div_ceil(3)), (weighted, n)] {
            match searcher.search(&query, k) {
                Ok(hits) => {
                    check(&hits, n, k.min(most), all);
                    singles.push(hits);
                }
                Err(error) => assert!(
                    !all && matches!(error, Error::Section { .. }),
                    "a query that fits: {error}"
                ),
            }
        }
        let batch = searcher.search_batch(&[plain, some, weighted], k);
        if singles.len() < 3 {
            assert!(batch.is_err(), "a batch fails with any of its queries");
            continue;
        }
        for (one, other) in singles.iter().zip(&batch.expect("queries that fit")) {
            assert_eq!(one.len(), other.len());
            // To the bit: a NaN is not equal to itself.
            let same = |(a, b): (&SearchHit, &SearchHit)| {
                a.id == b.id && a.score.to_bits() == b.score.to_bits()
            };
            assert!(one.iter().zip(other).all(same));
        }
    }
}

fn check(hits: &[SearchHit], n: usize, most: usize, all: bool) {
    assert!(hits.len() <= most && (!all || hits.len() == most));
    assert!(hits.iter().all(|hit| (hit.id as usize) < n));
}

/// A copy with the checksums of the first page and of each section that lies in the file made
/// right, so that what is behind them is reached; `None` for less than a page.
fn resealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let number = |bytes: &[u8], at: usize| {
        let bytes: [u8; 8] = bytes[at..at + 8].try_into().expect("eight bytes");
        u64::from_le_bytes(bytes)
    };
    if bytes.len() < PAGE {
        return None;
    }
    for at in (64..PAGE).step_by(32) {
        let (offset, len) = (number(&bytes, at + 8), number(&bytes, at + 16));
        let end = offset.checked_add(len).filter(|&e| e <= bytes.len() as u64);
        if let Some(end) = end.filter(|_| len > 0) {
            let sum = xxh3_64(&bytes[offset as usize..end as usize]).to_le_bytes();
            bytes[at + 24..at + 32].copy_from_slice(&sum);
        }
    }
    bytes[32..40].fill(0);
    let sum = xxh3_64(&bytes[..PAGE]).to_le_bytes();
    bytes[32..40].copy_from_slice(&sum);
    Some(bytes)
}
