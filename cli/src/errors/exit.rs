//! The exit code of each error.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use asif::anchors::AnchorsError;
use asif::embed::{EmbedError, InputRejection};
use asif::encode::{EncodeError, ModelError};
use asif::eval::measure::MeasureError;
use asif::eval::{DatasetError, MetricsError};
use asif::pairs::PairsError;
use asif::space::RecipeError;
use asif::space::prompts::PromptsError;
use asif::space::tune::TuneError;

pub const OK: u8 = 0;
/// An internal failure: a disk, a model run.
pub const INTERNAL: u8 = 1;
/// The command line cannot be understood.
pub const USAGE: u8 = 2;
/// The input is bad.
pub const INPUT: u8 = 3;
/// The runtime library or a model is missing or broken.
pub const SETUP: u8 = 4;
/// `--strict` or `--max-errors`, and an input was bad, or too many were.
pub const STRICT: u8 = 5;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Bad input that is found by the command itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// Arguments that do not go together, where the parser cannot know it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Images that could not be used, with `--strict`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StrictInput(pub String);

/// What `asif doctor` found.
#[derive(Debug, thiserror::Error)]
#[error("{}, see above", need_attention(*.0))]
pub struct SetupIncomplete(pub usize);

fn need_attention(findings: usize) -> String {
    match findings {
        1 => "1 finding needs attention".to_owned(),
        n => format!("{n} findings need attention"),
    }
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub struct StdoutError(pub io::Error);

/// Prints the error, if there is one, and gives the exit code.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::from(OK),
        Err(error) if closed_pipe(&error) => ExitCode::from(OK),
        Err(error) => {
            crate::output::say::say(format!("asif: {}", text(&error)));
            for line in crate::errors::hints::of_error(&error) {
                crate::output::say::say(line);
            }
            ExitCode::from(code(&error))
        }
    }
}

/// The error and its causes. A cause that the message already contains is not repeated.
fn text(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // `fs_err` puts the path, in backquotes, before what the system says.
        let reason = cause
            .rsplit_once("`: ")
            .map_or(cause.as_str(), |(_, reason)| reason);
        if !text.contains(reason) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// `asif ... | head` is not a failure.
fn closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<StdoutError>()
        .is_some_and(|e| e.0.kind() == ErrorKind::BrokenPipe)
}

fn code(error: &anyhow::Error) -> u8 {
    let is = |found: bool, code: u8| found.then_some(code);
    // The resource limit is the cause, not the file or model that met it.
    let exhausted = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(asif::disk::is_exhausted)
    };
    if error.chain().any(exhausted) {
        return INTERNAL;
    }
    error
        .chain()
        .find_map(|cause| {
            cause
                .downcast_ref::<AnchorsError>()
                .map(anchors)
                .or_else(|| cause.downcast_ref::<EmbedError>().map(embed))
                .or_else(|| cause.downcast_ref::<asif_index::Error>().map(index))
                .or_else(|| cause.downcast_ref::<TuneError>().map(tune))
                .or_else(|| cause.downcast_ref::<MeasureError>().map(measure))
                .or_else(|| is(cause.is::<MetricsError>(), INPUT))
                .or_else(|| is(cause.is::<PairsError>(), INPUT))
                .or_else(|| is(cause.is::<DatasetError>(), INPUT))
                .or_else(|| is(cause.is::<PromptsError>(), INPUT))
                .or_else(|| is(cause.is::<InputRejection>(), INPUT))
                .or_else(|| is(cause.is::<BadInput>(), INPUT))
                .or_else(|| is(cause.is::<UsageError>(), USAGE))
                .or_else(|| is(cause.is::<StrictInput>(), STRICT))
                .or_else(|| is(cause.is::<RecipeError>(), USAGE))
                .or_else(|| is(cause.is::<SetupIncomplete>(), SETUP))
                .or_else(|| server(cause))
                .or_else(|| cause.downcast_ref::<ModelError>().map(model))
                .or_else(|| is(cause.is::<EncodeError>(), SETUP))
                .or_else(|| cause.downcast_ref::<io::Error>().map(file))
        })
        .unwrap_or(INTERNAL)
}

fn anchors(error: &AnchorsError) -> u8 {
    match error {
        AnchorsError::Interrupted => INTERRUPTED,
        AnchorsError::Strict { .. } | AnchorsError::TooManyErrors { .. } => STRICT,
        AnchorsError::Io(error) => file(error),
        AnchorsError::PurgeStopped { source, .. } => anchors(source),
        AnchorsError::Embed(error) => embed(error),
        // Arguments are checked before an anchor set is opened, so this one comes from the set itself.
        AnchorsError::Index(asif_index::Error::Argument { .. }) => INPUT,
        AnchorsError::Index(error) => index(error),
        _ => INPUT,
    }
}

fn embed(error: &EmbedError) -> u8 {
    match error {
        EmbedError::Interrupted => INTERRUPTED,
        EmbedError::Prompt { .. } | EmbedError::NoEncoder { .. } => INPUT,
        EmbedError::Io(error) => file(error),
        _ => INTERNAL,
    }
}

/// A wrong path is bad input; a failing disk is not.
fn file(error: &io::Error) -> u8 {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => INPUT,
        _ => INTERNAL,
    }
}

/// Transparent variants are not in the error chain by themselves.
fn measure(error: &MeasureError) -> u8 {
    match error {
        MeasureError::Anchors(error) => anchors(error),
        MeasureError::Embed(error) => embed(error),
        MeasureError::Io(error) => file(error),
        _ => INPUT,
    }
}

fn model(error: &ModelError) -> u8 {
    match error {
        ModelError::Ensemble { .. } | ModelError::BadName { .. } => USAGE,
        ModelError::NameTaken { .. } => INPUT,
        // Transparent, so the system's error is not in the chain.
        ModelError::Io(error) if asif::disk::is_exhausted(error) => INTERNAL,
        _ => SETUP,
    }
}

#[cfg(not(feature = "server"))]
fn server(_: &(dyn std::error::Error + 'static)) -> Option<u8> {
    None
}

#[cfg(feature = "server")]
fn server(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    use asif::anchors::live::LiveError;
    use asif_server::ServeError;
    Some(match cause.downcast_ref()? {
        ServeError::Bind { .. } | ServeError::BindProbe { .. } | ServeError::System(_) => INTERNAL,
        ServeError::Key { .. } | ServeError::Uploads { .. } => INPUT,
        ServeError::Encoders { .. } | ServeError::Certificates(_) => SETUP,
        ServeError::Anchors(error) | ServeError::Live(LiveError::Anchors(error)) => anchors(error),
        ServeError::Live(LiveError::Thread { .. }) => INTERNAL,
        ServeError::Live(_) => INPUT,
        _ => USAGE,
    })
}

fn tune(error: &TuneError) -> u8 {
    match error {
        TuneError::Interrupted => INTERRUPTED,
        _ => INPUT,
    }
}

fn index(error: &asif_index::Error) -> u8 {
    match error {
        asif_index::Error::Io { source, .. } if source.kind() != ErrorKind::NotFound => INTERNAL,
        asif_index::Error::Argument { .. } => USAGE,
        _ => INPUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_and_no_set_is_to_blame_for_a_process_without_files() {
        let met = || io::Error::from_raw_os_error(24);
        assert_eq!(code(&ModelError::from(met()).into()), INTERNAL);
        assert_eq!(code(&AnchorsError::from(met()).into()), INTERNAL);
        assert_eq!(code(&anyhow::Error::from(met()).context("x")), INTERNAL);
        let refused = io::Error::from(ErrorKind::PermissionDenied);
        assert_eq!(code(&ModelError::from(refused).into()), SETUP);
    }
}
