//! Where a set lies: another writer, copies, folders and disks that cannot be written.

use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::Command;

use asif::anchors::stored::plan::SearchMode;
use asif::anchors::{AnchorSet, Searcher};
use asif::modality::Modality;
use asif::space::RelativeRow;

use super::support::{on, run};
use super::synthetic::{DIMS, pair, set, unit};

/// The relative rows of some queries of both sides.
fn rows(path: &Path) -> Vec<RelativeRow> {
    let set = AnchorSet::open(path).unwrap();
    let searcher = Searcher::new(&set, set.manifest().space.clone(), SearchMode::Auto).unwrap();
    let side = |modality, dim| {
        let queries: Vec<f32> = (900..920).flat_map(|seed| unit(seed, dim)).collect();
        searcher.rows(modality, &queries).unwrap()
    };
    [
        side(Modality::Image, DIMS.image),
        side(Modality::Text, DIMS.text),
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
    let lock = asif::anchors::stored::publish::WriteLock::acquire(&path).unwrap();
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
