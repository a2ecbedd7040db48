//! `asif swap`.

use std::path::PathBuf;

use asif::anchors::change::swap::{Target, swap};
use clap::Args;

use super::context::Context;
use super::receipt::{self, WriteArgs};

/// Make another content live: that of a kept generation, or of another set.
///
/// Takes milliseconds whatever the size: segments are linked, not copied, where the file system
/// can. Queries that run finish on the old content. A swap is undone by `asif rollback`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif swap live.asif --to 3
  asif swap live.asif --from candidate.asif")]
pub struct SwapArgs {
    /// The set to change.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// The content of this generation (`asif history` lists them).
    #[arg(
        long,
        env = "ASIF_TO",
        value_name = "GENERATION",
        conflicts_with = "from",
        required_unless_present = "from"
    )]
    to: Option<u64>,

    /// What is live in this other set.
    #[arg(long, env = "ASIF_FROM", value_name = "OTHER.asif")]
    from: Option<PathBuf>,

    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: &SwapArgs, context: &Context) -> anyhow::Result<()> {
    let target = match (&args.from, args.to) {
        (Some(other), _) => Target::Set(other),
        (None, Some(generation)) => Target::Generation(generation),
        (None, None) => Target::Previous,
    };
    let done = swap(&args.set, target, &args.write.options())?;
    receipt::print(&done, context)
}
