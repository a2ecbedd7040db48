//! Detects that `CURRENT` was replaced.
//!
//! Polls instead of using kernel notifications: a poll is one `stat` (some
//! microseconds), and it detects every way in which an anchor set can change under its path: `CURRENT`
//! replaced by a rename, the whole folder replaced, a mount or a link that leads elsewhere, a write
//! by another host on a network file system. inotify sees none but the first, would need the folder
//! and each parent watched again after each such move, and still a poll for the others. The
//! cost is a delay of up to one interval until a swap begins; to avoid it call
//! [`LiveSet::refresh`].

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::LiveError;
use super::handle::{LiveSet, RefreshOutcome};

/// The file that names the live generation; it is replaced whenever another goes live.
const CURRENT: &str = "CURRENT";

/// The longest time between two attempts at a generation that failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long dropping waits for a running refresh.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// A thread that refreshes a [`LiveSet`] when `CURRENT` changes; dropping this stops it.
#[derive(Debug)]
pub struct Watcher {
    /// Never sent to: dropping it ends the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// A default interval, at which a swap seems immediate to a user.
    pub const INTERVAL: Duration = Duration::from_millis(250);

    /// Watches the anchor set of `live`, polling every `interval`.
    ///
    /// `report` is called on the watcher's thread after each swap, after each failure that is not
    /// the last one repeated, and with [`RefreshOutcome::Unchanged`] when a failure is over because
    /// `CURRENT` went back to the live generation. A generation that failed is tried again after
    /// `interval`, then twice that, up to a minute.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn spawn(
        live: Arc<LiveSet>,
        interval: Duration,
        report: impl FnMut(Result<RefreshOutcome, LiveError>) + Send + 'static,
    ) -> Result<Self, LiveError> {
        let (stop, stopped) = mpsc::channel();
        let watch = WatcherThread {
            live,
            interval,
            report,
            seen: None,
            failure: None,
        };
        let thread = std::thread::Builder::new()
            .name("asif-watcher".to_owned())
            .spawn(move || watch.run(&stopped))
            .map_err(|source| LiveError::Thread {
                what: "watching the anchor set",
                source,
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    /// Waits for a running refresh, unless the disk hangs.
    fn drop(&mut self) {
        // Dropping the sender wakes the thread at once, in the midst of its interval.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            // A callback that owns its watcher drops it on that thread.
            && thread.thread().id() != std::thread::current().id()
        {
            // A hanging disk must not block the program: the thread is detached.
            let begun = Instant::now();
            while !thread.is_finished() {
                if begun.elapsed() > LAST_LOOK {
                    return;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            // A panic of the callback has been reported by its thread.
            let _ = thread.join();
        }
    }
}

/// The state of the watcher's thread.
struct WatcherThread<F> {
    live: Arc<LiveSet>,
    interval: Duration,
    report: F,
    /// The stamp of `CURRENT` before the last refresh; `None` before the first.
    seen: Option<CurrentStamp>,
    failure: Option<RefreshFailure>,
}

struct RefreshFailure {
    message: String,
    retry: Instant,
    pause: Duration,
}

impl<F: FnMut(Result<RefreshOutcome, LiveError>)> WatcherThread<F> {
    fn run(mut self, stopped: &Receiver<()>) {
        loop {
            self.look();
            if stopped.recv_timeout(self.interval) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    fn look(&mut self) {
        // Taken before the refresh: a change during it is detected at the next poll.
        let stamp = CurrentStamp::of(self.live.path());
        let moved = self.seen != Some(stamp);
        let due = |f: &RefreshFailure| Instant::now() >= f.retry;
        if !moved && !self.failure.as_ref().is_some_and(due) {
            self.live.forget_removed();
            return;
        }
        // Also where the refresh fails: the same state is tried again by the clock, not at every poll.
        self.seen = Some(stamp);
        let result = self.live.refresh();
        let before = self.failure.take();
        let news = match &result {
            Ok(RefreshOutcome::Unchanged) => before.is_some(),
            Ok(RefreshOutcome::Swapped(_)) => true,
            Err(error) => {
                let message = error.to_string();
                // A new state starts with a short pause, even where it fails with the same words.
                let again = before.filter(|f| f.message == message && !moved);
                let news = again.is_none();
                let pause = again.map_or(self.interval, |f| (f.pause * 2).min(PATIENCE));
                self.failure = Some(RefreshFailure {
                    message,
                    retry: Instant::now() + pause,
                    pause,
                });
                news
            }
        };
        if news {
            (self.report)(result);
        }
    }
}

/// The metadata of `CURRENT`, which changes when it or its folder is replaced; `None` while it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CurrentStamp(Option<[i64; 5]>);

impl CurrentStamp {
    fn of(set: &Path) -> Self {
        let metadata = fs_err::metadata(set.join(CURRENT)).ok();
        Self(metadata.map(|m| {
            let (device, inode) = (m.dev() as i64, m.ino() as i64);
            [device, inode, m.len() as i64, m.ctime(), m.ctime_nsec()]
        }))
    }
}
