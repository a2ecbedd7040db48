//! Pictures with random faults: each is read or refused in a documented way, within a stated bound.
//!
//! The same pictures every time. `ASIF_TEST_MUTANTS=5000` makes more of them than the ordinary run.

use asif::encode::InputError;
use asif::encode::image::decode::{DecodeBudget, decode, decode_shown};
use asif_index::random::SplitMix64;
use serde_json::{Value, json};

use super::files::*;
use super::{in_own_process, mebibytes};
use crate::serve_support::{Server, base64};
use crate::support;

/// The budget of the campaign, in MiB: an ordinary picture of some megapixels.
const BUDGET: u64 = 64;
/// Above it: what the process takes beside pixels, in MiB.
const SLACK: u64 = 32;

/// The picture of this number: a seed with one to four faults.
fn mutant(number: u64) -> (String, Vec<u8>) {
    let mut dice = SplitMix64::new(number);
    let (name, seed) = SEEDS[number as usize % SEEDS.len()];
    let mut file = seed.to_vec();
    for _ in 0..1 + dice.below(4) {
        // Headers are short, and more depends on them.
        let reach = match dice.below(2) {
            0 => file.len().min(64),
            _ => file.len(),
        };
        let at = dice.below(reach);
        let length = 1 + dice.below(40).min(file.len().saturating_sub(at + 1));
        let end = (at + length).min(file.len());
        match dice.below(9) {
            0 if !file.is_empty() => file[at] ^= 1 << dice.below(8),
            1 if !file.is_empty() => file[at] = dice.bits() as u8,
            2 => file.truncate(at),
            3 => drop(file.drain(at..end)),
            4 => {
                let copy = file[at..end].to_vec();
                file.splice(at..at, copy);
            }
            5 => file[at..end].fill([0x00, 0xFF, 0x7F, 0x80][dice.below(4)]),
            6 => {
                let (_, other) = SEEDS[dice.below(SEEDS.len())];
                let from = dice.below(other.len());
                let part = &other[from..(from + length).min(other.len())];
                file.splice(at..end, part.iter().copied());
            }
            7 if file.len() >= at + 4 => {
                let numbers = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x4000, 0xFFFF];
                let number: u32 = numbers[dice.below(numbers.len())];
                let bytes = match dice.below(2) {
                    0 => number.to_be_bytes(),
                    _ => number.to_le_bytes(),
                };
                file[at..at + 4].copy_from_slice(&bytes);
            }
            _ => file.extend((0..length).map(|_| dice.bits() as u8)),
        }
    }
    (format!("{number} of {name}"), file)
}

fn count(usual: u64) -> u64 {
    let asked = std::env::var("ASIF_TEST_MUTANTS").ok();
    asked.map_or(usual, |n| n.parse().unwrap())
}

/// How many pictures were refused and how many were read.
#[derive(Default)]
struct Tally {
    refused: u64,
    read: u64,
}

/// Decodes many, in four threads, and prints what became of them.
#[test]
#[ignore = "runs in a process of its own, started by another test"]
fn campaign() {
    DecodeBudget::process().set_limit(BUDGET << 20);
    let (count, threads) = (count(1_500), 4);
    let before = mebibytes("self", "VmHWM:");
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let mut tally = Tally::default();
            for number in (thread..count).step_by(threads as usize) {
                let (what, file) = mutant(number);
                let pixels = decode(&file, true);
                let shown = decode_shown(&file, Default::default());
                for error in [pixels.as_ref().err(), shown.as_ref().err()]
                    .into_iter()
                    .flatten()
                {
                    // Every kind that a picture may have, and none of those of texts and models.
                    let documented = matches!(
                        error,
                        InputError::Empty
                            | InputError::NotAnImage { .. }
                            | InputError::Truncated { .. }
                            | InputError::Undecodable { .. }
                            | InputError::TooLarge { .. }
                            | InputError::OverBudget { .. }
                    );
                    assert!(documented, "{what}: {error}");
                    assert!(!error.to_string().contains("gave up"), "{what}: a panic");
                }
                match pixels {
                    Ok(_) => tally.read += 1,
                    Err(_) => tally.refused += 1,
                }
            }
            tally
        };
        let workers: Vec<_> = (0..threads).map(|t| scope.spawn(move || work(t))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let (refused, read) = (sum(|tally| tally.refused), sum(|tally| tally.read));
    let took = mebibytes("self", "VmHWM:") - before;
    println!("mutants: {refused} refused, {read} read, {took} MiB");
    assert!(took <= BUDGET + SLACK, "{took} MiB");
    assert_eq!(DecodeBudget::process().taken(), 0);
}

#[test]
fn mutated_pictures_are_read_or_refused_within_the_budget() {
    let out = in_own_process("mutants::campaign", &[]);
    let told = out.lines().find(|l| l.contains("mutants: ")).unwrap();
    println!("{told}");
}

#[test]
fn mutated_pictures_cost_a_command_and_a_server_nothing_but_themselves() {
    let n = count(150).min(1_000);
    let folder = tempfile::tempdir().unwrap();
    let mut images = Vec::new();
    for number in 0..n {
        let path = folder.path().join(number.to_string());
        fs_err::write(&path, mutant(number).1).unwrap();
        images.push(path);
    }
    let good = support::draw(folder.path(), "good.png", 1);
    images.push(good);
    let mut command = support::asif();
    command.args([
        "classify",
        "--json",
        "--labels",
        "a bird,a house",
        "--index",
    ]);
    let ended = support::run(command.arg(support::demo_set()).args(&images)).ok();
    let lines = ended.json_lines();
    assert_eq!(lines.len(), images.len());
    assert!(lines[n as usize]["error"].is_null());

    let server = Server::start(&[("demo", support::demo_set())], &[]);
    let mut client = server.connect();
    for (numbers, lines) in (0..n).collect::<Vec<_>>().chunks(50).zip(lines.chunks(50)) {
        let images: Vec<String> = numbers.iter().map(|&i| base64(&mutant(i).1)).collect();
        let asked = json!({"images": images, "labels": ["a bird", "a house"]});
        let answer = client.post("/v1/classify", &asked).ok();
        for (result, line) in answer["results"].as_array().unwrap().iter().zip(lines) {
            let is_bad = |value: &Value| value["error"].is_string();
            assert_eq!(is_bad(result), is_bad(line), "{result} {line}");
        }
    }
    server.get("/health").ok();
}
