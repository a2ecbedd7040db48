//! Graphs that were damaged or forged: a typed error, or an answer; never a crash or a hang.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where it fails"
)]

mod forge;

use std::sync::LazyLock;

use asif_index::{
    BatchBuilder, Error, HnswGraph, HnswSearch, VectorOptions, VectorQuery, VectorSearch,
    VectorSet, VectorSetWriter, write_graph,
};
use forge::{cuts, forged, moved, sections};

const ROWS: usize = 1500;
const DIM: usize = 12;

static GOOD: LazyLock<(VectorSet, Vec<u8>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let mut writer = VectorSetWriter::create(&path, DIM, VectorOptions::default()).unwrap();
    let rows: Vec<f32> = (0..ROWS * DIM)
        .map(|i| ((i * i * 37 + i * 11) % 1009) as f32 / 500.0 - 1.0)
        .collect();
    writer.push_rows(&rows).unwrap();
    writer.finish().unwrap();
    let set = VectorSet::open(&path).unwrap();
    let path = folder.path().join("graph");
    write_graph(&path, &set, &BatchBuilder::default()).unwrap();
    (set, fs_err::read(&path).unwrap())
});

/// Opens and searches; the answers must be complete if there are any.
fn use_it(bytes: &[u8]) -> Result<HnswGraph, Error> {
    let (set, _) = &*GOOD;
    let graph = HnswGraph::from_bytes("hostile", bytes, set)?;
    for id in [0, 700] {
        for k in [1, 20, 300] {
            let found =
                HnswSearch::new(set, &graph).search(&VectorQuery::new(set.vector(id)), k)?;
            assert!(found.iter().all(|hit| (hit.id as usize) < ROWS));
            assert!(found.len() <= k);
        }
    }
    Ok(graph)
}

fn names_the_file(error: &Error) {
    let text = error.to_string();
    assert!(text.contains("hostile"), "no file named: {text}");
}

#[test]
fn the_good_one_is_good() {
    let (set, good) = &*GOOD;
    let report = use_it(good).unwrap().verify().unwrap();
    assert_eq!((report.nodes, report.reachable), (set.len(), set.len()));
}

#[test]
fn every_97th_byte_flipped() {
    let (_, good) = &*GOOD;
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 0x81;
        let error = use_it(&bad)
            .and_then(|graph| graph.verify())
            .expect_err("a flipped byte");
        names_the_file(&error);
    }
}

#[test]
fn truncated_at_and_around_every_border() {
    let (_, good) = &*GOOD;
    for len in cuts(good) {
        names_the_file(&use_it(&good[..len]).expect_err("a truncated file"));
    }
}

#[test]
fn counts_that_promise_too_much() {
    let (_, good) = &*GOOD;
    for nodes in [1u64 << 32, 1 << 60, u64::MAX, 1499, 0] {
        names_the_file(&use_it(&forged(good, "meta", 0, &nodes.to_le_bytes())).unwrap_err());
    }
    for at in [8, 12, 16, 20, 28] {
        for value in [0u32, 17, 513, u32::MAX] {
            let bad = forged(good, "meta", at, &value.to_le_bytes());
            names_the_file(&use_it(&bad).unwrap_err());
        }
    }
    names_the_file(&use_it(&forged(good, "meta", 24, &[0xFF; 4])).unwrap_err());
    for (name, offset, _) in sections(good) {
        for len in [0, 4, 1 << 32, 1 << 60, u64::MAX] {
            names_the_file(&use_it(&moved(good, &name, offset as u64, len)).unwrap_err());
        }
    }
}

#[test]
fn a_row_past_the_end_is_an_error_of_the_search_that_meets_it() {
    let (set, good) = &*GOOD;
    let (_, offset, _) = sections(good)
        .into_iter()
        .find(|section| section.0 == "rows")
        .unwrap();
    let row = u32::from_le_bytes(good[offset..offset + 4].try_into().unwrap());
    let bad = forged(good, "rows", 0, &(ROWS as u32).to_le_bytes());
    let graph = HnswGraph::from_bytes("hostile", &bad, set).unwrap();
    let weights = vec![0.5; ROWS];
    let query = VectorQuery::new(set.vector(row as usize));
    for query in [query, query.weights(&weights)] {
        let error = HnswSearch::new(set, &graph).search(&query, 1).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("`rows`") && error.contains("hostile"),
            "{error}"
        );
    }
}

#[test]
fn forged_links_and_codes_are_found_by_verify_and_harm_nobody_before() {
    let (_, good) = &*GOOD;
    let len_of = |name: &str| sections(good).iter().find(|s| s.0 == name).unwrap().2;
    for section in ["links", "rows", "links.1", "nodes.1"] {
        for value in [ROWS as u32, 1 << 31, u32::MAX - 1] {
            let all: Vec<u8> = std::iter::repeat_n(value.to_le_bytes(), len_of(section) / 4)
                .flatten()
                .collect();
            for bad in [
                forged(good, section, 0, &value.to_le_bytes()),
                forged(good, section, 0, &all),
            ] {
                let used = use_it(&bad).and_then(|graph| graph.verify());
                let error = used.unwrap_err();
                assert!(
                    error.to_string().contains(&format!("`{section}`")),
                    "{error}"
                );
            }
        }
        // Everything leads to the first: one row many times, or links to the node itself.
        let zeros = forged(good, section, 0, &vec![0; len_of(section)]);
        assert!(use_it(&zeros).unwrap().verify().is_err(), "{section}");
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let all: Vec<u8> = std::iter::repeat_n(value.to_le_bytes(), ROWS)
            .flatten()
            .collect();
        let error = use_it(&forged(good, "steps", 0, &all))
            .unwrap()
            .verify()
            .unwrap_err();
        assert!(error.to_string().contains("`steps`"), "{error}");
    }
    let cut_off = forged(good, "links", 0, &vec![0xFF; len_of("links")]);
    let report = use_it(&cut_off).unwrap().verify().unwrap();
    assert_eq!(report.reachable, 1, "verify reports what cannot be reached");
}
