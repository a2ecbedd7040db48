//! `asif rollback`.

use std::path::PathBuf;

use asif::anchors::change::swap::{SwapTarget, swap};
use clap::Args;

use crate::context::CommandContext;
use crate::options::receipt::{self, WriteArgs};

/// Undo the last change of an anchor set.
///
/// The content before the change becomes live again as a new generation: numbers only increase, so the
/// history remains complete. Another rollback goes one change further back; `asif swap --to` goes to any
/// kept generation, also forward. Works even if the live generation is damaged.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  asif rollback mine.asif --dry-run")]
pub struct RollbackArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: &RollbackArgs, context: &CommandContext) -> anyhow::Result<()> {
    let done = swap(&args.set, SwapTarget::Previous, &args.write.options())?;
    receipt::print(&done, context)
}
