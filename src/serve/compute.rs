//! Arithmetic off the threads that serve connections.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use super::error::Refusal;

/// A thread a core for searches, scores and explanations. What runs there finds its own parallel
/// parts on the same threads, so that no search has to cross to another pool.
#[derive(Debug)]
pub(super) struct Compute(rayon::ThreadPool);

impl Compute {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> std::io::Result<Self> {
        rayon::ThreadPoolBuilder::new()
            .thread_name(|_| "asif-answer".to_owned())
            .build()
            .map(Self)
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
        self.0.spawn(move || {
            if reply.is_closed() {
                return;
            }
            let done = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|_| Err(Refusal::internal("the answer's thread panicked")));
            let _ = reply.send(done);
        });
        result.await.unwrap_or_else(|_| Err(Refusal::stopping()))
    }
}
