//! The power goes: what was not synced is forgotten, at every sync and at the end.

use std::collections::HashSet;
use std::io::{Write as _, stderr};
use std::path::Path;

use super::cases::{Case, Subject, cases};
use super::states::Expected;
use super::syscalls::states::{durable, now};
use super::syscalls::tracer::trace_on;
use super::syscalls::{Call, Disk, Plan, Tree, after_power_cut, possible, trace};
use super::{at_once, copy, scratch};

#[test]
fn a_power_cut_leaves_the_old_state_or_the_new_one() {
    if !possible() {
        return;
    }
    let folder = scratch();
    let cases = cases(folder.path());
    at_once(&cases, |case| {
        let expected = Expected::of(case);
        for &plain in case.media() {
            every_cut(&expected, plain);
        }
    });
}

fn every_cut(expected: &Expected<'_>, plain: bool) {
    let case = expected.case;
    let root = scratch();
    copy(&case.template, root.path());
    let command = case.command(root.path());
    let whole = trace_on(&command, root.path(), Plan::Record, plain).unwrap();
    assert!(whole.success(), "{}: {whole:?}", case.name);
    let mut disk = Disk::of(&case.template);
    let mut seen = HashSet::new();
    let (mut cuts, mut states) = (0, 0);
    let mut cut = |disk: &Disk, done: bool, at: &str| {
        cuts += 1;
        for (what, tree) in after_power_cut(disk) {
            // Each state of the cache, and each of the rest; not each of one with each of the other.
            let rest = tree.below("", |path| path.starts_with("cache"));
            let new = [rest.hash(), tree.below("cache", |_| false).hash()]
                .map(|hash| seen.insert((hash, done)));
            if new.contains(&true) {
                states += 1;
                let root = scratch();
                tree.write(root.path());
                expected.check(root.path(), done, &format!("power cut {at}, {what}"));
            }
        }
    };
    for call in &whole.calls {
        let at = format!(
            "call {} ({} {})",
            call.number,
            call.name,
            call.path().display()
        );
        if call.is_sync() {
            cut(&disk, false, &format!("before {at}"));
        }
        disk.apply(call);
        if call.is_sync() {
            cut(&disk, false, &format!("after {at}"));
        }
    }
    cut(&disk, true, "at the end");
    assert_eq!(
        now(&disk),
        now(&Disk::of(root.path())),
        "{}: the record is not all",
        case.name
    );
    let (kept, there) = (lasting(case, &durable(&disk)), lasting(case, &now(&disk)));
    differ(
        &kept,
        &there,
        &format!("{}: done, but not durable", case.name),
    );
    let _ = writeln!(
        stderr(),
        "{}{}: {} calls, {cuts} cuts, {states} states",
        case.name,
        if plain { ", a plain medium" } else { "" },
        whole.calls.len(),
    );
}

/// A command that was killed is given again: what it finds done already it must not take for durable.
#[test]
fn what_a_killed_command_did_is_durable_when_its_successor_is_done() {
    if !possible() {
        return;
    }
    let folder = scratch();
    let cases = cases(folder.path());
    at_once(&cases, |case| {
        let root = scratch();
        copy(&case.template, root.path());
        let whole = trace(&case.command(root.path()), root.path(), Plan::Record).unwrap();
        let syncs = whole.calls.iter().filter(|call| call.is_sync());
        for number in syncs.map(|call| call.number) {
            given_again(case, number);
        }
    });
}

fn given_again(case: &Case, number: usize) {
    let root = scratch();
    copy(&case.template, root.path());
    let mut disk = Disk::of(&case.template);
    let command = case.command(root.path());
    for plan in [Plan::Kill(number), Plan::Record] {
        let traced = trace(&command, root.path(), plan).unwrap();
        traced.calls.iter().for_each(|call: &Call| disk.apply(call));
        if plan == Plan::Record && !traced.success() {
            // It had been done before it was killed: a set, a model or a generation to go back to is
            // there already. Whoever is told so was not told that it is durable.
            return;
        }
    }
    // A record that the log lacks is in a manifest.
    let less_log = |tree: &Tree| lasting(case, tree).below("", |path| path.starts_with("log"));
    let (there, kept) = (less_log(&now(&disk)), less_log(&durable(&disk)));
    // What was removed may come back; nothing of it has a name that counts.
    let kept = kept
        .0
        .into_iter()
        .filter(|(path, _)| there.0.contains_key(path));
    let what = format!("{}: killed before call {number} and given again", case.name);
    differ(&Tree(kept.collect()), &there, &what);
}

/// What a command promises to have made durable: no cache, no lock, nothing hidden.
fn lasting(case: &Case, tree: &Tree) -> Tree {
    let hidden = |path: &Path| {
        path.iter()
            .any(|name| name.to_str().unwrap().starts_with('.'))
    };
    let lock = |path: &Path| path.ends_with("LOCK") || hidden(path);
    match case.subject {
        Subject::Generation | Subject::NewSet | Subject::Damaged => tree.below("a.asif", lock),
        Subject::Model => tree.below("home/models", lock),
        Subject::Report => tree.below("", |path| path != Path::new("report")),
    }
}

fn differ(kept: &Tree, there: &Tree, what: &str) {
    let of = |a: &Tree, b: &Tree| {
        let differing =
            a.0.iter()
                .filter(|(path, bytes)| b.0.get(*path) != Some(bytes));
        differing
            .map(|(path, _)| path.display().to_string())
            .collect::<Vec<_>>()
    };
    let (lost, come) = (of(there, kept), of(kept, there));
    assert!(
        lost.is_empty() && come.is_empty(),
        "{what}: {lost:?} lost, {come:?} come back"
    );
}
