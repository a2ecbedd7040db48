//! What every command is given.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use asif::anchors::embed::Watch;
use asif::home::Home;
use asif::progress::Cancel;
use serde::Serialize;

use super::draw::Bars;

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
        let home = home.map(Home::at).or_else(Home::from_env).context(
            "no data folder: neither ASIF_HOME, XDG_DATA_HOME nor HOME is set; give --home DIR",
        )?;
        let cancel = Cancel::default();
        let handler = cancel.clone();
        // A second Ctrl-C does what it would have done without us.
        ctrlc::set_handler(move || {
            if handler.requested() {
                #[expect(clippy::disallowed_methods, reason = "the user asked twice")]
                std::process::exit(i32::from(super::exit::INTERRUPTED));
            }
            handler.request();
        })
        .context("cannot listen to Ctrl-C")?;
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
    #[expect(clippy::print_stderr, reason = "this is where notes are printed")]
    pub fn note(&self, line: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", line.as_ref());
        }
    }

    /// A line that must be seen, on standard error whether notes are wanted or not.
    #[expect(clippy::print_stderr, reason = "this is where warnings are printed")]
    pub fn warn(&self, line: impl AsRef<str>) {
        eprintln!("{}", line.as_ref());
    }

    /// A result on standard output.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print(&self, text: impl AsRef<str>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_ref().as_bytes())?;
        out.write_all(b"\n")?;
        Ok(())
    }

    /// A result as JSON over several lines.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn print_json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.print(serde_json::to_string_pretty(value)?)
    }
}
