//! The commands that change a set: receipts, lists, locks, copies. Those that need no encoder are run
//! with an empty home.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;
mod synthetic;

use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use asif::anchors::embed::Watch;
use asif::anchors::plan::SearchMode;
use asif::anchors::{AnchorSet, Embedder, LiveOptions, LiveSet, Searcher};
use asif::classify::{Classifier, HeadOptions, LabelHead, Scoring};
use asif::encode::{
    EncoderOptions, ImageEncoder, Modality, ModelFolder, TextEncoder, registry, runtime,
};
use asif::space::RelativeRow;
use asif::space::prompts::{Labels, Templates};
use serde_json::{Value, json};
use support::{asif, bare, demo_pairs, demo_set, home, on, run, write_jsonl};
use synthetic::{DIMS, pair, set, unit};

#[test]
fn a_removal_prints_a_receipt_and_the_log_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..33);
    let id = pair(4).record.id;
    let remove = ["anchors", "remove", "--json", "--id", &id];
    let foreseen = on(
        folder.path(),
        &[&remove[..], &["--dry-run"]].concat(),
        &path,
    )
    .ok()
    .json();
    assert_eq!(foreseen["dry_run"], true);
    assert_eq!(AnchorSet::open(&path).unwrap().manifest().generation, 1);
    let receipt = on(folder.path(), &remove, &path).ok().json();
    for key in [
        "command",
        "generation",
        "pairs_before",
        "pairs_after",
        "removed_ids",
    ] {
        assert_eq!(receipt[key], foreseen[key], "{key}");
    }
    assert_eq!(
        (&receipt["pairs_before"], &receipt["pairs_after"]),
        (&json!(33), &json!(32))
    );
    assert_eq!(receipt["removed_ids"], json!([id]));
    assert_eq!(receipt["licences_before"]["CC BY 4.0"], 11);
    assert_eq!(receipt["licences_after"]["CC BY 4.0"], 10);
    on(folder.path(), &remove, &path).fails(3, &[&id, "no live pair", "--missing-ok"]);

    let filter = [
        "anchors",
        "remove",
        "--where",
        "licence=CC BY 4.0 source=source1",
    ];
    on(folder.path(), &filter, &path).ok();
    let file = folder.path().join("ids.txt");
    let many: Vec<u64> = (0..33).filter(|n| n % 3 != 1 && *n != 29).collect();
    let lines: String = many
        .iter()
        .map(|&n| format!("{}\n", pair(n).record.id))
        .collect();
    fs_err::write(&file, format!("{lines}\nnobody\n")).unwrap();
    let file = file.display().to_string();
    let by_file = ["anchors", "remove", "--json", "--ids-file", &file];
    on(folder.path(), &by_file, &path).fails(3, &["nobody"]);
    let some = [&by_file[..], &["--missing-ok"]].concat();
    let receipt = on(folder.path(), &some, &path).ok().json();
    assert_eq!(receipt["missing"], json!(["nobody"]));
    assert_eq!(receipt["removed"], many.len());
    assert_eq!(
        receipt["removed_ids"],
        Value::Null,
        "many ids are in a file"
    );
    let listed = fs_err::read_to_string(path.join(receipt["ids_file"].as_str().unwrap())).unwrap();
    assert_eq!(listed.lines().count(), many.len());

    let log = on(folder.path(), &["history", "--json"], &path)
        .ok()
        .json_lines();
    let commands: Vec<_> = log.iter().map(|l| l["command"].as_str().unwrap()).collect();
    assert_eq!(
        commands,
        [
            "build",
            "anchors remove",
            "anchors remove",
            "anchors remove"
        ]
    );
    assert_eq!(log[2]["detail"], "licence=CC BY 4.0 source=source1");
    let everything = ["anchors", "remove", "--where", "licence=CC BY 4.0"];
    let left = AnchorSet::open(&path).unwrap().len();
    on(folder.path(), &everything, &path).ok();
    assert_eq!((left, AnchorSet::open(&path).unwrap().len()), (5, 1));
    let last = ["anchors", "remove", "--where", "source=source1"];
    on(folder.path(), &last, &path).fails(3, &["no pair at all"]);
    on(folder.path(), &["rollback", "--json"], &path).ok();
    assert_eq!(AnchorSet::open(&path).unwrap().len(), 5);
}

#[test]
fn list_show_export_diff_and_audit_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..6);
    let id = pair(3).record.id;
    on(folder.path(), &["anchors", "remove", "--id", &id], &path).ok();
    let listed = on(folder.path(), &["anchors", "list", "--json"], &path)
        .ok()
        .json_lines();
    let exported = on(folder.path(), &["anchors", "export"], &path)
        .ok()
        .json_lines();
    assert_eq!((listed.len(), exported.len()), (5, 5));
    assert_eq!(listed[3]["anchor"], 3);
    assert_eq!(listed[3]["id"], json!(pair(4).record.id));
    assert_eq!(exported[3]["captions"], json!(pair(4).record.captions));
    let some = on(
        folder.path(),
        &["anchors", "list", "--where", "licence=CC0-1.0"],
        &path,
    )
    .ok();
    assert_eq!(some.out.lines().count(), 1);
    let show = |id: &str| {
        run(bare(folder.path())
            .args(["anchors", "show"])
            .arg(&path)
            .arg(id))
    };
    assert!(
        show(&pair(4).record.id)
            .ok()
            .out
            .contains("the caption of pair 0004")
    );
    show(&id).fails(3, &[&id]);
    let old = format!("{}@1", path.display());
    let diff = run(bare(folder.path())
        .args(["diff", "--json", &old])
        .arg(&path))
    .ok()
    .json();
    assert_eq!((&diff["lost"], &diff["same"]), (&json!([id]), &json!(5)));
    assert_eq!(
        (&diff["gained"], &diff["changed"]),
        (&json!([]), &json!([]))
    );
    let audit = |id: &str| {
        run(bare(folder.path())
            .args(["audit", "--json"])
            .arg(&path)
            .arg(id))
    };
    let traces = audit(&id).fails(3, &["kept generation"]).json();
    assert_eq!(traces[0]["live"], false);
    assert_eq!(traces[0]["generations"], json!([1]));
    assert_eq!(traces[0]["log"], json!([2]));
    audit("nobody").ok();
}

/// The relative rows of some queries of both sides.
fn rows(path: &Path) -> Vec<RelativeRow> {
    let set = AnchorSet::open(path).unwrap();
    let searcher = Searcher::new(&set, set.manifest().space.clone(), SearchMode::Auto).unwrap();
    let side = |modality, dim| {
        let queries: Vec<f32> = (900..920).flat_map(|seed| unit(seed, dim)).collect();
        searcher.rows(modality, &queries).unwrap()
    };
    [
        side(Modality::Image, DIMS[0]),
        side(Modality::Text, DIMS[1]),
    ]
    .concat()
}

#[test]
fn a_second_writer_a_read_only_folder_and_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..6);
    let id = pair(1).record.id;
    let remove = ["anchors", "remove", "--id", &id];
    let lock = asif::anchors::publish::WriteLock::acquire(&path).unwrap();
    let words = [
        "another process",
        &format!("process {}", std::process::id()),
    ];
    on(folder.path(), &remove, &path).fails(3, &words);
    on(folder.path(), &["anchors", "list"], &path).ok();
    on(
        folder.path(),
        &[&remove[..], &["--dry-run"]].concat(),
        &path,
    )
    .ok();
    drop(lock);
    // Another test may be starting a process just now, which has our files until it is another
    // program: the lock is free a moment later.
    let mut ended = on(folder.path(), &remove, &path);
    for _ in 0..100 {
        if !ended.err.contains("another process") {
            break;
        }
        ended = on(folder.path(), &remove, &path);
    }
    ended.ok();
    let copy = folder.path().join("copy.asif");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(&path)
        .arg(&copy)
        .status()
        .unwrap();
    assert!(copied.success());
    let unpacked = folder.path().join("unpacked");
    fs_err::create_dir(&unpacked).unwrap();
    let packed = Command::new("sh")
        .args(["-c", r#"tar -C "$1" -c a.asif | tar -C "$2" -x"#, "sh"])
        .args([folder.path(), &unpacked])
        .status()
        .unwrap();
    assert!(packed.success());
    let unpacked = unpacked.join("a.asif");
    let expected = rows(&path);
    for copy in [&copy, &unpacked] {
        assert_eq!(rows(copy), expected);
        on(folder.path(), &["verify", "--full"], copy).ok();
        on(folder.path(), &["anchors", "export"], copy).ok();
    }
    on(folder.path(), &["rollback"], &unpacked).ok();
    assert_eq!(AnchorSet::open(&unpacked).unwrap().len(), 6);
    on(folder.path(), &["rollback"], &copy).ok();
    assert_eq!(AnchorSet::open(&copy).unwrap().len(), 6);
    let writable = |on: bool| {
        let mode = if on { "u+w" } else { "a-w" };
        let done = Command::new("chmod")
            .arg("-R")
            .arg(mode)
            .arg(&copy)
            .status()
            .unwrap();
        assert!(done.success());
    };
    writable(false);
    for words in [
        &["anchors", "list"][..],
        &["history"],
        &["verify", "--full"],
        &["inspect"],
    ] {
        on(folder.path(), words, &copy).ok();
    }
    writable(true);
}

#[test]
fn pairs_are_added_with_the_real_encoders() {
    let folder = tempfile::tempdir().unwrap();
    let records = demo_pairs(12);
    let [first, all] = [&records[..8], &records[..]]
        .map(|r| write_jsonl(folder.path(), &format!("{}.jsonl", r.len()), r));
    let [path, whole] = ["a.asif", "b.asif"].map(|n| folder.path().join(n));
    for (pairs, out) in [(&first, &path), (&all, &whole)] {
        run(asif()
            .arg("build")
            .arg("--pairs")
            .arg(pairs)
            .arg("--out")
            .arg(out))
        .ok();
    }
    let add = |more: &[&str]| {
        let mut command = asif();
        command
            .args(["anchors", "add", "--json"])
            .arg(&path)
            .args(more);
        run(command.arg("--pairs").arg(&all))
    };
    let foreseen = add(&["--dry-run"]).ok().json();
    assert_eq!(
        (&foreseen["added"], &foreseen["skipped"]),
        (&json!(4), &json!(8))
    );
    let report = add(&["--accept-encoder"]).ok().json();
    assert_eq!(
        (&report["added"], &report["skipped"]),
        (&json!(4), &json!(8))
    );
    assert_eq!(report["skipped_by_reason"]["id already in the set"], 8);
    let diff = run(asif().args(["diff", "--json"]).arg(&path).arg(&whole))
        .ok()
        .json();
    assert_eq!(diff["same"], 12, "{diff}");
    add(&[]).fails(3, &["no usable pair"]);
    let image = records[0]["image"].as_str().unwrap();
    let probed = run(asif()
        .args(["diff", "--json", "--labels", "a frog,a ship"])
        .arg(format!("{}@1", path.display()))
        .arg(&whole)
        .args(["--probe", image]))
    .ok()
    .json();
    assert_eq!(probed["probed"], 1);
    let rebuilt = run(asif()
        .args(["build", "--json", "--overwrite", "--pairs"])
        .arg(&first)
        .arg("--out")
        .arg(&path))
    .ok()
    .json();
    assert_eq!(rebuilt["generation"], 3);
    run(asif().arg("rollback").arg(&path)).ok();
    assert_eq!(AnchorSet::open(&path).unwrap().len(), 12);
}

/// A server makes a head once a snapshot, and a classifier for each request.
#[test]
fn a_head_of_a_snapshot_answers_as_a_classifier_of_the_set() {
    let home = home();
    runtime::load(None, &home).unwrap();
    let path = demo_set();
    let set = AnchorSet::open(path).unwrap();
    let options = EncoderOptions::latency();
    let model = |modality| {
        let name = &set.encoder(modality).identity.name;
        ModelFolder::open(registry::resolve(&home, name, modality).unwrap()).unwrap()
    };
    let embedder = Embedder::new(
        ImageEncoder::open(&model(Modality::Image), &options).unwrap(),
        TextEncoder::open(&model(Modality::Text), &options).unwrap(),
        options.sessions,
    );
    let watch = Watch {
        progress: &asif::progress::Silent,
        cancel: &asif::progress::Cancel::default(),
    };
    let labels = Labels::parse("a frog,a ship,a cat").unwrap();
    let templates = Templates::default();
    let scoring = Scoring::default();
    let whole = HeadOptions {
        space: set.manifest().space.clone(),
        mode: SearchMode::Auto,
        aggregate: scoring.aggregate,
        logit_scale: scoring.logit_scale,
    };
    let images = [demo_pairs(1)[0]["image"].as_str().unwrap().to_owned()];
    let expected = Classifier::new(&set, &embedder, &labels, &templates, whole, watch)
        .and_then(|classifier| classifier.classify(&images, watch))
        .unwrap();

    let live = LiveSet::open(path, LiveOptions::default()).unwrap();
    let snapshot = live.load();
    let searcher = snapshot.searcher();
    let head = LabelHead::new(
        snapshot.set(),
        &searcher,
        &embedder,
        &labels,
        &templates,
        scoring,
        watch,
    );
    let head = Arc::new(head.unwrap());
    for _ in 0..2 {
        let classifier = Classifier::with_head(snapshot.searcher(), &embedder, Arc::clone(&head));
        let answers = classifier.classify(&images, watch).unwrap();
        let answer = answers[0].as_ref().unwrap();
        assert_eq!(answer, expected[0].as_ref().unwrap());
        assert_eq!(classifier.ranked(answer, 9).len(), 3);
    }
}

/// Root may write where the mode forbids it, so the folder lies on a read-only mount of its own.
#[test]
fn a_set_on_a_read_only_disk_is_read_and_not_written() {
    let works = Command::new("unshare").args(["-rm", "true"]).status();
    if !works.is_ok_and(|s| s.success()) {
        // Not println!, which the test runner would hide.
        let _ = writeln!(stderr(), "skipped: `unshare -rm` is not permitted here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..6);
    let script =
        r#"mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99; shift; exec "$@""#;
    let on_read_only = |words: &[&str]| {
        run(Command::new("unshare")
            .args(["-rm", "sh", "-c", script, "sh"])
            .arg(&path)
            .arg(env!("CARGO_BIN_EXE_asif"))
            .args(words)
            .arg(&path)
            .env("ASIF_HOME", folder.path().join("home"))
            .env_remove("ASIF_JSON"))
    };
    let listed = on_read_only(&["anchors", "list"]).ok();
    assert_eq!(listed.out.lines().count(), 6, "{}", listed.out);
    on_read_only(&["verify", "--full"]).ok();
    let id = pair(1).record.id;
    on_read_only(&["anchors", "remove", "--id", &id]).fails(1, &["Read-only file system"]);
}

#[test]
fn every_command_teaches() {
    for command in [
        &["anchors"][..],
        &["anchors", "add"],
        &["anchors", "remove"],
        &["anchors", "compact"],
        &["swap"],
        &["rollback"],
        &["history"],
        &["diff"],
        &["verify"],
        &["repair"],
        &["audit"],
    ] {
        let help = run(bare(Path::new("/nowhere")).args(command).arg("--help"))
            .ok()
            .out;
        assert!(
            help.len() > 400 && help.contains("--json"),
            "{command:?}: {help}"
        );
    }
}
