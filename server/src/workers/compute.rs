//! Threads for computations, so that those that serve connections are never blocked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use crate::error::Refusal;

/// One thread per core for short work: searches, scores and explanations of a few inputs. Its parallel
/// parts run on the same threads, so that no search has to switch pools. Long work runs on a bounded
/// number of other threads, so that it does not delay short answers.
#[derive(Debug)]
pub(crate) struct ComputePool {
    short: rayon::ThreadPool,
    long: Arc<Semaphore>,
}

impl ComputePool {
    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start() -> std::io::Result<Self> {
        rayon::ThreadPoolBuilder::new()
            .thread_name(|_| "asif-answer".to_owned())
            .build()
            .map(|short| Self {
                long: Arc::new(Semaphore::new(short.current_num_threads())),
                short,
            })
            .map_err(std::io::Error::other)
    }

    /// Runs short work. It is not started if the request was cancelled before its turn.
    ///
    /// # Errors
    /// The error of `work`; a panic is an internal error.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, result) = oneshot::channel();
        self.short.spawn(move || {
            if reply.is_closed() {
                return;
            }
            let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                Err(Refusal::internal(
                    "the thread that computed the answer panicked",
                ))
            });
            let _ = reply.send(done);
        });
        result.await.unwrap_or_else(|_| Err(Refusal::stopping()))
    }

    /// Runs `work` and its parallel parts on the threads for short work, and blocks until it is done.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.short.install(work)
    }

    /// Like [`run`](Self::run), for long work: fitting a space, many prompts, decoding a picture.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_long<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        // The semaphore is never closed, so this cannot fail.
        let turn = Arc::clone(&self.long).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work ends, even if the request was cancelled.
            let _turn = turn;
            work()
        });
        done.await.unwrap_or_else(|_| {
            Err(Refusal::internal(
                "the thread that computed the answer panicked",
            ))
        })
    }
}
