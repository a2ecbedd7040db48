//! Arguments and receipt of all commands that change an anchor set.

use asif::anchors::change::writer::KEEP;
use asif::anchors::stored::change_record::ChangeRecord;
use asif::anchors::{ChangeReceipt, WriteOptions};
use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::context::{CommandContext, warn_of_damage};
use crate::output::format;

/// Options of a change.
#[derive(Debug, Args)]
#[command(next_help_heading = "Change")]
pub struct WriteArgs {
    /// Report what would be done, and change nothing.
    #[arg(long, env = "ASIF_DRY_RUN")]
    dry_run: bool,

    /// How many generations are kept for rollback, including the new one. Files that no kept generation uses
    /// are deleted.
    #[arg(long, env = "ASIF_KEEP", value_name = "N", default_value_t = KEEP, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    keep: usize,
}

impl WriteArgs {
    pub fn options(&self) -> WriteOptions {
        WriteOptions {
            dry_run: self.dry_run,
            keep: self.keep,
        }
    }
}

/// Prints a receipt, as JSON or for people.
pub fn print(receipt: &ChangeReceipt, context: &CommandContext) -> anyhow::Result<()> {
    warn(receipt, context);
    if context.json {
        context.print_json(receipt)
    } else {
        context.print(format::facts(&rows(receipt)))
    }
}

/// Notes failures after a change went live, and warns if what is live now is damaged.
pub fn warn(receipt: &ChangeReceipt, context: &CommandContext) {
    note_unfinished(&receipt.warnings, context);
    warn_of_damage(&receipt.set, context);
}

/// Notes failures after a change went live.
pub fn note_unfinished(warnings: &[String], context: &CommandContext) {
    for warning in warnings {
        context.note(format!(
            "asif: the change is live, but: {warning}; the next change completes it"
        ));
    }
}

/// A receipt for people.
pub fn rows(receipt: &ChangeReceipt) -> Vec<(&'static str, String)> {
    let change = &receipt.change;
    let mut done = change.command.clone();
    if !change.detail.is_empty() {
        done.push_str(&format!(": {}", format::line(&change.detail)));
    }
    if receipt.dry_run {
        done.push_str("\n(a dry run: nothing was changed)");
    }
    let mut rows = vec![
        ("change", done),
        (
            "set",
            format!(
                "{}, generation {}",
                format::path(&receipt.set),
                change.generation
            ),
        ),
        ("when", change.when.clone()),
        ("pairs", pairs(change)),
    ];
    if let Some(ids) = ids(change) {
        rows.push(("ids", ids));
    }
    if !receipt.missing.is_empty() {
        let shown: Vec<&str> = receipt.missing.iter().take(5).map(String::as_str).collect();
        let more = receipt.missing.len().saturating_sub(shown.len());
        let more = if more > 0 {
            format!(" and {} more", format::count(more as u64))
        } else {
            String::new()
        };
        let shown = shown.join(", ");
        rows.push(("not found", format!("{}{more}", format::line(&shown))));
    }
    let licences = licences(change);
    if !licences.is_empty() {
        rows.push(("licences", licences));
    }
    if let Some(total) = receipt.seconds.get("total") {
        rows.push(("seconds", format!("{total:.3}")));
    }
    rows
}

/// `60 -> 58: 2 removed`.
pub fn pairs(change: &ChangeRecord) -> String {
    let mut text = format!(
        "{} -> {}",
        format::count(change.pairs_before),
        format::count(change.pairs_after)
    );
    let moved = [(change.added, "added"), (change.removed, "removed")];
    let moved: Vec<String> = moved
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", format::count(*n)))
        .collect();
    if !moved.is_empty() {
        text.push_str(&format!(": {}", moved.join(", ")));
    }
    text
}

fn ids(change: &ChangeRecord) -> Option<String> {
    if let Some(file) = &change.ids_file {
        return Some(format!("listed in {file} of the anchor set"));
    }
    let lines: Vec<String> = change
        .removed_ids
        .iter()
        .map(|id| format!("- {id}"))
        .chain(change.added_ids.iter().map(|id| format!("+ {id}")))
        .collect();
    (!lines.is_empty()).then(|| format::list(&lines))
}

fn licences(change: &ChangeRecord) -> String {
    let names = change
        .licences_before
        .keys()
        .chain(change.licences_after.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let line = |name: &&String| {
        let of = |tally: &std::collections::BTreeMap<String, u64>| {
            format::count(tally.get(*name).copied().unwrap_or(0))
        };
        format!(
            "{} -> {}  {name}",
            of(&change.licences_before),
            of(&change.licences_after)
        )
    };
    format::list(&names.iter().map(line).collect::<Vec<_>>())
}
