//! The threads of the server, all started before it listens: a thread that cannot be started is an error at
//! the start, and no request depends on starting one.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads for blocking work that are started early. More are started on demand if the system allows it;
/// otherwise work waits for one of these.
const BLOCKING: usize = 8;
/// The most threads for blocking work.
const MOST_BLOCKING: usize = 64;
/// Longer than any process runs.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Starts the runtime, and the global rayon pool of the library.
///
/// # Errors
/// When not enough threads can be started.
pub(crate) fn start() -> std::io::Result<Runtime> {
    // The global rayon pool panics if it is first used when no thread can be started, so start it here.
    let shared = rayon::ThreadPoolBuilder::new().build_global();
    if let Err(error) = shared
        && std::error::Error::source(&error).is_some()
    {
        return Err(std::io::Error::other(error));
    }
    // Try to start as many threads as the runtime needs: tokio panics if one cannot be started.
    let tried: std::io::Result<Vec<_>> = (0..BLOCKING + cores())
        .map(|_| std::thread::Builder::new().spawn(std::thread::park))
        .collect();
    for thread in tried? {
        thread.thread().unpark();
        let _ = thread.join();
    }
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .worker_threads(cores())
        .max_blocking_threads(MOST_BLOCKING)
        .thread_keep_alive(FOREVER)
        .thread_name("asif-serve")
        .build()?;
    let all = Arc::new(Barrier::new(BLOCKING + 1));
    for _ in 0..BLOCKING {
        let all = Arc::clone(&all);
        runtime.spawn_blocking(move || all.wait());
    }
    all.wait();
    Ok(runtime)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
