//! Repairs to which the system refuses a look at a file: that is no damage, and nothing is given up for it.

use asif::anchors::{AnchorSet, check, select};
use nix::errno::Errno;

use super::cases::{Case, repairs};
use super::syscalls::states::now;
use super::syscalls::tracer::trace_on;
use super::syscalls::{Disk, Plan, Traced, possible};
use super::{at_once, copy, scratch};

#[test]
fn nothing_is_given_up_for_what_the_system_refuses() {
    if !possible() {
        return;
    }
    let folder = scratch();
    at_once(&repairs(folder.path()), every_look);
}

/// Number and ids of what is live.
fn live(set: &std::path::Path) -> Option<(u64, Vec<String>)> {
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
    let put_right = |set: &std::path::Path| check::verify(set, true).unwrap().is_empty();
    assert!(put_right(&Case::set(whole.path())), "{}", case.name);
    let errors = [Errno::EIO, Errno::EACCES, Errno::EMFILE, Errno::ENOMEM];
    // All take minutes: `ASIF_TEST_EVERY_LOOK` asks for that.
    let step = match std::env::var_os("ASIF_TEST_EVERY_LOOK") {
        Some(_) => 1,
        None => 17,
    };
    let mut failed = 0;
    for nth in (1..).step_by(step) {
        let error = errors[nth % errors.len()];
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
            let left = |root: &std::path::Path| {
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
