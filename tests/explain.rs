//! Answers as sums of pairs, answers without some pairs, and accuracy with fewer pairs: the real
//! binary on real pairs.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use support::{asif, demo_pairs, draw, run, write_jsonl};

const LABELS: &str = "a frog,a ship,a cat,a tree";
const SPLIT: [&str; 6] = [
    "asif",
    "paper",
    "whitened",
    "asif-canonical",
    "canonical",
    "fused",
];

/// A set to ask about.
struct Made {
    folder: tempfile::TempDir,
    set: PathBuf,
    /// The images of two of its pairs.
    images: [PathBuf; 2],
}

/// A set of 150 pairs in two segments, of which two more are removed.
fn set() -> (&'static Path, &'static Path, &'static [PathBuf]) {
    static SET: OnceLock<Made> = OnceLock::new();
    let made = SET.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut pairs = demo_pairs(152);
        for (at, pair) in pairs.iter_mut().enumerate() {
            pair["id"] = format!("pair-{at}").into();
            pair["third"] = (at % 3).into();
        }
        let images = [7, 90].map(|at: usize| PathBuf::from(pairs[at]["image"].as_str().unwrap()));
        let first = write_jsonl(folder.path(), "first.jsonl", &pairs[..100]);
        let more = write_jsonl(folder.path(), "more.jsonl", &pairs[100..]);
        let set = folder.path().join("set.asif");
        run(asif()
            .arg("build")
            .arg("--pairs")
            .arg(first)
            .arg("--out")
            .arg(&set))
        .ok();
        run(asif()
            .args(["anchors", "add"])
            .arg(&set)
            .arg("--pairs")
            .arg(more))
        .ok();
        let gone = ["--id", "pair-3", "--id", "pair-140"];
        run(asif().args(["anchors", "remove"]).arg(&set).args(gone)).ok();
        Made {
            folder,
            set,
            images,
        }
    });
    (made.folder.path(), &made.set, &made.images)
}

fn explained(set: &Path, more: &[&str], images: &[PathBuf]) -> Vec<Value> {
    let mut command = asif();
    command.args(["explain", "--json", "--search", "exact", "--index"]);
    run(command.arg(set).args(more).args(images))
        .ok()
        .json_lines()
}

/// The reasons of a score, added up, which is what the parts of the space add up to.
fn sum(reasons: &Value) -> f64 {
    let amounts = |list: &str| -> f64 {
        let list = reasons[list].as_array().unwrap();
        list.iter().map(|one| one["amount"].as_f64().unwrap()).sum()
    };
    let offset = reasons["offset"].as_f64().unwrap();
    let score = reasons["score"].as_f64().unwrap();
    let by_part = amounts("parts") + offset;
    assert!((by_part - score).abs() < 1e-5, "{by_part} is not {score}");
    amounts("supporting")
        + amounts("opposing")
        + amounts("unsplit")
        + reasons["others"]["amount"].as_f64().unwrap()
        + reasons["offset"].as_f64().unwrap()
}

#[test]
fn every_score_is_the_sum_of_its_pairs() {
    let (folder, set, images) = set();
    let templates = folder.join("templates.txt");
    fs_err::write(&templates, "a photo of {}.\n{}\na picture of {}\n").unwrap();
    let templates = templates.to_str().unwrap();
    for aggregate in ["mean", "max", "mean-score"] {
        for space in SPLIT {
            let how = [
                "--labels",
                LABELS,
                "--space",
                space,
                "--aggregate",
                aggregate,
            ];
            let how = [&how[..], &["--templates", templates, "--top", "3"]].concat();
            for line in explained(set, &how, images) {
                let reasons = &line["reasons"];
                let best = &line["predictions"][0];
                assert_eq!(reasons["label"], best["label"]);
                let score = best["similarity"].as_f64().unwrap();
                assert!(
                    (sum(reasons) - score).abs() < 1e-5,
                    "{space}, {aggregate}: {} is not {score}",
                    sum(reasons)
                );
                assert!(
                    !reasons["supporting"].as_array().unwrap().is_empty(),
                    "{space}"
                );
                assert_eq!(reasons["unsplit"].as_array().unwrap().len(), 0, "{space}");
            }
        }
    }
    for space in ["canonical", "asif+ridge"] {
        for hubness in ["s-norm", "csls", "nnn", "none"] {
            let how = ["--labels", LABELS, "--space", space, "--hubness", hubness];
            for line in explained(set, &how, images) {
                let score = line["predictions"][0]["similarity"].as_f64().unwrap();
                let sum = sum(&line["reasons"]);
                assert!(
                    (sum - score).abs() < 1e-5,
                    "{space}, {hubness}: {sum} is not {score}"
                );
                let offset = line["reasons"]["offset"].as_f64().unwrap();
                assert_eq!(offset == 0.0, hubness == "none", "{space}, {hubness}");
            }
        }
    }
    for space in ["ridge", "procrustes"] {
        let line = &explained(set, &["--labels", LABELS, "--space", space], images)[0];
        let reasons = &line["reasons"];
        assert_eq!(reasons["unsplit"][0]["part"], space);
        assert_eq!(reasons["supporting"].as_array().unwrap().len(), 0);
        assert!((sum(reasons) - reasons["score"].as_f64().unwrap()).abs() < 1e-5);
        let how = ["explain", "--labels", LABELS, "--space", space, "--index"];
        let text = run(asif().args(how).arg(set).args(images)).ok().out;
        assert!(text.contains("cannot be split"), "{text}");
    }
}

/// The correction that a set was built with holds until a question names another.
#[test]
fn a_set_keeps_its_correction_for_hubs() {
    let (folder, _, images) = set();
    let pairs = write_jsonl(folder, "corrected.jsonl", &demo_pairs(80));
    let set = folder.join("corrected.asif");
    let how = ["--space", "canonical", "--hubness", "nnn", "--pairs"];
    run(asif()
        .arg("build")
        .args(how)
        .arg(pairs)
        .arg("--out")
        .arg(&set))
    .ok();
    let space = run(asif().args(["inspect", "--json"]).arg(&set))
        .ok()
        .json();
    let correction = &space["space"]["calibration"]["hubness"];
    assert_eq!(correction["nnn"]["alpha"], 0.75);
    let predictions = |more: &[&str]| {
        let how = [&["--labels", LABELS], more].concat();
        explained(&set, &how, images)[0]["predictions"].clone()
    };
    let own = predictions(&[]);
    assert_eq!(own, predictions(&["--hubness", "nnn"]));
    assert_eq!(
        predictions(&["--hubness", "none"]),
        predictions(&["--space", "canonical"])
    );
    assert_ne!(own, predictions(&["--hubness", "csls"]));
    assert_ne!(own, predictions(&["--hubness", "none"]));
}

/// An anchor's own image and text are as similar to it as can be, and the pair leads its reasons.
#[test]
fn a_pair_explains_itself() {
    let (_, set, images) = set();
    let show = ["anchors", "show", "--json"];
    let record = &run(asif().args(show).arg(set).arg("pair-90"))
        .ok()
        .json_lines()[0];
    let caption = record["captions"][0].as_str().unwrap();
    let mut command = asif();
    command.args(["explain", "--json", "--space", "asif", "--index"]);
    command
        .arg(set)
        .arg("--text-pair")
        .arg(&images[1])
        .arg(caption);
    let line = &run(&mut command).ok().json_lines()[0];
    let first = &line["reasons"]["supporting"][0];
    assert_eq!(first["image"], record["image"]);
    for side in ["image_similarity", "text_similarity"] {
        assert!(
            (first[side].as_f64().unwrap() - 1.0).abs() < 1e-3,
            "{first}"
        );
    }
    assert_eq!(line["reasons"]["label"], caption);
    let words = ["explain", "--text-pair", "--index"];
    run(asif().args(words).arg(set).arg(&images[1])).fails(2, &["--text-pair", "caption"]);
}

/// Pairs that are excluded and pairs that are removed leave the same answer, to the last digit.
#[test]
fn thought_away_is_taken_away() {
    let (folder, set, images) = set();
    let ids = ["pair-90", "pair-120"];
    let thought = [
        vec!["--without", "third=1"],
        vec!["--without-id", ids[0], "--without-id", ids[1]],
    ];
    let taken = [
        vec!["--where", "third=1"],
        vec!["--id", ids[0], "--id", ids[1]],
    ];
    for (at, (thought, taken)) in thought.iter().zip(&taken).enumerate() {
        let less = folder.join(format!("less-{at}.asif"));
        support::copy_folder(set, &less);
        run(asif().args(["anchors", "remove"]).arg(&less).args(taken)).ok();
        let others = ["ridge", "procrustes", "fused --hubness csls"];
        for space in SPLIT.iter().chain(&others) {
            let how = ["--labels", LABELS, "--space"].into_iter();
            let how: Vec<&str> = how.chain(space.split(' ')).collect();
            let here = explained(set, &[&how[..], thought.as_slice()].concat(), images);
            let there = explained(&less, &how, images);
            for (here, there) in here.iter().zip(&there) {
                let without = &here["without"];
                assert_eq!(without["predictions"], there["predictions"], "{space}");
                assert_ne!(here["predictions"], there["predictions"], "{space}");
                let label = &here["reasons"]["label"];
                let predictions = there["predictions"].as_array().unwrap();
                let same = predictions.iter().find(|p| &p["label"] == label).unwrap();
                assert_eq!(without["score"], same["similarity"]);
                assert_eq!(without["pairs"], if at == 0 { 51 } else { 2 });
            }
        }
    }
    // Nothing was written.
    let pairs = run(asif().args(["inspect", "--json"]).arg(set)).ok().json();
    assert!(pairs.to_string().contains("150"), "{pairs}");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let (_, set, images) = set();
    let fails = |more: &[&str], code, words: &[&str]| {
        let mut command = asif();
        command.args(["explain", "--labels", LABELS, "--index"]);
        run(command.arg(set).args(more).args(images)).fails(code, words);
    };
    fails(&["--label", "a dog"], 3, &["a dog", "a frog"]);
    fails(&["--without", "third=7"], 3, &["third=7"]);
    fails(&["--without", "third"], 3, &["KEY="]);
    fails(&["--without-id", "nobody"], 3, &["nobody"]);
    let source = format!("source={}", demo_pairs(1)[0]["source"].as_str().unwrap());
    fails(&["--without", &source], 3, &["leave no pair"]);
}

#[test]
fn the_page_shows_both_sides_of_the_sum() {
    let (folder, set, images) = set();
    let page = folder.join("why.html");
    run(asif()
        .args([
            "explain",
            "--labels",
            LABELS,
            "--label",
            "a tree",
            "--space",
            "canonical",
        ])
        .args(["--without", "third=2", "--html"])
        .arg(&page)
        .arg("--index")
        .arg(set)
        .args(images))
    .ok();
    let html = fs_err::read_to_string(page).unwrap();
    assert_eq!(html.matches("<article").count(), 2);
    for words in [
        "Anchors for a tree",
        "Anchors against a tree",
        "Without third=2 (49 pairs)",
        "other pairs",
        "similarity",
        "class=\"share against\"",
    ] {
        assert!(html.contains(words), "no {words:?}");
    }
    assert!(html.matches("data:image/").count() >= 2 + 2 * 12);
}

#[test]
fn accuracy_with_all_anchors_is_that_of_the_set_and_draws_repeat() {
    let (folder, set, _) = set();
    let data = folder.join("drawn");
    for (at, class) in ["frog", "ship"].iter().enumerate() {
        fs_err::create_dir_all(data.join(class)).unwrap();
        for seed in 0..4 {
            draw(
                &data.join(class),
                &format!("{seed}.png"),
                (10 * at + seed) as u32 + 1,
            );
        }
    }
    let [csv, svg] = ["scaling.csv", "scaling.svg"].map(|name| folder.join(name));
    let scaling = || {
        let mut command = asif();
        command.args([
            "eval", "scaling", "--json", "--search", "exact", "--draws", "2",
        ]);
        command.args(["--sizes", "70,10,9999", "--space", "asif", "--index"]);
        command.arg(set).arg("--dataset").arg(&data);
        command.arg("--csv").arg(&csv).arg("--svg").arg(&svg);
        run(&mut command).ok().json()
    };
    let (report, again) = (scaling(), scaling());
    let points = report["curves"][0]["points"].as_array().unwrap();
    let sizes: Vec<u64> = points
        .iter()
        .map(|p| p["anchors"].as_u64().unwrap())
        .collect();
    let draws: Vec<usize> = points
        .iter()
        .map(|p| p["draws"].as_array().unwrap().len())
        .collect();
    assert_eq!((sizes, draws), (vec![10, 70, 150], vec![2, 2, 1]));
    let mut command = asif();
    command.args([
        "eval", "zeroshot", "--json", "--search", "exact", "--space", "asif", "--index",
    ]);
    let all = run(command.arg(set).arg("--dataset").arg(&data))
        .ok()
        .json();
    assert_eq!(points[2]["draws"][0], all["metrics"]["acc1"]);
    for (one, other) in points
        .iter()
        .zip(again["curves"][0]["points"].as_array().unwrap())
    {
        assert_eq!(one["draws"], other["draws"]);
    }
    assert_eq!(fs_err::read_to_string(csv).unwrap().lines().count(), 4);
    let picture = fs_err::read_to_string(svg).unwrap();
    assert!(picture.starts_with("<svg") && picture.matches("<circle").count() == 3);
}
