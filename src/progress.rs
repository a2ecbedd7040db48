//! Progress of long operations: named phases and counters. Rendering is left to the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Receives the phases and counters of a long operation; called from several threads.
pub trait ProgressObserver: Sync {
    /// A phase begins; `total` units of work are expected, where that is known.
    fn begin(&self, phase: &'static str, total: Option<u64>);
    /// `n` more units of the current phase are done.
    fn advance(&self, n: u64);
    /// The current phase has ended.
    fn end(&self);
}

/// A [`ProgressObserver`] that ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl ProgressObserver for NoProgress {
    fn begin(&self, _phase: &'static str, _total: Option<u64>) {}
    fn advance(&self, _n: u64) {}
    fn end(&self) {}
}

/// Counts units of work that consist of several equal steps each.
pub struct SteppedProgress<'a> {
    progress: &'a dyn ProgressObserver,
    steps: u64,
    done: AtomicU64,
}

impl<'a> SteppedProgress<'a> {
    /// Creates a counter whose units take `steps` steps each.
    pub fn of(progress: &'a dyn ProgressObserver, steps: u64) -> Self {
        Self {
            progress,
            steps: steps.max(1),
            done: AtomicU64::new(0),
        }
    }

    /// `n` more steps are done.
    pub fn advance(&self, n: u64) {
        let before = self.done.fetch_add(n, Ordering::Relaxed);
        let units = (before + n) / self.steps - before / self.steps;
        self.progress.advance(units);
    }
}

/// A cancellation flag, shared between the requester and the running operation, which polls it.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// Requests cancellation; the operation stops at its next poll.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether cancellation was requested.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
