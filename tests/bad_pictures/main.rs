//! Pictures that lack something, lie about themselves or are made to do harm: each costs itself only.
//!
//! | file | what is tried |
//! |---|---|
//! | `files` | seeds of every format, and tools to take them apart |
//! | `complete` | a picture is whole when all its rows are there |
//! | `memory` | what decoding takes at once stays within one budget |
//! | `mutants` | thousands of pictures with random faults |
//! | `company` | an input that a model cannot answer beside others that it can |
//!
//! `seeds/` holds a drawing of 48 x 40 pixels in each format and variant, written with Pillow (and by
//! hand where it has no writer: interlaced and 16-bit PNG, run-length coded and top-down BMP).
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and print"
)]

mod company;
mod complete;
mod files;
mod memory;
mod mutants;
#[path = "../serve_support/mod.rs"]
mod serve_support;
#[path = "../support/mod.rs"]
mod support;
#[path = "../tiny_onnx/mod.rs"]
mod tiny_onnx;

/// Runs one test of this binary, which is ignored otherwise, in a process of its own and gives what it
/// printed.
fn in_own_process(test: &str, environment: &[(&str, &str)]) -> String {
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture"])
        .envs(environment.iter().copied())
        // Otherwise the allocator keeps what is freed, more with each thread.
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}");
    out
}

/// A figure of `/proc/PID/status` in MiB, such as `VmHWM` (the most memory that a process had).
fn mebibytes(pid: &str, name: &str) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap();
    let kib = line.trim_matches(|c: char| !c.is_ascii_digit());
    kib.parse::<u64>().unwrap() / 1024
}
