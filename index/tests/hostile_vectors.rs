//! Vector sets that were damaged or forged: a typed error, or an answer; never a crash.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops where it fails"
)]

mod forge;

use asif_index::{
    CodeCenter, Error, FlatSearch, RescorePrecision, SketchPolicy, SketchSearch, VectorOptions,
    VectorQuery, VectorSearch, VectorSet, VectorSetWriter,
};
use forge::{cuts, forged, moved, sections};

const ROWS: usize = 40;
const DIM: usize = 20;

fn good() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set");
    let options = VectorOptions::default()
        .center(CodeCenter::Mean)
        .halves(true)
        .sketches(SketchPolicy::Always);
    let mut writer = VectorSetWriter::create(&path, DIM, options).unwrap();
    let rows: Vec<f32> = (0..ROWS * DIM)
        .map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
        .collect();
    writer.push_rows(&rows).unwrap();
    writer.finish().unwrap();
    fs_err::read(&path).unwrap()
}

/// Opens and searches every way there is; the answers must be complete if there are any.
fn use_it(bytes: &[u8]) -> Result<VectorSet, Error> {
    let set = VectorSet::from_bytes("hostile", bytes)?;
    let vector: Vec<f32> = (0..set.dim()).map(|i| (i % 3) as f32 - 1.0).collect();
    for k in [1, 10, 100] {
        let query = VectorQuery::new(&vector);
        let exact = set.search(&query, k)?;
        assert_eq!(exact.len(), k.min(set.len()));
        for rescore in [
            RescorePrecision::Exact,
            RescorePrecision::Halves,
            RescorePrecision::Codes,
        ] {
            let found = FlatSearch::new(&set).rescore(rescore).search(&query, k)?;
            assert_eq!(found.len(), k.min(set.len()));
            if let Ok(sketch) = SketchSearch::new(&set) {
                let found = sketch.rescore(rescore).candidates(2).search(&query, k)?;
                assert_eq!(found.len(), k.min(set.len()));
            }
        }
        let batch = FlatSearch::new(&set).search_batch(&[query; 5], k)?;
        assert!(batch.iter().all(|hits| hits.len() == k.min(set.len())));
    }
    Ok(set)
}

fn names_the_file(error: &Error) {
    let text = error.to_string();
    assert!(text.contains("hostile"), "no file named: {text}");
}

#[test]
fn every_97th_byte_flipped() {
    let good = good();
    for at in (0..good.len()).step_by(97).chain(0..128) {
        for flip in [0x01, 0x80, 0xFF] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            let error = use_it(&bad)
                .and_then(|set| set.verify())
                .expect_err("a flipped byte");
            names_the_file(&error);
        }
    }
}

#[test]
fn truncated_at_and_around_every_border() {
    let good = good();
    for len in cuts(&good) {
        names_the_file(&use_it(&good[..len]).expect_err("a truncated file"));
    }
}

#[test]
fn counts_that_promise_too_much() {
    let good = good();
    for rows in [
        1u64 << 32,
        1 << 60,
        u64::MAX,
        u64::from(u32::MAX),
        41,
        39,
        0,
    ] {
        let error = use_it(&forged(&good, "meta", 0, &rows.to_le_bytes())).unwrap_err();
        assert!(matches!(error, Error::Section { .. }), "{error}");
    }
    for dim in [0u32, 1, 21, 65_537, u32::MAX] {
        let error = use_it(&forged(&good, "meta", 8, &dim.to_le_bytes())).unwrap_err();
        assert!(matches!(error, Error::Section { .. }), "{error}");
    }
    for (name, offset, _) in sections(&good) {
        for len in [0, 1 << 32, 1 << 60, u64::MAX] {
            names_the_file(&use_it(&moved(&good, &name, offset as u64, len)).unwrap_err());
        }
        for offset in [0, 1, 4096 + 64, 1 << 60, u64::MAX - 10, offset as u64 - 64] {
            let error = use_it(&moved(&good, &name, offset, 64));
            names_the_file(&error.expect_err("overlapping or misplaced"));
        }
    }
}

#[test]
fn flags_and_sections_that_contradict_each_other() {
    let good = good();
    assert!(sections(&good).iter().any(|s| s.0 == "halves"));
    // Bit 0 says that there is a centre, bit 1 that there are halves, bit 2 that there are
    // sketches; the file has all.
    for (flags, section) in [
        (0u32, "center"),
        (3, "sketches"),
        (5, "halves"),
        (6, "center"),
        (8, "meta"),
        (15, "meta"),
    ] {
        let error = use_it(&forged(&good, "meta", 16, &flags.to_le_bytes())).unwrap_err();
        assert!(
            error.to_string().contains(&format!("`{section}`")),
            "{error}"
        );
    }
}

#[test]
fn numbers_that_are_none_are_found_by_verify_and_harm_nobody_before() {
    let good = good();
    for section in ["vectors", "scales", "center", "factors", "along"] {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let set = use_it(&forged(&good, section, 8, &value.to_le_bytes())).unwrap();
            let error = set.verify().unwrap_err();
            assert!(
                error.to_string().contains(&format!("`{section}`")),
                "{error}"
            );
        }
    }
    // A half that is not a number, then both infinities.
    for half in [0x7E00u16, 0x7C00, 0xFC00] {
        let set = use_it(&forged(&good, "halves", 8, &half.to_le_bytes())).unwrap();
        let error = set.verify().unwrap_err();
        assert!(error.to_string().contains("`halves`"), "{error}");
    }
    // Factors of which none is a number: nothing can be estimated, everything is answered.
    let nothing = vec![0xFF; ROWS * 4];
    let set = use_it(&forged(&good, "factors", 0, &nothing)).unwrap();
    let error = set.verify().unwrap_err();
    assert!(error.to_string().contains("`factors`"), "{error}");
    let zeros = use_it(&forged(&good, "vectors", 0, &[0; ROWS * DIM * 4])).unwrap();
    zeros.verify().unwrap();
}

#[test]
fn other_things_than_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        VectorSet::open(folder.path()),
        Err(Error::NotAFile { .. })
    ));
    let path = folder.path().join("file");
    assert!(matches!(VectorSet::open(&path), Err(Error::Io { .. })));
    for content in [&b""[..], b"x", &[0; 5000], &[0x89; 5000]] {
        fs_err::write(&path, content).unwrap();
        assert!(matches!(
            VectorSet::open(&path),
            Err(Error::NotReadable { .. })
        ));
    }
}
