//! The `asif` command: one file per command, arguments in, a library call, output; no logic.
//!
//! | file | role |
//! |---|---|
//! | `commands/` | one file per command |
//! | `options/args` | arguments that several commands share |
//! | `options/query`, `options/hubness` | arguments of all commands that compare images with texts |
//! | `options/receipt` | arguments and output of all commands that change an anchor set |
//! | `context` | the context of every command: home folder, output format, interruption; opens anchor sets |
//! | `output/` | messages, progress bars, numbers and tables for people; output files |
//! | `errors/exit` | the exit code of each error |
//! | `errors/hints` | the option or command that helps with an error of the library |
//! | `errors/usage`, `errors/panics` | errors of the argument parser; a panic as a message |
//! | `files` | small text files named on the command line |
//! | `environment` | environment variables that libraries read before this program can set them |

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod commands;
mod context;
mod environment;
mod errors;
mod files;
mod options;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(feature = "server")]
use commands::serve;
use commands::{
    anchors, audit, bench, build, classify, diff, doctor, eval, explain, export, history, inspect,
    models, repair, rollback, swap, templates, tune, verify,
};
use context::CommandContext;
use errors::{exit, panics, usage};
use output::say;

/// mimalloc returns more freed memory than the system's allocator does in a server, which fits spaces for
/// every swap and for each answer with excluded pairs.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A shared image-text space from your own pairs, without training.
///
/// An image is represented by its similarities to the images of your anchor pairs, a text by its
/// similarities to their texts. Both representations have one coordinate per pair, so they can be compared
/// (ASIF, Norelli et al., NeurIPS 2023).
#[derive(Debug, Parser)]
#[command(
    name = "asif",
    version,
    after_help = "\
A first session:
  asif build --pairs my-pairs.jsonl --out my.asif
  asif classify --index my.asif --labels cat,dog,bicycle photo.jpg
  asif eval zeroshot --index my.asif --dataset labelled-images/

Every option can also be set by an environment variable, shown with the option. The variable of a flag
accepts 1, true, yes or on; with 0, false, no, off or an empty value the flag counts as not given.

Exit codes:
  0    done
  1    internal failure: a disk, a model run, a bug in this program
  2    invalid command line
  3    bad input: a missing file, pairs that cannot be read, a folder that is not an anchor set
  4    incomplete set-up: ONNX Runtime or a model is missing or broken
  5    bad input, with --strict, or more of it than --max-errors allows
  130  interrupted

If standard output is closed early (asif ... | head), asif exits with 0 and without a message."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Print JSON instead of tables; messages and progress go to standard error either way.
    #[arg(long, global = true, env = "ASIF_JSON")]
    json: bool,

    /// No progress bars and no notes on standard error.
    #[arg(long, short, global = true, env = "ASIF_QUIET")]
    quiet: bool,

    /// The home folder: models, the runtime library and cached embeddings
    /// [default: $XDG_DATA_HOME/asif or ~/.local/share/asif].
    #[arg(long, global = true, env = "ASIF_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build an anchor set from image-text pairs.
    Build(build::BuildArgs),
    /// Classify images by free-text labels.
    Classify(classify::ClassifyArgs),
    /// Explain an answer by its anchor pairs, and show what it would be without some of them.
    Explain(explain::ExplainArgs),
    /// Measure accuracy on labelled images.
    Eval(eval::EvalArgs),
    /// Show the contents of an anchor set.
    Inspect(inspect::InspectArgs),
    /// List and change the pairs of an anchor set.
    Anchors(anchors::AnchorsArgs),
    /// Write vectors and metadata as files of other tools.
    Export(export::ExportFilesArgs),
    /// Find the best recipe for the pairs of an anchor set.
    Tune(tune::TuneArgs),
    /// Make a kept generation, or the content of another anchor set, live.
    Swap(swap::SwapArgs),
    /// Undo the last change of an anchor set.
    Rollback(rollback::RollbackArgs),
    /// Show the changes of an anchor set.
    History(history::HistoryArgs),
    /// Compare two anchor sets: which pairs and which answers differ.
    Diff(diff::DiffArgs),
    /// Check the integrity of an anchor set.
    Verify(verify::VerifyArgs),
    /// Repair a damaged anchor set from its intact parts.
    Repair(repair::RepairArgs),
    /// Show where a pair is stored or named; delete the bytes of removed pairs.
    Audit(audit::AuditArgs),
    /// Serve anchor sets over HTTP, with a page to explore them.
    #[cfg(feature = "server")]
    Serve(serve::ServeArgs),
    /// Measure components on this machine.
    Bench(bench::BenchArgs),
    /// List the installed encoders, or add one.
    Models(models::ModelsArgs),
    /// List the named prompt templates.
    Templates(templates::TemplatesArgs),
    /// Check the runtime library and the encoders, or diagnose an anchor set.
    Doctor(doctor::DoctorArgs),
}

fn main() -> ExitCode {
    panics::guarded(run)
}

/// Runs the command line and says how the process ends.
fn run() -> ExitCode {
    environment::start_again_with_variables();
    let command = environment::with_flags(Cli::command());
    let matches = command.try_get_matches();
    let cli = match matches.and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(error) => return usage::report(error, &Cli::command()),
    };
    let result = CommandContext::new(cli.home, cli.json, cli.quiet).and_then(|context| {
        start_threads(&context)?;
        match cli.command {
            Command::Build(args) => build::run(&args, &context),
            Command::Classify(args) => classify::run(&args, &context),
            Command::Explain(args) => explain::run(&args, &context),
            Command::Eval(args) => eval::run(&args, &context),
            Command::Inspect(args) => inspect::run(&args, &context),
            Command::Anchors(args) => anchors::run(&args, &context),
            Command::Export(args) => export::run(&args, &context),
            Command::Tune(args) => tune::run(&args, &context),
            Command::Swap(args) => swap::run(&args, &context),
            Command::Rollback(args) => rollback::run(&args, &context),
            Command::History(args) => history::run(&args, &context),
            Command::Diff(args) => diff::run(&args, &context),
            Command::Verify(args) => verify::run(&args, &context),
            Command::Repair(args) => repair::run(&args, &context),
            Command::Audit(args) => audit::run(&args, &context),
            #[cfg(feature = "server")]
            Command::Serve(args) => serve::run(&args, &context),
            Command::Bench(args) => bench::run(&args, &context),
            Command::Models(args) => models::run(&args, &context),
            Command::Templates(args) => templates::run(&args, &context),
            Command::Doctor(args) => doctor::run(&args, &context),
        }
    });
    exit::report(result)
}

/// Starts the threads that all commands share, so that a failure is reported here and not by a panic at
/// their first use.
fn start_threads(context: &CommandContext) -> anyhow::Result<()> {
    let asked = std::env::var("RAYON_NUM_THREADS").ok();
    let asked = asked.and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    // Tens of thousands take minutes to start. 0 means one per core.
    let pool =
        || rayon::ThreadPoolBuilder::new().num_threads(asked.min(options::args::MAX_THREADS));
    let Err(error) = pool().build_global() else {
        return Ok(());
    };
    pool().num_threads(1).build_global().map_err(|_| {
        anyhow::anyhow!(
            "no thread can be started: {error}; raise the limit of processes (`ulimit -u`, TasksMax \
             of a systemd unit, pids of a container)"
        )
    })?;
    context.warn(format!(
        "asif: warning: only one thread could be started: {error}; the command will be slower"
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every flag of every command.
    fn flags(command: &clap::Command, found: &mut Vec<(String, bool)>) {
        for arg in command.get_arguments().filter(|a| a.get_long().is_some()) {
            let name = format!("{} --{}", command.get_name(), arg.get_id());
            let builtin = ["help", "version"].contains(&arg.get_id().as_str());
            found.push((name, builtin || arg.get_env().is_some()));
        }
        command.get_subcommands().for_each(|c| flags(c, found));
    }

    #[test]
    fn every_flag_has_a_twin_in_the_environment() {
        let command = Cli::command();
        command.clone().debug_assert();
        let mut found = Vec::new();
        flags(&command, &mut found);
        assert!(found.len() > 30);
        let without: Vec<_> = found.iter().filter(|f| !f.1).map(|f| &f.0).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
