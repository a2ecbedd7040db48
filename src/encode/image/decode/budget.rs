//! Memory for decoding images: one budget for the whole process.
//!
//! An image's header tells how much memory decoding takes. That much is reserved before a decoder sees the
//! data; a caller that finds the rest taken waits in a queue, so that concurrent decodes together
//! never exceed the budget. An image that alone exceeds it is rejected.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The budget unless [`DecodeBudget::set_limit`] says otherwise, in bytes.
pub const DEFAULT_LIMIT: u64 = 1 << 30;
/// The fraction `1 / n` of the budget in which small images may overtake the queue: an
/// image of one megapixel does not wait for one of sixty.
const PASSING: u64 = 32;

/// The budget of this process.
static PROCESS: DecodeBudget = DecodeBudget::new(DEFAULT_LIMIT);

/// A budget of bytes that may be reserved at once.
#[derive(Debug)]
pub struct DecodeBudget {
    state: Mutex<BudgetState>,
    returned: Condvar,
}

#[derive(Debug)]
struct BudgetState {
    limit: u64,
    taken: u64,
    /// The waiting callers, first in first out, so that a large image is not starved by small ones.
    queue: VecDeque<BudgetWaiter>,
    next_turn: u64,
    /// The bytes reserved by callers that overtook the queue.
    passed: u64,
}

/// A waiting caller.
#[derive(Debug, Clone, Copy)]
struct BudgetWaiter {
    turn: u64,
    bytes: u64,
}

impl BudgetState {
    /// Whether `bytes` fit into the budget now.
    fn fits(&self, bytes: u64) -> bool {
        // Saturating: the limit may have been lowered below what is taken.
        bytes <= self.limit.saturating_sub(self.taken)
    }

    /// Whether a small request may overtake the queue: overtaking requests never take more than
    /// their [`PASSING`] share together, and no waiting caller is delayed that needs that share itself.
    fn may_pass(&self, bytes: u64) -> bool {
        // A fixed part, so that small images cannot hold up a large one together.
        let part = self.limit / PASSING;
        let first = self.queue.front().map_or(0, |waiter| waiter.bytes);
        self.fits(bytes) && self.passed + bytes <= part && first <= self.limit - part
    }
}

/// Why a reservation was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BudgetDenial {
    /// It exceeds the whole budget, which has this many bytes.
    NeverFits(u64),
    /// The memory stayed reserved for as long as the caller would wait.
    Busy,
}

/// Reserved bytes, released when this is dropped.
#[derive(Debug)]
pub(super) struct MemoryReservation {
    budget: &'static DecodeBudget,
    bytes: u64,
    /// Whether the request overtook the queue.
    passed: bool,
}

impl DecodeBudget {
    /// Creates a budget of `limit` bytes.
    const fn new(limit: u64) -> Self {
        Self {
            state: Mutex::new(BudgetState {
                limit,
                taken: 0,
                queue: VecDeque::new(),
                next_turn: 0,
                passed: 0,
            }),
            returned: Condvar::new(),
        }
    }

    /// The budget of this process, which all decoding shares.
    pub fn process() -> &'static Self {
        &PROCESS
    }

    /// Sets how many bytes may be reserved at once. Existing reservations are kept.
    pub fn set_limit(&self, bytes: u64) {
        self.lock().limit = bytes;
        self.returned.notify_all();
    }

    /// How many bytes may be reserved at once.
    pub fn limit(&self) -> u64 {
        self.lock().limit
    }

    /// How many bytes are reserved now.
    pub fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// Reserves `bytes`, waiting while others hold them: indefinitely, or no
    /// longer than `patience`.
    pub(super) fn take(
        &'static self,
        bytes: u64,
        patience: Option<Duration>,
    ) -> Result<MemoryReservation, BudgetDenial> {
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let mut state = self.lock();
        // Every caller queues, even if memory is free: those who came before go first.
        let turn = state.next_turn;
        state.next_turn += 1;
        state.queue.push_back(BudgetWaiter { turn, bytes });
        loop {
            // The limit may have been lowered while waiting, so it is checked in each round.
            if bytes > state.limit {
                let limit = state.limit;
                self.leave(state, turn);
                return Err(BudgetDenial::NeverFits(limit));
            }
            let first = state.queue.front().is_some_and(|w| w.turn == turn);
            let passed = !first && state.may_pass(bytes);
            // Only the first of the queue or one that may overtake: otherwise large images would starve.
            if passed || (first && state.fits(bytes)) {
                state.taken += bytes;
                state.passed += if passed { bytes } else { 0 };
                self.leave(state, turn);
                return Ok(MemoryReservation {
                    budget: self,
                    bytes,
                    passed,
                });
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self
                    .returned
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    // Leaving wakes the next one, which may fit now.
                    self.leave(state, turn);
                    return Err(BudgetDenial::Busy);
                }
                Some(left) => {
                    let waited = self.returned.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Leaves the queue; the caller that is first now may fit.
    fn leave(&self, mut state: MutexGuard<'_, BudgetState>, turn: u64) {
        state.queue.retain(|other| other.turn != turn);
        // Unlocked first: whoever wakes needs the lock at once.
        drop(state);
        self.returned.notify_all();
    }

    fn give_back(&self, bytes: u64, passed: bool) {
        let mut state = self.lock();
        state.taken = state.taken.saturating_sub(bytes);
        state.passed = state.passed.saturating_sub(if passed { bytes } else { 0 });
        drop(state);
        self.returned.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryReservation {
    /// Shrinks the reservation to `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        // A reservation never grows, for that could deadlock with others that wait while they hold some.
        let rest = self.bytes.saturating_sub(bytes);
        self.bytes -= rest;
        self.budget.give_back(rest, self.passed);
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes, self.passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(limit: u64) -> &'static DecodeBudget {
        Box::leak(Box::new(DecodeBudget::new(limit)))
    }

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    #[test]
    fn what_is_taken_never_exceeds_the_limit() {
        let budget = budget(100);
        let mut a = budget.take(60, None).unwrap();
        assert_eq!(
            budget.take(101, None).unwrap_err(),
            BudgetDenial::NeverFits(100)
        );
        assert_eq!(budget.take(41, AT_ONCE).unwrap_err(), BudgetDenial::Busy);
        let b = budget.take(40, AT_ONCE).unwrap();
        assert_eq!(budget.taken(), 100);
        a.shrink_to(10);
        assert_eq!(budget.taken(), 50);
        drop((a, b));
        assert_eq!(budget.taken(), 0);
        budget.set_limit(10);
        assert_eq!(
            budget.take(11, None).unwrap_err(),
            BudgetDenial::NeverFits(10)
        );
    }

    #[test]
    fn many_threads_stay_within_the_limit_and_all_get_their_turn() {
        let budget = budget(1_000);
        let most = std::sync::atomic::AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let most = &most;
                scope.spawn(move || {
                    for round in 0..200 {
                        // Large ones among small ones: none may be left waiting for ever.
                        let bytes = if thread == 0 { 1_000 } else { 1 + round % 400 };
                        let held = budget.take(bytes, None).unwrap();
                        most.fetch_max(budget.taken(), std::sync::atomic::Ordering::Relaxed);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1_000);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_small_one_passes_a_large_one_that_waits_for_one_that_is_decoded() {
        let budget = budget(3_200);
        let large = budget.take(3_000, None).unwrap();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| budget.take(2_000, None).unwrap());
            while budget.lock().queue.is_empty() {
                std::thread::yield_now();
            }
            let first = budget.take(60, AT_ONCE).unwrap();
            // Together no more than one part in 32.
            assert_eq!(budget.take(60, AT_ONCE).unwrap_err(), BudgetDenial::Busy);
            let second = budget.take(40, AT_ONCE).unwrap();
            assert_eq!(budget.taken(), 3_100);
            drop(first);
            drop(budget.take(60, AT_ONCE).unwrap());
            drop((second, large));
            drop(waits.join().unwrap());
        });
        assert_eq!((budget.taken(), budget.lock().passed), (0, 0));
    }

    #[test]
    fn a_large_one_that_waits_goes_before_small_ones_that_come_later() {
        let budget = budget(100);
        let held = budget.take(50, None).unwrap();
        std::thread::scope(|scope| {
            let large = scope.spawn(|| budget.take(100, None).unwrap());
            while budget.lock().queue.is_empty() {
                std::thread::yield_now();
            }
            assert_eq!(budget.take(10, AT_ONCE).unwrap_err(), BudgetDenial::Busy);
            drop(held);
            drop(large.join().unwrap());
        });
        assert!(budget.take(10, AT_ONCE).is_ok());
    }
}
