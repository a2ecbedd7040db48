//! Tests that cannot run here: said where a person sees it, counted by `tools/test.sh`, refused
//! where `ASIF_TEST_STRICT` says so: with `1` (or `all`) a test that lacks anything fails, with `setup` one
//! that lacks what `tools/test.sh` sets up. That script, and so `.ci/run`, passes `setup` where the
//! variable is not set.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test binary uses its own part of this module"
)]

use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};

/// What a test lacks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Lack {
    /// What `tools/test.sh` sets up.
    Setup,
    /// What it cannot set up, such as the data for development or a right of the user.
    Elsewhere,
}

impl Lack {
    /// Whether this value of `ASIF_TEST_STRICT` makes it a failure.
    ///
    /// # Panics
    /// For a value that means nothing, which would else be taken for a strict run that is none.
    pub fn fails(self, strict: Option<&str>) -> bool {
        match strict {
            None => false,
            Some("setup") => self == Self::Setup,
            Some("1" | "all") => true,
            Some(other) => panic!("ASIF_TEST_STRICT: expected setup, 1 or all, found {other:?}"),
        }
    }
}

/// Says that this test is skipped; the caller returns.
///
/// # Panics
/// Where `ASIF_TEST_STRICT` demands what is lacking.
pub fn skip(lack: Lack, reason: &str) {
    say("skipped test", lack, reason);
}

/// Says that a part of this test is left out; the rest runs, and the test counts as run.
///
/// # Panics
/// As [`skip`].
pub fn leave_out(lack: Lack, reason: &str) {
    say("left out", lack, reason);
}

fn say(what: &str, lack: Lack, reason: &str) {
    let strict = std::env::var_os("ASIF_TEST_STRICT").map(|v| v.to_string_lossy().into_owned());
    let fails = lack.fails(strict.as_deref());
    assert!(!fails, "ASIF_TEST_STRICT: {reason}");
    // The test runner names a test's thread after it.
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    // Not println!, which the test runner would hide; in one piece, so that lines do not mix.
    let _ = stderr().write_all(format!("{what}: {name}: {reason}\n").as_bytes());
}

/// The folder of data for development, which a clone does not have; `ASIF_TEST_DATA` names it.
///
/// # Panics
/// Where the named folder is not there.
pub fn development_data(repository: &str) -> Result<PathBuf, String> {
    let named = std::env::var_os("ASIF_TEST_DATA").map(PathBuf::from);
    let data = named
        .clone()
        .unwrap_or_else(|| Path::new(repository).join("../shared/data"));
    let there = data.is_dir();
    assert!(
        there || named.is_none(),
        "ASIF_TEST_DATA: {}: no folder",
        data.display()
    );
    there.then_some(data).ok_or_else(|| {
        "no data for development beside the repository; ASIF_TEST_DATA names it".to_owned()
    })
}
