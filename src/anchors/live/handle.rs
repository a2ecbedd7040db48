//! The generation that queries use, and how it is replaced.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use serde::Serialize;

use super::admission::{AdmissionChecks, AdmissionSeconds};
use super::error::LiveError;
use super::options::LiveOptions;
use super::snapshot::Snapshot;

/// An anchor set that a long-running process queries, while its
/// generations change.
///
/// [`load`](Self::load) takes no lock, so no refresh ever makes a query wait.
#[derive(Debug)]
pub struct LiveSet {
    path: PathBuf,
    live: ArcSwap<Snapshot>,
    /// Held through a refresh, so that there is one at a time.
    admission: Mutex<AdmissionChecks>,
    status: Mutex<LiveStatus>,
}

/// The result of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RefreshOutcome {
    /// `CURRENT` names the live generation.
    Unchanged,
    /// Another generation is live now.
    Swapped(GenerationSwap),
}

/// The switch from one generation to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GenerationSwap {
    /// The generation that was live.
    pub from: u64,
    /// The generation that is live.
    pub to: u64,
    /// How long it took.
    pub seconds: AdmissionSeconds,
}

/// The live generation, and whether it is the one that `CURRENT` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveStatus {
    /// The live generation.
    pub generation: u64,
    /// Its pairs.
    pub pairs: u64,
    /// Since when it is live in this process, RFC 3339 in UTC.
    pub since: String,
    /// The number of switches between generations.
    pub swaps: u64,
    /// Why the generation in `CURRENT` is not live, if it is not.
    pub degraded: Option<DegradedStatus>,
}

/// `CURRENT` names a generation that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DegradedStatus {
    /// The error of the last attempt.
    pub reason: String,
    /// When the first attempt failed, RFC 3339 in UTC.
    pub since: String,
    /// How many attempts have failed.
    pub failures: u64,
    /// Whether the files are damaged, so that a repair is needed.
    pub damaged: bool,
}

impl LiveSet {
    /// Opens the live generation of the anchor set in `path`, with the same checks as later generations.
    ///
    /// If it fails them, the newest kept generation that passes is opened instead: a process
    /// that restarts then answers like one that kept running. [`status`](Self::status) then
    /// reports degraded, with the reason, until a refresh succeeds; callers must
    /// report it.
    ///
    /// # Errors
    /// Why the live generation was refused, when no other passes either.
    pub fn open(path: &Path, options: LiveOptions) -> Result<Self, LiveError> {
        let mut admission = AdmissionChecks::new(path.to_owned(), options)?;
        let (snapshot, refused) = admission.admit_last_good()?;
        let status = LiveStatus {
            generation: snapshot.generation(),
            pairs: snapshot.set().len() as u64,
            since: now(),
            swaps: 0,
            degraded: refused.map(|error| DegradedStatus {
                damaged: error.is_damage(),
                reason: error.to_string(),
                since: now(),
                failures: 1,
            }),
        };
        Ok(Self {
            path: path.to_owned(),
            live: ArcSwap::new(snapshot),
            admission: Mutex::new(admission),
            status: Mutex::new(status),
        })
    }

    /// The folder of the anchor set.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The live generation. Using one snapshot for everything that an answer needs gives an answer from one
    /// generation, whatever happens meanwhile.
    pub fn load(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }

    /// Switches to the generation that `CURRENT` names, if that is not the live one and
    /// it passes every check. It never goes to a lower number: a rollback has a higher one. Queries are
    /// answered meanwhile; a second caller waits for the first.
    ///
    /// # Errors
    /// Why the generation was rejected. The old one is then still live, and
    /// [`status`](Self::status) reports degraded until a refresh succeeds.
    pub fn refresh(&self) -> Result<RefreshOutcome, LiveError> {
        let mut admission = lock(&self.admission);
        let refreshed = self.follow(&mut admission);
        if let Err(error) = &refreshed {
            let mut status = lock(&self.status);
            let before = status.degraded.take();
            status.degraded = Some(DegradedStatus {
                damaged: error.is_damage(),
                reason: error.to_string(),
                failures: before.as_ref().map_or(0, |d| d.failures) + 1,
                since: before.map_or_else(now, |d| d.since),
            });
        }
        refreshed
    }

    /// Drops the previous generation once its files were removed.
    pub(super) fn forget_removed(&self) {
        lock(&self.admission).forget_removed();
    }

    fn follow(&self, admission: &mut AdmissionChecks) -> Result<RefreshOutcome, LiveError> {
        let live = self.load();
        // Whole manifests are compared: a replaced folder may restart its generation numbers.
        let wanted = admission.wanted()?;
        // Numbers only grow, so this is a copy of an older state, which would undo what clients were told.
        if wanted.generation < live.generation() {
            return Err(LiveError::Older {
                path: self.path.clone(),
                found: wanted.generation,
                live: live.generation(),
            });
        }
        if wanted == *live.set().manifest() {
            admission.forget_removed();
            lock(&self.status).degraded = None;
            return Ok(RefreshOutcome::Unchanged);
        }
        let (snapshot, seconds) = admission.admit(Some(live.set().manifest()))?;
        let swap = GenerationSwap {
            from: live.generation(),
            to: snapshot.generation(),
            seconds,
        };
        let pairs = snapshot.set().len() as u64;
        // Queries that hold the old snapshot finish on it; those that load from now on get the new one.
        self.live.store(snapshot);
        // Its last holder would unmap it, which takes time for large files: that must not be a query.
        admission.retire(live);
        let mut status = lock(&self.status);
        *status = LiveStatus {
            generation: swap.to,
            pairs,
            since: now(),
            swaps: status.swaps + 1,
            degraded: None,
        };
        Ok(RefreshOutcome::Swapped(swap))
    }

    /// The status of the live generation; never waits for a refresh.
    pub fn status(&self) -> LiveStatus {
        lock(&self.status).clone()
    }
}

/// The data behind the locks is always consistent, so a poisoned lock can be used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> String {
    crate::clock::timestamp()
}
