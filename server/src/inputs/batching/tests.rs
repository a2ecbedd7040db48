//! Batches of several requests, cancelled requests, failing calls.

use std::sync::mpsc;

use super::*;

fn batching(size: usize, workers: usize) -> BatchOptions {
    BatchOptions {
        size,
        workers,
        linger: Duration::ZERO,
    }
}

/// A batcher with one worker that doubles numbers, and holds each call until it is released.
fn held() -> (
    Batcher<u32, u32>,
    mpsc::Receiver<Vec<u32>>,
    mpsc::Sender<()>,
) {
    let (called, calls) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let parts = Mutex::new((called, may_go));
    let call = move |inputs: Vec<u32>| {
        let parts = parts.lock().unwrap();
        parts.0.send(inputs.clone()).unwrap();
        parts.1.recv().unwrap();
        Ok(inputs.iter().map(|i| 2 * i).collect())
    };
    let batcher = Batcher::start("test", batching(3, 1), call, |_| {}).unwrap();
    (batcher, calls, go)
}

/// Submits in a task of its own.
fn asked(
    batcher: &Arc<Batcher<u32, u32>>,
    inputs: Vec<u32>,
) -> tokio::task::JoinHandle<Result<Vec<u32>, Refusal>> {
    let batcher = Arc::clone(batcher);
    tokio::spawn(async move { batcher.submit(inputs).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_that_gather_share_a_call_and_get_their_own_outputs() {
    let (batcher, calls, go) = held();
    let batcher = Arc::new(batcher);
    let ask = |inputs| asked(&batcher, inputs);
    let first = ask(vec![1]);
    assert_eq!(calls.recv().unwrap(), [1], "an idle worker does not wait");
    let mut rest = Vec::new();
    for inputs in [vec![2], vec![3, 4], vec![5]] {
        let before = batcher.waiting();
        rest.push(ask(inputs));
        while batcher.waiting() == before {
            tokio::task::yield_now().await;
        }
    }
    (0..3).for_each(|_| go.send(()).unwrap());
    assert_eq!(first.await.unwrap(), Ok(vec![2]));
    let mut outputs = Vec::new();
    for asked in rest {
        outputs.push(asked.await.unwrap().unwrap());
    }
    assert_eq!(outputs, [vec![4], vec![6, 8], vec![10]]);
    assert_eq!(calls.recv().unwrap(), [2, 3, 4]);
    assert_eq!(calls.recv().unwrap(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_went_away_is_passed_over() {
    let (batcher, calls, go) = held();
    let batcher = Arc::new(batcher);
    let ask = |input| asked(&batcher, vec![input]);
    let first = ask(1);
    assert_eq!(calls.recv().unwrap(), [1]);
    let gone = ask(2);
    while batcher.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    let last = ask(3);
    while batcher.waiting() < 2 {
        tokio::task::yield_now().await;
    }
    (0..2).for_each(|_| go.send(()).unwrap());
    assert_eq!(first.await.unwrap(), Ok(vec![2]));
    assert_eq!(last.await.unwrap(), Ok(vec![6]));
    assert_eq!(calls.recv().unwrap(), [3]);
}

#[tokio::test]
async fn a_panic_is_the_answer_of_its_call_only() {
    let call = |inputs: Vec<u32>| match inputs[..] {
        [0] => panic!("intended by the test"),
        [1] => Ok(Vec::new()),
        _ => Ok(inputs),
    };
    let batcher = Batcher::start("test", batching(1, 2), call, |_| {}).unwrap();
    assert!(batcher.submit(vec![0]).await.is_err());
    assert!(
        batcher.submit(vec![1]).await.is_err(),
        "no output for an input"
    );
    assert_eq!(batcher.submit(vec![2]).await, Ok(vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_waiting_worker_leaves_has_the_other_worker_at_once() {
    let patient = BatchOptions {
        linger: Duration::from_secs(600),
        ..batching(4, 2)
    };
    let both = std::sync::Barrier::new(2);
    let call = move |inputs: Vec<u32>| {
        both.wait();
        Ok(inputs)
    };
    let batcher = Arc::new(Batcher::start("test", patient, call, |_| {}).unwrap());
    let ask = |input| asked(&batcher, vec![input]);
    let coming = batcher.announce();
    let first = ask(1);
    // Long enough for a worker to start waiting; if none did, the test would prove nothing.
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(coming);
    let second = ask(2);
    let answers = async { (first.await.unwrap(), second.await.unwrap()) };
    let answers = tokio::time::timeout(Duration::from_secs(60), answers).await;
    assert_eq!(answers, Ok((Ok(vec![1]), Ok(vec![2]))));
}

#[tokio::test]
async fn a_worker_waits_for_what_is_on_its_way() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let patient = BatchOptions {
        linger: Duration::from_secs(600),
        ..batching(2, 1)
    };
    let call = |inputs: Vec<u32>| Ok(inputs);
    let told = move |call: BatchCall| seen.lock().unwrap().push(call.size);
    let batcher = Batcher::start("test", patient, call, told).unwrap();
    let coming = batcher.announce();
    let (a, b) = tokio::join!(batcher.submit(vec![1]), async {
        tokio::task::yield_now().await;
        batcher.submit(vec![2]).await
    });
    assert!(a.is_ok() && b.is_ok());
    drop(coming);
    batcher.submit(vec![3]).await.unwrap();
    drop(batcher);
    assert_eq!(*sizes.lock().unwrap(), [2, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_when_the_queue_ends_is_told_that_the_server_stops() {
    let (batcher, calls, go) = held();
    let batcher = Arc::new(batcher);
    let ask = |input| asked(&batcher, vec![input]);
    let first = ask(1);
    calls.recv().unwrap();
    let second = ask(2);
    while batcher.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    batcher.shared.lock().jobs.clear();
    let refusal = second.await.unwrap().unwrap_err();
    assert_eq!(
        (refusal.status().as_u16(), refusal.code()),
        (503, "stopping")
    );
    go.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Ok(vec![2]));
}

/// While a worker waits for further inputs, another may take all there are.
#[tokio::test(flavor = "multi_thread")]
async fn workers_that_wait_for_the_same_inputs_all_stay() {
    let options = BatchOptions {
        linger: Duration::from_millis(1),
        ..batching(64, 4)
    };
    let call = |inputs: Vec<u32>| Ok(inputs.iter().map(|i| 2 * i).collect());
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&told);
    let batcher = Batcher::start("test", options, call, move |call: BatchCall| {
        kept.lock().unwrap().push(call.size);
    });
    let batcher = Arc::new(batcher.unwrap());
    // Announced inputs are what workers wait for.
    let coming = batcher.announce();
    for _ in 0..200 {
        let all: Vec<_> = (0..4).map(|n| asked(&batcher, vec![n])).collect();
        for (n, outputs) in (0..).zip(all) {
            assert_eq!(outputs.await.unwrap(), Ok(vec![2 * n]));
        }
    }
    drop(coming);
    assert!(batcher.workers.iter().all(|worker| !worker.is_finished()));
    assert!(told.lock().unwrap().iter().all(|size| *size > 0));
}
