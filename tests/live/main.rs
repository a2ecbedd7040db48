//! A process that answers while its set changes: every answer is of one whole generation, and a
//! generation that is not fit never answers.
//!
//! | file | what it tests |
//! |---|---|
//! | `swaps` | generations that are fit: the swap, the way back, what is kept and let go |
//! | `refusals` | generations that are not fit |
//! | `watcher` | the thread that notices a new generation |
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod refusals;
mod swaps;
#[path = "../support/synthetic.rs"]
mod synthetic;
#[path = "../support/waits.rs"]
mod waits;
mod watcher;

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use asif::anchors::live::{LiveError, LiveOptions, LiveSet, RefreshOutcome, Snapshot, Watcher};
use asif::anchors::stored::manifest::Manifest;
use asif::modality::{Modality, PerModality};
use asif::space::{RelativeParams, RelativeRow};
use synthetic::{Shape, generation, publish, unit_vectors};

fn shape() -> Shape {
    Shape {
        image_dim: 48,
        text_dim: 32,
        space: RelativeParams {
            k: 20,
            ..RelativeParams::default()
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
    rows: PerModality<Vec<RelativeRow>>,
    ids: Vec<String>,
}

fn ask(snapshot: &Snapshot) -> Answer {
    let searcher = snapshot.searcher();
    let side = |modality, dim| {
        let queries = unit_vectors(4, dim, 99);
        searcher.rows(modality, &queries).unwrap()
    };
    let rows = PerModality {
        image: side(Modality::Image, shape().image_dim),
        text: side(Modality::Text, shape().text_dim),
    };
    let entries = rows.iter().flatten().flat_map(RelativeRow::entries);
    let ids = entries
        .map(|&(anchor, _)| snapshot.set().record(anchor).unwrap().id)
        .collect();
    Answer { rows, ids }
}

fn open(set: &Path) -> LiveSet {
    LiveSet::open(set, LiveOptions::default()).unwrap()
}

fn swapped(refreshed: RefreshOutcome) -> (u64, u64) {
    match refreshed {
        RefreshOutcome::Swapped(swap) => (swap.from, swap.to),
        RefreshOutcome::Unchanged => panic!("nothing changed"),
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

type Events = Receiver<Result<RefreshOutcome, LiveError>>;

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
