//! Damaged sets: verify, inspect, repair, the commands that answer and a server's health say the same
//! of each, no answer comes from damage without a word, and nothing that is intact is lost.
//!
//! | file | role |
//! |---|---|
//! | `sets` | the set that is damaged, made by the program with encoders of a few nodes |
//! | `damage` | the collection: every file deleted, cut, flipped, exchanged, replaced |
//! | `look` | what each part of the program says of a set |
//! | `collection` | the collection, one damage after another |
//! | `witnesses` | `CURRENT`, log and manifests against each other |
//! | `writers` | writers on a damaged set, and the repair after them |
//! | `thumbnails` | damaged thumbnails, which no answer needs |
//! | `newer_sets` | sets with fields of a newer program |
//! | `removals` | what was removed stays removed |
//! | `golden` | a set of a program from before checksums |
//! | `golden_sets` | sets of earlier programs, with what those said of them |
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod collection;
mod damage;
mod golden;
mod golden_sets;
mod look;
#[path = "../support/newer.rs"]
mod newer;
mod newer_sets;
mod removals;
mod sets;
#[path = "../support/skipped.rs"]
mod skipped;
#[path = "../synthetic/mod.rs"]
mod synthetic;
mod thumbnails;
#[path = "../tiny_onnx/mod.rs"]
mod tiny_onnx;
mod witnesses;
mod writers;
