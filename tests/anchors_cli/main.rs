//! The commands that change a set: receipts, lists, locks, copies. Those that need no encoder are run
//! with an empty home.
//!
//! | file | what it tests |
//! |---|---|
//! | `places` | another writer, copies, folders and disks that cannot be written |
//! | `selections` | filters, samples, limits and repetitions |
//! | `encoded` | what needs the real encoders |
//! | this one | receipts, lists, help |
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod encoded;
mod places;
mod selections;
#[path = "../support/mod.rs"]
mod support;
#[path = "../synthetic/mod.rs"]
mod synthetic;

use std::path::Path;

use asif::anchors::AnchorSet;
use serde_json::{Value, json};
use support::{bare, on, run};
use synthetic::{pair, set};

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
    // What was given already is not advised.
    let again = [&remove[..], &["--missing-ok"]].concat();
    let unchanged = on(folder.path(), &again, &path).ok();
    assert!(
        unchanged.out.contains("nothing was changed"),
        "{}",
        unchanged.out
    );
    assert_eq!(unchanged.json()["missing"], json!([id]));

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
    on(folder.path(), &last, &path).fails(3, &["leave no pair"]);
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
