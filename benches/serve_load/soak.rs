//! Everything at once, and a change of the set every second: failures, memory, open files.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::measure::{join, open_files, resident};
use crate::serve_support::{Server, base64};
use crate::{Bench, support};

const ADMIN: &str = "an-admin-key-of-the-benchmark";
const CLIENTS: u64 = 6;
/// Pairs that were added and are not yet removed again.
const STAY: u64 = 3;

/// Each request is another one: new labels, other images, other pairs excluded, so that what is
/// kept ready is replaced all the time.
pub fn soak(bench: &Bench) -> Result<()> {
    let folder = bench.folder.path();
    let set = folder.join("soak.asif");
    support::copy_folder(&bench.index, &set);
    let key = folder.join("soak-key");
    fs_err::write(&key, ADMIN)?;
    let uploads = folder.join("uploads");
    let [key, uploads] = [key, uploads].map(|path| path.display().to_string());
    let more = ["--admin-key-file", &key, "--uploads", &uploads];
    let server = Server::start(&[("a", &set)], &more);
    let anchors = server.get("/v1/sets").ok()[0]["anchors"]
        .as_u64()
        .unwrap_or(0);
    ensure!(anchors > 0, "no pairs");

    let time = Duration::from_secs(bench.plan.seconds);
    let begun = Instant::now();
    let [asked, changes] = [AtomicU64::new(0), AtomicU64::new(0)];
    let mut seen = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let work = |client: u64| {
            let (server, asked) = (&server, &asked);
            move || -> Result<()> {
                for round in 0.. {
                    if begun.elapsed() >= time {
                        break;
                    }
                    ask(bench, server, anchors, round * CLIENTS + client)?;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }
        };
        let change = || -> Result<()> {
            for number in 0.. {
                if begun.elapsed() >= time {
                    break;
                }
                change(bench, &server, number)?;
                changes.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_secs(1));
            }
            Ok(())
        };
        let mut threads: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(work(client)))
            .collect();
        threads.push(scope.spawn(change));
        while begun.elapsed() < time && !threads.iter().any(|thread| thread.is_finished()) {
            seen.push((resident(&server)?, open_files(&server)?));
            std::thread::sleep(time / 12);
        }
        threads.into_iter().try_for_each(join)
    })?;
    let (memory, files): (Vec<f64>, Vec<usize>) = seen.into_iter().unzip();
    println!(
        "soak: {:.0} s, {} requests and {} changes of the set, 0 failed",
        begun.elapsed().as_secs_f64(),
        asked.into_inner(),
        changes.into_inner()
    );
    println!("soak: MiB of memory, twelve times: {memory:.0?}; open files: {files:?}\n");
    Ok(())
}

/// One request; what it asks for hangs on its number.
fn ask(bench: &Bench, server: &Server, anchors: u64, number: u64) -> Result<()> {
    let image = base64(&bench.images[number as usize % bench.images.len()]);
    let labels = [format!("thing {number}"), "a cat".into(), "a house".into()];
    let anchor = format!("/v1/sets/a/anchors/{}", number * 7 % anchors);
    let (status, answer) = match number % 9 {
        0 => (
            200,
            server.post(
                "/v1/classify",
                &json!({"images": [image], "labels": labels}),
            ),
        ),
        1 => (
            200,
            server.post("/v1/explain", &json!({"image": image, "labels": labels})),
        ),
        2 => {
            let id = server.get(&anchor).ok()["id"].clone();
            let asked = json!({"images": [image], "labels": labels, "without": {"ids": [id]}});
            (200, server.post("/v1/classify", &asked))
        }
        3 => (
            200,
            server.post(
                "/v1/similarity",
                &json!({"images": [image], "texts": labels}),
            ),
        ),
        4 => {
            let asked = json!({"input": labels, "space": "relative"});
            (200, server.post("/v1/embeddings", &asked))
        }
        5 => (200, server.get("/v1/sets/a/map")),
        6 => (200, server.get(&format!("{anchor}/image"))),
        7 => (200, server.get("/metrics")),
        _ => {
            let asked = json!({"images": ["bm8gcGljdHVyZQ=="], "labels": []});
            (400, server.post("/v1/classify", &asked))
        }
    };
    // A pair's picture may be gone, and under load a refusal is an answer.
    let known = answer.status == status
        || answer.status == 429
        || (number % 9 == 6 && answer.status == 404);
    ensure!(known, "{}: {}", answer.status, answer.text());
    Ok(())
}

/// Another pair comes, and an older one goes.
fn change(bench: &Bench, server: &Server, number: u64) -> Result<()> {
    let post = |what: &str, body: &Value| -> Result<()> {
        let answer = server.post_with(&format!("/admin/sets/a/{what}"), ADMIN, body);
        ensure!(answer.status == 200, "{what}: {}", answer.text());
        Ok(())
    };
    let image = base64(&bench.images[number as usize % bench.images.len()]);
    let pair =
        json!({"image": image, "captions": ["it comes and goes"], "id": format!("soak/{number}")});
    post("add", &json!({"pairs": [pair]}))?;
    match number.checked_sub(STAY) {
        Some(old) => post("remove", &json!({"ids": [format!("soak/{old}")]})),
        None => Ok(()),
    }
}
