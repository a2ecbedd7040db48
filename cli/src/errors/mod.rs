//! Errors for the person at the terminal: exit codes, hints, the argument parser, panics.

pub(crate) mod exit;
pub(crate) mod hints;
pub(crate) mod panics;
pub(crate) mod usage;
