//! `asif swap`.

use std::path::{Path, PathBuf};

use asif::anchors::change::swap::{SwapTarget, swap};
use asif::anchors::stored::witness;
use clap::Args;

use crate::context::CommandContext;
use crate::errors::exit::UsageError;
use crate::options::receipt::{self, WriteArgs};
use crate::output::format;

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
        conflicts_with = "from"
    )]
    to: Option<u64>,

    /// Make the live content of this other anchor set live here.
    #[arg(long, env = "ASIF_FROM", value_name = "OTHER.asif")]
    from: Option<PathBuf>,

    #[command(flatten)]
    write: WriteArgs,
}

/// Neither a generation nor an anchor set is given: names those that can be.
///
/// # Errors
/// When the folder is not an anchor set.
fn no_target(set: &Path) -> anyhow::Result<UsageError> {
    let (kept, _) = witness::kept_or_published(set)?;
    let kept: Vec<String> = kept.iter().map(u64::to_string).collect();
    Ok(UsageError(format!(
        "give --to GENERATION or --from OTHER.asif; {} keeps {} {} (`asif history {}` \
         shows how each was made)",
        set.display(),
        if kept.len() == 1 {
            "generation"
        } else {
            "generations"
        },
        kept.join(", "),
        format::word(&set.display().to_string())
    )))
}

pub fn run(args: &SwapArgs, context: &CommandContext) -> anyhow::Result<()> {
    let target = match (&args.from, args.to) {
        (Some(other), _) => SwapTarget::Set(other),
        (None, Some(generation)) => SwapTarget::Generation(generation),
        (None, None) => return Err(no_target(&args.set)?.into()),
    };
    let done = swap(&args.set, target, &args.write.options())?;
    receipt::print(&done, context)
}
