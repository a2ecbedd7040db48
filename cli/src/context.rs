//! The context that every command is given.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use asif::anchors::care::check;
use asif::anchors::stored::witness;
use asif::anchors::{AnchorSet, AnchorsError};
use asif::embed::WorkControl;
use asif::eval::Dataset;
use asif::home::DataFolder;
use asif::printable;
use asif::progress::CancelToken;
use serde::Serialize;

use super::exit::{StdoutError, UsageError};
use super::say::say;
use crate::errors::hints;
use crate::output::draw::ProgressBars;

/// Home, output form, progress and interruption.
#[derive(Debug)]
pub struct CommandContext {
    /// The user's home folder.
    pub home: DataFolder,
    /// Whether standard output gets JSON.
    pub json: bool,
    quiet: bool,
    bars: ProgressBars,
    cancel: CancelToken,
}

impl CommandContext {
    /// Finds the home and listens to Ctrl-C.
    pub fn new(home: Option<PathBuf>, json: bool, quiet: bool) -> anyhow::Result<Self> {
        let home = home.map(DataFolder::at).or_else(DataFolder::from_env).ok_or_else(|| {
            let said =
                "no home folder: neither ASIF_HOME, XDG_DATA_HOME nor HOME is set; give --home DIR";
            UsageError(said.to_owned())
        })?;
        report_full_files();
        let cancel = CancelToken::default();
        let handler = cancel.clone();
        // A second Ctrl-C ends the process at once.
        let listens = ctrlc::set_handler(move || {
            if handler.requested() {
                #[expect(clippy::disallowed_methods, reason = "the user asked twice")]
                std::process::exit(i32::from(super::exit::INTERRUPTED));
            }
            handler.request();
        });
        if let Err(error) = listens {
            // Ctrl-C then ends the process, which is safe for every file on disk.
            say(format!("asif: warning: cannot listen to Ctrl-C: {error}"));
        }
        Ok(Self {
            home,
            json,
            quiet,
            bars: ProgressBars::new(quiet),
            cancel,
        })
    }

    /// Who watches long work.
    pub fn watch(&self) -> WorkControl<'_> {
        WorkControl {
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

    /// Notes which files of their folders data sets do not use.
    pub fn note_left_out<'a>(&self, datasets: impl IntoIterator<Item = &'a Dataset>) {
        for dataset in datasets {
            for what in &dataset.left_out {
                self.note(format!("asif: {}: {what}", dataset.name));
            }
        }
    }

    /// A line that must be seen, on standard error even with --quiet.
    pub fn warn(&self, line: impl AsRef<str>) {
        say(line);
    }

    /// A result for people on standard output: control characters are escaped, line ends stay.
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

/// Opens the live generation of an anchor set, or, with a warning, the last good one if it is damaged.
pub fn open(set: &Path, context: &CommandContext) -> anyhow::Result<AnchorSet> {
    let (opened, fallback) = AnchorSet::open_or_last_good(set)?;
    match fallback {
        Some(fallback) => {
            context.warn(format!("asif: warning: {fallback}"));
            context.warn(hints::of_damaged(set));
        }
        None => warn_of_doubts(set, None, context),
    }
    Ok(opened)
}

/// As [`open`], or with `@N` after the name a kept generation.
pub fn open_at(name: &str, context: &CommandContext) -> anyhow::Result<AnchorSet> {
    if let Some((path, number)) = name.rsplit_once('@')
        && let Ok(generation) = number.parse()
        && !Path::new(name).exists()
    {
        let path = Path::new(path);
        let (_, doubt) = witness::kept_or_published(path)?;
        warn_of_doubts(path, doubt, context);
        return Ok(AnchorSet::open_generation(path, generation)?);
    }
    open(Path::new(name), context)
}

/// Warns where `CURRENT` is damaged (`doubt`), else where the log or an older generation is.
pub fn warn_of_doubts(set: &Path, doubt: Option<AnchorsError>, context: &CommandContext) {
    let doubt = doubt.map_or_else(|| check::doubts(set), |doubt| Ok(Some(doubt)));
    match doubt {
        Ok(None) => {}
        Ok(Some(doubt)) => {
            context.warn(format!("asif: warning: {}", doubt.without_advice()));
            context.warn(hints::of_damaged(set));
        }
        // The generation that answers is open already.
        Err(error) => context.warn(format!(
            "asif: warning: the log and older generations cannot be checked: {error}"
        )),
    }
}

/// Warns where the generation that a change has left live is damaged: the change works on the records of the
/// pairs, and a damaged file of vectors is used by the new generation too.
pub fn warn_of_damage(set: &Path, context: &CommandContext) {
    let damage = match AnchorSet::open_or_last_good(set) {
        Ok((_, None)) => return,
        Ok((_, Some(fallback))) => fallback.to_string(),
        Err(error) if error.is_damage() => format!(
            "the live generation is damaged ({}), and no older one is intact",
            error.without_advice()
        ),
        Err(error) => format!("the live generation cannot be checked: {error}"),
    };
    context.warn(format!("asif: warning: {damage}"));
    context.warn(hints::of_damaged(set));
}

/// Makes a write beyond the file size limit (`ulimit -f`, LimitFSIZE of a systemd unit) fail with an
/// error. Without a handler for SIGXFSZ the system kills the process; with any handler the write returns
/// EFBIG instead.
fn report_full_files() {
    let flag = Arc::new(AtomicBool::new(false));
    // If the handler cannot be installed, the system's default stays.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag);
}

fn put(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut written = out.write_all(text.as_bytes());
    written = written.and_then(|()| out.write_all(b"\n"));
    Ok(written.and_then(|()| out.flush()).map_err(StdoutError)?)
}
