//! Messages on standard error.

use std::io::Write;

use asif::{disk, printable};

/// Writes a one-line message to standard error. If that fails, there is nowhere to report it.
pub fn say(line: impl AsRef<str>) {
    let line = disk::in_words(line.as_ref());
    let _ = writeln!(std::io::stderr(), "{}", printable::line(&line));
}
