//! `asif swap`.

use std::path::PathBuf;

use asif::anchors::change::swap::{SwapTarget, swap};
use clap::Args;

use crate::context::CommandContext;
use crate::options::receipt::{self, WriteArgs};

/// Make a kept generation, or the content of another anchor set, live.
///
/// Takes milliseconds at any size: segments are hard-linked instead of copied where the file system
/// supports it. Running queries finish on the old generation. `asif rollback` undoes a swap.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif swap live.asif --to 3
  asif swap live.asif --from candidate.asif")]
pub struct SwapArgs {
    /// The anchor set to change.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Make the content of this generation live (`asif history` lists them).
    #[arg(
        long,
        env = "ASIF_TO",
        value_name = "GENERATION",
        conflicts_with = "from",
        required_unless_present = "from"
    )]
    to: Option<u64>,

    /// Make the live content of this other anchor set live here.
    #[arg(long, env = "ASIF_FROM", value_name = "OTHER.asif")]
    from: Option<PathBuf>,

    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: &SwapArgs, context: &CommandContext) -> anyhow::Result<()> {
    let target = match (&args.from, args.to) {
        (Some(other), _) => SwapTarget::Set(other),
        (None, Some(generation)) => SwapTarget::Generation(generation),
        (None, None) => SwapTarget::Previous,
    };
    let done = swap(&args.set, target, &args.write.options())?;
    receipt::print(&done, context)
}
