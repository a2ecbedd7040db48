//! `asif`: a shared image-text space made of your own pairs, without training.
//!
//! The method is ASIF (Norelli et al., NeurIPS 2023, arXiv 2210.01738): an input is represented by
//! its similarities to the anchors of its own modality, and because anchor `i` is one image-text
//! pair, an image's row and a text's row can be compared.
//!
//! | module | what it is |
//! |---|---|
//! | [`home`] | where models, the runtime library and cached embeddings live |
//! | [`disk`] | durable, atomic file operations, used by everything that writes |
//! | [`encode`] | a model folder becomes an encoder; the only place that knows ONNX Runtime |
//! | [`embed`] | inputs to unit vectors, through the cache, on all cores; needs no anchor set |
//! | [`image_source`] | where an image is: in a file, in memory, or embedded already |
//! | [`modality`] | the two modalities of a pair |
//! | [`pairs`] | sources of anchor pairs, one file per format, all streaming |
//! | [`anchors`] | an anchor set on disk, and how it is built |
//! | [`space`] | the arithmetic: pure functions over slices, no I/O |
//! | [`classify`] | labels become a class head, images become scores |
//! | [`eval`] | data sets, metrics with confidence intervals, reports |
//! | [`progress`] | progress reporting and cancellation of long operations |
//! | [`bad_inputs`] | splits off the bad inputs of a batch |
//! | [`printable`], [`clock`] | untrusted text made safe to print; the time as text |
//! | [`remedy`] | what a caller can do so that a skipped input is accepted |
//! | [`stand_in`] | placeholder files: LFS pointers and error pages in place of the real file |
//!
//! Arrows run downwards only: `eval -> classify -> anchors -> encode, pairs, space -> asif_index`, all that
//! write `-> disk`.
//! Nothing here prints, exits or panics on input.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod anchors;
pub mod bad_inputs;
pub mod classify;
pub mod clock;
pub mod disk;
pub mod embed;
pub mod encode;
pub mod eval;
pub mod home;
pub mod image_source;
pub mod modality;
pub mod pairs;
pub mod printable;
pub mod progress;
pub mod remedy;
#[cfg(test)]
#[path = "../tests/support/skipped.rs"]
mod skipped;
pub mod space;
pub mod stand_in;
