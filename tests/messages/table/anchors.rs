//! Sets, spaces and settings, and the command line itself.

use std::path::Path;

use asif::anchors::AnchorSet;
use serde_json::json;

use super::super::{Bench, newer, support, tiny_onnx};
use super::{ProvokedMessage, faults_of, judge, told};

pub fn messages() -> Vec<ProvokedMessage> {
    let classify = "classify --index a.asif --labels dog,cat plain/0.png";
    let with = |more: &str| format!("{classify} {more}");
    vec![
        told(
            "AnchorsError::NotASet",
            "inspect none.asif",
            3,
            &["no such folder", "hint: `asif build`"],
            "",
        ),
        told(
            "AnchorsError::NotASet",
            "inspect folder",
            3,
            &["no file CURRENT"],
            "",
        ),
        told(
            "AnchorsError::Exists",
            "build --pairs a.asif.jsonl --out a.asif",
            3,
            &["exists already", "\nhint: choose another --out"],
            "build --pairs a.asif.jsonl --out a.asif --overwrite",
        ),
        told(
            "AnchorsError::InTheWay",
            "build --pairs a.asif.jsonl --out folder",
            3,
            &["left unchanged", "hint: choose another --out"],
            "build --pairs a.asif.jsonl --out another.asif",
        ),
        told(
            "AnchorsError::Manifest",
            "inspect manifest.asif",
            3,
            &["not a manifest", "hint: `asif repair manifest.asif`"],
            "",
        ),
        told(
            "AnchorsError::BeyondRepair",
            "repair manifest.asif",
            3,
            &["not a manifest", "restore it from a copy"],
            "",
        ),
        told(
            "AnchorsError::Format",
            "inspect format.asif",
            3,
            &["format 9", "made by a later build of asif "],
            "build --pairs a.asif.jsonl --out further.asif",
        ),
        told(
            "AnchorsError::UnknownField",
            "anchors remove field.asif --id p0",
            3,
            &[
                "\"colour\"",
                "asif 99.0.0 wrote it",
                "answers from it as before",
            ],
            "classify --index field.asif --labels dog,cat plain/0.png",
        ),
        told(
            "AnchorsError::UnknownContent",
            "repair content.asif",
            3,
            &["does not know", "asif 99.0.0", "use that program"],
            "",
        ),
        told(
            "AnchorsError::NeedsRepair",
            "anchors compact current.asif",
            3,
            &["CURRENT", "hint: `asif repair current.asif`"],
            "repair current.asif",
        ),
        told(
            "AnchorsError::Damaged",
            "anchors compact sums.asif",
            3,
            &["moments.sum", "hint: `asif repair sums.asif`"],
            "repair sums.asif",
        ),
        told(
            "AnchorsError::Recipe",
            "classify --index recipe.asif --labels dog,cat plain/0.png",
            3,
            &["part"],
            "",
        ),
        told(
            "AnchorsError::NoSuchPair",
            "anchors remove a.asif --id nobody",
            3,
            &["\"nobody\"", "hint: `asif anchors list`", "--missing-ok"],
            "anchors remove a.asif --id p0 --id nobody --missing-ok --dry-run",
        ),
        told(
            "AnchorsError::InsideSet",
            "build --pairs a.asif.jsonl --out a.asif/segments/inner.asif",
            3,
            &["lies in the anchor set", "a path outside"],
            "build --pairs a.asif.jsonl --out outside.asif",
        ),
        told(
            "AnchorsError::NoMatch",
            "anchors remove a.asif --where source=none",
            3,
            &["source=none", "no pair has a key", "asif inspect"],
            "inspect a.asif",
        ),
        told(
            "AnchorsError::NoneSelected",
            "build --where sorce=none --pairs a.asif.jsonl --out n.asif",
            3,
            &["sorce=none", "no pair has a key"],
            "anchors list a.asif --where source=none",
        ),
        told(
            "FilterError",
            "anchors remove a.asif --where year>2020+1",
            3,
            &["in the place of a value", "an expression"],
            "",
        ),
        told(
            "AnchorsError::Filter",
            "anchors remove a.asif --where none",
            3,
            &["KEY=VALUE"],
            "anchors list a.asif --where source=none",
        ),
        told(
            "AnchorsError::WouldBeEmpty",
            "anchors remove a.asif --ids-file all.txt",
            3,
            &["leave no pair", "hint: `asif build --overwrite`"],
            "",
        ),
        told(
            "AnchorsError::NoGeneration",
            "swap a.asif --to 99",
            3,
            &["99", "hint: `asif history`"],
            "history a.asif",
        ),
        told(
            "AnchorsError::StillLive",
            "audit a.asif p0 --purge",
            3,
            &["live pair", "hint: `asif anchors remove`"],
            "anchors remove a.asif --id p0 --dry-run",
        ),
        told(
            "AnchorsError::NothingToPurge",
            "audit a.asif nobody --purge",
            3,
            &["nobody", "nothing was deleted", "hint: `asif anchors list`"],
            "anchors list a.asif",
        ),
        told(
            "AnchorsError::Filter",
            "anchors list a.asif --where title=\"open",
            3,
            &["not closed", "double quotes"],
            "anchors list a.asif --where title=\"closed\"",
        ),
        told(
            "AnchorsError::Strict",
            "build --strict --pairs bad.jsonl --out s.asif",
            3 + 2,
            &["no row may be skipped", "hint: --strict"],
            "build --pairs bad.jsonl --out s.asif",
        ),
        told(
            "AnchorsError::TooManyErrors",
            "build --max-errors 0 --pairs bad.jsonl --out m.asif",
            3 + 2,
            &["over 0 bad rows", "hint: --max-errors"],
            "build --max-errors 9 --pairs bad.jsonl --out m.asif",
        ),
        told(
            "AnchorsError::NoPairs",
            "build --pairs none.jsonl --out n.asif",
            3,
            &["no usable pair"],
            "",
        ),
        told(
            "AnchorsError::OtherEncoder",
            "classify --index a.asif --image-encoder brightest --labels dog,cat plain/0.png",
            3,
            &["image encoder", "name the encoder that built it"],
            classify,
        ),
        told(
            "RecipeError::Unknown",
            &with("--space none"),
            2,
            &["not a space", "fused"],
            &with("--space fused"),
        ),
        told(
            "RecipeError::Rows",
            &with("--k 0"),
            2,
            &["--k"],
            &with("--k 1"),
        ),
        told(
            "RelativeParamsError::ZeroK",
            &with("--k 0"),
            2,
            &["k is 0", "hint: --k"],
            &with("--k 1"),
        ),
        told(
            "RelativeParamsError::Power",
            &with("--p 0"),
            2,
            &["p is 0", "hint: --p"],
            &with("--p 8"),
        ),
        told(
            "RelativeParamsError::FractionalRaw",
            &with("--p 1.5 --negatives raw"),
            2,
            &["whole p", "hint: --negatives clamp"],
            &with("--p 1.5 --negatives clamp"),
        ),
        told(
            "MeasureError::Task",
            "eval retrieval --index a.asif --dataset data",
            3,
            &[
                "expected a data set for retrieval",
                "hint: `asif eval zeroshot`",
            ],
            "eval zeroshot --index a.asif --dataset data",
        ),
        told(
            "MeasureError::Anchors",
            "eval zeroshot --index none.asif --dataset data",
            3,
            &["no such folder"],
            "",
        ),
        told(
            "usage",
            "tune --index a.asif",
            2,
            &["asif COMMAND mine.asif"],
            "",
        ),
        told(
            "usage",
            "inspect --set a.asif",
            2,
            &["asif COMMAND mine.asif"],
            "inspect a.asif",
        ),
        told(
            "usage",
            &with("--paper --space fused"),
            2,
            &["--paper"],
            &with("--paper --hubness csls"),
        ),
        told(
            "usage",
            "audit a.asif --receipt r.json",
            2,
            &["--purge"],
            "audit a.asif --purge --dry-run --receipt r.json",
        ),
        told("usage", &with("--indx x"), 2, &["--index"], classify),
        told(
            "usage",
            &with("--space canonical --k 2"),
            2,
            &["give --space asif"],
            &with("--space asif --k 2"),
        ),
        told(
            "AnchorsError::OtherEncoder",
            "eval zeroshot --index a.asif --image-encoder brightest --dataset data",
            3,
            &["image encoder", "name the encoder that built it"],
            "eval zeroshot --index a.asif --dataset data",
        ),
        told(
            "AnchorsError::InTheWay",
            "build --pairs a.asif.jsonl --out all.txt/b.asif",
            3,
            &["all.txt", "left unchanged"],
            "build --pairs a.asif.jsonl --out beside.asif",
        ),
        told(
            "UsageError",
            "anchors curate a.asif --drop-unfit 2 --remove-ids ids.out",
            2,
            &["between 0 and 1"],
            "anchors curate a.asif --drop-unfit 0.02 --remove-ids ids.out",
        ),
        told(
            "BadInput",
            "anchors remove a.asif --ids-file empty.txt",
            3,
            &["empty.txt: holds no id", "one id per line"],
            "anchors remove a.asif --ids-file one.txt --dry-run",
        ),
        told(
            "BadInput",
            "templates none",
            3,
            &["asif templates"],
            "templates",
        ),
        told(
            "BadInput",
            "anchors show a.asif nobody",
            3,
            &["anchors list"],
            "anchors list a.asif",
        ),
        told(
            "BadInput",
            "anchors remove a.asif --ids-file none.txt",
            3,
            &["one id per line"],
            "",
        ),
        told(
            "StrictInput",
            &with("none.png --strict"),
            5,
            &["could not be used"],
            &with("none.png"),
        ),
        told(
            "UsageError",
            "explain --index a.asif --text-pair plain/0.png",
            2,
            &["found 1 arguments"],
            "explain --index a.asif --text-pair plain/0.png dog",
        ),
    ]
}

/// A bench with a set, and others that are spoiled.
pub fn spoiled_bench() -> Bench {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    fs_err::create_dir(bench.at("folder")).unwrap();
    fs_err::write(bench.at("empty.txt"), "").unwrap();
    fs_err::write(bench.at("one.txt"), "p0\n").unwrap();
    fs_err::write(bench.at("all.txt"), "p0\np1\np2\np3\np4\n").unwrap();
    bench.pairs("bad.jsonl", &[bench.pair(0), json!({"id": "bad"})]);
    bench.pairs("none.jsonl", &[json!({"id": "bad"})]);
    tiny_onnx::brightest(bench.path());
    bench.picture("data/dog/a.png", 21);
    bench.picture("data/cat/b.png", 22);
    let spoil = |name: &str, change: &dyn Fn(&Path)| {
        let copy = bench.at(name);
        support::copy_folder(&bench.at("a.asif"), &copy);
        change(&copy);
    };
    spoil("manifest.asif", &|set| {
        fs_err::write(set.join("generations/g000001.json"), "{}").unwrap();
    });
    spoil("current.asif", &|set| {
        fs_err::write(set.join("CURRENT"), "nonsense").unwrap()
    });
    spoil("format.asif", &|set| {
        let mut manifest = AnchorSet::open(set).unwrap().manifest().clone();
        manifest.format = 9;
        asif::anchors::stored::publish::publish(set, &manifest).unwrap();
    });
    let newer = |from: &'static str, to: &'static str| {
        move |set: &Path| newer::rewrite_manifest(set, "g000001", from, to)
    };
    spoil(
        "field.asif",
        &newer("\n  \"counts\"", "\n  \"colour\": 1,\n  \"counts\""),
    );
    spoil("content.asif", &newer("\"parts\"", "\"portions\""));
    spoil("recipe.asif", &|set| {
        let mut manifest = AnchorSet::open(set).unwrap().manifest().clone();
        manifest.space.parts.clear();
        asif::anchors::stored::publish::publish(set, &manifest).unwrap();
    });
    spoil("sums.asif", &|set| {
        let live = AnchorSet::open(set).unwrap();
        fs_err::remove_file(live.segments()[0].path().join("moments.sum")).unwrap();
    });
    bench
}

#[test]
fn messages_of_sets_have_their_code_and_their_advice_works() {
    let bench = spoiled_bench();
    judge(&bench, messages());
    let mut doctor = bench.asif();
    doctor.arg("doctor").env("ASIF_ONNXRUNTIME", "none.so");
    let ended = support::run(&mut doctor).fails(4, &["attention, see above"]);
    assert_eq!(faults_of(&ended.err), [""; 0]);
    let said = &ended.out;
    assert!(said.contains("none is installed") && said.contains("hint: `asif models add"));
}
