//! Hostile clients of all kinds beside good ones: failures, probes, memory, open files.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::measure::quantile;
use crate::serve_hostile::{ADMIN, PLACES, attack};
use crate::serve_support::Server;
use crate::{Bench, support};

/// Runs for `--seconds`, and fails when a good request did.
pub fn hostile(bench: &Bench) -> Result<()> {
    let folder = bench.folder.path();
    let set = folder.join("hostile.asif");
    support::copy_folder(&bench.index, &set);
    let key = folder.join("hostile-key");
    fs_err::write(&key, ADMIN)?;
    let uploads = folder.join("hostile-uploads");
    let [key, uploads] = [key, uploads].map(|path| path.display().to_string());
    let more = [
        "--admin-key-file",
        &key,
        "--uploads",
        &uploads,
        "--max-connections",
        PLACES,
    ];
    let server = Server::start(&[("a", &set)], &more);
    let mut report = attack(&server, Duration::from_secs(bench.plan.seconds));
    println!(
        "hostile: {} s, {} good requests, {} changes and {} hostile requests, {} failed",
        bench.plan.seconds,
        report.good,
        report.changes,
        report.hostile,
        report.failed.len()
    );
    println!(
        "hostile: {} probes, p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        report.probes.len(),
        quantile(&mut report.probes, 0.5),
        quantile(&mut report.probes, 0.99),
        quantile(&mut report.probes, 1.0)
    );
    let (memory, files): (Vec<f64>, Vec<usize>) = report.seen.into_iter().unzip();
    println!("hostile: MiB of memory: {memory:.0?}; open files: {files:?}\n");
    ensure!(report.failed.is_empty(), "{:#?}", report.failed);
    Ok(())
}
