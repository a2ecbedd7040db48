//! Generations that are fit: the swap, the way back, what is kept and let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use asif::anchors::live::{LiveError, LiveOptions, LiveSet, RefreshOutcome};
use asif::anchors::stored::manifest::Manifest;
use asif::anchors::stored::publish::publish as make_live;
use asif::space::RelativeParams;

use super::synthetic::{generation, publish};
use super::waits::{Load, wait_until};
use super::{ask, open, shape, swapped, two_generations, watch};

#[test]
fn a_refresh_moves_to_the_new_generation_and_old_snapshots_stay_whole() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    let old = live.load();
    let before = ask(&old);
    assert_eq!(live.refresh().unwrap(), RefreshOutcome::Unchanged);

    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
    let after = ask(&live.load());
    assert_ne!(before, after);
    assert!(after.ids.iter().all(|id| id.starts_with("2-")));
    let status = live.status();
    assert_eq!((status.generation, status.pairs, status.swaps), (2, 240, 1));
    assert_eq!(status.degraded, None);

    // What a query in flight reads outlives its files.
    fs_err::remove_dir_all(set.path().join("segments").join(&first.segments[0].id)).unwrap();
    assert_eq!(ask(&old), before);
}

#[test]
fn a_process_never_goes_back_to_a_lower_number() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    let content_of_first = ask(&live.load());
    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
    let content_of_second = ask(&live.load());

    // As a copy of CURRENT, or of the whole set, from a backup does.
    make_live(set.path(), &first).unwrap();
    let refused = live.refresh().unwrap_err();
    assert!(
        matches!(
            refused,
            LiveError::Older {
                found: 1,
                live: 2,
                ..
            }
        ),
        "{refused:?}"
    );
    assert_eq!(ask(&live.load()), content_of_second);
    let degraded = live.status().degraded.unwrap();
    assert!(
        degraded.reason.contains("generation 1"),
        "{}",
        degraded.reason
    );

    // A rollback has a number of its own.
    let third = Manifest {
        generation: 3,
        ..first
    };
    fs_err::remove_file(set.path().join("generations/g000001.json")).unwrap();
    make_live(set.path(), &third).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (2, 3));
    assert_eq!(ask(&live.load()), content_of_first);
    assert_eq!(live.status().degraded, None);
}

#[test]
fn a_removed_generation_is_let_go() {
    let (set, [first, second]) = two_generations();
    let live = Arc::new(open(set.path()));
    let segments = set.path().join("segments");
    let next_generation = |manifest: &Manifest| {
        let before = Arc::downgrade(&live.load());
        make_live(set.path(), manifest).unwrap();
        live.refresh().unwrap();
        before
    };
    let before = next_generation(&second);
    assert!(before.upgrade().is_some());
    fs_err::remove_dir_all(segments.join(&first.segments[0].id)).unwrap();
    assert_eq!(live.refresh().unwrap(), RefreshOutcome::Unchanged);
    assert!(before.upgrade().is_none());

    let before = next_generation(&generation(set.path(), shape(), 3, 50));
    let (_watcher, _events) = watch(&live);
    fs_err::remove_dir_all(segments.join(&second.segments[0].id)).unwrap();
    wait_until("the watcher lets it go", || before.upgrade().is_none());
}

#[test]
fn the_space_is_the_manifests_or_the_callers() {
    let (set, _) = two_generations();
    let k = |live: &LiveSet| live.load().searcher().recipe().k();
    assert_eq!(k(&open(set.path())), 20);
    let options = LiveOptions {
        space: Some(RelativeParams::PAPER.into()),
        ..LiveOptions::default()
    };
    assert_eq!(k(&LiveSet::open(set.path(), options).unwrap()), 800);
}

#[test]
fn a_set_that_was_replaced_as_a_whole_is_another_generation_of_the_same_number() {
    let folder = tempfile::tempdir().unwrap();
    let [path, other, aside] = ["a.asif", "b.asif", "c.asif"].map(|n| folder.path().join(n));
    publish(&path, shape(), 1, 300);
    let mut manifest = generation(&other, shape(), 2, 240);
    manifest.generation = 1;
    make_live(&other, &manifest).unwrap();
    let live = open(&path);
    fs_err::rename(&path, &aside).unwrap();
    fs_err::rename(&other, &path).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 1));
    assert_eq!(live.load().set().len(), 240);
}

#[test]
fn answers_are_of_one_generation_while_200_swaps_happen() {
    const SWAPS: u64 = 200;
    let (set, manifests) = two_generations();
    let live = open(set.path());
    let mut expected = vec![ask(&live.load())];
    make_live(set.path(), &manifests[1]).unwrap();
    live.refresh().unwrap();
    expected.push(ask(&live.load()));
    assert_ne!(expected[0], expected[1]);
    // Odd generations hold the pairs of the first, even ones those of the second.
    let pairs_of = |generation: u64| (generation + 1) as usize % 2;

    let (load, wrong) = (Load::default(), AtomicU64::new(0));
    let answers = [AtomicU64::new(0), AtomicU64::new(0)];
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while load.goes_on() {
                    let snapshot = live.load();
                    let which = pairs_of(snapshot.generation());
                    if ask(&snapshot) == expected[which] {
                        answers[which].fetch_add(1, Ordering::Relaxed);
                    } else {
                        wrong.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let _load = load.until_dropped();
        let given = |of: usize| answers[of].load(Ordering::Relaxed);
        for generation in 3..3 + SWAPS {
            let to = pairs_of(generation);
            let before = given(to);
            // A number of its own, so that each one is opened, not taken from what was live before.
            let manifest = Manifest {
                generation,
                ..manifests[to].clone()
            };
            make_live(set.path(), &manifest).unwrap();
            assert_eq!(swapped(live.refresh().unwrap()).1, generation);
            // Each generation answers before it goes.
            wait_until("an answer", || {
                given(to) > before || wrong.load(Ordering::Relaxed) > 0
            });
        }
    });
    assert_eq!(wrong.into_inner(), 0);
    assert_eq!(live.status().swaps, SWAPS + 1);
}
