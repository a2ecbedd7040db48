//! Errors of the argument parser.

use std::io::Write;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::errors::exit;

/// Prints help, the version or the error, and returns the exit code.
pub fn report(mut error: clap::Error, command: &clap::Command) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        return exit::report(printed.map_err(|e| exit::StdoutError(e).into()));
    }
    correct_suggestion(&mut error);
    let variables = name_variables(&mut error, command);
    // The message quotes arguments, so control characters are escaped.
    let text = error.render().to_string();
    let text = asif::printable::lines(text.trim_end());
    let mut said = format!("{text}\n");
    if let Some(tip) = tip(&error, command) {
        said.push_str(&format!("\n  tip: {tip}\n"));
    }
    for variable in variables {
        said.push_str(&format!(
            "\n  tip: {variable} is set in the environment; give it another value, or unset it\n"
        ));
    }
    let _ = std::io::stderr().write_all(said.as_bytes());
    ExitCode::from(exit::USAGE)
}

/// Replaces options that were not typed by the names of their variables; returns these names.
fn name_variables(error: &mut clap::Error, command: &clap::Command) -> Vec<String> {
    let mut named = Vec::new();
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        let name = text_of(error, kind).and_then(|option| untyped_variable(&option, command));
        if let Some(name) = name {
            error.insert(kind, ContextValue::String(name.clone()));
            named.push(name);
        }
    }
    named
}

/// The variable that an option's value came from: one that is set, of an option that was not typed.
fn untyped_variable(option: &str, command: &clap::Command) -> Option<String> {
    let long = option.split([' ', '=', '[']).next()?;
    let is_typed = |arg: std::ffi::OsString| arg.to_string_lossy().split('=').next() == Some(long);
    if !long.starts_with("--") || std::env::args_os().any(is_typed) {
        return None;
    }
    let name = variable_of(command, long.trim_start_matches('-'))?;
    std::env::var_os(&name).map(|_| name)
}

/// The environment variable of an option, which is the same in every command.
fn variable_of(command: &clap::Command, long: &str) -> Option<String> {
    let own = command.get_arguments().find(|a| a.get_long() == Some(long));
    let of_own = own.and_then(|a| Some(a.get_env()?.to_string_lossy().into_owned()));
    of_own.or_else(|| command.get_subcommands().find_map(|c| variable_of(c, long)))
}

/// Removes a suggested option that is not similar to the given one.
fn correct_suggestion(error: &mut clap::Error) {
    let given = text_of(error, ContextKind::InvalidArg);
    let suggested = text_of(error, ContextKind::SuggestedArg);
    if let (Some(given), Some(suggested)) = (given, suggested)
        && !is_typing_error(&given, &suggested)
    {
        error.remove(ContextKind::SuggestedArg);
        // The usage line shows the suggestion.
        error.remove(ContextKind::Usage);
    }
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

/// Whether they differ by at most two edits, or one is a prefix of the other.
fn is_typing_error(given: &str, known: &str) -> bool {
    let name = |text: &str| {
        let text = text.split(['=', ' ']).next().unwrap_or_default();
        text.trim_start_matches('-').to_owned()
    };
    let (given, known) = (name(given), name(known));
    let is_near = distance(&given, &known) <= 2 && given.chars().count() > 2;
    known.starts_with(&given) || given.starts_with(&known) || is_near
}

/// The Levenshtein distance of two texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // One row of the table of dynamic programming, updated in place for each letter of `a`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, of_a) in a.chars().enumerate() {
        let mut before = i;
        row[0] = i + 1;
        for (j, of_b) in b.iter().enumerate() {
            let replaced = before + usize::from(of_a != *of_b);
            before = row[j + 1];
            row[j + 1] = replaced.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// A further tip.
fn tip(error: &clap::Error, command: &clap::Command) -> Option<&'static str> {
    let given = text_of(error, ContextKind::InvalidArg)?;
    let is_set = ["--index", "--set"].contains(&given.split('=').next().unwrap_or_default());
    if error.kind() != ErrorKind::UnknownArgument || !is_set {
        return None;
    }
    let mut command = command;
    for word in std::env::args().skip(1) {
        if let Some(found) = command.find_subcommand(&word) {
            command = found;
        }
    }
    let by_option = command
        .get_arguments()
        .any(|arg| arg.get_long() == Some("index"));
    let by_place = command.get_positionals().any(|arg| arg.get_id() == "set");
    match (by_option, by_place) {
        (true, _) => Some("this command takes the anchor set as --index mine.asif"),
        (false, true) => {
            Some("this command takes the anchor set without an option: asif COMMAND mine.asif")
        }
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_typing_errors_are_corrected() {
        for (given, known) in [
            ("--indx", "--index"),
            ("--tempates", "--templates <NAME>"),
            ("--top=3", "--top"),
        ] {
            assert!(is_typing_error(given, known), "{given} {known}");
        }
        for (given, known) in [("--index", "--ignore-exif"), ("--pairs", "--paper")] {
            assert!(!is_typing_error(given, known), "{given} {known}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
