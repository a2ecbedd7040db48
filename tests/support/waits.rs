//! Waiting that has an end, and load that runs beside a test and ends with it, also when it fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for what must come; a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until it holds. Panics if it does not in [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never came: {what}");
        std::thread::yield_now();
    }
}

/// Tells threads of a load how long to go on.
#[derive(Default)]
pub struct Load(AtomicBool);

impl Load {
    pub fn goes_on(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// The load goes on until what this gives is dropped. Without it, a scope whose test panics
    /// would wait for its threads for ever.
    pub fn until_dropped(&self) -> impl Drop + '_ {
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        End(&self.0)
    }
}
