//! What does the server cost, and what does it bear? The real binary on loopback, asked by this
//! process.
//!
//! ```text
//! cargo bench --bench serve_load -- [idle] [saturation] [fast] [overload] [swaps]
//!                                   [--index DIR.asif] [--images DIR] [--seconds N] [--swaps N]
//! ```
//!
//! | part | question |
//! |---|---|
//! | `idle` | one client: what does a request take beyond decoding and encoding its image |
//! | `saturation` | many clients: images a second, against the encoder in this process without a server |
//! | `fast` | vectors instead of images and labels that came before: requests a second |
//! | `overload` | images come twice as fast as they can be encoded: refusals, waits, memory |
//! | `swaps` | another generation again and again while requests run: failures, mixed answers |
//!
//! Without names all parts run. The set is by default all pairs of the quick start, the images those
//! of the quick start's photos. Where other processes are at work, processor times say more than
//! rates: those of a process with more threads suffer less. A failed request, other than a refusal under overload, ends it with
//! an error.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/serve_support/mod.rs"]
mod serve_support;
#[path = "../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use asif::anchors::{AnchorSet, Embedder};
use asif::encode::{EncoderOptions, ImageEncoder, Modality, TextEncoder, registry, runtime};
use serde_json::{Value, json};
use serve_support::{Client, Server, base64};

const LABELS: [&str; 10] = [
    "a cat",
    "a dog",
    "a horse",
    "a flower",
    "a rocket",
    "a cup of coffee",
    "a house",
    "a person",
    "a motorcycle",
    "a bird",
];
const PARTS: [&str; 5] = ["idle", "saturation", "fast", "overload", "swaps"];

struct Plan {
    parts: Vec<String>,
    index: Option<PathBuf>,
    images: Option<PathBuf>,
    seconds: u64,
    swaps: u64,
}

impl Plan {
    fn from_args() -> Result<Self> {
        let mut plan = Self {
            parts: Vec::new(),
            index: None,
            images: None,
            seconds: 60,
            swaps: 1_000,
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--bench" => {}
                "--index" => plan.index = Some(value()?.into()),
                "--images" => plan.images = Some(value()?.into()),
                "--seconds" => plan.seconds = value()?.parse()?,
                "--swaps" => plan.swaps = value()?.parse()?,
                part if PARTS.contains(&part) => plan.parts.push(arg),
                _ => bail!("unknown argument {arg}"),
            }
        }
        if plan.parts.is_empty() {
            plan.parts = PARTS.map(str::to_owned).to_vec();
        }
        Ok(plan)
    }
}

/// What every part works on.
struct Bench {
    plan: Plan,
    folder: tempfile::TempDir,
    index: PathBuf,
    /// Image files, and the same as requests.
    images: Vec<Vec<u8>>,
    bodies: Vec<String>,
}

fn main() -> Result<()> {
    let plan = Plan::from_args()?;
    let folder = tempfile::tempdir()?;
    let index = match &plan.index {
        Some(index) => index.clone(),
        None => {
            let text = fs_err::read_to_string(support::home().root().join("demo/pairs.jsonl"))?;
            let records = support::demo_pairs(text.lines().count());
            build(folder.path(), "demo", &records, "fused")?
        }
    };
    let images = read_images(plan.images.as_deref())?;
    let ask = |image: &Vec<u8>| json!({"images": [base64(image)], "labels": LABELS}).to_string();
    let bench = Bench {
        bodies: images.iter().map(ask).collect(),
        images,
        index,
        folder,
        plan,
    };
    let pairs = AnchorSet::open(&bench.index)?.len();
    let mean = bench.images.iter().map(Vec::len).sum::<usize>() / bench.images.len();
    println!(
        "{pairs} pairs, {} images of {} KiB in the mean, {} labels, {} cores\n",
        bench.images.len(),
        mean / 1024,
        LABELS.len(),
        std::thread::available_parallelism()?
    );
    for part in &bench.plan.parts {
        match part.as_str() {
            "idle" => idle(&bench)?,
            "saturation" => drop(saturation(&bench)?),
            "fast" => fast(&bench)?,
            "overload" => overload(&bench)?,
            _ => swaps(&bench)?,
        }
    }
    Ok(())
}

fn build(folder: &Path, name: &str, records: &[Value], space: &str) -> Result<PathBuf> {
    let pairs = support::write_jsonl(folder, &format!("{name}.jsonl"), records);
    let set = folder.join(format!("{name}.asif"));
    let mut command = support::asif();
    command.args(["build", "--quiet", "--space", space, "--pairs"]);
    // The embeddings of the quick start are there already.
    command.env_remove("ASIF_CACHE");
    let done = support::run(command.arg(pairs).arg("--out").arg(&set));
    ensure!(done.code == Some(0), "{}", done.err);
    Ok(set)
}

fn read_images(folder: Option<&Path>) -> Result<Vec<Vec<u8>>> {
    const MOST: usize = 64;
    let photos = support::home().root().join("demo/photos");
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder.unwrap_or(&photos))
        .into_iter()
        .filter_map(|entry| Some(entry.ok()?.into_path()))
        .filter(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"))
        .collect();
    files.sort();
    let step = files.len().div_ceil(MOST).max(1);
    let images: Vec<Vec<u8>> = files
        .iter()
        .step_by(step)
        .map(fs_err::read)
        .collect::<Result<_, _>>()?;
    ensure!(!images.is_empty(), "no images; give --images DIR");
    Ok(images)
}

/// The encoders as the server opens them.
fn embedder(index: &Path) -> Result<Embedder> {
    let home = support::home();
    runtime::load(None, &home)?;
    let set = AnchorSet::open(index)?;
    let options = EncoderOptions::throughput();
    let name = |modality| set.encoder(modality).identity.name.clone();
    Ok(Embedder::new(
        registry::open_all(&home, &name(Modality::Image), Modality::Image, |folder| {
            ImageEncoder::open(folder, &options)
        })?,
        registry::open_all(&home, &name(Modality::Text), Modality::Text, |folder| {
            TextEncoder::open(folder, &options)
        })?,
        options.sessions,
    ))
}

fn median(mut values: Vec<f64>) -> f64 {
    quantile(&mut values, 0.5)
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * q) as usize;
    values
        .get(at.min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Seconds of processor time that a process has used, its threads together. Unlike the clock it does
/// not count what other processes take.
fn processor(pid: u32) -> Result<f64> {
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

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Own time and the server's by turns, so that a busy neighbour disturbs both.
fn idle(bench: &Bench) -> Result<()> {
    const ROUNDS: usize = 200;
    let embedder = embedder(&bench.index)?;
    let server = Server::start(&[("a", &bench.index)], &[]);
    let mut client = server.connect();
    for body in &bench.bodies {
        post(&mut client, body)?;
    }
    let (mut own, mut served) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let at = round % bench.images.len();
        let begun = Instant::now();
        let prepared = embedder.prepare_image(&bench.images[at])?;
        embedder.encode_prepared(&[prepared])?;
        own.push(ms(begun));
        let begun = Instant::now();
        post(&mut client, &bench.bodies[at])?;
        served.push(ms(begun));
    }
    // A tenth lies below the lower quantile: the moments in which no other process was in the way.
    for (name, q) in [("median", 0.5), ("lower tenth", 0.1)] {
        let (own, served) = (quantile(&mut own, q), quantile(&mut served, q));
        println!(
            "idle: {name} of {ROUNDS}: decoding and encoding {own:.2} ms, a request {served:.2} \
             ms, added {:.2} ms",
            served - own
        );
    }
    println!();
    Ok(())
}

fn post(client: &mut Client, body: &str) -> Result<Value> {
    let answer = client.send("POST", "/v1/classify", &[], body.as_bytes());
    ensure!(answer.status == 200, "{}", answer.text());
    let answer = answer.json();
    let result = &answer["results"][0];
    ensure!(result["error"].is_null(), "{result}");
    Ok(answer)
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
                let batch = images.by_ref().take(8).map(|i| embedder.prepare_image(i));
                let batch: Vec<_> = batch.collect::<Result<_, _>>()?;
                embedder.encode_prepared(&batch)?;
                done.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
            Ok(())
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(join)
    })?;
    Ok(done.into_inner() as f64 / begun.elapsed().as_secs_f64())
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .unwrap_or_else(|p| std::panic::resume_unwind(p))
}

/// Requests a second of `clients` that ask without a pause, and how long each took in ms.
fn served_rate(
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
    let took = took
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok((took.len() as f64 / begun.elapsed().as_secs_f64(), took))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Both by turns; returns the server's images a second.
fn saturation(bench: &Bench) -> Result<f64> {
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

/// Requests of one vector each.
fn fast(bench: &Bench) -> Result<()> {
    let server = Server::start(&[("a", &bench.index)], &[]);
    let mut bodies = Vec::new();
    for image in &bench.images {
        let input = format!("data:image/jpeg;base64,{}", base64(image));
        let vector = server
            .post("/v1/embeddings", &json!({"input": input}))
            .json();
        let vector = vector["data"][0]["embedding"].clone();
        bodies.push(json!({"vectors": [vector], "labels": LABELS}).to_string());
    }
    for clients in [1, 4, 16] {
        served_rate(&server, &bodies, clients, Duration::from_secs(1))?;
        let before = processor(server.pid())?;
        let (rate, mut took) = served_rate(&server, &bodies, clients, Duration::from_secs(10))?;
        let used = processor(server.pid())? - before;
        println!(
            "fast: {clients} clients: {rate:.0} requests/s, {:.3} ms of processor time each, p50 \
             {:.2} ms, p99 {:.2} ms",
            1e3 * used / took.len() as f64,
            quantile(&mut took, 0.5),
            quantile(&mut took, 0.99)
        );
    }
    println!();
    Ok(())
}

/// Requests come at twice the rate that the server can serve, whether or not it answers.
fn overload(bench: &Bench) -> Result<()> {
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

/// MiB that the server has in memory.
fn resident(server: &Server) -> Result<f64> {
    let status = fs_err::read_to_string(format!("/proc/{}/status", server.pid()))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().strip_suffix(" kB"));
    Ok(kib.context("no VmRSS")?.trim().parse::<f64>()? / 1024.0)
}

/// Two contents take turns while requests run; every answer must be wholly one of them.
fn swaps(bench: &Bench) -> Result<()> {
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
