//! Places for connections: whose turn it is to go when all are taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::error::Refusal;

/// Places beyond the limit, for requests that ask how the server is.
pub(super) const RESERVED: usize = 64;
/// Connections that lost their place while they waited for a first head, and are still read for a moment:
/// between a client's connection and its request there is as much time as its machine is busy.
pub(super) const LATE: usize = 128;
/// A connection that was just accepted has so long before it can be closed for another one.
const YOUNG: Duration = Duration::from_millis(200);
/// How much longer than a client that never asked anything one is waited for that did, that sends a
/// body or takes an answer.
const BUSY: u32 = 4;
/// And so long at least, while there is another to close: else a burst of new connections closes
/// everyone between two requests.
const SETTLED: Duration = Duration::from_secs(3);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a head, the first or the next one.
    Silent,
    /// A body comes.
    Receiving,
    /// An answer is made.
    Working,
    /// An answer is taken.
    Sending,
}

#[derive(Debug)]
struct Progress {
    phase: Phase,
    since: Instant,
    /// Requests that the router was asked.
    asked: u64,
    /// Answers that were made.
    answers: u64,
    /// Whether it lost its place.
    evicted: bool,
    /// Whether its head is still waited for, for a moment.
    late: bool,
    /// The request, counted from 0, whose head was refused, and why.
    refused: Option<(u64, Refusal)>,
}

/// What is known of a connection by its reader, its service and [`Places`].
#[derive(Debug)]
pub(super) struct Link {
    progress: Mutex<Progress>,
    closed: Notify,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            progress: Mutex::new(Progress {
                phase: Phase::Silent,
                since: Instant::now(),
                asked: 0,
                answers: 0,
                evicted: false,
                late: false,
                refused: None,
            }),
            closed: Notify::new(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it does, and since when.
    pub fn phase(&self) -> (Phase, Instant) {
        let progress = self.progress();
        (progress.phase, progress.since)
    }

    fn enter(&self, from: &[Phase], to: Phase) {
        let mut progress = self.progress();
        if from.contains(&progress.phase) {
            (progress.phase, progress.since) = (to, Instant::now());
        }
    }

    /// The router is asked; gives why the head was refused, if it was.
    pub fn begin(&self) -> Option<Refusal> {
        let mut progress = self.progress();
        let number = progress.asked;
        progress.asked += 1;
        // One that was sent while the answer before it was taken.
        if progress.phase == Phase::Silent {
            (progress.phase, progress.since) = (Phase::Working, Instant::now());
        }
        let refused = progress.refused.take_if(|(of, _)| *of == number);
        refused.map(|(_, refusal)| refusal)
    }

    /// A head came, and perhaps a body follows.
    pub fn head_came(&self, body: bool) {
        let next = if body {
            Phase::Receiving
        } else {
            Phase::Working
        };
        self.enter(&[Phase::Silent, Phase::Sending], next);
    }

    /// The body is whole.
    pub fn body_came(&self) {
        self.enter(&[Phase::Receiving], Phase::Working);
    }

    /// The answer is made.
    pub fn answered(&self) {
        self.progress().answers += 1;
        self.enter(&[Phase::Receiving, Phase::Working], Phase::Sending);
    }

    /// The answer was taken.
    pub fn taken(&self) {
        self.enter(&[Phase::Sending], Phase::Silent);
    }

    /// The head of request `number` was refused.
    pub fn refuse(&self, number: u64, refusal: Refusal) {
        self.progress().refused = Some((number, refusal));
    }

    /// Ends when the connection is to go.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }

    /// How many answers were made.
    pub fn answers(&self) -> u64 {
        self.progress().answers
    }

    /// Takes note that it lost its place. What it has sent already is still read and answered: on a
    /// busy machine it may have waited longer for the server than the server for it. With `late` its
    /// head is waited for as well. False where there is nothing of that kind to wait for.
    pub fn evict(&self, late: bool) -> bool {
        let mut progress = self.progress();
        (progress.evicted, progress.late) = (true, late);
        progress.phase == Phase::Silent
    }

    /// Whether it lost its place, and nothing that it sent waits for an answer, or will.
    pub fn is_to_go(&self) -> bool {
        let progress = self.progress();
        // One that was answered is not waited for again.
        let waits = progress.late && progress.asked == 0;
        progress.evicted && progress.phase == Phase::Silent && !waits
    }

    /// How long it has kept its place for nothing; none while an answer is made, nor while it has
    /// asked or sends and is `spared` for that.
    fn idle(&self, now: Instant, spared: Duration) -> Option<Duration> {
        let progress = self.progress();
        let idle = now.saturating_duration_since(progress.since);
        match progress.phase {
            Phase::Working => None,
            Phase::Silent if progress.asked == 0 => Some(idle),
            Phase::Silent | Phase::Receiving | Phase::Sending => {
                (idle >= spared).then_some(idle / BUSY)
            }
        }
    }
}

/// The places of all connections of a port.
#[derive(Debug)]
pub(super) struct Places {
    taken: Mutex<HashMap<u64, Arc<Link>>>,
    next: std::sync::atomic::AtomicU64,
    most: usize,
    late: Arc<Semaphore>,
}

impl Places {
    /// So many, and [`RESERVED`] more.
    pub fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            // Few places mean few files.
            late: Arc::new(Semaphore::new(LATE.min(most / 2))),
            taken: Mutex::default(),
            next: std::sync::atomic::AtomicU64::new(0),
            most,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Arc<Link>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one more connection. When all are taken, the connection goes that has done nothing
    /// for longest; while every one is worked for, places of the reserve are given. None when those
    /// are taken as well.
    pub fn take(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.taken();
        if taken.len() >= self.most
            && !close_idle(&mut taken, YOUNG, None)
            && taken.len() >= self.most + RESERVED
            && !close_idle(&mut taken, Duration::ZERO, None)
        {
            return None;
        }
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let link = Arc::new(Link::new());
        taken.insert(number, Arc::clone(&link));
        Some(Place {
            places: Arc::clone(self),
            number,
            link,
        })
    }

    /// Room for one that lost its place and is waited for all the same.
    pub fn late(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.late).try_acquire_owned().ok()
    }

    /// Closes the connection that has done nothing for longest. False if there is none.
    pub fn close_idle(&self) -> bool {
        close_idle(&mut self.taken(), Duration::ZERO, None)
    }

    /// The same for one that asks, which is not closed itself.
    pub fn close_idle_for(&self, asks: &Arc<Link>) -> bool {
        close_idle(&mut self.taken(), Duration::ZERO, Some(asks))
    }

    /// Whether there are more connections than places, so that only those are answered that ask how
    /// the server is.
    pub fn is_full(&self) -> bool {
        self.taken().len() > self.most
    }
}

fn close_idle(
    taken: &mut HashMap<u64, Arc<Link>>,
    least: Duration,
    but: Option<&Arc<Link>>,
) -> bool {
    let now = Instant::now();
    let longest = |spared: Duration| {
        let others = taken
            .iter()
            .filter(|(_, link)| but.is_none_or(|but| !Arc::ptr_eq(but, link)));
        let idle = others.filter_map(|(number, link)| Some((link.idle(now, spared)?, *number)));
        idle.max().filter(|(idle, _)| *idle >= least)
    };
    let mut found = longest(SETTLED);
    // Where somebody has to go, nobody is spared when there is nobody else.
    if found.is_none() && least.is_zero() {
        found = longest(Duration::ZERO);
    }
    let link = found.and_then(|(_, number)| taken.remove(&number));
    link.is_some_and(|link| {
        link.closed.notify_one();
        true
    })
}

/// A connection's place; free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    pub link: Arc<Link>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_longest_goes_first_and_who_is_worked_for_never() {
        let places = Places::new(3);
        let all: Vec<Place> = (0..3).map(|_| places.take().unwrap()).collect();
        std::thread::sleep(YOUNG + Duration::from_millis(20));
        all[0].link.head_came(false);
        all[1].link.head_came(true);
        all[1].link.begin();
        let fourth = places.take().unwrap();
        let is_there = |place: &Place| places.taken().contains_key(&place.number);
        assert_eq!(
            [is_there(&all[0]), is_there(&all[1]), is_there(&all[2])],
            [true, true, false]
        );
        // Nobody has been silent for long: the reserve.
        let reserve: Vec<Place> = (0..RESERVED).map(|_| places.take().unwrap()).collect();
        assert!(places.is_full() && places.take().is_some(), "another goes");
        for place in all.iter().chain([&fourth]).chain(&reserve) {
            place.link.head_came(false);
            place.link.body_came();
        }
        let reserve: Vec<Place> = reserve.into_iter().chain(places.take()).collect();
        reserve.iter().for_each(|place| place.link.head_came(false));
        assert!(places.is_full() && places.take().is_none());
        drop((fourth, reserve));
        assert!(!places.is_full() && places.take().is_some());
    }

    #[test]
    fn a_burst_closes_nobody_who_has_just_asked() {
        let places = Places::new(3);
        let kept = places.take().unwrap();
        kept.link.head_came(false);
        kept.link.begin();
        kept.link.answered();
        kept.link.taken();
        let sends = places.take().unwrap();
        sends.link.head_came(true);
        // Longer idle than any of the burst, also by a quarter.
        std::thread::sleep(Duration::from_millis(50));
        let is_there = |place: &Place| places.taken().contains_key(&place.number);
        let burst: Vec<Place> = (0..500).filter_map(|_| places.take()).collect();
        assert!(is_there(&kept) && is_there(&sends));
        assert_eq!(
            burst.iter().filter(|place| is_there(place)).count(),
            RESERVED + 1
        );
        // Where all have asked, one of them goes.
        burst.iter().for_each(|place| place.link.head_came(true));
        assert!(places.take().is_some());
    }
}
