//! Another generation again and again while requests run: failures, mixed answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::given::build;
use crate::measure::{join, lock, ms, post, quantile};
use crate::serve_support::{Server, base64};
use crate::{Bench, LABELS, support};

/// Two contents take turns while requests run; every answer must be wholly one of them.
pub fn swaps(bench: &Bench) -> Result<()> {
    const ADMIN: &str = "an-admin-key-of-the-benchmark";
    let folder = bench.folder.path();
    let records = support::demo_pairs(600);
    let even = build(folder, "even", &records[..300], "asif")?;
    let odd = build(folder, "odd", &records[300..], "asif")?;
    let key = folder.join("key");
    fs_err::write(&key, ADMIN)?;
    let key = key.display().to_string();
    let server = Server::start(
        &[("even", &even), ("odd", &odd)],
        &["--admin-key-file", &key],
    );
    let input = format!("data:image/jpeg;base64,{}", base64(&bench.images[0]));
    let vector = server
        .post("/v1/embeddings", &json!({"input": input}))
        .json();
    let vector = &vector["data"][0]["embedding"];
    let ask = |set: &str| json!({"set": set, "vectors": [vector], "labels": LABELS}).to_string();
    let contents: Vec<Value> = ["even", "odd"]
        .iter()
        .map(|set| Ok(post(&mut server.connect(), &ask(set))?["results"].clone()))
        .collect::<Result<_>>()?;
    ensure!(contents[0] != contents[1], "both contents answer alike");
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let (swaps, took) = (bench.plan.swaps, Mutex::new(Vec::new()));
    let begun = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let load = || -> Result<()> {
            let mut client = server.connect();
            let body = ask("even");
            while !stop.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = post(&mut client, &body)?;
                lock(&took).push(ms(asked));
                // Generations alternate, so that each must answer as its content does.
                let odd = answer["generation"].as_u64().context("a generation")? % 2 == 0;
                ensure!(
                    answer["results"] == contents[usize::from(odd)],
                    "mixed: {answer}"
                );
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        let change = || -> Result<()> {
            for swap in 1..=swaps {
                let (what, body) = match swap % 2 {
                    1 => ("swap", json!({"from": "odd", "keep": 3})),
                    _ => ("rollback", json!({"keep": 3})),
                };
                let answer = server.post_with(&format!("/admin/sets/even/{what}"), ADMIN, &body);
                ensure!(answer.status == 200, "{}", answer.text());
                ensure!(answer.json()["live"] == 1 + swap, "{}", answer.text());
            }
            Ok(())
        };
        let changed = change();
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().try_for_each(join)?;
        changed
    })?;
    let mut took = lock(&took).clone();
    println!(
        "swaps: {swaps} in {:.0} s, {} requests answered, 0 failed, 0 mixed; p50 {:.2} ms, p99 {:.2} ms\n",
        begun.elapsed().as_secs_f64(),
        answered.load(Ordering::Relaxed),
        quantile(&mut took, 0.5),
        quantile(&mut took, 0.99)
    );
    Ok(())
}
