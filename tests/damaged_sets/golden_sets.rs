//! Sets of earlier programs of this format, and what those programs said of them: each opens, is sound to the
//! last byte, gives the same ids and scores, and takes a change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use asif::anchors::care::check::verify;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::select;
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::change::vectors::{PairVectors, add};
use asif::anchors::stored::plan::{GraphPolicy, SearchMode};
use asif::anchors::stored::records::PairRecord;
use asif::anchors::stored::{history, witness};
use asif::anchors::{AnchorId, AnchorSet, Searcher, WriteOptions};
use asif::modality::Modality;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::look::look;
use super::sets::{SetWorkshop, done};
use super::synthetic::copy;

/// How far a score may be from the one that is written down.
const NEAR: f64 = 1e-6;

/// What is known of a set.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct GoldenAnswers {
    /// The ids of each kept generation's pairs.
    ids: BTreeMap<u64, Vec<String>>,
    /// The log: generation, command, and the generation whose content it took.
    log: Vec<(u64, String, Option<u64>)>,
    /// The scores of a few pairs' images with as many pairs' texts, `[4, 4]`.
    scores: Vec<f64>,
    /// What `asif classify` printed of a picture.
    classified: Value,
    /// Of each pair of the live generation the name of its image, and the hash of the small picture, if it has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<(String, Option<String>)>,
}

fn golden() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join("tests/golden_sets")
}

fn expected() -> BTreeMap<String, GoldenAnswers> {
    let text = fs_err::read_to_string(golden().join("answers.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(set: &Path) -> BTreeMap<u64, Vec<String>> {
    let kept = witness::kept(set).unwrap().into_iter();
    let ids = |n| select::ids(&AnchorSet::open_generation(set, n).unwrap()).unwrap();
    kept.map(|n| (n, ids(n))).collect()
}

fn log(set: &Path) -> Vec<(u64, String, Option<u64>)> {
    let changes = history::read(set).unwrap().into_iter();
    changes
        .map(|c| (c.generation, c.command.clone(), c.taken_from()))
        .collect()
}

/// Programs before `roots`, `places` and `thumbs.bin` kept no pictures, so nothing is written down of theirs.
fn pictures(set: &Path) -> Vec<(String, Option<String>)> {
    let opened = AnchorSet::open(set).unwrap();
    let of = |anchor: AnchorId| {
        let name = opened.record(anchor).unwrap().image;
        let picture = opened.thumbnail(anchor).unwrap();
        (
            name,
            picture.map(|bytes| blake3::hash(bytes).to_hex().to_string()),
        )
    };
    (0..opened.len() as AnchorId).map(of).collect()
}

fn scores(set: &Path) -> Vec<f64> {
    let opened = AnchorSet::open(set).unwrap();
    let space = opened.manifest().space.clone();
    let searcher = Searcher::new(&opened, space, SearchMode::Exact).unwrap();
    let shares = searcher.recipe().shares();
    let of = |modality| {
        let vectors = (0..4).flat_map(|n| opened.vector(n, modality).unwrap().to_vec());
        let vectors: Vec<f32> = vectors.collect();
        searcher.represent(modality, &vectors).unwrap()
    };
    let (images, texts) = (of(Modality::Image), of(Modality::Text));
    let mut scores = Vec::new();
    for image in &images {
        scores.extend(
            texts
                .iter()
                .map(|text| f64::from(image.score(text, &shares))),
        );
    }
    scores
}

/// Numbers are near, everything else is the same.
fn near(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            (one.as_f64().unwrap() - other.as_f64().unwrap()).abs() <= NEAR
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| near(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same = |(key, value): (&String, &Value)| {
                other.get(key).is_some_and(|other| near(value, other))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        (one, other) => one == other,
    }
}

#[test]
fn sets_of_earlier_programs_open_answer_and_change() {
    let folder = tempfile::tempdir().unwrap();
    let workshop = SetWorkshop::of_this(folder.path());
    let expected = expected();
    assert_eq!(
        expected.keys().collect::<Vec<_>>(),
        ["grown", "pictures", "plain"]
    );
    for (name, expected) in expected {
        let set = folder.path().join(format!("{name}.asif"));
        copy(&golden().join(&name), &set);
        let said = look(&set);
        assert_eq!((&said.word, &said.served.1), (&None, &None), "{name}");
        assert_eq!(
            (&said.quick, &said.full),
            (&Ok(vec![]), &Ok(vec![])),
            "{name}"
        );
        assert_eq!(ids(&set), expected.ids, "{name}");
        assert_eq!(log(&set), expected.log, "{name}");
        let as_before = |when: &str| {
            let found = serde_json::json!(scores(&set));
            assert!(
                near(&found, &serde_json::json!(expected.scores)),
                "{name}, {when}: {found}"
            );
            if let Some(workshop) = &workshop {
                let found = classified(workshop, &set);
                assert!(
                    near(&found, &expected.classified),
                    "{name}, {when}: {found}"
                );
            }
        };
        as_before("as it was");
        if !expected.pictures.is_empty() {
            assert_eq!(pictures(&set), expected.pictures, "{name}");
        }
        let live = *expected.ids.keys().last().unwrap();
        let options = WriteOptions::default();
        let new = PairVectors {
            record: PairRecord {
                id: "new".to_owned(),
                image: "/nowhere/new.png".to_owned(),
                captions: vec!["a new one".to_owned()],
                meta: "{}".to_owned(),
            },
            image: vec![0.6, 0.0, 0.8],
            text: vec![0.8, 0.6],
        };
        add(&set, [new], GraphPolicy::Never, &options).unwrap();
        let selection = PairSelection::Ids {
            ids: [expected.ids[&live][1].clone()].into(),
            missing_ok: false,
        };
        remove(&set, &selection, &options).unwrap();
        assert_eq!(verify(&set, true).unwrap(), [], "{name}");
        swap(&set, SwapTarget::Generation(live), &options).unwrap();
        assert_eq!(verify(&set, true).unwrap(), [], "{name}");
        assert_eq!(ids(&set)[&(live + 3)], expected.ids[&live], "{name}");
        as_before("after changes");
        if !expected.pictures.is_empty() {
            assert_eq!(pictures(&set), expected.pictures, "{name}, after changes");
        }
    }
}

/// What classify prints of a picture whose path is not in the way.
fn classified(workshop: &SetWorkshop, set: &Path) -> Value {
    let text = super::golden::answer(workshop, set);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    Value::Array(lines)
}

/// Made the golden sets: `ASIF_TEST_OLD_PROGRAM` was the program of commit 8a0baeb.
#[test]
#[ignore = "writes the golden sets with an older program"]
fn write_the_golden_sets() {
    let program = std::env::var("ASIF_TEST_OLD_PROGRAM").unwrap();
    let folder = PathBuf::from("/tmp/pictures");
    fs_err::create_dir_all(&folder).unwrap();
    let workshop = SetWorkshop::new(&folder, Path::new(&program)).unwrap();
    let plain = golden().join("plain");
    let grown = golden().join("grown");
    fs_err::create_dir_all(golden()).unwrap();
    let [first, more, most] = [
        workshop.pairs("first.jsonl", 0..12),
        workshop.pairs("more.jsonl", 12..40),
        workshop.pairs("most.jsonl", 40..44),
    ];
    let path = |set: &Path| set.display().to_string();
    let remove = |numbers: std::ops::Range<u8>| {
        let words: Vec<String> = numbers
            .flat_map(|n| ["--id".to_owned(), format!("p{n}")])
            .collect();
        let mut remove = vec!["anchors", "remove", "--keep", "4"];
        remove.extend(words.iter().map(String::as_str));
        done(workshop.plain(&remove, &grown));
    };
    let add = |pairs: &str| {
        done(workshop.encoding(&["anchors", "add", &path(&grown), "--pairs", pairs]));
    };
    for set in [&plain, &grown] {
        done(workshop.encoding(&["build", "--pairs", &first, "--out", &path(set)]));
    }
    remove(4..6);
    done(workshop.plain(&["audit", "--purge"], &grown));
    add(&more);
    // More than a record names itself, and back.
    remove(12..34);
    done(workshop.plain(&["rollback", "--keep", "4"], &grown));
    remove(30..33);
    done(workshop.plain(&["anchors", "compact", "--keep", "4"], &grown));
    add(&most);
    remove(1..2);
    let mut answers = BTreeMap::new();
    for (name, set) in [("plain", &plain), ("grown", &grown)] {
        fs_err::write(set.join("LOCK"), "process 1 on host\n").unwrap();
        let said = GoldenAnswers {
            ids: ids(set),
            log: log(set),
            scores: scores(set),
            classified: classified(&workshop, set),
            pictures: Vec::new(),
        };
        answers.insert(name, said);
    }
    let text = serde_json::to_string_pretty(&answers).unwrap();
    fs_err::write(golden().join("answers.json"), text + "\n").unwrap();
}

/// Made the golden set with places of images and thumbnails: `ASIF_TEST_OLD_PROGRAM` was the program of commit
/// 94f3423.
#[test]
#[ignore = "writes a golden set with an older program"]
fn write_the_golden_set_with_pictures() {
    let program = std::env::var("ASIF_TEST_OLD_PROGRAM").unwrap();
    let folder = PathBuf::from("/tmp/pictures");
    fs_err::create_dir_all(&folder).unwrap();
    let workshop = SetWorkshop::new(&folder, Path::new(&program)).unwrap();
    let set = golden().join("pictures");
    let out = set.display().to_string();
    let more = workshop.pairs("more.jsonl", 12..16);
    // A folder of captioned pictures, a list beside it, and an archive.
    let written = golden().join("../formats/written");
    let [first, archive] = [folder.join("captioned"), folder.join("shard.tar")];
    copy(&written.join("pictures"), &first);
    // The archive has these two.
    for name in ["blue.webp", "blue.txt", "grey.jpg", "grey.txt"] {
        fs_err::remove_file(first.join(name)).unwrap();
    }
    fs_err::copy(written.join("shards/00001.tar"), &archive).unwrap();
    let [first, archive] = [first, archive].map(|path| path.display().to_string());
    done(workshop.encoding(&["build", "--pairs", &first, &more, "--out", &out]));
    done(workshop.encoding(&["anchors", "add", &out, "--pairs", &archive]));
    done(workshop.plain(&["anchors", "remove", "--id", "p12"], &set));
    fs_err::write(set.join("LOCK"), "process 1 on host\n").unwrap();
    let mut answers = expected();
    let said = GoldenAnswers {
        ids: ids(&set),
        log: log(&set),
        scores: scores(&set),
        classified: classified(&workshop, &set),
        pictures: pictures(&set),
    };
    answers.insert("pictures".to_owned(), said);
    let text = serde_json::to_string_pretty(&answers).unwrap();
    fs_err::write(golden().join("answers.json"), text + "\n").unwrap();
}
