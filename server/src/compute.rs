//! Arithmetic off the threads that serve connections.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{Semaphore, oneshot};

use super::error::Refusal;

/// A thread a core for searches, scores and explanations of a few inputs. What runs there finds its
/// own parallel parts on the same threads, so that no search has to cross to another pool. What takes
/// long has threads of its own, a bounded number, so that short answers do not stand behind it.
#[derive(Debug)]
pub(super) struct Compute {
    short: rayon::ThreadPool,
    long: Arc<Semaphore>,
}

impl Compute {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives none.
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

    /// What `work` gives. It is not begun when the asker has gone away before its turn.
    ///
    /// # Errors
    /// What `work` fails with; a panic is an internal error.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, result) = oneshot::channel();
        self.short.spawn(move || {
            if reply.is_closed() {
                return;
            }
            let done = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err(Refusal::internal("the answer's thread panicked")));
            let _ = reply.send(done);
        });
        result.await.unwrap_or_else(|_| Err(Refusal::stopping()))
    }

    /// Runs `work` and its parallel parts on the short answers' threads, and waits for it.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.short.install(work)
    }

    /// What [`run`](Self::run) gives, for what takes long: fitting a space, many prompts, decoding a picture.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_long<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        // Never closed.
        let turn = Arc::clone(&self.long).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            work()
        });
        done.await
            .unwrap_or_else(|_| Err(Refusal::internal("the answer's thread panicked")))
    }
}
