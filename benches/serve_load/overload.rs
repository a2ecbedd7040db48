//! Images come twice as fast as they can be encoded: refusals, waits, memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::Bench;
use crate::measure::{join, lock, ms, quantile, resident};
use crate::saturation::saturation;
use crate::serve_support::Server;

/// Requests come at twice the rate that the server can serve, whether or not it answers.
pub fn overload(bench: &Bench) -> Result<()> {
    let capacity = saturation(bench)?;
    let server = Server::start(&[("a", &bench.index)], &[]);
    let rate = 2.0 * capacity;
    let time = Duration::from_secs(bench.plan.seconds);
    let (served, refused) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let begun = Instant::now();
    // Enough that one of them is always free to send.
    let senders = (rate * 4.0).ceil().clamp(64.0, 600.0) as usize;
    let mut memory = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let work = || -> Result<()> {
            let mut client = server.connect();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let due = Duration::from_secs_f64(number as f64 / rate);
                if due >= time || failed.load(Ordering::Relaxed) {
                    return Ok(());
                }
                std::thread::sleep(due.saturating_sub(begun.elapsed()));
                let body = &bench.bodies[number as usize % bench.bodies.len()];
                let asked = Instant::now();
                let answer = client.send("POST", "/v1/classify", &[], body.as_bytes());
                match answer.status {
                    200 => lock(&served).push(ms(asked)),
                    429 if answer.header("retry-after").is_some() => {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {
                        failed.store(true, Ordering::Relaxed);
                        bail!("{}: {}", answer.status, answer.text());
                    }
                }
            }
        };
        let threads: Vec<_> = (0..senders).map(|_| scope.spawn(work)).collect();
        while begun.elapsed() < time && !failed.load(Ordering::Relaxed) {
            memory.push(resident(&server)?);
            std::thread::sleep(time / 12);
        }
        threads.into_iter().try_for_each(join)
    })?;
    let mut served = lock(&served).clone();
    let sent = served.len() as u64 + refused.load(Ordering::Relaxed);
    println!(
        "overload: {:.0} s at {rate:.0} requests/s (twice {capacity:.0}): {sent} sent, {} served, {} refused with 429, 0 failed; p50 {:.0} ms, p99 {:.0} ms",
        begun.elapsed().as_secs_f64(),
        served.len(),
        refused.load(Ordering::Relaxed),
        quantile(&mut served, 0.5),
        quantile(&mut served, 0.99)
    );
    println!("overload: MiB of memory, twelve times: {memory:.0?}\n");
    Ok(())
}
