//! `asif doctor`.

use asif::encode::doctor::{Status, diagnose};
use clap::Args;

use super::context::Context;
use super::exit::SetupIncomplete;

/// Check the runtime library and the encoders, and say what to do about what is wrong.
///
/// Each model's files are compared with the hashes noted when it was installed, and a canary input
/// is run through it.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

pub fn run(_args: &DoctorArgs, context: &Context) -> anyhow::Result<()> {
    let findings = diagnose(&context.home);
    if context.json {
        context.print_json(&findings)?;
    } else {
        for finding in &findings {
            let mark = match finding.status {
                Status::Ok => "ok     ",
                Status::Warning => "warning",
                Status::Error => "ERROR  ",
            };
            context.print(format!("{mark}  {}: {}", finding.what, finding.detail))?;
            if !finding.advice.is_empty() {
                context.print(format!("         -> {}", finding.advice))?;
            }
        }
    }
    let errors = findings
        .iter()
        .filter(|f| f.status == Status::Error)
        .count();
    if errors > 0 {
        return Err(SetupIncomplete(errors).into());
    }
    Ok(())
}
