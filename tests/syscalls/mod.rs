//! Programs watched at every system call that changes files, and a disk that forgets.
//!
//! | file | what it does |
//! |---|---|
//! | `tracer` | runs a program under ptrace; refuses its n-th call, or kills it before that, or records all |
//! | `calls` | which system calls change files, and what they are told |
//! | `disk` | a file system in memory that takes a record, and what of it is durable |
//! | `states` | what a power cut may leave of that |
//!
//! Linux on x86-64 only. Where a program may not be traced, [`possible`] says so.
#![allow(
    dead_code,
    unused_imports,
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests may panic, and each test binary uses its own part of this module"
)]

mod calls;
pub mod disk;
#[path = "../support/skipped.rs"]
pub mod skipped;
pub mod states;
pub mod tracer;

use std::process::Command;

pub use calls::{Call, Change};
pub use disk::Disk;
use skipped::{Lack, skip};
pub use states::{Tree, after_power_cut};
pub use tracer::{Ended, Plan, Traced, trace};

/// Whether programs can be traced here; where they cannot, the test is skipped.
pub fn possible() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let traced = trace(&Command::new("true"), folder.path(), Plan::Record);
    if let Err(error) = &traced {
        skip(Lack::Setup, &format!("no program can be traced: {error}"));
    }
    traced.is_ok()
}
