//! What the fuzz target does, as a plain test: thousands of damaged files, drawn from a seed.
//!
//! A fuzzer stops at the first checksum; here checksums are made right again after the damage, so
//! that every check behind them is reached.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where it fails"
)]

mod forge;
mod steps;

use asif_index::random::SplitMix64;
use asif_index::{
    BatchBuilder, Error, FlatSearch, HnswGraph, HnswSearch, RescorePrecision, SketchPolicy,
    SketchSearch, VectorOptions, VectorQuery, VectorSearch, VectorSet, VectorSetWriter,
    write_graph,
};
use forge::{cuts, forged, moved, reseal, sections};

fn good() -> (VectorSet, Vec<u8>, Vec<u8>) {
    let (rows, dim) = (400, 9);
    let folder = tempfile::tempdir().unwrap();
    let (set_path, graph_path) = (folder.path().join("set"), folder.path().join("graph"));
    let options = VectorOptions::default()
        .halves(true)
        .sketches(SketchPolicy::Always);
    let mut writer = VectorSetWriter::create(&set_path, dim, options).unwrap();
    let numbers: Vec<f32> = (0..rows * dim)
        .map(|i| ((i * i) % 97) as f32 - 48.0)
        .collect();
    writer.push_rows(&numbers).unwrap();
    writer.finish().unwrap();
    let set = VectorSet::open(&set_path).unwrap();
    write_graph(&graph_path, &set, &BatchBuilder::default()).unwrap();
    (
        set,
        fs_err::read(&set_path).unwrap(),
        fs_err::read(&graph_path).unwrap(),
    )
}

/// A few changes of the kinds that files suffer, some with right checksums.
fn damage(good: &[u8], random: &mut SplitMix64) -> Vec<u8> {
    const NUMBERS: [u64; 8] = [0, 1, 63, 64, 4096, 1 << 32, 1 << 60, u64::MAX];
    let mut bad = good.to_vec();
    for _ in 0..=random.below(3) {
        let at = match random.below(3) {
            0 => random.below(4096.min(bad.len())),
            _ => random.below(bad.len()),
        };
        let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
        match random.below(3) {
            0 => bad[at] ^= 1 << random.below(8),
            1 => bad[at] = random.below(256) as u8,
            _ => {
                let end = (at + 8).min(bad.len());
                bad[at..end].copy_from_slice(&number[..end - at]);
            }
        }
    }
    // The table must be readable for its checksums to be made right.
    let table = 12..4096;
    if random.below(4) > 0 && bad[table.clone()] == good[table] {
        reseal(&mut bad);
    } else if random.below(2) == 0 {
        let names = sections(good);
        let (name, offset, len) = &names[random.below(names.len())];
        bad = match random.below(3) {
            0 => moved(good, name, *offset as u64, NUMBERS[random.below(8)]),
            1 => moved(good, name, NUMBERS[random.below(8)], *len as u64),
            _ if *len >= 8 => forged(
                good,
                name,
                random.below(len - 7),
                &NUMBERS[random.below(8)].to_le_bytes(),
            ),
            _ => bad,
        };
    }
    let cuts = cuts(good);
    if random.below(10) == 0 {
        bad.truncate(cuts[random.below(cuts.len())]);
    }
    bad
}

#[test]
fn thousands_of_damaged_files_are_survived() {
    let (set, set_bytes, graph_bytes) = good();
    let rounds = if cfg!(miri) { 3 } else { 3000 };
    let mut random = SplitMix64::new(1);
    let (mut opened, mut verified) = (0, 0);
    for _ in 0..rounds {
        if let Ok(set) = VectorSet::from_bytes("fuzz", &damage(&set_bytes, &mut random)) {
            let vector = vec![0.5; set.dim()];
            for k in [1, 17] {
                let query = VectorQuery::new(&vector);
                assert_eq!(set.search(&query, k).unwrap().len(), k.min(set.len()));
                for rescore in [RescorePrecision::Exact, RescorePrecision::Halves] {
                    let found = FlatSearch::new(&set)
                        .rescore(rescore)
                        .search(&query, k)
                        .unwrap();
                    assert_eq!(found.len(), k.min(set.len()));
                    if let Ok(sketch) = SketchSearch::new(&set) {
                        let found = sketch.rescore(rescore).search(&query, k).unwrap();
                        assert_eq!(found.len(), k.min(set.len()));
                    }
                }
            }
            opened += 1;
            verified += usize::from(set.verify().is_ok());
        }
        let bytes = damage(&graph_bytes, &mut random);
        if let Ok(graph) = HnswGraph::from_bytes("fuzz", &bytes, &set) {
            match HnswSearch::new(&set, &graph).search(&VectorQuery::new(set.vector(7)), 17) {
                Ok(found) => {
                    assert!(found.len() <= 17);
                    assert!(found.iter().all(|hit| (hit.id as usize) < set.len()));
                }
                Err(error) => assert!(matches!(error, Error::Section { .. }), "{error}"),
            }
            opened += 1;
            verified += usize::from(graph.verify().is_ok());
        }
    }
    // The damage must be of both kinds, or the test would be about less than it says.
    assert!(opened > rounds / 10, "{opened} of {rounds} opened");
    assert!(verified < opened, "{verified} of {opened} verified");
}

/// Set `ASIF_WRITE_SEEDS` to a folder to write the fuzzer's first inputs there.
#[test]
fn the_corpus_of_the_fuzzer_is_survived() {
    if let Some(folder) = std::env::var_os("ASIF_WRITE_SEEDS") {
        let folder = std::path::PathBuf::from(folder);
        for (target, name, bytes) in [
            ("open_and_search", "good", steps::good_set(30, false)),
            ("open_and_search", "halves", steps::good_set(70, true)),
            ("open_and_search", "empty", steps::good_set(0, true)),
            ("open_graph", "good", steps::good_graph()),
        ] {
            fs_err::create_dir_all(folder.join(target)).unwrap();
            fs_err::write(folder.join(target).join(name), bytes).unwrap();
        }
    }
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (target, run) in [
        ("open_and_search", steps::vector_file as fn(&[u8]) -> usize),
        ("open_graph", steps::graph_file),
    ] {
        let (mut files, mut opened) = (0, 0);
        for entry in fs_err::read_dir(corpus.join(target)).unwrap() {
            files += 1;
            opened += run(&fs_err::read(entry.unwrap().path()).unwrap());
        }
        assert!(
            files > 0 && opened > 0,
            "{target}: {opened} of {files} opened"
        );
    }
}
