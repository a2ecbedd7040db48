//! Requests and their times, processor time, memory.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::serve_support::{Client, Server};

pub fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 0.5)
}

pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * q) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Seconds of processor time that a process has used, its threads together. Unlike the clock it does
/// not count what other processes take.
pub fn processor(pid: u32) -> Result<f64> {
    /// Ticks a second, on every Linux that there is.
    const TICKS: f64 = 100.0;
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after) = stat.rsplit_once(')').context("no process name")?;
    let field = |at: usize| -> Result<f64> {
        let word = after.split_whitespace().nth(at).context("too few fields")?;
        Ok(word.parse::<f64>()?)
    };
    Ok((field(11)? + field(12)?) / TICKS)
}

/// MiB that the server has in memory.
pub fn resident(server: &Server) -> Result<f64> {
    let status = fs_err::read_to_string(format!("/proc/{}/status", server.pid()))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
    Ok(kib.context("no VmRSS")?.trim().parse::<f64>()? / 1024.0)
}

/// Files and connections that the server has open.
pub fn open_files(server: &Server) -> Result<usize> {
    Ok(fs_err::read_dir(format!("/proc/{}/fd", server.pid()))?.count())
}

pub fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

pub fn post(client: &mut Client, body: &str) -> Result<Value> {
    let answer = client.send("POST", "/v1/classify", &[], body.as_bytes());
    ensure!(answer.status == 200, "{}", answer.text());
    let answer = answer.json();
    let result = &answer["results"][0];
    ensure!(result["error"].is_null(), "{result}");
    Ok(answer)
}

/// Requests a second of `clients` that ask without a pause, and how long each took in ms.
pub fn served_rate(
    server: &Server,
    bodies: &[String],
    clients: usize,
    time: Duration,
) -> Result<(f64, Vec<f64>)> {
    let begun = Instant::now();
    let took = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = |first: usize| {
            let took = &took;
            move || -> Result<()> {
                let mut client = server.connect();
                let mut own = Vec::new();
                for body in bodies.iter().cycle().skip(first) {
                    if begun.elapsed() >= time {
                        break;
                    }
                    let asked = Instant::now();
                    post(&mut client, body)?;
                    own.push(ms(asked));
                }
                lock(took).extend(own);
                Ok(())
            }
        };
        let threads: Vec<_> = (0..clients).map(|i| scope.spawn(work(i))).collect();
        threads.into_iter().try_for_each(join)
    })?;
    let took = took.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((took.len() as f64 / begun.elapsed().as_secs_f64(), took))
}

pub fn join<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|p| std::panic::resume_unwind(p))
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
