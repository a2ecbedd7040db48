//! A process that answers while its set changes: every answer is of one whole generation, and a
//! generation that is not fit never answers.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

#[path = "support/synthetic.rs"]
mod synthetic;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use asif::anchors::live::{LiveError, LiveOptions, LiveSet, Refreshed, Snapshot, Watcher};
use asif::anchors::manifest::Manifest;
use asif::anchors::publish::publish as make_live;
use asif::encode::Modality;
use asif::space::{RelativeRow, SpaceParams};
use synthetic::{Shape, encoder, generation, publish, unit_vectors};

fn shape() -> Shape {
    Shape {
        image_dim: 48,
        text_dim: 32,
        space: SpaceParams {
            k: 20,
            ..SpaceParams::default()
        },
    }
}

/// A set whose generation 1 is live and whose generation 2 waits.
fn two_generations() -> (tempfile::TempDir, [Manifest; 2]) {
    let set = tempfile::tempdir().unwrap();
    let first = publish(set.path(), shape(), 1, 300);
    let second = generation(set.path(), shape(), 2, 240);
    (set, [first, second])
}

/// All that one answer is made of: rows of both sides and what they point at.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    rows: [Vec<RelativeRow>; 2],
    ids: Vec<String>,
}

fn ask(snapshot: &Snapshot) -> Answer {
    let searcher = snapshot.searcher();
    let side = |modality, dim| {
        let queries = unit_vectors(4, dim, 99);
        searcher.rows(modality, &queries).unwrap()
    };
    let rows = [
        side(Modality::Image, shape().image_dim),
        side(Modality::Text, shape().text_dim),
    ];
    let entries = rows.iter().flatten().flat_map(RelativeRow::entries);
    let ids = entries
        .map(|&(anchor, _)| snapshot.set().record(anchor).unwrap().id)
        .collect();
    Answer { rows, ids }
}

fn open(set: &Path) -> LiveSet {
    LiveSet::open(set, LiveOptions::default()).unwrap()
}

fn swapped(refreshed: Refreshed) -> (u64, u64) {
    match refreshed {
        Refreshed::Swapped(swap) => (swap.from, swap.to),
        Refreshed::Unchanged => panic!("nothing changed"),
    }
}

fn image_file(set: &Path, manifest: &Manifest) -> PathBuf {
    let segments = set.join("segments");
    segments.join(&manifest.segments[0].id).join("image.vec")
}

/// Replaces a file by itself with one bit changed in the middle.
fn damage(path: &Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let beside = path.with_extension("new");
    fs_err::write(&beside, bytes).unwrap();
    fs_err::rename(beside, path).unwrap();
}

#[test]
fn a_refresh_moves_to_the_new_generation_and_old_snapshots_stay_whole() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    let old = live.load();
    let before = ask(&old);
    assert_eq!(live.refresh().unwrap(), Refreshed::Unchanged);

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
fn going_back_is_checked_but_not_opened_anew() {
    let (set, [first, second]) = two_generations();
    let checks = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&checks);
    let options = LiveOptions {
        canary: Some(Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })),
        ..LiveOptions::default()
    };
    let live = LiveSet::open(set.path(), options).unwrap();
    let before = live.load();
    for (manifest, moves) in [(&second, (1, 2)), (&first, (2, 1)), (&second, (1, 2))] {
        make_live(set.path(), manifest).unwrap();
        assert_eq!(swapped(live.refresh().unwrap()), moves);
        assert_eq!(Arc::ptr_eq(&before, &live.load()), moves.1 == 1);
    }
    assert_eq!(checks.load(Ordering::Relaxed), 4);
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
    assert_eq!(live.refresh().unwrap(), Refreshed::Unchanged);
    assert!(before.upgrade().is_none());

    let before = next_generation(&generation(set.path(), shape(), 3, 50));
    let (_watcher, _events) = watch(&live);
    fs_err::remove_dir_all(segments.join(&second.segments[0].id)).unwrap();
    while before.upgrade().is_some() {
        std::thread::yield_now();
    }
}

#[test]
fn the_space_is_the_manifests_or_the_callers() {
    let (set, _) = two_generations();
    let k = |live: &LiveSet| live.load().searcher().recipe().k();
    assert_eq!(k(&open(set.path())), 20);
    let options = LiveOptions {
        space: Some(SpaceParams::PAPER.into()),
        ..LiveOptions::default()
    };
    assert_eq!(k(&LiveSet::open(set.path(), options).unwrap()), 800);
}

#[test]
fn a_damaged_generation_never_answers() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    let before = ask(&live.load());
    damage(&image_file(set.path(), &second));
    make_live(set.path(), &second).unwrap();

    for failures in 1..=2 {
        let refused = live.refresh().unwrap_err();
        assert!(matches!(refused, LiveError::Anchors(_)), "{refused:?}");
        let status = live.status();
        let degraded = status.degraded.unwrap();
        assert!(degraded.reason.contains("image.vec"), "{}", degraded.reason);
        assert_eq!((degraded.failures, status.generation), (failures, 1));
        assert_eq!(ask(&live.load()), before);
    }

    // Going back is no swap, and ends the degraded state.
    make_live(set.path(), &first).unwrap();
    assert_eq!(live.refresh().unwrap(), Refreshed::Unchanged);
    assert_eq!(live.status().degraded, None);
    // So does a restored file: a change of the same bit puts it right.
    damage(&image_file(set.path(), &second));
    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
}

#[test]
fn a_process_that_starts_on_a_damaged_generation_answers_from_the_last_good_one() {
    let (set, [first, second]) = two_generations();
    let good = ask(&open(set.path()).load());
    damage(&image_file(set.path(), &second));
    make_live(set.path(), &second).unwrap();
    let live = open(set.path());
    assert_eq!(ask(&live.load()), good);
    let health = serde_json::json!(live.status());
    assert_eq!(
        (&health["generation"], &health["swaps"]),
        (&1.into(), &0.into())
    );
    assert_eq!(health["degraded"]["failures"], 1);
    let reason = health["degraded"]["reason"].as_str().unwrap();
    assert!(reason.contains("image.vec"), "{reason}");
    live.refresh().unwrap_err();
    let degraded = live.status().degraded.unwrap();
    assert_eq!(degraded.failures, 2);
    assert_eq!(health["degraded"]["since"], degraded.since);
    // A change of the same bit puts it right.
    damage(&image_file(set.path(), &second));
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
    assert_eq!(live.status().degraded, None);

    let current = set.path().join("CURRENT");
    fs_err::write(&current, "nonsense").unwrap();
    let live = open(set.path());
    let status = live.status();
    assert_eq!(status.generation, 2);
    let reason = status.degraded.unwrap().reason;
    assert!(reason.contains("does not name a generation"), "{reason}");
    make_live(set.path(), &second).unwrap();
    assert_eq!(live.refresh().unwrap(), Refreshed::Unchanged);
    assert_eq!(live.status().degraded, None);

    for manifest in [&first, &second] {
        damage(&image_file(set.path(), manifest));
    }
    let refused = LiveSet::open(set.path(), LiveOptions::default()).unwrap_err();
    let second = second.segments[0].id.as_str();
    assert!(refused.to_string().contains(second), "{refused}");
}

#[test]
fn what_was_verified_once_is_verified_again_after_it_changed() {
    let (set, [first, second]) = two_generations();
    let live = open(set.path());
    make_live(set.path(), &second).unwrap();
    live.refresh().unwrap();
    damage(&image_file(set.path(), &first));
    make_live(set.path(), &first).unwrap();
    let refused = live.refresh().unwrap_err().to_string();
    assert!(refused.contains("image.vec"), "{refused}");
    assert_eq!(live.status().generation, 2);
}

#[test]
fn files_that_are_missing_or_no_manifest_leave_the_old_generation_live() {
    let (set, [_, second]) = two_generations();
    let live = open(set.path());
    let current = set.path().join("CURRENT");
    for (breakage, word) in [
        (None, "no file CURRENT"),
        (Some("g000009\n"), "g000009"),
        (Some("nonsense"), "does not name a generation"),
    ] {
        match breakage {
            None => fs_err::remove_file(&current).unwrap(),
            Some(name) => fs_err::write(&current, name).unwrap(),
        }
        let refused = live.refresh().unwrap_err().to_string();
        assert!(refused.contains(word), "{refused}");
        assert_eq!(live.status().generation, 1);
        assert_eq!(live.status().degraded.unwrap().reason, refused);
    }
    assert_eq!(live.status().degraded.unwrap().failures, 3);
    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(live.refresh().unwrap()), (1, 2));
    assert_eq!(live.status().degraded, None);
}

#[test]
fn a_failing_canary_keeps_the_old_generation() {
    let (set, [_, second]) = two_generations();
    let options = LiveOptions {
        canary: Some(Box::new(|set| match set.manifest().generation {
            1 => Ok(()),
            2 => Err("a cat is a dog".to_owned()),
            _ => panic!("this check is broken"),
        })),
        ..LiveOptions::default()
    };
    let live = LiveSet::open(set.path(), options).unwrap();
    let before = ask(&live.load());
    let third = generation(set.path(), shape(), 3, 50);
    for (manifest, reason) in [(&second, "a cat is a dog"), (&third, "panicked")] {
        make_live(set.path(), manifest).unwrap();
        let refused = live.refresh().unwrap_err();
        let LiveError::Canary { generation, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(generation, manifest.generation);
        assert!(live.status().degraded.unwrap().reason.contains(reason));
        assert_eq!(ask(&live.load()), before);
    }
    let options = LiveOptions {
        canary: Some(Box::new(|_| Err("never".to_owned()))),
        ..LiveOptions::default()
    };
    let refused = LiveSet::open(set.path(), options).unwrap_err();
    assert!(matches!(refused, LiveError::Canary { .. }), "{refused:?}");
}

#[test]
fn a_generation_of_another_encoder_is_refused() {
    let (set, [_, mut second]) = two_generations();
    let live = open(set.path());
    second.text_encoder = encoder(Modality::Text, shape().text_dim, "1");
    make_live(set.path(), &second).unwrap();
    let refused = live.refresh().unwrap_err();
    let LiveError::OtherEncoder { modality, .. } = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(modality, Modality::Text);
    assert_eq!(live.status().generation, 1);
    // A process that starts now has the encoders of its choice.
    assert_eq!(open(set.path()).status().generation, 2);
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

    let (done, wrong, answers) = (
        AtomicBool::new(false),
        AtomicU64::new(0),
        [AtomicU64::new(0), AtomicU64::new(0)],
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
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
        let given = |of: usize| answers[of].load(Ordering::Relaxed);
        for generation in 3..3 + SWAPS {
            let to = pairs_of(generation);
            let before = given(to);
            // A number of its own, so that each one is opened, not taken from what was live before.
            let manifest = Manifest {
                generation,
                ..manifests[to].clone()
            };
            let moved = make_live(set.path(), &manifest)
                .map_err(LiveError::from)
                .and_then(|()| live.refresh());
            if moved.is_err() || wrong.load(Ordering::Relaxed) > 0 {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(swapped(moved.unwrap()).1, generation);
            // Each generation answers before it goes.
            while given(to) == before && wrong.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(wrong.into_inner(), 0);
    assert_eq!(live.status().swaps, SWAPS + 1);
}

type Events = Receiver<Result<Refreshed, LiveError>>;

fn watch(live: &Arc<LiveSet>) -> (Watcher, Events) {
    let (sender, events) = mpsc::channel();
    let report = move |event| {
        // The test may be over before the watcher is.
        let _ = sender.send(event);
    };
    let interval = Duration::from_millis(2);
    let watcher = Watcher::spawn(Arc::clone(live), interval, report).unwrap();
    (watcher, events)
}

/// The next event; far more patient than any machine needs, so that a defect is no endless wait.
fn next(events: &Events) -> Result<Refreshed, LiveError> {
    events.recv_timeout(Duration::from_secs(300)).unwrap()
}

#[test]
fn a_watcher_swaps_reports_a_failure_once_and_recovers() {
    let (set, [first, second]) = two_generations();
    let live = Arc::new(open(set.path()));
    let (_watcher, events) = watch(&live);

    make_live(set.path(), &second).unwrap();
    assert_eq!(swapped(next(&events).unwrap()), (1, 2));

    let third = generation(set.path(), shape(), 3, 100);
    damage(&image_file(set.path(), &third));
    make_live(set.path(), &third).unwrap();
    let failure = next(&events).unwrap_err().to_string();
    assert!(failure.contains("image.vec"), "{failure}");
    // It is tried again without a word.
    while live.status().degraded.is_none_or(|d| d.failures < 3) {
        std::thread::yield_now();
    }
    make_live(set.path(), &second).unwrap();
    assert_eq!(next(&events).unwrap(), Refreshed::Unchanged);
    assert_eq!(live.status().degraded, None);

    make_live(set.path(), &first).unwrap();
    assert_eq!(swapped(next(&events).unwrap()), (2, 1));
}

#[test]
fn a_watcher_takes_what_was_published_before_it_began() {
    let (set, [_, second]) = two_generations();
    let live = Arc::new(open(set.path()));
    make_live(set.path(), &second).unwrap();
    let (_watcher, events) = watch(&live);
    assert_eq!(swapped(next(&events).unwrap()), (1, 2));
}

#[test]
fn a_dropped_watcher_has_ended() {
    let (set, [_, second]) = two_generations();
    let live = Arc::new(open(set.path()));
    let (watcher, events) = watch(&live);
    drop(watcher);
    // The thread owned the other handle and the only sender.
    assert_eq!(Arc::strong_count(&live), 1);
    make_live(set.path(), &second).unwrap();
    assert!(events.recv().is_err());
    assert_eq!(live.status().generation, 1);
}
