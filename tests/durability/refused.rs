//! Each system call refused once, and the command killed before each.

use std::collections::HashSet;
use std::io::{Write as _, stderr};

use nix::errno::Errno;

use super::cases::cases;
use super::states::Expected;
use super::syscalls::states::now;
use super::syscalls::tracer::{trace_on, worth_a_try};
use super::syscalls::{Disk, Ended, Plan, possible, trace};
use super::{at_once, copy, scratch};

#[test]
fn every_system_call_may_be_refused_or_be_the_last() {
    if !possible() {
        return;
    }
    let folder = scratch();
    let cases = cases(folder.path());
    at_once(&cases, |case| {
        let expected = Expected::of(case);
        for &plain in case.media() {
            every_call(&expected, plain);
        }
    });
}

fn every_call(expected: &Expected<'_>, plain: bool) {
    let case = expected.case;
    let root = scratch();
    copy(&case.template, root.path());
    let command = case.command(root.path());
    let whole = trace_on(&command, root.path(), Plan::Record, plain).unwrap();
    assert!(whole.success(), "{}: {whole:?}", case.name);
    let numbers = worth_a_try(&whole.calls);
    let mut tried = [0; 3];
    // What was left, each state checked once: most refusals leave what was there before.
    let mut seen = HashSet::new();
    for &number in &numbers {
        let plans = [
            Plan::Refuse(number, Errno::EIO),
            Plan::RefuseFrom(number, Errno::ENOSPC),
            Plan::Kill(number),
        ];
        for (plan, tried) in plans.into_iter().zip(&mut tried) {
            // On a full disk much is the same wherever it begins.
            if matches!(plan, Plan::RefuseFrom(..)) && number % 3 != 1 {
                continue;
            }
            let root = scratch();
            copy(&case.template, root.path());
            let command = case.command(root.path());
            let traced = trace_on(&command, root.path(), plan, plain).unwrap();
            // Threads may share the work so that there are fewer calls.
            let Some((name, path)) = &traced.reached else {
                continue;
            };
            *tried += 1;
            let what = format!("{plan:?}, {name} {}, plain {plain}", path.display());
            let killed = matches!(traced.ended, Ended::Killed(_));
            assert_eq!(killed, matches!(plan, Plan::Kill(_)), "{what}: {traced:?}");
            let panicked = traced.ended == Ended::Exit(101) && !case.is_worker();
            assert!(!panicked, "{what}: {}", traced.stderr);
            let left = now(&Disk::of(root.path()));
            // Apart from the number of the process that had the lock.
            let left = left.below("", |path| path.ends_with("LOCK"));
            if seen.insert((left.hash(), traced.success())) {
                expected.check(root.path(), traced.success(), &what);
            }
        }
    }
    // Not println!, which the test runner would hide.
    let _ = writeln!(
        stderr(),
        "{}{}: {} calls, {} refused, {} with all after them, {} killed before, {} states",
        case.name,
        if plain { ", a plain medium" } else { "" },
        whole.calls.len(),
        tried[0],
        tried[1],
        tried[2],
        seen.len(),
    );
    assert!(tried.iter().all(|&n| n > 1), "{}: {tried:?}", case.name);
}

/// Refused and killed are told apart by what the program sees, not by what is written down of it.
#[test]
fn the_tracer_does_what_it_says() {
    if !possible() {
        return;
    }
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    let shell = |text: &str| {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", text]).current_dir(folder.path());
        command
    };
    let words = "mkdir a && echo one >a/x && mv a/x a/y && rmdir b; echo $?";
    let whole = trace(&shell(words), folder.path(), Plan::Record).unwrap();
    assert!(
        whole.success() && whole.stdout.ends_with("1\n"),
        "{whole:?}"
    );
    let names: Vec<&str> = whole.calls.iter().map(|call| call.name).collect();
    assert!(
        names[0].starts_with("mkdir") && names.last().unwrap().starts_with("r"),
        "{names:?}"
    );
    let failed: Vec<bool> = whole.calls.iter().map(|call| call.failed).collect();
    assert_eq!(failed.iter().filter(|&&f| f).count(), 1, "{whole:?}");
    fs_err::remove_dir_all(at("a")).unwrap();
    let refused = trace(&shell(words), folder.path(), Plan::Refuse(1, Errno::EIO)).unwrap();
    assert!(
        !at("a").exists() && refused.stdout.ends_with("1\n"),
        "{refused:?}"
    );
    let killed = trace(&shell("exec mkdir a"), folder.path(), Plan::Kill(1)).unwrap();
    assert!(
        !at("a").exists() && matches!(killed.ended, Ended::Killed(_)),
        "{killed:?}"
    );
}
