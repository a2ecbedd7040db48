//! Turns a panic into one message and an exit code.
//!
//! No input and no environment may cause a panic. If one happens nevertheless, it is a bug of the program
//! and is reported as such, instead of with exit code 101 and the default report of a thread.

use std::any::Any;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::errors::exit::INTERNAL;

/// The stack size of the thread that runs the command, in bytes.
const STACK: usize = 8 << 20;

/// Where the latest panic happened.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Runs the command line; a panic in it ends with [`INTERNAL`].
pub fn guarded(command_line: fn() -> ExitCode) -> ExitCode {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string);
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
        // With RUST_BACKTRACE set, the default message and backtrace are printed too.
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|asked| asked != "0") {
            usual(info);
        }
    }));
    let work = move || {
        catch_unwind(command_line).unwrap_or_else(|panic| {
            crate::output::say::say(message(&*panic));
            ExitCode::from(INTERNAL)
        })
    };
    // A thread of its own, because the main thread's stack is limited by the shell (`ulimit -s`).
    let thread = Builder::new().stack_size(STACK).spawn(work);
    match thread.map(JoinHandle::join) {
        // A panic while reporting one. The command must not run twice.
        Ok(ended) => ended.unwrap_or(ExitCode::from(INTERNAL)),
        // Without a second thread, run on the main one.
        Err(_) => work(),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take();
    format!(
        "asif: a bug in this program: {} ({}); please report it with the command and its input; \
         RUST_BACKTRACE=1 shows where it came from",
        text.unwrap_or("no message"),
        place.as_deref().unwrap_or("location unknown"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_on_one_line() {
        let panic = catch_unwind(|| panic!("{} went wrong", "it")).unwrap_err();
        let said = message(&*panic);
        assert!(said.starts_with("asif: a bug in this program: it went wrong ("));
        assert!(said.contains("please report it"));
    }
}
