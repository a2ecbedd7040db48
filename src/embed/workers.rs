//! Worker threads that share a queue and stop together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::error::EmbedError;
use crate::progress::CancelToken;

/// Hands out the indices of pieces of work until none is left or the work is stopped.
pub(super) struct WorkQueue<'a> {
    next: AtomicUsize,
    count: usize,
    stop: AtomicBool,
    cancel: &'a CancelToken,
}

impl WorkQueue<'_> {
    pub(super) fn take(&self) -> Option<usize> {
        // Taken by number, so that a slow piece holds up its own worker only.
        let piece = self.next.fetch_add(1, Ordering::Relaxed);
        let stop = self.stop.load(Ordering::Relaxed) || self.cancel.requested();
        (piece < self.count && !stop).then_some(piece)
    }
}

/// Runs `work` on `workers` threads, fewer when there are fewer pieces or the machine refuses some; the
/// first error stops all.
pub(super) fn run<T: Send>(
    workers: usize,
    count: usize,
    cancel: &CancelToken,
    work: impl Fn(&WorkQueue<'_>) -> Result<Vec<T>, EmbedError> + Sync,
) -> Result<Vec<T>, EmbedError> {
    let pieces = WorkQueue {
        next: AtomicUsize::new(0),
        count,
        stop: AtomicBool::new(false),
        cancel,
    };
    let guarded = || work(&pieces).inspect_err(|_| pieces.stop.store(true, Ordering::Relaxed));
    std::thread::scope(|scope| {
        let start = |_| {
            std::thread::Builder::new()
                .spawn_scoped(scope, guarded)
                .ok()
        };
        // `map_while`: where no further thread can be started, those that run do all the work.
        let workers: Vec<_> = (0..workers.min(count)).map_while(start).collect();
        let mut all = Vec::new();
        if workers.is_empty() {
            // No piece of work, or no thread could be started.
            all.extend(guarded()?);
        }
        for worker in workers {
            let made = worker.join();
            // Joined in order; a panic goes on here instead of being lost with its thread.
            all.extend(made.unwrap_or_else(|p| std::panic::resume_unwind(p))?);
        }
        Ok(all)
    })
}
