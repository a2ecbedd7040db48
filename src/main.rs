//! The `asif` command.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

/// The system's own keeps more of what a server frees: spaces are fitted for every swap and for pairs
/// that are thought away.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::guarded()
}
