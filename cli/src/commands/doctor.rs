//! `asif doctor`.

use std::path::{Path, PathBuf};

use asif::encode::doctor as setup;
use asif::encode::doctor::FindingStatus;
use asif::eval::anchors::advice::{DiagnosisAdvice, advice};
use asif::eval::anchors::diagnosis::{DiagnosisOptions, DiagnosisReport, diagnose};
use clap::Args;
use serde::Serialize;

use crate::context::{CommandContext, open};
use crate::errors::exit::SetupIncomplete;
use crate::errors::hints;
use crate::output::format;

/// Check the runtime library and the encoders, or diagnose an anchor set.
///
/// Without an anchor set, each model's files are compared with the hashes recorded when it was
/// installed, and a canary input is run through it. With one, its pairs are measured: agreement of the
/// neighbours on both sides, clusters of texts, hubs, duplicates, caption lengths and languages. This
/// needs no encoder and changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif doctor
  asif doctor mine.asif")]
pub struct DoctorArgs {
    /// The anchor set to diagnose.
    #[arg(value_name = "DIR.asif")]
    set: Option<PathBuf>,

    /// How many pairs are compared with each other; the time grows with the square of it.
    #[arg(long, env = "ASIF_SAMPLE", value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(10..=20_000), requires = "set")]
    sample: u32,

    /// How many clusters of texts to form.
    #[arg(long, env = "ASIF_CLUSTERS", value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), requires = "set")]
    clusters: u32,

    /// The random seed: the same seed draws the same pairs.
    #[arg(
        long,
        env = "ASIF_SEED",
        value_name = "N",
        default_value_t = 0,
        requires = "set"
    )]
    seed: u64,
}

pub fn run(args: &DoctorArgs, context: &CommandContext) -> anyhow::Result<()> {
    match &args.set {
        Some(set) => of_set(args, set, context),
        None => of_setup(context),
    }
}

#[derive(Serialize)]
struct DoctorReport {
    #[serde(flatten)]
    diagnosis: DiagnosisReport,
    advice: Vec<DiagnosisAdvice>,
}

fn of_set(args: &DoctorArgs, set: &Path, context: &CommandContext) -> anyhow::Result<()> {
    let set = open(set, context)?;
    let options = DiagnosisOptions {
        sample: args.sample as usize,
        clusters: args.clusters as usize,
        seed: args.seed,
    };
    let diagnosis = diagnose(&set, options, context.watch())?;
    let advice = advice(&diagnosis);
    if context.json {
        return context.print_json(&DoctorReport { diagnosis, advice });
    }
    let compared = format!(
        "{} pairs, {} of them compared with each other",
        format::count(diagnosis.pairs as u64),
        format::count(diagnosis.sampled as u64)
    );
    context.print(compared)?;
    for one in &advice {
        let mark = if one.good { "ok     " } else { "check  " };
        let found = format!("{mark}  {}: {}", one.about, one.found);
        context.print(format::line(&found))?;
        context.print(format::line(&format!("         -> {}", one.advice)))?;
        if let Some(line) = hints::of_advice(one) {
            context.print(format!("            {line}"))?;
        }
    }
    Ok(())
}

fn of_setup(context: &CommandContext) -> anyhow::Result<()> {
    let findings = setup::diagnose(&context.home);
    if context.json {
        context.print_json(&findings)?;
    } else {
        for finding in &findings {
            let mark = match finding.status {
                FindingStatus::Ok => "ok     ",
                FindingStatus::Warning => "warning",
                FindingStatus::Error => "ERROR  ",
            };
            let found = format!("{mark}  {}: {}", finding.what, finding.detail);
            context.print(format::line(&found))?;
            if !finding.advice.is_empty() {
                context.print(format!("         -> {}", finding.advice))?;
            }
            if let Some(line) = hints::of_finding(finding) {
                context.print(format!("            {line}"))?;
            }
        }
    }
    let errors = findings
        .iter()
        .filter(|f| f.status == FindingStatus::Error)
        .count();
    if errors > 0 {
        return Err(SetupIncomplete(errors).into());
    }
    Ok(())
}
