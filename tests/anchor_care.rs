//! What is said of the pairs of a set: `asif doctor DIR`, `asif anchors curate`, `asif anchors
//! influence`, and the prompts that labels become.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;
mod synthetic;

use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use asif::anchors::change::vectors::{PairVectors, create};
use asif::space::vector::normalize;
use serde_json::Value;
use support::{asif, bare, demo_pairs, demo_set, draw, on, run};
use synthetic::{DIMS, making, pair, unit};

const KINDS: u64 = 10;

/// A pair of one of ten kinds, its vectors near to its kind's on both sides.
fn kind_pair(number: u64) -> PairVectors {
    let near = |side: u64, dim: usize| {
        let kind = unit(1_000_003 * (number % KINDS) + 77 * side + 1, dim);
        let own = unit(2_000_033 * number + 5 * side + 2, dim);
        let mut vector: Vec<f32> = kind.iter().zip(&own).map(|(k, o)| k + 0.25 * o).collect();
        normalize(&mut vector);
        vector
    };
    let mut pair = pair(number);
    pair.record.captions = vec![format!(
        "A photo of something of the kind number {}, and this is specimen {number}.",
        number % KINDS
    )];
    pair.image = near(11, DIMS.image);
    pair.text = near(12, DIMS.text);
    pair
}

fn id(number: u64) -> String {
    pair(number).record.id
}

fn made(folder: &Path, name: &str, pairs: Vec<PairVectors>) -> PathBuf {
    let path = folder.join(name);
    create(&path, &making(DIMS), pairs).unwrap();
    path
}

#[test]
fn doctor_tells_a_set_that_works_from_the_same_pairs_shuffled() {
    let folder = tempfile::tempdir().unwrap();
    let good: Vec<PairVectors> = (0..400).map(kind_pair).collect();
    let mut shuffled: Vec<PairVectors> = (0..400).map(kind_pair).collect();
    for (i, pair) in shuffled.iter_mut().enumerate() {
        pair.text = kind_pair((i as u64 * 173 + i as u64 / 7 + 31) % 400).text;
    }
    let look = |name: &str, pairs| {
        let path = made(folder.path(), name, pairs);
        on(folder.path(), &["doctor", "--json"], &path).ok().json()
    };
    let (good, bad) = (look("good.asif", good), look("shuffled.asif", shuffled));
    let number = |report: &Value, path: &str| report.pointer(path).unwrap().as_f64().unwrap();
    let advice = |report: &Value, about: &str| {
        let all = report["advice"].as_array().unwrap().clone();
        all.into_iter().find(|a| a["about"] == about).unwrap()["good"] == true
    };
    let chance = number(&good, "/mutual_neighbours/chance");
    assert!((chance - 10.0 / 399.0).abs() < 1e-9);
    assert!(
        number(&good, "/mutual_neighbours/low") > 4.0 * chance,
        "{good}"
    );
    assert!(
        number(&bad, "/mutual_neighbours/low") < 2.0 * chance,
        "{bad}"
    );
    assert!(number(&good, "/cka") > 0.5 && number(&bad, "/cka") < 0.1);
    for about in ["mutual neighbours", "CKA"] {
        assert!(advice(&good, about) && !advice(&bad, about), "{about}");
    }
    assert!(advice(&good, "languages") && advice(&good, "caption length"));
    let pairs = |c: &Value| c["pairs"].as_u64().unwrap();
    let clusters = good["clusters"].as_array().unwrap();
    assert_eq!(clusters.iter().map(pairs).sum::<u64>(), 400);
    assert_eq!(good["languages"][0][0], "English");
    let table = on(folder.path(), &["doctor"], &folder.path().join("good.asif")).ok();
    assert_eq!(table.out.matches("->").count(), 7);
    let again = on(
        folder.path(),
        &["doctor", "--json"],
        &folder.path().join("good.asif"),
    );
    assert_eq!(again.ok().json(), good);
    run(bare(folder.path()).args(["doctor", "--sample", "100"])).fails_usage();
}

trait Usage {
    fn fails_usage(self);
}

impl Usage for support::Ended {
    fn fails_usage(self) {
        assert_eq!(self.code, Some(2), "{}", self.err);
    }
}

#[test]
fn curate_finds_what_was_put_in_and_its_files_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut pairs: Vec<PairVectors> = (0..400).map(kind_pair).collect();
    // Four pairs swap their texts with those of another kind; one is there twice.
    let swapped = [(11, 52), (113, 254), (205, 386), (307, 148)];
    for (a, b) in swapped {
        let text = pairs[a].text.clone();
        pairs[a].text = std::mem::replace(&mut pairs[b].text, text);
    }
    let mut twin = pair(400);
    (twin.image, twin.text) = (pairs[7].image.clone(), pairs[7].text.clone());
    pairs.push(twin);
    let path = made(folder.path(), "a.asif", pairs);
    let curate = |more: &[&str]| {
        on(
            folder.path(),
            &[&["anchors", "curate", "--json"], more].concat(),
            &path,
        )
        .ok()
        .json()
    };
    let found = curate(&["--same", "0.9999", "--worst", "8"]);
    let ids = |list: &Value| -> Vec<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|p| p["id"].as_str().unwrap().to_owned()).collect()
    };
    let mut worst = ids(&found["worst"]);
    worst.sort();
    let mut want: Vec<String> = swapped
        .iter()
        .flat_map(|s| [s.0, s.1])
        .map(|n| id(n as u64))
        .collect();
    want.sort();
    assert_eq!(worst, want);
    assert_eq!(found["duplicates"].as_array().unwrap().len(), 1);
    assert_eq!(ids(&found["duplicates"][0]), [id(7), id(400)]);
    assert_eq!(
        AnchorSet::open(&path).unwrap().manifest().generation,
        1,
        "nothing is changed"
    );

    let file = |name: &str| folder.path().join(name).display().to_string();
    let (keep, drop) = (file("keep"), file("drop"));
    let options = [
        "--same",
        "0.9999",
        "--coreset",
        "100",
        "--keep-ids",
        &keep,
        "--remove-ids",
        &drop,
    ];
    let report = curate(&options);
    assert_eq!(
        (report["kept"].as_u64(), report["dropped"].as_u64()),
        (Some(100), Some(301))
    );
    let lines = |file: &str| -> Vec<String> {
        let text = fs_err::read_to_string(file).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let first = lines(&keep);
    assert_eq!((first.len(), lines(&drop).len()), (100, 301));
    assert!(!first.contains(&id(400)), "the twin goes first");
    for kind in 0..KINDS {
        let of = (0..40)
            .map(|i| id(i * KINDS + kind))
            .filter(|i| first.contains(i))
            .count();
        assert!((4..=16).contains(&of), "{of} of kind {kind}");
    }
    curate(&options);
    assert_eq!(lines(&keep), first, "the same every time");
    on(
        folder.path(),
        &["anchors", "remove", "--ids-file", &drop],
        &path,
    )
    .ok();
    assert_eq!(AnchorSet::open(&path).unwrap().len(), 100);
    let options = [
        "--same",
        "0.9999",
        "--drop-duplicates",
        "--drop-unfit",
        "0.1",
        "--remove-ids",
        &drop,
    ];
    assert_eq!(curate(&options)["dropped"], 10);
    on(
        folder.path(),
        &["anchors", "curate", "--coreset", "10"],
        &path,
    )
    .fails_usage();
}

/// Real encoders: pairs of the demo as labelled images.
#[test]
fn influence_agrees_with_eval_and_writes_every_anchor() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (i, record) in demo_pairs(24).iter().enumerate() {
        let class = data.join(["first", "second", "third"][i % 3]);
        fs_err::create_dir_all(&class).unwrap();
        let image = Path::new(record["image"].as_str().unwrap());
        let name = format!("{i}.{}", image.extension().unwrap().to_str().unwrap());
        fs_err::copy(image, class.join(name)).unwrap();
    }
    let names = folder.path().join("names");
    fs_err::write(
        &names,
        "first: animal|animal salvaje\nsecond: house\nthird: letter\n",
    )
    .unwrap();
    let csv = folder.path().join("influence.csv");
    let shared = |words: &[&str]| {
        let mut command = asif();
        command
            .args(words)
            .arg("--json")
            .arg("--dataset")
            .arg(&data);
        command.arg("--classnames").arg(&names).args([
            "--templates",
            "asif:name",
            "--space",
            "asif",
        ]);
        command
    };
    let found = run(shared(&["anchors", "influence"])
        .arg("--csv")
        .arg(&csv)
        .arg(demo_set()))
    .ok()
    .json();
    let measured = run(shared(&["eval", "zeroshot"]).arg("--index").arg(demo_set()))
        .ok()
        .json();
    assert_eq!(found["images"], 24);
    let accuracy = found["accuracy"]["value"].as_f64().unwrap();
    let acc1 = measured["metrics"]["acc1"].as_f64().unwrap();
    assert!((accuracy - acc1).abs() < 1e-9, "{accuracy} {acc1}");
    let rows = fs_err::read_to_string(&csv).unwrap();
    let anchors = found["anchors"].as_array().unwrap();
    assert_eq!(rows.lines().count(), anchors.len() + 1);
    let margin = |a: &Value| a["margin"].as_f64().unwrap();
    assert!(anchors.is_sorted_by(|a, b| margin(a) >= margin(b)));
    assert!(margin(&anchors[0]) > 0.0, "some anchor helps");
    let source = &found["sources"][0];
    assert_eq!(source["pairs"], 60, "one source: {source}");
    assert_eq!(
        source["accuracy_without"], 0.0,
        "without it nothing is left"
    );
}

/// Real encoders: names, descriptions and templates change what a label is compared with.
#[test]
fn labels_take_names_descriptions_and_named_templates() {
    let folder = tempfile::tempdir().unwrap();
    let image = draw(folder.path(), "a.png", 3);
    let classify = |more: &[&str]| {
        let mut command = asif();
        command
            .args(["classify", "--json", "--index"])
            .arg(demo_set());
        run(command.args(more).arg(&image))
    };
    let label_of = |ended: support::Ended, label: &str| {
        let answer = ended.ok().json();
        let all = answer["predictions"].as_array().unwrap().clone();
        let found = all.iter().find(|p| p["label"] == label).unwrap();
        found["similarity"].as_f64().unwrap()
    };
    let plain = label_of(classify(&["--labels", "cat,dog"]), "cat");
    let both = label_of(classify(&["--labels", "cat|a drawing,dog"]), "cat");
    let set = label_of(
        classify(&["--labels", "cat,dog", "--templates", "clip:imagenet7"]),
        "cat",
    );
    assert!(plain != both && plain != set);
    let file = folder.path().join("labels.json");
    fs_err::write(&file, r#"{"cat": ["a drawing"], "dog": []}"#).unwrap();
    let file = file.display().to_string();
    let own = label_of(
        classify(&["--labels-file", &file, "--templates", "asif:name"]),
        "cat",
    );
    let names = ["--labels", "cat|a drawing,dog", "--templates", "asif:name"];
    assert!(
        (own - label_of(classify(&names), "cat")).abs() < 1e-6,
        "the same prompts"
    );
    classify(&["--labels", "cat", "--templates", "clip:nothing"]).fails(3, &["clip:imagenet7"]);
    let bad = folder.path().join("templates.txt");
    fs_err::write(&bad, "a {}\na {kind} of {}\n").unwrap();
    let bad = bad.display().to_string();
    classify(&["--labels", "cat", "--templates", &bad])
        .fails(3, &["templates.txt, line 2", "{kind}", "{} or {c}"]);

    let listed = run(bare(folder.path()).args(["templates", "--json"]))
        .ok()
        .json();
    let set = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["name"] == "clip:imagenet");
    assert_eq!(set.unwrap()["templates"].as_array().unwrap().len(), 80);
    let one = run(bare(folder.path()).args(["templates", "clip:cifar"])).ok();
    assert_eq!(one.out.lines().count(), 20);
    run(bare(folder.path()).args(["templates", "clip:nothing"])).fails(3, &["asif templates"]);
}
