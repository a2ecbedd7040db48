//! The `asif` command: one file a command, arguments in, a library call, output; no logic.
//!
//! | file | role |
//! |---|---|
//! | `build.rs`, `classify.rs`, `explain.rs`, `eval.rs`, `scaling.rs`, `inspect.rs`, `bench.rs`, `models.rs`, `templates.rs`, `doctor.rs` | the commands |
//! | `curate.rs`, `influence.rs` | `asif anchors curate`, `asif anchors influence` |
//! | `tune.rs` | which recipe suits a set |
//! | `anchors.rs`, `swap.rs`, `rollback.rs`, `history.rs` | the commands that change a set, and its log |
//! | `diff.rs`, `verify.rs`, `repair.rs`, `audit.rs` | comparing sets, their soundness, what is left of removed pairs |
//! | `receipt.rs` | what those that change a set share |
//! | `serve.rs` | the server |
//! | `query.rs` | how a set is asked: what commands that compare images with texts share |
//! | `args.rs` | arguments that several commands share |
//! | `context.rs` | what every command is given: home, output form, who may interrupt |
//! | `exit.rs` | which error ends with which exit code |
//! | `panics.rs` | the last net: a panic becomes a message and an exit code |
//! | `usage.rs` | what the parser says of a command line that cannot be understood |
//! | `files.rs` | files that the command line names, to read and to write |
//! | `draw.rs` | progress bars |
//! | `format.rs` | numbers and tables for people |

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod anchors;
mod args;
mod audit;
mod bench;
mod build;
mod classify;
mod context;
mod curate;
mod diff;
mod doctor;
mod draw;
mod environment;
mod eval;
mod exit;
mod explain;
mod files;
mod format;
mod history;
mod hubness;
mod influence;
mod inspect;
mod models;
mod outputs;
mod panics;
mod query;

mod receipt;
mod repair;
mod rollback;
mod scaling;
#[cfg(feature = "server")]
mod serve;
mod swap;
mod templates;
mod tune;
mod usage;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use context::Context;

/// The system's own keeps more of what a server frees: spaces are fitted for every swap and for each
/// answer without some of the pairs.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A shared image-text space made of your own pairs, without training.
///
/// An image is represented by its similarities to the images of your anchor pairs, a text by its
/// similarities to their texts. Both speak of the same pairs, so they can be compared (ASIF,
/// Norelli et al., NeurIPS 2023).
#[derive(Debug, Parser)]
#[command(
    name = "asif",
    version,
    after_help = "\
A first session:
  asif build --pairs my-pairs.jsonl --out my.asif
  asif classify --index my.asif --labels cat,dog,bicycle photo.jpg
  asif eval zeroshot --index my.asif --dataset labelled-images/

Every option has a twin in the environment, shown with it. That of a flag takes 1, true, yes or on, and
0, false, no, off or nothing for a flag that is not given.

Exit codes:
  0    done
  1    something failed inside: a disk, a model run, a fault of this program
  2    the command line cannot be understood
  3    the input is bad: a missing file, pairs that cannot be read, a folder that is no set
  4    the set-up is incomplete: ONNX Runtime or a model is missing or broken
  5    --strict, and an input was bad
  130  interrupted

Where standard output is closed early (asif ... | head), asif ends with 0 and says nothing."
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

    /// The folder of models, the runtime library and cached embeddings
    /// [default: $XDG_DATA_HOME/asif or ~/.local/share/asif].
    #[arg(long, global = true, env = "ASIF_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an anchor set from image-text pairs.
    Build(build::BuildArgs),
    /// Say which of some labels fits each image.
    Classify(classify::ClassifyArgs),
    /// Show which anchor pairs made an answer, and what it would be without some of them.
    Explain(explain::ExplainArgs),
    /// Measure accuracy on labelled images.
    Eval(eval::EvalArgs),
    /// Show what an anchor set holds.
    Inspect(inspect::InspectArgs),
    /// Look at the pairs of a set, and change them.
    Anchors(anchors::AnchorsArgs),
    /// Find the recipe that suits a set's pairs.
    Tune(tune::TuneArgs),
    /// Make another content live: a kept generation's, or another set's.
    Swap(swap::SwapArgs),
    /// Undo the last change of a set.
    Rollback(rollback::RollbackArgs),
    /// Show what happened to a set.
    History(history::HistoryArgs),
    /// Show which pairs two sets do not share, and which answers differ.
    Diff(diff::DiffArgs),
    /// Check that a set is sound.
    Verify(verify::VerifyArgs),
    /// Rebuild what is damaged in a set from what is intact.
    Repair(repair::RepairArgs),
    /// Show where a pair has left traces; delete the bytes of removed pairs.
    Audit(audit::AuditArgs),
    /// Serve sets over HTTP, with a page to look into them.
    #[cfg(feature = "server")]
    Serve(serve::ServeArgs),
    /// Measure the parts on this machine.
    Bench(bench::BenchArgs),
    /// List the installed encoders, or add one.
    Models(models::ModelsArgs),
    /// List the prompt templates that have a name.
    Templates(templates::TemplatesArgs),
    /// Check the runtime library and the encoders.
    Doctor(doctor::DoctorArgs),
}

fn main() -> ExitCode {
    panics::guarded()
}

/// Runs the command line and says how the process ends.
fn run() -> ExitCode {
    environment::start_again_with_variables();
    let command = environment::with_flags(Cli::command());
    let matches = command.try_get_matches();
    let cli = match matches.and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(error) => return usage::report(error),
    };
    let result = Context::new(cli.home, cli.json, cli.quiet).and_then(|context| {
        start_threads(&context)?;
        match cli.command {
            Command::Build(args) => build::run(&args, &context),
            Command::Classify(args) => classify::run(&args, &context),
            Command::Explain(args) => explain::run(&args, &context),
            Command::Eval(args) => eval::run(&args, &context),
            Command::Inspect(args) => inspect::run(&args, &context),
            Command::Anchors(args) => anchors::run(&args, &context),
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

/// The most threads of anything: more than machines have cores.
const MAX_THREADS: usize = 1024;

/// Starts the threads that all commands share, so that a machine that refuses them is told here and not
/// by a panic where they are first used.
fn start_threads(context: &Context) -> anyhow::Result<()> {
    let asked = std::env::var("RAYON_NUM_THREADS").ok();
    let asked = asked.and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    // Tens of thousands take minutes to start. None asks for one a core.
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(asked.min(MAX_THREADS));
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
        "asif: warning: only one thread could be started: {error}; it goes on more slowly"
    ));
    Ok(())
}

/// Opens what is live in a set, or loudly the last good generation when that is damaged.
fn open(set: &std::path::Path, context: &Context) -> anyhow::Result<asif::anchors::AnchorSet> {
    let (opened, fallback) = asif::anchors::AnchorSet::open_or_last_good(set)?;
    if let Some(fallback) = fallback {
        context.warn(format!("asif: warning: {fallback}"));
        return Ok(opened);
    }
    match asif::anchors::care::check::doubts(set) {
        Ok(None) => {}
        Ok(Some(doubt)) => context.warn(format!("asif: warning: {doubt}")),
        // What answers come from is open already.
        Err(error) => context.warn(format!(
            "asif: warning: the log and older generations cannot be looked at: {error}"
        )),
    }
    Ok(opened)
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
