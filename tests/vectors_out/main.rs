//! Vectors out: what is exported is read back by the tools that it is for, and by builds.
//!
//! | file | what |
//! |---|---|
//! | `folders` | `asif export`: the layout of clip-retrieval |
//! | `read.py` | the same files read by NumPy and pyarrow |
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[cfg(feature = "parquet")]
mod folders;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use asif::AnchorSet;
use asif::modality::Modality;
use serde_json::Value;

use self::support::skipped::{Lack, leave_out};
use self::support::*;

/// What the tools of Python read in a file or folder; `None` where a module is not there, which is said.
fn read_by_python(kind: &str, path: &Path) -> Option<Value> {
    let python = std::env::var_os("ASIF_PYTHON");
    let python = python.unwrap_or_else(|| home().root().join("python/bin/python3").into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors_out/read.py");
    let mut command = std::process::Command::new(python);
    let ended = run(command.arg(script).arg(kind).arg(path));
    if ended.err.trim().starts_with("lacks ") {
        let said = format!("the Python of ASIF_PYTHON {}", ended.err.trim());
        leave_out(Lack::Elsewhere, &said);
        return None;
    }
    Some(ended.ok().json())
}

/// The pairs of a set, with their vectors as bits.
fn pairs_of(set: &Path) -> Vec<(Value, [Vec<u32>; 2])> {
    let set = AnchorSet::open(set).unwrap();
    let pairs = (0..set.len() as u32).map(|anchor| {
        let record = set.record(anchor).unwrap();
        let told = serde_json::json!({
            "id": record.id, "image": record.image, "captions": record.captions, "meta": record.meta,
        });
        let bits = |modality| {
            let vector = set.vector(anchor, modality).unwrap();
            vector.iter().map(|x| x.to_bits()).collect()
        };
        (told, [bits(Modality::Image), bits(Modality::Text)])
    });
    pairs.collect()
}

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder)
        .min_depth(1)
        .sort_by_file_name();
    let entries = entries.into_iter().map(|entry| entry.unwrap().into_path());
    entries.collect()
}
