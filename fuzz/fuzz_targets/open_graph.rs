//! Any bytes as a graph over a good vector set: opened, walked in every way, verified; never a
//! crash.
#![no_main]

#[path = "../../index/tests/steps/mod.rs"]
#[expect(dead_code, reason = "the other target and the plain test use the rest")]
mod steps;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    steps::graph_file(bytes);
});
