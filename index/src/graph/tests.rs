//! The graph as a whole: built, written, opened, searched.

use std::collections::HashSet;
use std::path::PathBuf;

use super::*;
use crate::search::{IdSet, RescorePrecision, SearchHit, VectorQuery, VectorSearch};
use crate::test_vectors::{clustered, pool, set_with};
use crate::vectors::{CodeCenter, VectorOptions, VectorSet};

const DIM: usize = 48;

fn set(n: usize) -> VectorSet {
    set_with(&clustered(n, DIM, 11), DIM, VectorOptions::default())
}

fn graph_of(set: &VectorSet, builder: &dyn GraphBuilder) -> HnswGraph {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph");
    write_graph(&path, set, builder).unwrap();
    HnswGraph::open(&path, set).unwrap()
}

fn recall(found: &[SearchHit], exact: &[SearchHit]) -> f64 {
    let ids: HashSet<u32> = exact.iter().map(|h| h.id).collect();
    found.iter().filter(|h| ids.contains(&h.id)).count() as f64 / exact.len().max(1) as f64
}

fn mean_recall(set: &VectorSet, searcher: &dyn VectorSearch, k: usize) -> f64 {
    let vectors = clustered(40, DIM, 12);
    let queries: Vec<VectorQuery<'_>> = vectors.chunks(DIM).map(VectorQuery::new).collect();
    let exact = set.search_batch(&queries, k).unwrap();
    let found = searcher.search_batch(&queries, k).unwrap();
    for (query, found) in queries.iter().zip(&found) {
        assert_eq!(
            &searcher.search(query, k).unwrap(),
            found,
            "one and batch differ"
        );
        let fewer = searcher.search(&query.at_most(3), k).unwrap();
        assert_eq!(
            fewer,
            found[..3.min(found.len())],
            "the best are the best of more"
        );
    }
    let sum: f64 = found.iter().zip(&exact).map(|(f, e)| recall(f, e)).sum();
    sum / queries.len() as f64
}

#[test]
fn the_batch_builder_makes_a_graph_that_finds() {
    let set = set(12_000);
    let graph = graph_of(&set, &BatchBuilder::default());
    let report = graph.verify().unwrap();
    assert_eq!((report.nodes, report.reachable), (12_000, 12_000));
    assert!(graph.upper_layers().count() >= 1);
    for (k, ef, least) in [(10, 64, 0.95), (100, 200, 0.97), (400, 600, 0.98)] {
        let searcher = HnswSearch::new(&set, &graph).ef(ef);
        let found = mean_recall(&set, &searcher, k);
        assert!(found >= least, "recall {found} at k {k}, ef {ef}");
        let by_codes = mean_recall(&set, &searcher.rescore(RescorePrecision::Codes), k);
        assert!(
            by_codes >= least - 0.03,
            "recall {by_codes} by codes at k {k}, ef {ef}"
        );
    }
}

#[test]
fn neither_threads_nor_chance_show_in_the_file() {
    let set = set(5000);
    let folder = tempfile::tempdir().unwrap();
    let write = |threads: usize, seed: u64| {
        let path: PathBuf = folder.path().join(format!("{threads}-{seed}"));
        let pool = pool(threads);
        let builder = BatchBuilder {
            seed,
            ..BatchBuilder::default()
        };
        pool.install(|| write_graph(&path, &set, &builder)).unwrap();
        fs_err::read(&path).unwrap()
    };
    let one = write(1, 7);
    assert_eq!(one, write(2, 7));
    assert_eq!(one, write(5, 7));
    assert_ne!(one, write(2, 8));
}

#[test]
fn any_size_any_k_and_equal_or_empty_vectors_are_answered_in_full() {
    for n in [0, 1, 2, 3, 25, 300, 3000] {
        for equal in [false, true] {
            let rows = if equal {
                vec![0.0; n * DIM]
            } else {
                clustered(n, DIM, 13)
            };
            let set = set_with(&rows, DIM, VectorOptions::default());
            let graph = graph_of(&set, &BatchBuilder::default());
            assert_eq!(graph.verify().unwrap().reachable, n);
            let vector = clustered(1, DIM, 14);
            for k in [0, 1, 10, 299, 3000, usize::MAX] {
                for ef in [1, 50] {
                    let searcher = HnswSearch::new(&set, &graph).ef(ef);
                    let found = searcher.search(&VectorQuery::new(&vector), k).unwrap();
                    assert_eq!(found.len(), k.min(n), "{n} vectors, k {k}");
                    let ids: HashSet<u32> = found.iter().map(|h| h.id).collect();
                    assert_eq!(ids.len(), found.len(), "an id twice");
                }
            }
        }
    }
}

#[test]
fn a_filter_weights_and_a_centre_are_honoured() {
    let rows: Vec<f32> = clustered(8000, DIM, 15)
        .into_iter()
        .map(|v| v + 0.3)
        .collect();
    let set = set_with(
        &rows,
        DIM,
        VectorOptions::default().center(CodeCenter::Mean),
    );
    let graph = graph_of(&set, &BatchBuilder::default());
    let mean = set.center().unwrap();
    let weights: Vec<f32> = rows
        .chunks(DIM)
        .map(|row| {
            1.0 / row
                .iter()
                .zip(mean)
                .map(|(a, m)| (a - m).powi(2))
                .sum::<f32>()
                .sqrt()
        })
        .collect();
    for every in [1, 2, 5, 20, 500] {
        let mut allowed = IdSet::none(set.len());
        for id in (0..set.len()).step_by(every) {
            allowed.insert(id);
        }
        let mut sum = 0.0;
        let vectors = clustered(20, DIM, 16);
        for vector in vectors.chunks(DIM) {
            let product: f32 = vector.iter().zip(mean).map(|(v, m)| v * m).sum();
            let query = VectorQuery::new(vector)
                .bias(-product)
                .weights(&weights)
                .allowed(&allowed);
            let found = HnswSearch::new(&set, &graph).search(&query, 100).unwrap();
            assert_eq!(found.len(), 100.min(allowed.count()));
            assert!(found.iter().all(|h| allowed.contains(h.id as usize)));
            sum += recall(&found, &set.search(&query, 100).unwrap());
        }
        assert!(
            sum / 20.0 >= 0.95,
            "recall {} with one in {every} allowed",
            sum / 20.0
        );
    }
}

#[test]
fn a_graph_of_another_set_and_options_without_sense_are_refused() {
    let (set, other) = (
        set(300),
        set_with(&clustered(300, DIM, 17), DIM, Default::default()),
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graph");
    write_graph(&path, &set, &BatchBuilder::default()).unwrap();
    let error = HnswGraph::open(&path, &other).unwrap_err().to_string();
    assert!(error.contains("build the graph again"), "{error}");
    for builder in [
        BatchBuilder {
            m: 3,
            ..Default::default()
        },
        BatchBuilder {
            fan: 0,
            ..Default::default()
        },
        BatchBuilder {
            per_part: 0,
            ..Default::default()
        },
        BatchBuilder {
            keep: 31,
            ..Default::default()
        },
    ] {
        assert!(write_graph(&path, &set, &builder).is_err(), "{builder:?}");
    }
    HnswGraph::open(&path, &set).unwrap().verify().unwrap();
}

#[test]
fn readers_are_not_disturbed_by_builds() {
    let set = set(3000);
    let graph = graph_of(&set, &BatchBuilder::default());
    let vectors = clustered(50, DIM, 18);
    let searcher = HnswSearch::new(&set, &graph).ef(100);
    let expected: Vec<Vec<SearchHit>> = vectors
        .chunks(DIM)
        .map(|v| searcher.search(&VectorQuery::new(v), 20).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    for (vector, expected) in vectors.chunks(DIM).zip(&expected) {
                        let found = searcher.search(&VectorQuery::new(vector), 20).unwrap();
                        assert_eq!(&found, expected);
                    }
                }
            });
        }
        for seed in 0..2 {
            let other = set_with(&clustered(2000, DIM, seed), DIM, VectorOptions::default());
            graph_of(&other, &BatchBuilder::default()).verify().unwrap();
        }
    });
}
