//! Batches of inputs from all requests for one call of an encoder.
//!
//! ```text
//! request ─> submit ─> queue ─> worker: takes its share of the waiting inputs, up to a batch ─> replies
//! ```
//!
//! A worker does not wait for further inputs while none is being prepared: on an idle server a single
//! input is encoded at once. While others are being prepared it waits up to `linger` for them, which on
//! a busy server pays off by fuller batches. Under load batches fill by themselves, because inputs
//! arrive while workers are busy.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::error::Refusal;

/// How inputs are batched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchOptions {
    /// The most inputs per call.
    pub size: usize,
    /// The number of worker threads.
    pub workers: usize,
    /// How long a worker waits for inputs that are being prepared.
    pub linger: Duration,
}

/// Measurements of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchCall {
    /// The number of inputs.
    pub size: usize,
    /// How long the oldest input had waited.
    pub waited: Duration,
    /// How long it took.
    pub took: Duration,
}

/// One output for each input of a call.
pub(crate) type BatchOutputs<O> = Result<Vec<O>, Refusal>;

/// Worker threads that call an encoder with the waiting inputs.
pub(crate) struct Batcher<I, O> {
    shared: Arc<BatcherState<I, O>>,
    workers: Vec<JoinHandle<()>>,
}

struct BatcherState<I, O> {
    queue: Mutex<JobQueue<I, O>>,
    came: Condvar,
    /// Inputs that are being prepared and will be submitted.
    coming: AtomicUsize,
    batching: BatchOptions,
}

struct JobQueue<I, O> {
    jobs: VecDeque<BatchJob<I, O>>,
    closed: bool,
}

/// Inputs of one request that stay in one call.
struct BatchJob<I, O> {
    inputs: Vec<I>,
    reply: oneshot::Sender<BatchOutputs<O>>,
    since: Instant,
}

/// An input that will be submitted; dropped once it was, or when its request was cancelled.
pub(crate) struct PendingInput<'a>(&'a AtomicUsize);

impl Drop for PendingInput<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Starts the workers. `call` returns one output per input; `told` receives the measurements of each call.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        name: &str,
        batching: BatchOptions,
        call: impl Fn(Vec<I>) -> BatchOutputs<O> + Send + Sync + 'static,
        told: impl Fn(BatchCall) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(BatcherState {
            queue: Mutex::new(JobQueue {
                jobs: VecDeque::new(),
                closed: false,
            }),
            came: Condvar::new(),
            coming: AtomicUsize::new(0),
            batching,
        });
        let work = Arc::new((call, told));
        let workers = (0..batching.workers.max(1)).map(|_| {
            let (shared, work) = (Arc::clone(&shared), Arc::clone(&work));
            std::thread::Builder::new()
                .name(format!("asif-{name}"))
                .spawn(move || {
                    while let Some(jobs) = shared.take() {
                        run(jobs, &work.0, &work.1);
                    }
                })
        });
        let workers = workers.collect::<std::io::Result<_>>()?;
        Ok(Self { shared, workers })
    }

    /// Announces an input that is being prepared, so that a worker may wait for it.
    pub fn announce(&self) -> PendingInput<'_> {
        self.shared.coming.fetch_add(1, Ordering::Relaxed);
        PendingInput(&self.shared.coming)
    }

    /// The number of waiting inputs.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting()
    }

    /// The outputs for inputs of at most one call. If the caller stops waiting, its inputs are skipped.
    ///
    /// # Errors
    /// When the call fails, or the server is stopping.
    pub async fn submit(&self, inputs: Vec<I>) -> BatchOutputs<O> {
        let (reply, outputs) = oneshot::channel();
        let since = Instant::now();
        self.shared.lock().jobs.push_back(BatchJob {
            inputs,
            reply,
            since,
        });
        self.shared.came.notify_one();
        outputs.await.unwrap_or_else(|_| Err(Refusal::stopping()))
    }
}

impl<I, O> BatcherState<I, O> {
    fn lock(&self) -> MutexGuard<'_, JobQueue<I, O>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the jobs of the next call, at least one; `None` when the server is stopping and the queue is empty.
    fn take(&self) -> Option<Vec<BatchJob<I, O>>> {
        let mut queue = self.lock();
        loop {
            queue.jobs.retain(|job| !job.reply.is_closed());
            if queue.jobs.is_empty() {
                if queue.closed {
                    return None;
                }
                queue = self.wait(queue, None);
                continue;
            }
            queue = self.linger(queue);
            // The lock was free meanwhile, so that another worker may have taken all jobs.
            let jobs = self.share(&mut queue);
            if !jobs.is_empty() {
                return Some(jobs);
            }
        }
    }

    /// Waits for further jobs, if a call has room for them and some are announced.
    fn linger<'a>(
        &self,
        mut queue: MutexGuard<'a, JobQueue<I, O>>,
    ) -> MutexGuard<'a, JobQueue<I, O>> {
        let until = Instant::now() + self.batching.linger;
        loop {
            let missing = queue.waiting() < self.batching.size;
            let left = until.saturating_duration_since(Instant::now());
            // Relaxed is enough: the counter is only a hint to wait, and the mutex orders the inputs.
            let company = self.coming.load(Ordering::Relaxed) > 0;
            if !missing || !company || queue.closed || left.is_zero() {
                return queue;
            }
            queue = self.wait(queue, Some(left));
        }
    }

    /// The jobs of one worker's next call; none if the queue is empty.
    fn share(&self, queue: &mut JobQueue<I, O>) -> Vec<BatchJob<I, O>> {
        // Split between the workers: two half batches in parallel finish sooner than one whole.
        let share = queue.waiting().div_ceil(self.batching.workers.max(1));
        let room = share.clamp(1, self.batching.size.max(1));
        let (mut jobs, mut inputs) = (Vec::new(), 0);
        while let Some(job) = queue.jobs.pop_front() {
            if !jobs.is_empty() && inputs + job.inputs.len() > room {
                queue.jobs.push_front(job);
                break;
            }
            inputs += job.inputs.len();
            jobs.push(job);
        }
        // The notification for the remaining jobs may have woken this worker, which leaves with its share,
        // so another one must be woken.
        if !queue.jobs.is_empty() {
            self.came.notify_one();
        }
        jobs
    }

    fn wait<'a>(
        &self,
        queue: MutexGuard<'a, JobQueue<I, O>>,
        limit: Option<Duration>,
    ) -> MutexGuard<'a, JobQueue<I, O>> {
        match limit {
            None => self
                .came
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner),
            Some(limit) => {
                let waited = self.came.wait_timeout(queue, limit);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl<I, O> JobQueue<I, O> {
    fn waiting(&self) -> usize {
        self.jobs.iter().map(|job| job.inputs.len()).sum()
    }
}

/// Runs one call for several jobs and gives each its part of the outputs.
fn run<I, O>(
    jobs: Vec<BatchJob<I, O>>,
    call: &impl Fn(Vec<I>) -> BatchOutputs<O>,
    told: &impl Fn(BatchCall),
) {
    let begun = Instant::now();
    let waited = jobs.iter().map(|job| begun - job.since).max();
    let (mut inputs, mut replies) = (Vec::new(), Vec::with_capacity(jobs.len()));
    for job in jobs {
        replies.push((job.inputs.len(), job.reply));
        inputs.extend(job.inputs);
    }
    let size = inputs.len();
    let outputs = catch_unwind(AssertUnwindSafe(|| call(inputs)))
        .unwrap_or_else(|_| Err(Refusal::internal("the encoder's thread panicked")));
    told(BatchCall {
        size,
        waited: waited.expect("a batch has a job"),
        took: begun.elapsed(),
    });
    let outputs = outputs.and_then(|outputs| match outputs.len() == size {
        true => Ok(outputs),
        false => Err(Refusal::internal(
            "the encoder did not return an output for every input",
        )),
    });
    match outputs {
        Ok(outputs) => {
            let mut outputs = outputs.into_iter();
            for (n, reply) in replies {
                // Fails only if the request was cancelled meanwhile.
                let _ = reply.send(Ok(outputs.by_ref().take(n).collect()));
            }
        }
        Err(refusal) => {
            for (_, reply) in replies {
                let _ = reply.send(Err(refusal.clone()));
            }
        }
    }
}

impl<I, O> Drop for Batcher<I, O> {
    /// Lets the workers finish the waiting jobs.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.came.notify_all();
        for worker in self.workers.drain(..) {
            // Panics of calls are caught, and nothing else in a worker panics.
            let _ = worker.join();
        }
    }
}

impl<I, O> std::fmt::Debug for Batcher<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batcher")
            .field("batching", &self.shared.batching)
            .finish_non_exhaustive()
    }
}
