//! `asif verify`.

use std::path::PathBuf;

use asif::anchors::care::check::verify;
use asif::anchors::stored::place::foreign_names;
use asif::printable;
use clap::Args;
use serde_json::json;

use super::context::Context;
use super::exit::BadInput;

/// Check that a set and every kept generation of it is sound.
///
/// It starts from what must be there: CURRENT, the log and the manifests must agree, every file that a
/// manifest names must be there with its checksum, and each space must give a number. Sets above 1 GiB
/// are read whole with --full only, which also recomputes sums, counts and names from the records and
/// vectors. What somebody else put into the set is noted, and is no damage.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 when everything is sound, 3 when something is not; `asif repair` makes good what it can.")]
pub struct VerifyArgs {
    /// The set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Read every byte.
    #[arg(long, env = "ASIF_FULL")]
    full: bool,
}

pub fn run(args: &VerifyArgs, context: &Context) -> anyhow::Result<()> {
    let findings = verify(&args.set, args.full)?;
    let notes: Vec<String> = match foreign_names(&args.set) {
        Ok(names) => names
            .iter()
            .map(|name| format!("{name} is nothing that this program writes; it is left as it is"))
            .collect(),
        // What was found is told all the same.
        Err(error) => vec![format!("what else lies in the set is not known: {error}")],
    };
    if context.json {
        context.print_json(
            &json!({"sound": findings.is_empty(), "findings": findings, "notes": notes}),
        )?;
    } else if findings.is_empty() {
        let how = if args.full {
            "to the last byte"
        } else {
            "structure and checksums (files of sets above 1 GiB are read with --full)"
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
    let said = format!("{} finding(s)", findings.len());
    Err(BadInput(format!("{said}; `asif repair` makes good what it can")).into())
}
