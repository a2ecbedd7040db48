//! Commands to which the system refuses a look at a file: that is not damage, and nothing is given up for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use asif::anchors::care::check;
use asif::anchors::change::select;
use asif::anchors::stored::change_record::ChangeRecord;
use asif::anchors::stored::history;
use nix::errno::Errno;

use super::cases::{Case, changes, next_change, repairs};
use super::syscalls::states::now;
use super::syscalls::tracer::trace_on;
use super::syscalls::{Disk, Ended, Plan, Traced, possible};
use super::{at_once, copy, scratch};

#[test]
fn nothing_is_given_up_for_what_the_system_refuses() {
    if !possible() {
        return;
    }
    let folder = scratch();
    at_once(&repairs(folder.path()), every_look);
}

const ERRORS: [Errno; 4] = [Errno::EIO, Errno::EACCES, Errno::EMFILE, Errno::ENOMEM];

/// Which looks are refused: all take minutes, and `ASIF_TEST_EVERY_LOOK` asks for that.
fn step(usual: usize) -> usize {
    match std::env::var_os("ASIF_TEST_EVERY_LOOK") {
        Some(_) => 1,
        None => usual,
    }
}

/// Number and ids of what is live.
fn live(set: &Path) -> Option<(u64, Vec<String>)> {
    let opened = AnchorSet::open(set).ok()?;
    let ids = select::ids(&opened).unwrap();
    Some((opened.manifest().generation, ids))
}

fn every_look(case: &Case) {
    let repair = |nth: usize, error: Errno| -> (tempfile::TempDir, Traced) {
        let root = scratch();
        copy(&case.template, root.path());
        let command = case.command(root.path());
        let plan = Plan::RefuseLook(nth, error);
        let traced = trace_on(&command, root.path(), plan, false).unwrap();
        (root, traced)
    };
    let (whole, traced) = repair(0, Errno::EIO);
    assert!(traced.success(), "{}: {traced:?}", case.name);
    let before = live(&Case::set(&case.template));
    let after = live(&Case::set(whole.path()));
    let put_right = |set: &Path| check::verify(set, true).unwrap().is_empty();
    assert!(put_right(&Case::set(whole.path())), "{}", case.name);
    let mut failed = 0;
    for nth in (1..).step_by(step(17)) {
        let error = ERRORS[nth % ERRORS.len()];
        let (root, traced) = repair(nth, error);
        let Some((name, path)) = &traced.reached else {
            break;
        };
        let what = format!("{}: {error} for {name} {}", case.name, path.display());
        let set = Case::set(root.path());
        let found = live(&set);
        assert!(
            found == before || found == after,
            "{what}: {found:?}, {traced:?}"
        );
        if traced.success() {
            assert!(put_right(&set), "{what}: {traced:?}");
        } else {
            failed += 1;
        }
        if case.name == "repair: a sound set" {
            let left = |root: &Path| {
                let tree = now(&Disk::of(root));
                tree.below("", |path| path.ends_with("LOCK")).hash()
            };
            assert_eq!(left(root.path()), left(whole.path()), "{what}");
        }
        // The next one does what this one could not.
        assert!(case.command(root.path()).output().unwrap().status.success());
        assert_eq!(live(&set), after, "{what}: the next one");
        assert!(put_right(&set), "{what}: the next one");
    }
    assert!(failed > 3, "{}: {failed}", case.name);
}

/// The same of changes of a sound set: it is what it was or what the change makes of it, with all that
/// was there before.
#[test]
fn a_change_that_may_not_look_loses_nothing() {
    if !possible() {
        return;
    }
    let folder = scratch();
    at_once(&changes(folder.path()), every_look_of_a_change);
}

/// A copy of what the command is let loose on, with a file of somebody else's in each segment.
fn with_notes(case: &Case) -> (tempfile::TempDir, Vec<PathBuf>) {
    let root = scratch();
    copy(&case.template, root.path());
    let segments = fs_err::read_dir(Case::set(root.path()).join("segments")).unwrap();
    let notes: Vec<PathBuf> = segments
        .map(|entry| entry.unwrap().path().join("notes"))
        .collect();
    for note in &notes {
        fs_err::write(note, "mine").unwrap();
    }
    (root, notes)
}

/// What is live, where a rollback goes, and what the log says of the last change.
type SetState = (
    Option<(u64, Vec<String>)>,
    Option<u64>,
    Option<ChangeRecord>,
);

fn told(set: &Path) -> SetState {
    let last = history::read(set)
        .unwrap()
        .pop()
        .map(|change| ChangeRecord {
            when: String::new(),
            ..change
        });
    let opened = AnchorSet::open(set).unwrap();
    (live(set), opened.manifest().parent, last)
}

/// The files of cached embeddings.
fn cached(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = fs_err::read_dir(root.join("cache")) else {
        return BTreeMap::new();
    };
    let files = entries.map(|entry| entry.unwrap().path());
    let bytes = |path: PathBuf| {
        (
            path.file_name().unwrap().into(),
            fs_err::read(path).unwrap(),
        )
    };
    files.map(bytes).collect()
}

fn every_look_of_a_change(case: &Case) {
    let before = told(&Case::set(&case.template));
    let embeddings = cached(&case.template);
    let (whole, _) = with_notes(case);
    let done = case.command(whole.path()).output().unwrap();
    assert!(done.status.success(), "{}: {done:?}", case.name);
    let own = |of: SetState, root: &Path| {
        // The folders of both copies differ.
        let without_root = |text: String| text.replace(&root.display().to_string(), "");
        let detail = |change: ChangeRecord| ChangeRecord {
            detail: without_root(change.detail),
            source_set: change.source_set.map(without_root),
            ..change
        };
        (of.0, of.1, of.2.map(detail))
    };
    let after = own(told(&Case::set(whole.path())), whole.path());
    let mut failed = 0;
    for nth in (1..).step_by(step(23)) {
        let error = ERRORS[nth % ERRORS.len()];
        let (root, notes) = with_notes(case);
        let command = case.command(root.path());
        let traced = trace_on(&command, root.path(), Plan::RefuseLook(nth, error), false).unwrap();
        let Some((name, path)) = &traced.reached else {
            break;
        };
        let what = format!(
            "{}: {nth}: {error} for {name} {}",
            case.name,
            path.display()
        );
        assert_ne!(traced.ended, Ended::Exit(101), "{what}: {traced:?}");
        let set = Case::set(root.path());
        let found = own(told(&set), root.path());
        let sound = match traced.success() {
            true => found == after,
            false => found == after || found == before,
        };
        assert!(sound, "{what}: {found:?}, expected {after:?}, {traced:?}");
        failed += usize::from(!traced.success());
        let findings = check::verify(&set, true).unwrap();
        assert!(findings.is_empty(), "{what}: {findings:?}, {traced:?}");
        for note in &notes {
            assert!(note.exists(), "{what}: {} is gone", note.display());
        }
        let now = cached(root.path());
        for (file, bytes) in &embeddings {
            let kept = now.get(file).is_some_and(|now| now.starts_with(bytes));
            assert!(kept, "{what}: {} lost embeddings", file.display());
        }
        next_change(&set);
    }
    assert!(failed > 2, "{}: {failed}", case.name);
}
