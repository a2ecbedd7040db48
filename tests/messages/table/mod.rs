//! The messages: each is provoked through the binary, with its exit code, and what it advises is done.
//!
//! | file | whose messages |
//! |---|---|
//! | `anchors` | sets, spaces and settings, and the command line itself |
//! | `pairs` | files of pairs, and each reason for which a row is skipped |
//! | `models` | encoders, the runtime library, pictures and texts |
//! | `questions` | labels, templates, data sets |
//! | `usage` | what the parser suggests, and what an evaluation says of itself |
//! | `index` | damaged vectors |
//! | `serve` | a server that does not start, and what one answers |
//! | `paths` | every option that takes a path, with what it must not be |
//! | `sources` | that no error type of the sources is left out, and that what messages name exists |
//! | `elsewhere` | those that other tests provoke, and those that no input reaches |

mod anchors;
mod elsewhere;
mod index;
mod models;
mod pairs;
mod paths;
mod questions;
mod serve;
mod sources;
mod usage;

use super::Bench;
use super::support::{Ended, run};

/// What a command line is answered with.
struct ProvokedMessage {
    /// The variant of the error type.
    variant: &'static str,
    words: Vec<String>,
    code: i32,
    /// What the message says.
    says: &'static [&'static str],
    /// What it advises: words of a command that must succeed then.
    advice: Vec<String>,
}

fn told(
    variant: &'static str,
    command: &str,
    code: i32,
    says: &'static [&'static str],
    advice: &str,
) -> ProvokedMessage {
    // A word of several words has `~` for its blanks.
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .map(|w| w.replace('~', " "))
            .collect()
    };
    ProvokedMessage {
        variant,
        words: words(command),
        code,
        says,
        advice: words(advice),
    }
}

/// Words that speak of the inside of the program, or of the system's numbers for what lies under a path.
const INSIDE: [&str; 20] = [
    "panicked",
    "(os error 2)",
    "(os error 17)",
    "(os error 20)",
    "(os error 21)",
    "(os error 39)",
    "Error {",
    "Error:",
    "AnchorsError",
    "untagged enum",
    "invalid type",
    "struct ",
    "canonicalize",
    "metadata `",
    ".tmp`",
    ".adding-",
    ".building-",
    ".writing-",
    "unwrap",
    "Some(",
];

/// What is wrong with a message however it came about: it speaks of the inside, or says a thing twice.
fn faults_of(message: &str) -> Vec<String> {
    let inside = INSIDE.iter().filter(|word| message.contains(**word));
    let mut faults: Vec<String> = inside.map(|word| format!("says {word:?}")).collect();
    for line in message.lines().filter(|line| line.starts_with("asif: ")) {
        let parts: Vec<&str> = line.split("; ").flat_map(|part| part.split(": ")).collect();
        for (at, part) in parts.iter().enumerate() {
            if part.chars().count() > 12 && parts[..at].contains(part) {
                faults.push(format!("says twice {part:?}"));
            }
        }
    }
    faults
}

/// Runs each command, and what its message advises.
fn judge(bench: &Bench, messages: Vec<ProvokedMessage>) {
    let ask = |words: &[String]| -> Ended { run(bench.asif().args(words)) };
    let mut faults = Vec::new();
    for told in messages {
        let ProvokedMessage {
            variant,
            words,
            code,
            says,
            advice,
        } = told;
        let Ended {
            code: ended, err, ..
        } = ask(&words);
        let lacking = says.iter().filter(|word| !err.contains(**word));
        let mut wrong: Vec<String> = lacking.map(|word| format!("lacks {word:?}")).collect();
        wrong.extend(faults_of(&err));
        if ended != Some(code) {
            wrong.push(format!("ends with {ended:?}, not {code}"));
        }
        if !wrong.is_empty() {
            faults.push(format!("{variant}: {words:?}: {}: {err}", wrong.join(", ")));
        }
        let followed = (!advice.is_empty()).then(|| ask(&advice));
        if let Some(ended) = followed.filter(|ended| ended.code != Some(0)) {
            faults.push(format!("{variant}: advice {advice:?}: {}", ended.err));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_said_twice_is_found() {
    let twice = "asif: failed to open file `a`: no room; check: failed to open file `a`: no room";
    assert_eq!(faults_of(twice), ["says twice \"failed to open file `a`\""]);
    assert!(faults_of("asif: a.asif: no room; make some").is_empty());
}
