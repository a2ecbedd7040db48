//! `asif history`.

use std::path::PathBuf;

use asif::anchors::stored::history;
use asif::anchors::stored::witness;
use clap::Args;
use serde_json::json;

use crate::context::{CommandContext, warn_of_doubts};
use crate::options::receipt::pairs;
use crate::output::format;

/// Show the changes of an anchor set: when, by which command, which pairs, counts and licences.
///
/// The log is log/changes.jsonl in the anchor set. Generations marked with * are kept: `asif swap --to`
/// and `asif rollback` can return to them.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json, one record per line, oldest first, with \"kept\" and \"live\" added.")]
pub struct HistoryArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,
}

pub fn run(args: &HistoryArgs, context: &CommandContext) -> anyhow::Result<()> {
    let (kept, doubt) = witness::kept_or_published(&args.set)?;
    // Where CURRENT is damaged, no generation is known to be the live one.
    let newest = kept.last().filter(|_| doubt.is_none()).copied();
    warn_of_doubts(&args.set, doubt, context);
    for change in history::readable(&args.set)? {
        let is_kept = kept.contains(&change.generation);
        let live = newest == Some(change.generation);
        if context.json {
            let mut line = json!(change);
            line["kept"] = is_kept.into();
            line["live"] = live.into();
            context.print_line_json(&line)?;
            continue;
        }
        let mark = if is_kept { "*" } else { " " };
        let detail = if change.detail.is_empty() {
            String::new()
        } else {
            format!("  ({})", change.detail)
        };
        let text = format!(
            "{mark}{:>5}  {}  {:<15}  {}{detail}",
            change.generation,
            change.when,
            change.command,
            pairs(&change)
        );
        context.print(format::line(&text))?;
    }
    Ok(())
}
