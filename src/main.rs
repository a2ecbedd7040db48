//! The `asif` command.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

/// The system's own keeps what a server frees: after fitting a space for every swap and every pair
/// that is thought away, a process holds several times what it uses.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
