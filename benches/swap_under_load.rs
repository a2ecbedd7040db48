//! Does a swap disturb the queries? Two generations take turns while threads query without a pause.
//!
//! ```text
//! cargo bench --bench swap_under_load -- [--pairs N] [--swaps N] [--seconds N] [--threads N]
//! ```
//!
//! By default 10,000 pairs of 1,280 and 384 numbers (the default encoders'), 1,000 swaps within at
//! least 60 seconds, 4 threads. A query takes a snapshot and makes the relative rows of one image
//! and one text; its answer is compared, bit for bit, with what the pairs answer when nothing moves.
//! Spells with and without swaps alternate, so that a busy neighbour disturbs both. A swap is the
//! publishing of a generation (manifest and `CURRENT`, with every fsync) and the refresh that
//! follows it: forward to a new generation of the second set, then back to the first, in turns.
//! An error or a mixed answer fails the benchmark.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/synthetic.rs"]
mod synthetic;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use asif::anchors::AnchorsError;
use asif::anchors::live::{AdmissionSeconds, LiveOptions, LiveSet, RefreshOutcome, Snapshot};
use asif::anchors::stored::manifest::Manifest;
use asif::anchors::stored::publish;
use asif::modality::{Modality, PerModality};
use asif::space::{RelativeParams, RelativeRow};
use synthetic::{Shape, generation, unit_vectors};

const SHAPE: Shape = Shape {
    image_dim: 1280,
    text_dim: 384,
    space: RelativeParams {
        k: 200,
        p: 4.0,
        center: true,
        negatives: asif::space::NegativeSimilarity::Clamp,
    },
};
/// Spells with swaps, each after one without.
const SPELLS: u32 = 10;
/// Different queries, in turn.
const QUERIES: usize = 16;

struct Plan {
    pairs: usize,
    swaps: u32,
    seconds: u32,
    threads: usize,
}

impl Plan {
    fn from_args() -> Result<Self> {
        let mut plan = Self {
            pairs: 10_000,
            swaps: 1_000,
            seconds: 60,
            threads: 4,
        };
        // Cargo adds --bench; the rest is ours.
        let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
        while let Some(flag) = args.next() {
            let value = args
                .next()
                .with_context(|| format!("{flag} needs a number"))?;
            let bad = || format!("{flag} {value}: not a number");
            match flag.as_str() {
                "--pairs" => plan.pairs = value.parse().with_context(bad)?,
                "--swaps" => plan.swaps = value.parse().with_context(bad)?,
                "--seconds" => plan.seconds = value.parse().with_context(bad)?,
                "--threads" => plan.threads = value.parse().with_context(bad)?,
                _ => bail!("{flag}: expected --pairs, --swaps, --seconds or --threads"),
            }
        }
        Ok(plan)
    }
}

/// The rows of one image and one text.
type Answer = PerModality<Vec<RelativeRow>>;

struct Queries {
    images: Vec<f32>,
    texts: Vec<f32>,
}

impl Queries {
    fn ask(&self, snapshot: &Snapshot, i: usize) -> Result<Answer, AnchorsError> {
        let searcher = snapshot.searcher();
        let (image, text) = (i * SHAPE.image_dim, i * SHAPE.text_dim);
        Ok(PerModality {
            image: searcher.rows(Modality::Image, &self.images[image..][..SHAPE.image_dim])?,
            text: searcher.rows(Modality::Text, &self.texts[text..][..SHAPE.text_dim])?,
        })
    }

    fn ask_all(&self, snapshot: &Snapshot) -> Result<Vec<Answer>, AnchorsError> {
        (0..QUERIES).map(|i| self.ask(snapshot, i)).collect()
    }
}

/// One value for each of the two sets of pairs that take turns.
#[derive(Default)]
struct PerSet<T> {
    first: T,
    second: T,
}

/// What a querying thread saw.
#[derive(Default)]
struct Seen {
    /// Microseconds of each query of a spell without swaps.
    quiet: Vec<u32>,
    /// Microseconds of each query of a spell with swaps.
    swapping: Vec<u32>,
    errors: u64,
    mixed: u64,
    answers: PerSet<u64>,
}

fn main() -> Result<()> {
    let plan = Plan::from_args()?;
    let folder = tempfile::tempdir()?;
    let set = folder.path();
    println!(
        "2 sets of {} pairs ({} and {} numbers), {} querying threads, {} cores",
        plan.pairs,
        SHAPE.image_dim,
        SHAPE.text_dim,
        plan.threads,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    let manifests = PerSet {
        first: generation(set, SHAPE, 1, plan.pairs),
        second: generation(set, SHAPE, 2, plan.pairs),
    };
    publish::publish(set, &manifests.first)?;
    let live = LiveSet::open(set, LiveOptions::default())?;
    let queries = Queries {
        images: unit_vectors(QUERIES, SHAPE.image_dim, 1001),
        texts: unit_vectors(QUERIES, SHAPE.text_dim, 1002),
    };
    let first = queries.ask_all(&live.load())?;
    let cold = swap(&live, set, &manifests.second)?;
    let second = queries.ask_all(&live.load())?;
    let expected = PerSet { first, second };
    print_phases("first sight of a set", &[cold.phases]);

    let (stop, swapping) = (AtomicBool::new(false), AtomicBool::new(false));
    let (swaps, seen) = std::thread::scope(|scope| -> Result<_> {
        let threads: Vec<_> = (0..plan.threads)
            .map(|t| {
                let (live, queries, expected) = (&live, &queries, &expected);
                let (stop, swapping) = (&stop, &swapping);
                scope.spawn(move || query(live, queries, expected, t, stop, swapping))
            })
            .collect();
        let swaps = take_turns(&plan, &live, set, &manifests, &swapping);
        stop.store(true, Ordering::Relaxed);
        let seen: Vec<Seen> = threads.into_iter().filter_map(|t| t.join().ok()).collect();
        ensure!(seen.len() == plan.threads, "a querying thread panicked");
        Ok((swaps?, seen))
    })?;
    report(swaps, seen)
}

fn query(
    live: &LiveSet,
    queries: &Queries,
    expected: &PerSet<Vec<Answer>>,
    thread: usize,
    stop: &AtomicBool,
    swapping: &AtomicBool,
) -> Seen {
    let mut seen = Seen::default();
    for i in (0..QUERIES).cycle().skip(thread) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let is_swapping = swapping.load(Ordering::Relaxed);
        let begun = Instant::now();
        let snapshot = live.load();
        let answer = queries.ask(&snapshot, i);
        // The sets take turns, and each generation has the next number.
        let (expected, answers) = match snapshot.generation() % 2 {
            1 => (&expected.first, &mut seen.answers.first),
            _ => (&expected.second, &mut seen.answers.second),
        };
        // Letting go is part of the query: the last one unmaps the generation.
        drop(snapshot);
        let micros = match is_swapping {
            true => &mut seen.swapping,
            false => &mut seen.quiet,
        };
        micros.push(begun.elapsed().as_micros() as u32);
        match answer {
            Err(_) => seen.errors += 1,
            Ok(answer) if answer == expected[i] => *answers += 1,
            Ok(_) => seen.mixed += 1,
        }
    }
    seen
}

/// What a swap took, in seconds.
#[derive(Clone, Copy)]
struct Took {
    publishing: f64,
    refresh: f64,
    phases: AdmissionSeconds,
}

impl Took {
    fn total(&self) -> f64 {
        self.publishing + self.refresh
    }
}

/// What each swap took, in either direction.
#[derive(Default)]
struct SwapTimes {
    forward: Vec<Took>,
    back: Vec<Took>,
}

/// Alternates quiet and swapping spells; what each swap took.
fn take_turns(
    plan: &Plan,
    live: &LiveSet,
    set: &Path,
    manifests: &PerSet<Manifest>,
    swapping: &AtomicBool,
) -> Result<SwapTimes> {
    let mut swaps = SwapTimes::default();
    let (mut done, mut generation) = (0, manifests.second.generation);
    let spell = Duration::from_secs(plan.seconds.into()) / SPELLS;
    let pace = spell / (plan.swaps / SPELLS).max(1);
    for round in 1..=SPELLS {
        swapping.store(false, Ordering::Relaxed);
        std::thread::sleep(spell / 2);
        swapping.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let mut due = begun;
        while done < plan.swaps * round / SPELLS {
            // A number of its own, as a rollback has too: a process never goes back to a lower one.
            generation += 1;
            let (to, times) = match generation % 2 {
                1 => (&manifests.first, &mut swaps.back),
                _ => (&manifests.second, &mut swaps.forward),
            };
            let to = Manifest {
                generation,
                ..to.clone()
            };
            times.push(swap(live, set, &to)?);
            done += 1;
            due += pace;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        std::thread::sleep(spell.saturating_sub(begun.elapsed()));
    }
    Ok(swaps)
}

fn swap(live: &LiveSet, set: &Path, to: &Manifest) -> Result<Took> {
    let begun = Instant::now();
    publish::publish(set, to)?;
    let publishing = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let refreshed = live.refresh()?;
    let refresh = begun.elapsed().as_secs_f64();
    match refreshed {
        RefreshOutcome::Swapped(swap) => Ok(Took {
            publishing,
            refresh,
            phases: swap.seconds,
        }),
        RefreshOutcome::Unchanged => bail!("generation {} was live already", to.generation),
    }
}

fn report(SwapTimes { forward, back }: SwapTimes, seen: Vec<Seen>) -> Result<()> {
    let phases: Vec<AdmissionSeconds> = forward.iter().map(|took| took.phases).collect();
    print_phases("refresh, forward", &phases);
    println!("\n{:28} {:>9} {:>9}", "milliseconds", "p50", "p99");
    for (what, swaps, of) in [
        (
            "publishing",
            &forward,
            (|t| t.publishing) as fn(&Took) -> f64,
        ),
        ("refresh, forward", &forward, |t| t.refresh),
        ("refresh, back", &back, |t| t.refresh),
        ("swap forward: both", &forward, Took::total),
        ("swap back: both", &back, Took::total),
    ] {
        let mut values: Vec<f64> = swaps.iter().map(|took| of(took) * 1e3).collect();
        let (p50, p99) = (quantile(&mut values, 0.5), quantile(&mut values, 0.99));
        println!("{what:28} {p50:9.2} {p99:9.2}");
    }
    let spell = |what: &str, of: fn(&Seen) -> &Vec<u32>| {
        let of_spell = seen.iter().flat_map(of);
        let mut values: Vec<f64> = of_spell.map(|&micros| f64::from(micros) / 1e3).collect();
        let (p50, p99) = (quantile(&mut values, 0.5), quantile(&mut values, 0.99));
        println!("{what:28} {p50:9.2} {p99:9.2}   {} queries", values.len());
        (p50, p99)
    };
    let quiet = spell("queries without swaps", |s| &s.quiet);
    let swapping = spell("queries with swaps", |s| &s.swapping);
    println!(
        "{:28} {:9.2} {:9.2}   (target: p99 at most 2)",
        "ratio",
        swapping.0 / quiet.0,
        swapping.1 / quiet.1
    );
    let total = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    let (errors, mixed) = (total(|s| s.errors), total(|s| s.mixed));
    println!(
        "\n{} swaps; {errors} errors, {mixed} mixed answers, {} of the first set, {} of the second",
        forward.len() + back.len(),
        total(|s| s.answers.first),
        total(|s| s.answers.second),
    );
    ensure!(errors == 0 && mixed == 0, "answers were wrong");
    Ok(())
}

/// The median of each phase and its share.
fn print_phases(what: &str, phases: &[AdmissionSeconds]) {
    let median = |of: fn(&AdmissionSeconds) -> f64| {
        let mut values: Vec<f64> = phases.iter().map(|p| of(p) * 1e3).collect();
        quantile(&mut values, 0.5)
    };
    let whole = median(AdmissionSeconds::total);
    print!("{what}: {whole:.2} ms =");
    for (name, of) in [
        ("open", (|p| p.open) as fn(&AdmissionSeconds) -> f64),
        ("verify", |p| p.verify),
        ("center", |p| p.center),
        ("warm", |p| p.warm),
        ("canary", |p| p.canary),
    ] {
        let part = median(of);
        print!(" {name} {part:.2} ({:.0} %)", part / whole * 100.0);
    }
    println!();
}

/// The value below which a share `q` of the values lies; `NaN` when there are none.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * q).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
