//! Progress bars on standard error, when it is a terminal.

use std::sync::{Mutex, PoisonError};

use asif::progress::ProgressObserver;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Draws the current phase with its rate and the remaining time.
#[derive(Debug)]
pub struct ProgressBars {
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
}

const KNOWN: &str = "{msg:>9} [{bar:32}] {percent:>3} %  {rate}  {elapsed} gone, {eta} left";
const UNKNOWN: &str = "{msg:>9} {spinner} {pos}  {rate}  {elapsed} gone";

impl ProgressBars {
    /// Bars that are drawn unless `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            bar: Mutex::new(None),
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Option<ProgressBar>) -> T) -> T {
        f(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ProgressObserver for ProgressBars {
    fn begin(&self, phase: &'static str, total: Option<u64>) {
        let target = if self.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(total, target);
        let template = if total.is_some() { KNOWN } else { UNKNOWN };
        if let Ok(style) = ProgressStyle::with_template(template) {
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // Fails only if the terminal does.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
        }
        bar.set_message(phase);
        self.with(|slot| *slot = Some(bar));
    }

    fn advance(&self, n: u64) {
        self.with(|slot| {
            if let Some(bar) = slot {
                bar.inc(n);
            }
        });
    }

    fn end(&self) {
        self.with(|slot| {
            if let Some(bar) = slot.take() {
                bar.finish_and_clear();
            }
        });
    }
}
