//! Bad input: one clear message, a documented exit code, and nothing half-made on disk.
//!
//! | file | what is bad |
//! |---|---|
//! | `pairs` | files of pairs, and their rows |
//! | `lists` | lists, folders, data sets and files of labels that are of another form |
//! | `sets` | sets in the way, damaged, or none; the disk |
//! | `encoders` | encoders missing, broken, or not those of the set |
//! | `questions` | labels, images, templates, settings |
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod encoders;
mod lists;
mod pairs;
mod questions;
mod sets;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use support::*;

const INPUT: i32 = 3;
const USAGE: i32 = 2;
const SETUP: i32 = 4;
const STRICT: i32 = 5;

/// `asif build` of these pairs into `folder/out.asif`, which must not exist afterwards if it fails.
fn build(folder: &Path, pairs: &Path, more: &[&str]) -> Ended {
    let out = folder.join("out.asif");
    let ended = run(asif()
        .arg("build")
        .arg("--pairs")
        .arg(pairs)
        .arg("--out")
        .arg(&out)
        .args(more));
    let whole = ended.code == Some(0);
    assert_eq!(out.exists(), whole, "{}", ended.err);
    let left: Vec<String> = names_in(folder)
        .into_iter()
        .filter(|n| n.contains("building"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    ended
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn classify(index: &Path, labels: &str) -> Command {
    let mut command = asif();
    command
        .arg("classify")
        .arg("--index")
        .arg(index)
        .arg("--labels")
        .arg(labels);
    command
}
