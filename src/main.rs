//! The `asif` command.
#![forbid(unsafe_code)]

fn main() {}
