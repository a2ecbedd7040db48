//! File operations that the disk refuses.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use asif::anchors::care::check;
use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::stored::layout;
use asif::anchors::stored::manifest;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorSet, WriteOptions};
use serde_json::Value;

use super::changes::{Change, changes, encoding_changes};
use super::skipped::{Lack, skip};
use super::synthetic::{copy, scratch};
use super::{asif, ids, is_one_of, state};

/// Every file operation of every change fails once, in every way: the set is what it was or what it
/// was to be, and the next change succeeds and leaves nothing behind.
#[test]
fn every_file_operation_may_fail() {
    if !cfg!(debug_assertions) {
        let reason = "failures are injected in builds with debug assertions only";
        skip(Lack::Elsewhere, reason);
        return;
    }
    let folder = scratch();
    let mut changes = changes(folder.path());
    changes.extend(encoding_changes(folder.path()));
    let modes = ["error", "full", "abort", "torn"];
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        // More than there are cores: most of the time is waiting for the disk to sync.
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let task = next.fetch_add(1, Ordering::Relaxed);
                    let Some(change) = changes.get(task / modes.len()) else {
                        break;
                    };
                    // No other set lies beside the one that is changed.
                    let own = folder.path().join(task.to_string());
                    fs_err::create_dir_all(&own).unwrap();
                    every_operation(&own, change, modes[task % modes.len()]);
                }
            });
        }
    });
}

/// Goes on until the failure is not reached any more: whether the command told of it says nothing,
/// since a failure to write what only saves time is passed over.
fn every_operation(folder: &Path, change: &Change, mode: &str) {
    let undisturbed = run(folder, change, "", &[]);
    let states = [before(&change.template), undisturbed.state];
    let words: Vec<_> = change.words.iter().take(2).collect();
    let (mut failed, mut passed_over) = (0, Vec::new());
    for n in 1.. {
        let ended = run(folder, change, &format!("{mode}:{n}"), &states);
        let Some(place) = ended.failed_at else {
            assert!(ended.success, "{words:?} {mode}:{n}: nothing had failed");
            break;
        };
        failed += 1;
        if ended.success {
            passed_over.push(place);
        }
        assert!(n < 400, "{words:?} {mode} has no end");
    }
    let succeeded = passed_over.len();
    println!("{words:?} {mode}: {failed} operations failed, {succeeded} of them passed over");
    // Of all operations, only some write bytes, which can be torn.
    let least = if mode == "torn" { 3 } else { 10 };
    assert!(failed > least, "{words:?} {mode}: only {failed}");
    // A process that ends cannot say that it was done.
    let ends = matches!(mode, "abort" | "torn");
    assert!(!ends || succeeded == 0, "{words:?} {mode}: {passed_over:?}");
}

fn before(template: &Path) -> Value {
    let set = AnchorSet::open(template).unwrap();
    state(set.manifest().generation, &ids(&set))
}

/// What became of a change.
struct ChangeOutcome {
    /// Of the set after it, and after the next change.
    state: Value,
    success: bool,
    /// What the failed operation was about; `None` when there were fewer operations.
    failed_at: Option<String>,
}

/// Runs a change on a copy with a failure; checks what is left, and that another change succeeds.
fn run(folder: &Path, change: &Change, fail: &str, states: &[Value]) -> ChangeOutcome {
    let path = folder.join("work.asif");
    let cache = folder.join("cache");
    let failed = folder.join("failed");
    let _ = fs_err::remove_file(&failed);
    let _ = fs_err::remove_dir_all(&path);
    let _ = fs_err::remove_dir_all(&cache);
    copy(&change.template, &path);
    let words = &change.words;
    let mut command = asif(folder);
    command.env("ASIF_CACHE", &cache).args(words).arg(&path);
    if !fail.is_empty() {
        command.env("ASIF_TEST_FAIL", fail);
        command.env("ASIF_TEST_FAILED", &failed);
    }
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!said.contains("panicked"), "{fail}: {said}");
    if states.is_empty() {
        assert!(ended.status.success(), "{words:?}: {said}");
    } else {
        let found = is_one_of(&path, states);
        if ended.status.success() {
            assert_eq!(found, 1, "{words:?} {fail} said that it was done");
        }
        let next = if words[0] == "rollback" || found == 0 && states[0]["generation"] != 1 {
            SwapTarget::Previous
        } else {
            SwapTarget::Generation(states[found]["generation"].as_u64().unwrap())
        };
        let receipt = swap(&path, next, &WriteOptions::default()).unwrap();
        assert!(receipt.warnings.is_empty(), "{:?}", receipt.warnings);
        let logged = fs_err::read_to_string(layout::log_path(&path)).unwrap();
        assert_eq!(
            logged.lines().count() as u64,
            receipt.change.generation,
            "{words:?} {fail}: the log lacks a change or tells of one too many"
        );
        assert_eq!(check::verify(&path, true).unwrap(), [], "{words:?} {fail}");
        nothing_is_left(&path, &format!("{words:?} {fail}"));
    }
    let set = AnchorSet::open(&path).unwrap();
    ChangeOutcome {
        state: state(set.manifest().generation, &ids(&set)),
        success: ended.status.success(),
        failed_at: fs_err::read_to_string(&failed).ok(),
    }
}

/// No hidden file, and no file that no kept generation names.
fn nothing_is_left(path: &Path, what: &str) {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs_err::read_dir(path.join(folder)).unwrap();
        let name = |e: std::io::Result<fs_err::DirEntry>| {
            e.unwrap().file_name().to_string_lossy().into_owned()
        };
        entries.map(name).collect()
    };
    for folder in [".", "generations", "segments", "log"] {
        let hidden: Vec<_> = names(folder)
            .into_iter()
            .filter(|n| n.starts_with('.'))
            .collect();
        assert!(hidden.is_empty(), "{what}: {hidden:?}");
    }
    let (mut files, mut segments) = (BTreeSet::new(), BTreeSet::new());
    for generation in witness::kept(path).unwrap() {
        let name = layout::generation_name(generation);
        let manifest = manifest::Manifest::read(path, &name).unwrap();
        files.insert(format!("{name}.json"));
        files.extend(manifest.tombstones.map(|t| t.file));
        segments.extend(manifest.segments.into_iter().map(|s| s.id));
    }
    assert_eq!(names("generations"), files, "{what}");
    assert_eq!(names("segments"), segments, "{what}");
}
