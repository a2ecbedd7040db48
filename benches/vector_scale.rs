//! Anchor sets of vectors, ten thousand pairs to 1.6 million: does anything grow faster than the data?
//!
//! ```text
//! cargo bench --bench vector_scale                      10,000, 100,000, 1,000,000 and 1,600,000 pairs
//! cargo bench --bench vector_scale -- 10000 100000      so many pairs
//! ASIF_BENCH_GRAPHS=1 cargo bench --bench vector_scale  also builds with both graphs
//! ASIF_BENCH_ROUNDS=3                                   copies and builds, of which the medians are printed
//! ```
//!
//! Two `.npy` files of 512 and 384 numbers a pair are written (5.7 GB for 1.6 million pairs, and three times as much
//! beside them meanwhile), copied by `cp`, built into an anchor set, changed and asked. What is a command for a user
//! is run as one, and its anonymous memory is sampled while it runs; opening, fitting and answers are timed in this
//! process. Everything lies in a temporary folder of the build's target folder, so on its disk.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use asif::classify::{LabelHead, ScoringOptions};
use asif::modality::{Modality, PerModality};
use asif::space::vector::normalize;
use asif::{AnchorSet, SearchMode, Snapshot};
use asif_index::bench::ProcessMemory;
use asif_index::random::SplitMix64;

const DIMS: PerModality<usize> = PerModality {
    image: 512,
    text: 384,
};
/// Numbers that an image and its text share; the others are noise of the same size.
const SHARED: usize = 16;
/// Pairs that are added and removed.
const FEW: usize = 1000;
const LABELS: usize = 1000;
const ASKED: usize = 100;
/// The interval between two samples of a command's memory.
const PAUSE: Duration = Duration::from_millis(5);

fn main() -> anyhow::Result<()> {
    let given = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok());
    let mut sizes: Vec<usize> = given.collect();
    if sizes.is_empty() {
        sizes = vec![10_000, 100_000, 1_000_000, 1_600_000];
    }
    let rounds = match std::env::var("ASIF_BENCH_ROUNDS") {
        Ok(text) => text.parse().context("ASIF_BENCH_ROUNDS")?,
        Err(_) => 3,
    };
    let graphs = std::env::var_os("ASIF_BENCH_GRAPHS").is_some();
    println!(
        "{} and {} numbers of 32 bits a pair; seconds and milliseconds are medians, memory is anonymous, in MiB",
        DIMS.image, DIMS.text
    );
    for pairs in sizes {
        measure(pairs, rounds, graphs).with_context(|| format!("{pairs} pairs"))?;
    }
    Ok(())
}

fn measure(pairs: usize, rounds: usize, graphs: bool) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let folder = folder.path();
    let files = write_pairs(folder, "all", 0..pairs)?;
    let more = write_pairs(folder, "more", pairs..pairs + FEW)?;
    let bytes = (pairs * (DIMS.image + DIMS.text) * size_of::<f32>()) as f64;
    let set = folder.join("a.asif");

    // In turns, so that what else the machine does meanwhile is the same for both.
    let (mut copies, mut builds, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        copies.push(copy(&files, folder)?);
        let ran = build(&files, &set, "never")?;
        builds.push(ran.seconds);
        memory = memory.max(ran.anonymous);
    }
    let (copied, built) = (median(&mut copies), median(&mut builds));
    println!("\n{pairs} pairs, {:.2} GB", bytes / 1e9);
    println!(
        "cp {copied:.2} s ({:.0} MB/s); build to live {built:.2} s ({:.0} MB/s, {:.0} % of the speed of cp), {} MiB",
        bytes / copied / 1e6,
        bytes / built / 1e6,
        100.0 * copied / built,
        memory >> 20
    );
    if graphs {
        let ran = build(&files, &folder.join("graphs.asif"), "always")?;
        println!(
            "build with both graphs {:.1} s, {} MiB",
            ran.seconds,
            ran.anonymous >> 20
        );
    }
    ask(&set, pairs)?;

    let [image, text] = [&more.image, &more.text].map(|path| path.display().to_string());
    let path = set.display().to_string();
    let words = [
        "anchors",
        "add",
        &path,
        "--image-vectors",
        &image,
        "--text-vectors",
        &text,
        "--graph",
        "never",
    ];
    let added = run(&words)?;
    let ids = folder.join("ids.txt");
    let removed: Vec<String> = (0..FEW).map(|n| (n * (pairs / FEW)).to_string()).collect();
    fs_err::write(&ids, removed.join("\n") + "\n")?;
    let ids = ids.display().to_string();
    let removed = run(&["anchors", "remove", &path, "--ids-file", &ids])?;
    println!(
        "+{FEW} live after {:.2} s, {} MiB; -{FEW} after {:.2} s, {} MiB",
        added.seconds,
        added.anonymous >> 20,
        removed.seconds,
        removed.anonymous >> 20
    );
    let verified = run(&["verify", &path])?;
    println!(
        "verify {:.2} s, {} MiB",
        verified.seconds,
        verified.anonymous >> 20
    );
    Ok(())
}

/// Opens the set, fits its space, and asks it.
fn ask(path: &Path, pairs: usize) -> anyhow::Result<()> {
    let mut opened = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        AnchorSet::open(path)?;
        opened.push(begun.elapsed().as_secs_f64());
    }
    let set = AnchorSet::open(path)?;
    let recipe = set.manifest().space.clone();
    let begun = Instant::now();
    let snapshot = Snapshot::fit(set, &recipe, SearchMode::Auto)?;
    let fitted = begun.elapsed().as_secs_f64();

    let vectors = |modality, first: usize, count: usize| -> Vec<f32> {
        let rows = first..first + count;
        rows.flat_map(|n| vector(n as u64, modality)).collect()
    };
    let labels: Vec<String> = (0..LABELS).map(|n| n.to_string()).collect();
    let searcher = snapshot.searcher();
    let begun = Instant::now();
    let texts = vectors(Modality::Text, pairs + FEW, LABELS);
    let head = LabelHead::of_label_vectors(&searcher, labels, texts, ScoringOptions::default())?;
    let made = begun.elapsed().as_secs_f64();
    let (mut answers, mut right) = (Vec::new(), 0);
    // The first tenth warms caches and is not counted.
    for number in 0..ASKED + ASKED / 10 {
        let image = vectors(Modality::Image, pairs + FEW + number, 1);
        let begun = Instant::now();
        let input = searcher.represent(Modality::Image, &image)?;
        let input = input.into_iter().next().context("no representation")?;
        let answer = head.answer(image, input);
        answers.push(begun.elapsed().as_secs_f64());
        let best = answer.similarities.iter().enumerate();
        let best = best.max_by(|a, b| a.1.total_cmp(b.1)).map(|(at, _)| at);
        right += usize::from(best == Some(number));
    }
    println!(
        "opens in {:.1} ms, its space fits in {fitted:.2} s, a head of {LABELS} labels takes {made:.2} s, one image against them \
         {:.1} ms; {right} of {} first; {} MiB",
        1e3 * median(&mut opened),
        1e3 * median(&mut answers[ASKED / 10..]),
        ASKED + ASKED / 10,
        ProcessMemory::now().anonymous >> 20
    );
    Ok(())
}

/// What a command took.
struct CommandCost {
    seconds: f64,
    /// The largest anonymous memory that was seen, in bytes.
    anonymous: u64,
}

fn build(files: &PerModality<PathBuf>, out: &Path, graphs: &str) -> anyhow::Result<CommandCost> {
    if out.exists() {
        fs_err::remove_dir_all(out)?;
    }
    let [image, text] = [&files.image, &files.text].map(|path| path.display().to_string());
    let out = out.display().to_string();
    run(&[
        "build",
        "--image-vectors",
        &image,
        "--text-vectors",
        &text,
        "--image-encoder-name",
        "drawn",
        "--text-encoder-name",
        "drawn",
        "--graph",
        graphs,
        "--out",
        &out,
    ])
}

/// Runs the program, and samples its memory until it ends.
fn run(words: &[&str]) -> anyhow::Result<CommandCost> {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_asif"))
        .args(words)
        .arg("--quiet")
        .stdout(Stdio::null())
        .spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut anonymous = 0;
    let ended = loop {
        // A process that has just ended has no such line any more.
        let text = fs_err::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes =
            line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        anonymous = anonymous.max(kilobytes.unwrap_or_default() << 10);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        std::thread::sleep(PAUSE);
    };
    if !ended.success() {
        bail!("asif {} ended with {ended}", words.join(" "));
    }
    Ok(CommandCost {
        seconds: begun.elapsed().as_secs_f64(),
        anonymous,
    })
}

/// Seconds that `cp` takes until the copies are on the disk, as the files of an anchor set are when it is live.
fn copy(files: &PerModality<PathBuf>, folder: &Path) -> anyhow::Result<f64> {
    let copies = folder.join("copies");
    fs_err::create_dir_all(&copies)?;
    let begun = Instant::now();
    let ended = Command::new("cp")
        .args([&files.image, &files.text, &copies])
        .status()?;
    if !ended.success() {
        bail!("cp ended with {ended}");
    }
    for file in fs_err::read_dir(&copies)? {
        fs_err::File::open(file?.path())?.sync_all()?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    fs_err::remove_dir_all(&copies)?;
    Ok(seconds)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The unit vector of one side of a pair, the same whenever it is made.
fn vector(number: u64, modality: Modality) -> Vec<f32> {
    let mut shared = SplitMix64::new(number);
    let hidden: Vec<f32> = (0..SHARED).map(|_| shared.unit() as f32 - 0.5).collect();
    let mut noise = SplitMix64::new((number << 1 | modality as u64) ^ 0x5eed_0000_0000_0000);
    let row = (0..DIMS[modality]).map(|at| hidden[at % SHARED] + noise.unit() as f32 - 0.5);
    let mut row: Vec<f32> = row.collect();
    normalize(&mut row);
    row
}

/// The vectors of pairs with these numbers, a file a side.
fn write_pairs(
    folder: &Path,
    name: &str,
    numbers: std::ops::Range<usize>,
) -> anyhow::Result<PerModality<PathBuf>> {
    let mut files = PerModality::<PathBuf>::default();
    for modality in Modality::BOTH {
        let path = folder.join(format!("{name}-{modality}.npy"));
        let mut file = BufWriter::with_capacity(1 << 20, fs_err::File::create(&path)?);
        let (rows, dim) = (numbers.len(), DIMS[modality]);
        let shape =
            format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
        // The header ends with a line end at a multiple of 64 bytes, of which magic, version and length are 10.
        let length = (10 + shape.len() + 1).next_multiple_of(64) - 10;
        file.write_all(b"\x93NUMPY\x01\x00")?;
        file.write_all(&u16::try_from(length)?.to_le_bytes())?;
        writeln!(file, "{shape:<width$}", width = length - 1)?;
        for number in numbers.clone() {
            for value in vector(number as u64, modality) {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.into_inner()
            .map_err(|error| error.into_error())?
            .sync_all()?;
        files[modality] = path;
    }
    Ok(files)
}
