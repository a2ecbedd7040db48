//! What every command is given.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use asif::embed::Watch;
use asif::eval::Dataset;
use asif::home::Home;
use asif::progress::Cancel;
use asif::{disk, printable};
use serde::Serialize;

use super::draw::Bars;
use super::exit::{StdoutError, Usage};

/// Home, output form, progress and interruption.
#[derive(Debug)]
pub struct Context {
    /// The user's data folder.
    pub home: Home,
    /// Whether standard output gets JSON.
    pub json: bool,
    quiet: bool,
    bars: Bars,
    cancel: Cancel,
}

impl Context {
    /// Finds the home and listens to Ctrl-C.
    pub fn new(home: Option<PathBuf>, json: bool, quiet: bool) -> anyhow::Result<Self> {
        let home = home.map(Home::at).or_else(Home::from_env).ok_or_else(|| {
            let said =
                "no data folder: neither ASIF_HOME, XDG_DATA_HOME nor HOME is set; give --home DIR";
            Usage(said.to_owned())
        })?;
        report_full_files();
        let cancel = Cancel::default();
        let handler = cancel.clone();
        // A second Ctrl-C does what it would have done without us.
        let listens = ctrlc::set_handler(move || {
            if handler.requested() {
                #[expect(clippy::disallowed_methods, reason = "the user asked twice")]
                std::process::exit(i32::from(super::exit::INTERRUPTED));
            }
            handler.request();
        });
        if let Err(error) = listens {
            // Ctrl-C then ends the process, which every file on disk stands as well.
            say(format!("asif: warning: cannot listen to Ctrl-C: {error}"));
        }
        Ok(Self {
            home,
            json,
            quiet,
            bars: Bars::new(quiet),
            cancel,
        })
    }

    /// Who watches long work.
    pub fn watch(&self) -> Watch<'_> {
        Watch {
            progress: &self.bars,
            cancel: &self.cancel,
        }
    }

    /// A line for the person at the terminal, not for programs.
    pub fn note(&self, line: impl AsRef<str>) {
        if !self.quiet {
            say(line);
        }
    }

    /// What data sets do not use of their folders, on standard error.
    pub fn note_left_out<'a>(&self, datasets: impl IntoIterator<Item = &'a Dataset>) {
        for dataset in datasets {
            for what in &dataset.left_out {
                self.note(format!("asif: {}: {what}", dataset.name));
            }
        }
    }

    /// A line that must be seen, on standard error whether notes are wanted or not.
    pub fn warn(&self, line: impl AsRef<str>) {
        say(line);
    }

    /// A result for people on standard output: what a terminal would obey is shown, line ends stay.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(&self, text: impl AsRef<str>) -> anyhow::Result<()> {
        put(&printable::lines(text.as_ref()))
    }

    /// The same for programs: a value as JSON on one line, exact.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print_line_json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        put(&serde_json::to_string(value)?)
    }

    /// A result as JSON over several lines.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print_json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        put(&serde_json::to_string_pretty(value)?)
    }
}

/// A message of one line on standard error. Where that is closed or full nobody can be told.
pub fn say(line: impl AsRef<str>) {
    let line = disk::in_words(line.as_ref());
    let _ = writeln!(std::io::stderr(), "{}", printable::line(&line));
}

/// Has a write beyond the limit on a file's size (`ulimit -f`, LimitFSIZE of a systemd unit) refused as
/// on a full disk, with a message, where the system would end the process without one: it refuses the
/// write of a process that listens to the signal, whatever that does then.
fn report_full_files() {
    let flag = Arc::new(AtomicBool::new(false));
    // Where it cannot be had the system does as it would have done.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag);
}

fn put(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut written = out.write_all(text.as_bytes());
    written = written.and_then(|()| out.write_all(b"\n"));
    Ok(written.and_then(|()| out.flush()).map_err(StdoutError)?)
}
