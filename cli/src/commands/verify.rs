//! `asif verify`.

use std::path::PathBuf;

use asif::anchors::care::check::verify;
use asif::anchors::stored::place::foreign_names;
use asif::printable;
use clap::Args;
use serde_json::json;

use crate::context::CommandContext;
use crate::errors::exit::BadInput;
use crate::output::format;

/// Check the integrity of an anchor set and of all its kept generations.
///
/// CURRENT, the log and the manifests must agree, every file that a manifest names must exist with its
/// checksum, and each space must give finite scores. Anchor sets above 1 GiB are read completely only with
/// --full, which also recomputes sums, counts and names from the records and vectors. Foreign files in the
/// anchor set are noted, but do not count as damage.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 when no damage is found, 3 otherwise; `asif repair` repairs what it can.")]
pub struct VerifyArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Read every byte.
    #[arg(long, env = "ASIF_FULL")]
    full: bool,
}

pub fn run(args: &VerifyArgs, context: &CommandContext) -> anyhow::Result<()> {
    let findings = verify(&args.set, args.full)?;
    let notes: Vec<String> = match foreign_names(&args.set) {
        Ok(names) => names
            .iter()
            .map(|name| format!("{name} was not written by this program; it is left unchanged"))
            .collect(),
        // The findings are still reported.
        Err(error) => vec![format!(
            "foreign files of the anchor set cannot be listed: {error}"
        )],
    };
    if context.json {
        context.print_json(
            &json!({"sound": findings.is_empty(), "findings": findings, "notes": notes}),
        )?;
    } else if findings.is_empty() {
        let how = if args.full {
            "every byte checked"
        } else {
            "structure and checksums (files of anchor sets above 1 GiB are read with --full)"
        };
        context.print(format!("{}: sound, {how}", args.set.display()))?;
    } else {
        for finding in &findings {
            let of = finding.generation.map(|g| format!("generation {g}: "));
            let text = format!("{}{}", of.unwrap_or_default(), finding.problem);
            context.print(printable::line(&text))?;
        }
    }
    for note in notes.iter().filter(|_| !context.json) {
        context.print(printable::line(&format!("note: {note}")))?;
    }
    if findings.is_empty() {
        return Ok(());
    }
    let said = format::number_of(findings.len() as u64, "finding");
    Err(BadInput(format!("{said}; `asif repair` repairs what it can")).into())
}
