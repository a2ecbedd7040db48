//! Many clients: images a second, against the encoder in this process without a server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use asif::embed::Embedder;
use asif::encode::image::decode::PictureLimits;

use crate::Bench;
use crate::given::embedder;
use crate::measure::{join, median, processor, quantile, served_rate};
use crate::serve_support::Server;

/// Both by turns; returns the server's images a second.
pub fn saturation(bench: &Bench) -> Result<f64> {
    const TURNS: usize = 5;
    const CLIENTS: usize = 16;
    let turn = Duration::from_secs(4);
    let embedder = embedder(&bench.index)?;
    let server = Server::start(&[("a", &bench.index)], &[]);
    served_rate(&server, &bench.bodies, CLIENTS, Duration::from_secs(1))?;
    let (mut own, mut served, mut waits) = (vec![], vec![], vec![]);
    let (mut own_work, mut served_work) = (vec![], vec![]);
    for _ in 0..TURNS {
        let before = processor(std::process::id())?;
        let rate = own_rate(bench, &embedder, turn)?;
        let used = processor(std::process::id())? - before;
        own_work.push(1e3 * used / (rate * turn.as_secs_f64()));
        own.push(rate);
        let before = processor(server.pid())?;
        let (rate, took) = served_rate(&server, &bench.bodies, CLIENTS, turn)?;
        let used = processor(server.pid())? - before;
        served_work.push(1e3 * used / took.len() as f64);
        served.push(rate);
        waits.extend(took);
    }
    let (own, served) = (median(own), median(served));
    let (own_work, served_work) = (median(own_work), median(served_work));
    println!(
        "saturation: encoders alone {own:.1} images/s, server {served:.1} with {CLIENTS} clients; \
         processor time an image {own_work:.2} and {served_work:.2} ms, {:+.1} % (medians of \
         {TURNS} turns); p50 {:.0} ms, p99 {:.0} ms\n",
        100.0 * (served_work / own_work - 1.0),
        quantile(&mut waits, 0.5),
        quantile(&mut waits, 0.99)
    );
    Ok(served)
}

/// Images a second of the encoders alone: each thread decodes and encodes its own batches.
fn own_rate(bench: &Bench, embedder: &Embedder, time: Duration) -> Result<f64> {
    let threads = std::thread::available_parallelism()?.get();
    let done = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            let mut images = bench.images.iter().cycle();
            while begun.elapsed() < time {
                let batch = images
                    .by_ref()
                    .take(8)
                    .map(|i| embedder.prepare_image(i, PictureLimits::default()));
                let batch: Vec<_> = batch.collect::<Result<_, _>>()?;
                let encoded = batch.len() as u64;
                embedder.encode_prepared(batch)?;
                done.fetch_add(encoded, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(join)
    })?;
    Ok(done.into_inner() as f64 / begun.elapsed().as_secs_f64())
}
