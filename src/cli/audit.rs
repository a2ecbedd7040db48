//! `asif audit`.

use std::path::PathBuf;

use asif::anchors::plan::GraphPolicy;
use asif::anchors::purge::{PurgeReport, Traces, audit, purge};
use clap::Args;

use super::context::Context;
use super::exit::BadInput;
use super::{format, receipt};

/// Show where a pair has left traces in a set, and delete the bytes of removed pairs.
///
/// A removed pair has no influence, but its bytes are kept for rollback. --purge drops all older
/// generations, writes the segments that still store removed pairs again without them, forgets
/// their cached embeddings, and names them in the log by a hash only. There is no way back.
///
/// One set is changed, no other. Sets that `asif swap --from` took from or that lie in the same
/// folder are looked at, and those that hold the pairs too are named: remove and purge there as
/// well. Where a segment is shared by hard links with a set that is not known, that is said.
/// Copies of the set and backups are not reached, nor are the image files themselves.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif audit mine.asif photo-17            where photo-17 is found
  asif audit mine.asif photo-17 --purge    delete it (and all that was removed) for good

Exit codes: 0 when none of the ids is in a live or kept generation, 3 when one is.")]
pub struct AuditArgs {
    /// The set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Ids of pairs.
    #[arg(value_name = "ID", required_unless_present = "purge")]
    ids: Vec<String>,

    /// Delete the bytes of every pair that is not live.
    #[arg(long, env = "ASIF_PURGE")]
    purge: bool,

    /// With --purge: say what would happen, and change nothing.
    #[arg(long, env = "ASIF_DRY_RUN", requires = "purge")]
    dry_run: bool,

    /// Where embeddings are kept [default: cache/embeddings in the home].
    #[arg(long, env = "ASIF_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
}

pub fn run(args: &AuditArgs, context: &Context) -> anyhow::Result<()> {
    if args.purge {
        let home = context.home.embedding_cache();
        let cache = args.cache.as_deref().unwrap_or(&home);
        let graphs = GraphPolicy::Auto;
        let done = purge(&args.set, &args.ids, Some(cache), graphs, args.dry_run)?;
        receipt::warn(&done.receipt.warnings, context);
        warn_of_others(&done, context);
        if context.json {
            return context.print_json(&done);
        }
        let mut rows = receipt::rows(&done.receipt);
        let dropped: Vec<String> = done
            .generations_dropped
            .iter()
            .map(u64::to_string)
            .collect();
        rows.push(("purged", format!("{} pairs", format::count(done.purged))));
        rows.push(("dropped", format!("generations {}", dropped.join(", "))));
        let rewritten = format!("{} segments", format::count(done.segments_rewritten));
        rows.push(("rewritten", rewritten));
        let forgotten = format!("{} embeddings", format::count(done.embeddings_forgotten));
        rows.push(("forgotten", forgotten));
        return context.print(format::facts(&rows));
    }
    let traces = audit(&args.set, &args.ids)?;
    if context.json {
        context.print_json(&traces)?;
    } else {
        for trace in &traces {
            context.print(format::facts(&rows(trace)))?;
        }
    }
    let found = traces.iter().filter(|t| !t.generations.is_empty()).count();
    if found == 0 {
        return Ok(());
    }
    let said = format!(
        "{found} of {} pairs are in a live or kept generation",
        traces.len()
    );
    Err(BadInput(format!("{said}; remove them, then --purge")).into())
}

/// What the purge did not reach.
fn warn_of_others(done: &PurgeReport, context: &Context) {
    for other in &done.elsewhere {
        let set = other.set.display();
        if let Some(problem) = &other.problem {
            context.warn(format!(
                "asif: warning: {set} may hold removed pairs, and cannot be looked at: {problem}"
            ));
        }
        if let Some(first) = other.ids.first() {
            let held = format::count(other.ids.len() as u64);
            context.warn(format!(
                "asif: warning: {set} still holds {held} of these pairs ({} live), and was not \
                 changed: `asif anchors remove {set} --id {first}`, then `asif audit {set} --purge`",
                other.live
            ));
        }
    }
    for unknown in &done.unknown_links {
        context.warn(format!(
            "asif: warning: the files of segment {} have {} more names, in no set that is known \
             here: the bytes stay there; `find DIR -inum {}` on the same disk finds them",
            unknown.segment, unknown.links, unknown.inode
        ));
    }
}

fn rows(trace: &Traces) -> Vec<(&'static str, String)> {
    let list = |numbers: &[u64]| {
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        match numbers.is_empty() {
            true => "none".to_owned(),
            false => numbers.join(", "),
        }
    };
    let stored = match trace.segments.is_empty() {
        true => "none".to_owned(),
        false => trace.segments.join(", "),
    };
    let mut rows = vec![
        ("pair", trace.id.clone()),
        ("live", if trace.live { "yes" } else { "no" }.to_owned()),
        ("in generations", list(&trace.generations)),
        ("bytes in segments", stored),
        ("named in the log", list(&trace.log)),
    ];
    if !trace.purged.is_empty() {
        rows.push(("purged, change of", list(&trace.purged)));
    }
    if !trace.elsewhere.is_empty() {
        let sets = trace.elsewhere.iter().map(|set| set.display().to_string());
        rows.push(("also held by", sets.collect::<Vec<_>>().join("\n")));
    }
    rows
}
