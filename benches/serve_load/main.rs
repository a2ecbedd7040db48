//! What does the server cost, and what does it bear? The real binary on loopback, asked by this
//! process.
//!
//! ```text
//! cargo bench --bench serve_load -- [idle] [saturation] [fast] [overload] [swaps] [soak] [hostile]
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
//! | `soak` | everything at once, and a change of the set every second: failures, memory, open files |
//! | `hostile` | idle, slow, malformed and aborted requests beside good clients: failures, probes, memory, files |
//!
//! Without names all parts run. The set is by default all pairs of the quick start, the images those
//! of the quick start's photos. Where other processes are at work, processor times say more than
//! rates: those of a process with more threads suffer less. A failed request, other than a refusal under
//! overload, ends it with an error.
//!
//! Each part has a file of its name; beside them:
//!
//! | file | role |
//! |---|---|
//! | `plan` | what is to be run, of the command line |
//! | `given` | the set, the images, the encoders |
//! | `measure` | requests and their times, processor time, memory |
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

mod fast;
mod given;
mod hostile;
mod idle;
mod measure;
mod overload;
mod plan;
mod saturation;
#[path = "../../tests/serve_hostile/mod.rs"]
mod serve_hostile;
#[path = "../../tests/serve_support/mod.rs"]
mod serve_support;
mod soak;
#[path = "../../tests/support/mod.rs"]
mod support;
mod swaps;

use std::path::PathBuf;

use anyhow::Result;
use asif::anchors::AnchorSet;
use serde_json::json;

use given::{build, read_images};
use plan::Plan;
use serve_support::base64;

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
            "idle" => idle::idle(&bench)?,
            "saturation" => drop(saturation::saturation(&bench)?),
            "fast" => fast::fast(&bench)?,
            "overload" => overload::overload(&bench)?,
            "swaps" => swaps::swaps(&bench)?,
            "hostile" => hostile::hostile(&bench)?,
            _ => soak::soak(&bench)?,
        }
    }
    Ok(())
}
