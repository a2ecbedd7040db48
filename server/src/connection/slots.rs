//! Slots for connections, and which connection is evicted when all are taken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::error::Refusal;

/// Slots beyond the limit, for health, readiness and metrics requests.
pub(super) const RESERVED: usize = 64;
/// The most evicted connections without a request that are still read for a moment: a client on a busy
/// machine may take a while between connecting and sending its request.
pub(super) const LATE: usize = 128;
/// A connection younger than this is not evicted.
const YOUNG: Duration = Duration::from_millis(200);
/// The idle time of a client that has sent a request, is sending a body or is reading a response is divided
/// by this when idle times are compared.
const BUSY: u32 = 4;
/// Such a client is not evicted before this time while another one can be: otherwise a burst of new
/// connections would evict every client between two requests.
const SETTLED: Duration = Duration::from_secs(3);

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPhase {
    /// Waiting for a head, the first or the next one.
    Silent,
    /// Receiving a body.
    Receiving,
    /// Processing the request.
    Working,
    /// Sending the response.
    Sending,
}

#[derive(Debug)]
struct ConnectionProgress {
    phase: ConnectionPhase,
    since: Instant,
    /// Requests passed to the router.
    asked: u64,
    /// Responses that were made.
    answers: u64,
    /// Whether it was evicted.
    evicted: bool,
    /// Whether its first head is still waited for.
    late: bool,
    /// The number of the request, from 0, whose head was refused, and the refusal.
    refused: Option<(u64, Refusal)>,
}

/// The state of a connection, shared by its stream, its service and [`ConnectionSlots`].
#[derive(Debug)]
pub(super) struct ConnectionState {
    progress: Mutex<ConnectionProgress>,
    closed: Notify,
}

impl ConnectionState {
    pub(super) fn new() -> Self {
        Self {
            progress: Mutex::new(ConnectionProgress {
                phase: ConnectionPhase::Silent,
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

    fn progress(&self) -> MutexGuard<'_, ConnectionProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The phase, and when it began.
    pub fn phase(&self) -> (ConnectionPhase, Instant) {
        let progress = self.progress();
        (progress.phase, progress.since)
    }

    fn enter(&self, from: &[ConnectionPhase], to: ConnectionPhase) {
        let mut progress = self.progress();
        if from.contains(&progress.phase) {
            (progress.phase, progress.since) = (to, Instant::now());
        }
    }

    /// A request is passed to the router; returns the refusal of its head, if there is one.
    pub fn begin(&self) -> Option<Refusal> {
        let mut progress = self.progress();
        let number = progress.asked;
        progress.asked += 1;
        // A pipelined request, sent while the response before it was being written.
        if progress.phase == ConnectionPhase::Silent {
            (progress.phase, progress.since) = (ConnectionPhase::Working, Instant::now());
        }
        let refused = progress.refused.take_if(|(of, _)| *of == number);
        refused.map(|(_, refusal)| refusal)
    }

    /// A head was received; `body` says whether a body follows.
    pub fn head_came(&self, body: bool) {
        let next = if body {
            ConnectionPhase::Receiving
        } else {
            ConnectionPhase::Working
        };
        self.enter(&[ConnectionPhase::Silent, ConnectionPhase::Sending], next);
    }

    /// The body is complete.
    pub fn body_came(&self) {
        self.enter(&[ConnectionPhase::Receiving], ConnectionPhase::Working);
    }

    /// The response is made.
    pub fn answered(&self) {
        self.progress().answers += 1;
        self.enter(
            &[ConnectionPhase::Receiving, ConnectionPhase::Working],
            ConnectionPhase::Sending,
        );
    }

    /// The response was written.
    pub fn taken(&self) {
        self.enter(&[ConnectionPhase::Sending], ConnectionPhase::Silent);
    }

    /// The head of request `number` was refused.
    pub fn refuse(&self, number: u64, refusal: Refusal) {
        self.progress().refused = Some((number, refusal));
    }

    /// Completes when the connection is to be closed.
    pub async fn closed(&self) {
        self.closed.notified().await;
    }

    /// The number of responses made.
    pub fn answers(&self) -> u64 {
        self.progress().answers
    }

    /// Marks the connection as evicted. A request that it has already sent is still read and answered: on a
    /// busy machine the client may have waited longer for the server than the server for it. With `late`, a
    /// first head is waited for as well. False if there is nothing to wait for.
    pub fn evict(&self, late: bool) -> bool {
        let mut progress = self.progress();
        (progress.evicted, progress.late) = (true, late);
        progress.phase == ConnectionPhase::Silent
    }

    /// Whether it was evicted, has no request to answer, and is not waited for.
    pub fn is_to_go(&self) -> bool {
        let progress = self.progress();
        // Only a first head is waited for.
        let waits = progress.late && progress.asked == 0;
        progress.evicted && progress.phase == ConnectionPhase::Silent && !waits
    }

    /// The idle time that counts for eviction; none while a request is processed, or while a client that has
    /// sent one has been idle for less than `spared`.
    fn idle(&self, now: Instant, spared: Duration) -> Option<Duration> {
        let progress = self.progress();
        let idle = now.saturating_duration_since(progress.since);
        match progress.phase {
            ConnectionPhase::Working => None,
            ConnectionPhase::Silent if progress.asked == 0 => Some(idle),
            ConnectionPhase::Silent | ConnectionPhase::Receiving | ConnectionPhase::Sending => {
                (idle >= spared).then_some(idle / BUSY)
            }
        }
    }
}

/// The slots of all connections of a port.
#[derive(Debug)]
pub(super) struct ConnectionSlots {
    taken: Mutex<HashMap<u64, Arc<ConnectionState>>>,
    next: std::sync::atomic::AtomicU64,
    most: usize,
    late: Arc<Semaphore>,
}

impl ConnectionSlots {
    /// `most` slots, and [`RESERVED`] more.
    pub fn new(most: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            // Few slots usually mean a low limit on open files.
            late: Arc::new(Semaphore::new(LATE.min(most / 2))),
            taken: Mutex::default(),
            next: std::sync::atomic::AtomicU64::new(0),
            most,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Arc<ConnectionState>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a new connection. When all are taken, the connection that has been idle longest is evicted;
    /// while all are busy, reserved slots are given. None when those are taken as well.
    pub fn take(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let mut taken = self.taken();
        if taken.len() >= self.most
            && !close_idle(&mut taken, YOUNG, None)
            && taken.len() >= self.most + RESERVED
            && !close_idle(&mut taken, Duration::ZERO, None)
        {
            return None;
        }
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let link = Arc::new(ConnectionState::new());
        taken.insert(number, Arc::clone(&link));
        Some(ConnectionSlot {
            places: Arc::clone(self),
            number,
            link,
        })
    }

    /// A permit to wait for the first head of an evicted connection.
    pub fn late(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.late).try_acquire_owned().ok()
    }

    /// Closes the connection that has been idle longest. False if there is none.
    pub fn close_idle(&self) -> bool {
        close_idle(&mut self.taken(), Duration::ZERO, None)
    }

    /// The same in favour of `asks`, which is not closed itself.
    pub fn close_idle_for(&self, asks: &Arc<ConnectionState>) -> bool {
        close_idle(&mut self.taken(), Duration::ZERO, Some(asks))
    }

    /// Whether there are more connections than regular slots, so that only health, readiness and metrics
    /// requests are answered.
    pub fn is_full(&self) -> bool {
        self.taken().len() > self.most
    }
}

fn close_idle(
    taken: &mut HashMap<u64, Arc<ConnectionState>>,
    least: Duration,
    but: Option<&Arc<ConnectionState>>,
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
    // If a connection must be closed, recently active ones are not spared when there is no other.
    if found.is_none() && least.is_zero() {
        found = longest(Duration::ZERO);
    }
    let link = found.and_then(|(_, number)| taken.remove(&number));
    link.is_some_and(|link| {
        link.closed.notify_one();
        true
    })
}

/// The slot of a connection; freed when this is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    places: Arc<ConnectionSlots>,
    number: u64,
    pub link: Arc<ConnectionState>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.places.taken().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_longest_goes_first_and_who_is_worked_for_never() {
        let places = ConnectionSlots::new(3);
        let all: Vec<ConnectionSlot> = (0..3).map(|_| places.take().unwrap()).collect();
        std::thread::sleep(YOUNG + Duration::from_millis(20));
        all[0].link.head_came(false);
        all[1].link.head_came(true);
        all[1].link.begin();
        let fourth = places.take().unwrap();
        let is_there = |place: &ConnectionSlot| places.taken().contains_key(&place.number);
        assert_eq!(
            [is_there(&all[0]), is_there(&all[1]), is_there(&all[2])],
            [true, true, false]
        );
        // No connection has been idle for long: reserved slots.
        let reserve: Vec<ConnectionSlot> = (0..RESERVED).map(|_| places.take().unwrap()).collect();
        assert!(
            places.is_full() && places.take().is_some(),
            "another one is evicted"
        );
        for place in all.iter().chain([&fourth]).chain(&reserve) {
            place.link.head_came(false);
            place.link.body_came();
        }
        let reserve: Vec<ConnectionSlot> = reserve.into_iter().chain(places.take()).collect();
        reserve.iter().for_each(|place| place.link.head_came(false));
        assert!(places.is_full() && places.take().is_none());
        drop((fourth, reserve));
        assert!(!places.is_full() && places.take().is_some());
    }

    #[test]
    fn a_burst_closes_nobody_who_has_just_asked() {
        let places = ConnectionSlots::new(3);
        let kept = places.take().unwrap();
        kept.link.head_came(false);
        kept.link.begin();
        kept.link.answered();
        kept.link.taken();
        let sends = places.take().unwrap();
        sends.link.head_came(true);
        // Idle for longer than any connection of the burst, even after division by BUSY.
        std::thread::sleep(Duration::from_millis(50));
        let is_there = |place: &ConnectionSlot| places.taken().contains_key(&place.number);
        let burst: Vec<ConnectionSlot> = (0..500).filter_map(|_| places.take()).collect();
        assert!(is_there(&kept) && is_there(&sends));
        assert_eq!(
            burst.iter().filter(|place| is_there(place)).count(),
            RESERVED + 1
        );
        // If all have sent a request, one of them is evicted.
        burst.iter().for_each(|place| place.link.head_came(true));
        assert!(places.take().is_some());
    }
}
