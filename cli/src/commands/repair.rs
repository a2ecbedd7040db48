//! `asif repair`.

use std::path::PathBuf;

use asif::anchors::AnchorsError;
use asif::anchors::care::check::IntegrityFinding;
use asif::anchors::care::repair::repair;
use clap::Args;

use crate::context::CommandContext;
use crate::errors::exit::BadInput;
use crate::options::args::{EncoderArgs, EncodingLoad};
use crate::output::format;

/// Repair a damaged anchor set from its intact parts.
///
/// Graphs, codes and sums are rebuilt from the vectors, vectors from the images and captions (through the
/// embedding cache, so mostly without encoding). A rebuilt file is accepted only if it equals the lost one
/// to the bit. If that is not possible, the newest intact generation goes live, and the files of later
/// generations are moved to damaged/ in the anchor set. CURRENT and the log are rebuilt from the manifests;
/// the damaged log is kept in damaged/. The damaged files of a rebuilt segment are deleted.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  asif verify mine.asif --full || asif repair mine.asif")]
pub struct RepairArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Report what is damaged, and change nothing.
    #[arg(long, env = "ASIF_DRY_RUN")]
    dry_run: bool,

    #[command(flatten)]
    encoders: EncoderArgs,
}

/// Printed before the system's error when a file cannot be read or written.
const REFUSED: &str = "the system denies access to a file, which does not mean that it is damaged: nothing \
     was given up. Remove the cause if it is temporary (permissions, the number of open files, memory, disk \
     space), and repair again; if the disk can no longer read the file, delete it (keep a copy if you can), and \
     `asif repair` treats it as lost";

pub fn run(args: &RepairArgs, context: &CommandContext) -> anyhow::Result<()> {
    let encoders = |_: &_| args.encoders.open(context, None, EncodingLoad::Many);
    let done = repair(&args.set, args.dry_run, encoders, context.watch());
    let done = done.map_err(
        |error: anyhow::Error| match error.downcast_ref::<AnchorsError>() {
            Some(refused) if refused.is_refusal() => error.context(REFUSED),
            _ => error,
        },
    )?;
    if context.json {
        context.print_json(&done)?;
    } else {
        let mut mended = done.mended.clone();
        if mended.is_empty() {
            mended.push("nothing".to_owned());
        }
        let told = |f: &IntegrityFinding| match args.dry_run {
            true => f.problem.clone(),
            false => f.fact.clone(),
        };
        let left: Vec<String> = done.left.iter().map(told).collect();
        let mut rows = vec![
            ("repaired", format::list(&mended)),
            ("live", format!("generation {}", done.generation)),
        ];
        if !left.is_empty() {
            rows.push(("damaged", format::list(&left)));
        }
        context.print(format::facts(&rows))?;
    }
    if !done.removals_unknown.is_empty() {
        let of: Vec<String> = done.removals_unknown.iter().map(u64::to_string).collect();
        context.warn(format!(
            "asif: warning: which pairs were removed in generation {} is unknown, because its record or list of ids is \
             lost: PAIRS THAT WERE REMOVED THEN MAY BE LIVE AGAIN. `asif anchors list {}` lists the live \
             pairs; remove again those that must not be live",
            of.join(", "),
            args.set.display()
        ));
    }
    if done.left.is_empty() {
        return Ok(());
    }
    let found = format::number_of(done.left.len() as u64, "finding");
    let remain = if done.left.len() == 1 {
        "remains"
    } else {
        "remain"
    };
    let said = match args.dry_run {
        true => format!("{found}; `asif repair` repairs what it can"),
        false => {
            format!("{found} {remain}; restore the anchor set from a backup, or build it again")
        }
    };
    Err(BadInput(said).into())
}
