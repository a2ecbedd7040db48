//! The commands that change a set: receipts, locks, copies, purges. Those that need no encoder are
//! run with an empty home.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;
mod synthetic;

use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use asif::anchors::cache::{ContentKey, EmbeddingCache};
use asif::anchors::{AnchorSet, check, history};
use serde_json::{Value, json};
use support::{Ended, asif, demo_pairs, run, write_jsonl};
use synthetic::{DIMS, pair, set};

/// `asif` without any encoder.
fn bare(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
    command
        .env("ASIF_HOME", folder.join("home"))
        .env_remove("ASIF_CACHE")
        .env_remove("ASIF_JSON");
    command
}

fn on(folder: &Path, words: &[&str], path: &Path) -> Ended {
    run(bare(folder).args(words).arg(path))
}

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

/// Every file under a folder that holds these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs_err::read(&path)
            .unwrap()
            .windows(bytes.len())
            .any(|w| w == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn after_a_purge_no_file_holds_the_pair() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    let cache = folder.path().join("cache");
    set(&path, 0..40);
    let gone: Vec<u64> = (10..36).collect();
    let manifest = AnchorSet::open(&path).unwrap().manifest().clone();
    let of = |n: u64| pair(n);
    let image_print = manifest.image_encoder.identity.fingerprint.clone();
    let text_print = manifest.text_encoder.identity.fingerprint.clone();
    let image = EmbeddingCache::open(&cache, &image_print, DIMS[0]).unwrap();
    let text = EmbeddingCache::open(&cache, &text_print, DIMS[1]).unwrap();
    for n in 0u64..40 {
        // The image file is gone, so its embedding is found by the vector.
        image
            .put(&[ContentKey::of(&n.to_le_bytes())], &of(n).image)
            .unwrap();
        let caption = of(n).record.captions[0].clone();
        text.put(&[ContentKey::of(caption.as_bytes())], &of(n).text)
            .unwrap();
    }
    let bytes = |v: &[f32]| -> Vec<u8> { v.iter().flat_map(|x| x.to_le_bytes()).collect() };
    let traces = |n: u64| {
        let pair = of(n);
        let needles = [
            pair.record.id.clone().into_bytes(),
            pair.record.captions[0].clone().into_bytes(),
            bytes(&pair.image),
            bytes(&pair.text),
        ];
        needles.map(|needle| holding(folder.path(), &needle))
    };
    assert!(traces(12).iter().all(|files| !files.is_empty()));
    for part in [&gone[..1], &gone[1..]] {
        let mut command = bare(folder.path());
        command.args(["anchors", "remove"]).arg(&path);
        for &n in part {
            command.args(["--id", &of(n).record.id]);
        }
        run(&mut command).ok();
    }
    let purge = |more: &[&str]| {
        let mut command = bare(folder.path());
        command
            .args(["audit", "--json", "--purge"])
            .args(more)
            .arg(&path);
        run(command.arg("--cache").arg(&cache))
    };
    let live = of(0).record.id;
    run(bare(folder.path())
        .args(["audit", "--purge"])
        .arg(&path)
        .arg(&live))
    .fails(3, &[&live, "live pair"]);
    let before = AnchorSet::open(&path).unwrap().len();
    assert_eq!(purge(&["--dry-run"]).ok().json()["purged"], gone.len());
    assert!(!traces(12)[0].is_empty());
    let report = purge(&[]).ok().json();
    assert_eq!(report["purged"], gone.len());
    assert_eq!(report["embeddings_forgotten"], 2 * gone.len());
    for &n in &gone {
        let found = traces(n);
        assert!(found.iter().all(Vec::is_empty), "pair {n}: {found:?}");
    }
    for n in [0, 9, 36] {
        assert!(
            traces(n).iter().all(|files| !files.is_empty()),
            "pair {n} is live"
        );
    }
    let after = AnchorSet::open(&path).unwrap();
    assert_eq!((after.len(), before), (14, 14));
    assert_eq!(check::verify(&path, true).unwrap(), []);
    assert_eq!(history::read(&path).unwrap().len(), 4);
    let audit = run(bare(folder.path())
        .args(["audit", "--json"])
        .arg(&path)
        .arg(&of(12).record.id))
    .ok()
    .json();
    assert_eq!(
        audit[0]["purged"],
        json!([3]),
        "the log proves it without telling of whom"
    );
    assert_eq!(audit[0]["log"], json!([]));
    on(folder.path(), &["rollback"], &path).fails(3, &["not kept"]);
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
    AnchorSet::open(&copy).unwrap().verify().unwrap();
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
fn what_is_damaged_is_found_and_what_can_be_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.asif");
    set(&path, 0..6);
    on(folder.path(), &["verify", "--full"], &path).ok();
    let segment = AnchorSet::open(&path).unwrap().segments()[0]
        .path()
        .to_owned();
    let flip = |file: &Path, back: usize| {
        let mut bytes = fs_err::read(file).unwrap();
        let at = bytes.len() - back;
        bytes[at] ^= 0x40;
        fs_err::write(file, bytes).unwrap();
    };
    flip(&segment.join("moments.sum"), 100);
    on(folder.path(), &["verify"], &path).fails(3, &["finding"]);
    on(folder.path(), &["anchors", "list"], &path).fails(3, &["moments.sum"]);
    on(folder.path(), &["repair", "--dry-run"], &path).fails(3, &["remain"]);
    on(folder.path(), &["repair"], &path).ok();
    on(folder.path(), &["verify", "--full"], &path).ok();

    let id = pair(1).record.id;
    on(folder.path(), &["anchors", "remove", "--id", &id], &path).ok();
    flip(&path.join("generations/g000002.del"), 4200);
    let listed = on(folder.path(), &["anchors", "list"], &path).ok();
    assert_eq!(
        listed.out.lines().count(),
        6,
        "the last good generation answers"
    );
    assert!(
        listed.err.contains("warning") && listed.err.contains("generation 1"),
        "{}",
        listed.err
    );
    let repaired = on(folder.path(), &["repair", "--json"], &path);
    assert!(
        repaired.out.contains("generation 2 is given up for 1"),
        "{}",
        repaired.out
    );
    assert_eq!(AnchorSet::open(&path).unwrap().manifest().generation, 3);

    fs_err::write(path.join("CURRENT"), b"nonsense").unwrap();
    on(folder.path(), &["repair"], &path);
    assert_eq!(AnchorSet::open(&path).unwrap().len(), 6);
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

/// Vectors come back from their sources and graphs from their vectors, with the same bits.
#[test]
fn vectors_and_graphs_are_rebuilt_with_the_real_encoders() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = write_jsonl(folder.path(), "pairs.jsonl", &demo_pairs(60));
    let path = folder.path().join("a.asif");
    run(asif()
        .arg("build")
        .arg("--pairs")
        .arg(&pairs)
        .arg("--out")
        .arg(&path)
        .args(["--graph", "always"]))
    .ok();
    let verify = || run(asif().args(["verify", "--full"]).arg(&path));
    verify().ok();
    let segment = fs_err::read_dir(path.join("segments"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for (name, gone) in [
        ("image.graph", false),
        ("image.vec", true),
        ("text.vec", false),
    ] {
        let file = segment.join(name);
        let good = fs_err::read(&file).unwrap();
        if gone {
            fs_err::remove_file(&file).unwrap();
        } else {
            let mut bad = good.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 0x20;
            fs_err::write(&file, bad).unwrap();
        }
        let found = verify().fails(3, &["finding"]);
        assert!(found.out.contains(name), "{}", found.out);
        run(asif().arg("repair").arg(&path)).ok();
        verify().ok();
        assert!(
            fs_err::read(&file).unwrap() == good,
            "{name} came back otherwise"
        );
    }
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
