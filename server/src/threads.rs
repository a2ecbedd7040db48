//! The threads of the server, all started before it listens: one that the system refuses is an error
//! at the start, and none has to be had while requests are answered.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Threads that wait for blocking work. More are started when they are needed and the system lets
/// them; where it does not, work waits for one of these.
const BLOCKING: usize = 8;
/// The most of them.
const MOST_BLOCKING: usize = 64;
/// Longer than any process runs.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The runtime, and the threads that the library shares for work on many pairs.
///
/// # Errors
/// When the system gives too few threads.
pub(super) fn start() -> std::io::Result<Runtime> {
    // What many rows are looked through with; when it is first asked for while no thread can be had,
    // the asker would panic.
    let shared = rayon::ThreadPoolBuilder::new().build_global();
    if let Err(error) = shared
        && std::error::Error::source(&error).is_some()
    {
        return Err(std::io::Error::other(error));
    }
    // Tried first: where the system refuses a thread, the runtime panics instead of telling it.
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
