//! The thread that notices a new generation.

use std::sync::Arc;
use std::time::Duration;

use asif::anchors::live::{LiveError, RefreshOutcome};
use asif::anchors::stored::manifest::Manifest;
use asif::anchors::stored::publish::publish as make_live;

use super::synthetic::generation;
use super::waits::wait_until;
use super::{Events, damage, image_file, open, shape, swapped, two_generations, watch};

/// The next event; far more patient than any machine needs, so that a defect does not make it wait for ever.
fn next(events: &Events) -> Result<RefreshOutcome, LiveError> {
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
    wait_until("a third failure", || {
        live.status().degraded.is_some_and(|d| d.failures >= 3)
    });
    make_live(set.path(), &second).unwrap();
    assert_eq!(next(&events).unwrap(), RefreshOutcome::Unchanged);
    assert_eq!(live.status().degraded, None);

    // What was live before comes back under a new number.
    let fourth = Manifest {
        generation: 4,
        ..first
    };
    make_live(set.path(), &fourth).unwrap();
    assert_eq!(swapped(next(&events).unwrap()), (2, 4));
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
