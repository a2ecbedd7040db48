//! Environment variables that libraries read before this program can configure them.
//!
//! | variable | why |
//! |---|---|
//! | `ORT_DISABLE_TELEMETRY=1` | From 1.29 on, ONNX Runtime records a device id and opens a database under the user's `~/.cache/Microsoft/DeveloperTools` when it is loaded, before the call that disables telemetry can be made. This variable prevents both. |
//! | `MIMALLOC_PURGE_DELAY=10` | mimalloc keeps freed memory for a second by default; with many large images that doubles the memory that decoding takes. In milliseconds; a value that is already set is kept. |
//!
//! Changing the environment of a process with threads is undefined behaviour, and Rust treats it as
//! unsafe at any time, so the program re-executes itself with the variables set before it does anything
//! else.

use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::ArgAction;
use clap::builder::{BoolishValueParser, OsStr, Resettable};

const TELEMETRY: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");
const PURGE_DELAY: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

/// The values of a flag's variable that mean that the flag is not given.
const NOT_GIVEN: [&str; 7] = ["", "0", "n", "no", "f", "false", "off"];

/// The command with flags whose variables accept `1`, `yes` and `on`. A variable with a negative value
/// counts as unset; otherwise the flag would conflict with the options that exclude it.
pub fn with_flags(command: clap::Command) -> clap::Command {
    let of_arg = |arg: clap::Arg| {
        if !matches!(arg.get_action(), ArgAction::SetTrue) {
            return arg;
        }
        let said = arg.get_env().and_then(std::env::var_os);
        let said = said.map(|value| value.to_string_lossy().to_lowercase());
        match said.is_some_and(|value| NOT_GIVEN.contains(&value.as_str())) {
            true => arg.env(Resettable::<OsStr>::Reset),
            false => arg.value_parser(BoolishValueParser::new()),
        }
    };
    let names: Vec<String> = command
        .get_subcommands()
        .map(|c| c.get_name().to_owned())
        .collect();
    let command = command.mut_args(of_arg);
    names
        .into_iter()
        .fold(command, |all, name| all.mut_subcommand(name, with_flags))
}

/// Re-executes the program, in the same process, with the variables set; returns if they are already
/// set, or if that is not possible, so that the command runs in any case.
pub fn start_again_with_variables() {
    let quiet = std::env::var_os(TELEMETRY.0).is_some_and(|value| value == TELEMETRY.1);
    let mut variables = vec![TELEMETRY];
    if std::env::var_os(PURGE_DELAY.0).is_none() {
        variables.push(PURGE_DELAY);
    } else if quiet {
        return;
    }
    let mut arguments = std::env::args_os();
    let Some(name) = arguments.next() else {
        return;
    };
    // The link refers to this program even if its file was replaced meanwhile.
    let failed = Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .envs(variables.iter().copied())
        .exec();
    // Without /proc, by its path; the first error adds nothing to the second.
    drop(failed);
    if let Ok(path) = std::env::current_exe() {
        let again = Command::new(path)
            .args(std::env::args_os().skip(1))
            .envs(variables)
            .exec();
        drop(again);
    }
}
