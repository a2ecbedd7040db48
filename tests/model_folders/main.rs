//! Model folders of many shapes, each with a real ONNX file of a few nodes and the real runtime.
//!
//! | file | what it tests |
//! |---|---|
//! | `text` | text halves: poolings, shapes, tokens |
//! | `image` | image halves: outputs, weights, batches, sessions |
//! | `installed` | folders that are installed, and what the doctor says of them |
//! | `weights` | weights in other files: which count, and which are refused |
//! | `halves` | two-tower folders, and advice that is followed |
//! | `tokens` | padding and the tokenizer's other files |
//! | `classes` | tokenizer classes that are not known, tokens that a model does not know, equal vectors |
//! | `named` | which file names the tokenizer's class, and what only some classes ask for |
//! | `unasked` | what tokenizer classes do unasked, and what shows a model its padding |
//! | `processors` | image processor classes against Pillow and numpy |
//! | `outside` | what the program writes outside its home |
//! | `mutated` | folders with random faults, through the program |
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod classes;
mod halves;
mod image;
mod installed;
mod mutated;
mod named;
mod outside;
mod processors;
#[path = "../support/skipped.rs"]
mod skipped;
mod text;
#[path = "../tiny_onnx/mod.rs"]
mod tiny_onnx;
mod tokens;
mod unasked;
mod weights;

use asif::encode::runtime;
use asif::home::DataFolder;
use tempfile::TempDir;

/// Loads ONNX Runtime; false, with a line, where there is none.
fn runtime() -> bool {
    let loaded = DataFolder::from_env()
        .ok_or("no home folder".to_owned())
        .and_then(|home| runtime::load(None, &home).map_err(|e| e.to_string()));
    if let Err(reason) = &loaded {
        skipped::skip(skipped::Lack::Setup, reason);
    }
    loaded.is_ok()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
    dir
}
