//! Killed or refused at any moment, a writer leaves the old state or the new one.
//!
//! | file | what it does |
//! |---|---|
//! | `kills` | commands that are killed |
//! | `refusals` | file operations that the disk refuses |
//! | `leftovers` | what killed writers leave under hidden names |
//! | `changes` | the changes that are tried there, and the sets that they change |
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and print"
)]

mod changes;
mod kills;
mod leftovers;
mod refusals;
#[path = "../synthetic/mod.rs"]
mod synthetic;
#[path = "../tiny_onnx/mod.rs"]
mod tiny_onnx;

use std::path::Path;
use std::process::{Command, Stdio};

use asif::anchors::stored::history;
use asif::anchors::{AnchorId, AnchorSet};
use serde_json::{Value, json};

/// A command that needs no encoder, and must not look for one: its home is empty.
fn asif(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asif"));
    command
        .env("ASIF_HOME", folder.join("no-home"))
        .env("ASIF_JSON", "true")
        .env_remove("ASIF_TEST_FAIL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn ids(set: &AnchorSet) -> Vec<String> {
    (0..set.len() as AnchorId)
        .map(|a| set.pair_id(a).unwrap().to_owned())
        .collect()
}

/// What a set must be: the state before a command, and the one after it.
fn is_one_of(path: &Path, states: &[Value]) -> usize {
    let set = AnchorSet::open(path).unwrap();
    set.verify().unwrap();
    let found = json!(ids(&set));
    let generation = set.manifest().generation;
    let last = history::read(path).unwrap();
    assert_eq!(last.last().unwrap().generation, generation);
    assert_eq!(last.last().unwrap().pairs_after as usize, set.len());
    states
        .iter()
        .position(|s| s["ids"] == found && s["generation"] == generation)
        .unwrap_or_else(|| panic!("generation {generation} {found}, not one of {states:?}"))
}

fn state(generation: u64, ids: &[String]) -> Value {
    json!({"generation": generation, "ids": ids})
}
