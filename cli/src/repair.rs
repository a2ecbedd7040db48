//! `asif repair`.

use std::path::PathBuf;

use asif::anchors::AnchorsError;
use asif::anchors::care::check::Finding;
use asif::anchors::care::repair::repair;
use clap::Args;

use super::args::{EncoderArgs, Load};
use super::context::Context;
use super::exit::BadInput;
use super::format;

/// Rebuild what is damaged in a set from what is intact.
///
/// Graphs, codes and sums are made again from the vectors, vectors from the images and captions
/// (through the cache, so mostly without encoding). What is rebuilt must be the old content to the
/// bit, or it is not taken. Where that cannot be done, the newest generation that is whole goes live,
/// and the files of those after it are moved to damaged/ in the set. CURRENT and the log are made again
/// from the manifests; the damaged log is kept in damaged/. Of a segment that was rebuilt the damaged
/// files are deleted.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  asif verify mine.asif --full || asif repair mine.asif")]
pub struct RepairArgs {
    /// The set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Say what is damaged, and change nothing.
    #[arg(long, env = "ASIF_DRY_RUN")]
    dry_run: bool,

    #[command(flatten)]
    encoders: EncoderArgs,
}

/// What goes before the system's refusal to let a file be read or written.
const REFUSED: &str = "the system refuses a file, which does not tell that it is damaged: nothing was \
     given up for it. Do away with the cause if it is one that passes (permissions, the number of open \
     files, memory, room), and repair again; if the disk cannot read the file any more, delete it (keep a \
     copy if you can), and `asif repair` takes it for lost";

pub fn run(args: &RepairArgs, context: &Context) -> anyhow::Result<()> {
    let encoders = |_: &_| args.encoders.open(context, None, Load::Many);
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
        let told = |f: &Finding| match args.dry_run {
            true => f.problem.clone(),
            false => f.fact.clone(),
        };
        let left: Vec<String> = done.left.iter().map(told).collect();
        let mut rows = vec![
            ("mended", format::list(&mended)),
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
            "asif: warning: which pairs were removed in generation {} is not known, because its record or list of ids is \
             lost: PAIRS THAT WERE REMOVED THEN MAY BE LIVE AGAIN. `asif anchors list {}` shows what is \
             live; remove again what must not be",
            of.join(", "),
            args.set.display()
        ));
    }
    if done.left.is_empty() {
        return Ok(());
    }
    let found = done.left.len();
    let said = match args.dry_run {
        true => format!("{found} finding(s); `asif repair` makes good what it can"),
        false => {
            format!("{found} finding(s) remain; restore the set from a copy, or build it again")
        }
    };
    Err(BadInput(said).into())
}
