//! Messages on standard error.

use std::io::Write;

use asif::{disk, printable};

/// A message of one line on standard error. Where that is closed or full nobody can be told.
pub fn say(line: impl AsRef<str>) {
    let line = disk::in_words(line.as_ref());
    let _ = writeln!(std::io::stderr(), "{}", printable::line(&line));
}
