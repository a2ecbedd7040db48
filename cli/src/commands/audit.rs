//! `asif audit`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use asif::anchors::AnchorsError;
use asif::anchors::care::elsewhere::OtherSet;
use asif::anchors::care::purge::{
    self, DeletionReceipt, KeptPicture, PairTraces, PurgeReport, PurgeRequest,
};
use asif::anchors::stored::place::refuse_in_set;
use asif::anchors::stored::plan::GraphPolicy;
use clap::Args;

use crate::context::{self, CommandContext};
use crate::errors::exit::BadInput;
use crate::options::receipt;
use crate::options::selection::filter_of;
use crate::output::format;
use crate::output::outputs::{
    OutputKind, OutputPlace, check_outputs, check_receipt, output, refuse_dash,
};

/// Show where a pair is stored or named in an anchor set, and delete the bytes of removed pairs.
///
/// A removed pair has no influence, but its bytes are kept for rollback. --purge drops all older
/// generations, rewrites the segments that still store removed pairs, deletes their cached embeddings
/// and the pictures that `asif serve --uploads` wrote for them, removes them from the lists of skipped
/// rows, and replaces their ids and the values of filters in the log by hashes. Temporary files of killed
/// commands beside the anchor set are deleted too if they hold data of these pairs; a file or folder that
/// another program may have written is reported and left.
/// Then it reads every byte of the anchor set, of such leftovers, of the cache and of the upload folders
/// and searches them for ids, captions and other data of the pairs. A purge cannot be undone.
///
/// Only this anchor set is changed. Anchor sets that `asif swap --from` took content from, and those in
/// the same folder, are searched, and those that hold the pairs too are reported: remove and purge the
/// pairs there as well. A segment that is shared by hard links with an unknown anchor set is reported.
/// Pictures that asif did not write are reported and left. Copies of the anchor set, backups, pages
/// written with --html and the logs of shells, proxies and servers are not searched.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif audit mine.asif photo-17            where photo-17 is found
  asif audit mine.asif photo-17 --purge    delete it, and all other removed pairs, for good
  asif audit mine.asif --where 'photographer=Jane Doe'
  asif audit mine.asif --where 'photographer=Jane Doe' --purge --receipt 17.json --reference 17

Exit codes: 0 when nothing is left of the pairs but hashes in the log and files that asif did not write; 3
when something is left, or when a file could not be searched (the receipt's result is then not `verified`).")]
pub struct AuditArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Ids of pairs.
    #[arg(value_name = "ID", required_unless_present_any = ["purge", "filter"])]
    ids: Vec<String>,

    /// Every pair, live or removed, with all of these values in its metadata. If a value is a list, one
    /// matching entry is enough; a value may be in double quotes. With --purge none of the pairs may be live.
    #[arg(long = "where", env = "ASIF_WHERE", value_name = "KEY=VALUE ...")]
    filter: Option<String>,

    /// Delete the bytes of every pair that is not live.
    #[arg(long, env = "ASIF_PURGE")]
    purge: bool,

    /// With --purge: report what would be done, and change nothing.
    #[arg(long, env = "ASIF_DRY_RUN", requires = "purge")]
    dry_run: bool,

    /// With --purge: also write a receipt as JSON, as the answer to a deletion request. It names pairs and
    /// values by hashes only: what was deleted, when, how many, and what was searched afterwards. It replaces
    /// the receipt of a dry run, or that of an incomplete purge for the same request, whose counts and hashes
    /// it takes over; it never replaces any other receipt.
    #[arg(
        long,
        env = "ASIF_RECEIPT",
        value_name = "FILE.json",
        requires = "purge"
    )]
    receipt: Option<PathBuf>,

    /// Your reference for the request, written into the receipt.
    #[arg(
        long,
        env = "ASIF_REFERENCE",
        value_name = "TEXT",
        requires = "receipt"
    )]
    reference: Option<String>,

    /// The embedding cache [default: cache/embeddings in the home folder].
    #[arg(long, env = "ASIF_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
}

pub fn run(args: &AuditArgs, context: &CommandContext) -> anyhow::Result<()> {
    // Checked first: after the purge its receipt cannot be made again.
    check_outputs(
        [output("--receipt", &args.receipt, OutputKind::Receipt)],
        &[],
    )?;
    let filter = args.filter.as_deref().map(filter_of).transpose()?;
    let home = context.home.embedding_cache();
    let cache = args.cache.as_deref().unwrap_or(&home);
    refuse_dash("--cache", cache, OutputPlace::Folder)?;
    refuse_in_set(cache)?;
    if args.purge {
        let request = PurgeRequest {
            ids: &args.ids,
            filter: filter.as_ref(),
            cache: Some(cache),
            graphs: GraphPolicy::Auto,
            dry_run: args.dry_run,
        };
        let earlier = check_receipt(
            &args.receipt,
            args.reference.as_deref(),
            &args.set,
            &request,
        )?;
        return run_purge(args, &request, earlier.as_deref(), context);
    }
    context::open(&args.set, context)?;
    let mut ids = args.ids.clone();
    let mut named = Vec::new();
    if let Some(filter) = &filter {
        let found = purge::find(&args.set, filter)?;
        ids.extend(found.0);
        named = found.1;
    }
    let traces = purge::audit(&args.set, &ids, Some(cache))?;
    if context.json {
        context.print_json(&traces)?;
    } else {
        for trace in &traces {
            context.print(format::facts(&rows(trace)))?;
        }
        if filter.is_some() && ids.is_empty() {
            let changes = [
                ("pairs", "none".to_owned()),
                ("named in changes", list(&named)),
            ];
            context.print(format::facts(&changes))?;
        }
    }
    let stored = traces.iter().filter(|t| !t.generations.is_empty()).count();
    let found = traces.iter().filter(|t| !t.is_gone()).count();
    if found == 0 {
        return Ok(());
    }
    let said = format!(
        "{stored} of {} pairs are in a live or kept generation",
        traces.len()
    );
    Err(match stored {
        0 => BadInput(format!(
            "{said}, but traces of {found} are left; --purge deletes what asif wrote and reports the rest"
        )),
        _ => BadInput(format!("{said}; remove them, then --purge")),
    }
    .into())
}

fn run_purge(
    args: &AuditArgs,
    request: &PurgeRequest<'_>,
    earlier: Option<&[u8]>,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let done = purge::purge(&args.set, request).inspect_err(|error| {
        if let (AnchorsError::PurgeStopped { .. }, Some(file)) = (error, &args.receipt) {
            context.warn(format!(
                "asif: warning: {} was not written, because the purge is not complete",
                file.display()
            ));
        }
    })?;
    receipt::warn(&done.receipt, context);
    warn_of_others(&done, context);
    let mut told = DeletionReceipt::new(request, &done, args.reference.clone());
    if let Some(earlier) = earlier {
        told = told.after(earlier);
    }
    let written = write_receipt(args, &told, context);
    if context.json {
        context.print_json(&done)?;
    } else {
        context.print(format::facts(&purge_rows(&done)))?;
    }
    written.context(
        "the purge is done, but its receipt was not written; the output above says the same",
    )?;
    let found = done.search.as_ref().map_or(0, |search| search.found.len());
    let deleted = done.unreadable.first().filter(|_| done.search.is_some());
    if let Some(first) = deleted.filter(|_| found == 0) {
        let fate = match first.exists() {
            true => "the next change of the anchor set deletes it",
            false => "it is deleted",
        };
        return Err(BadInput(format!(
            "{} (one of {}) was damaged, and it is unknown which pairs it held; {fate}, but their \
             embeddings may still be in {}: delete that folder, which only costs time",
            format::path(first),
            done.unreadable.len(),
            format::path(request.cache.unwrap_or(std::path::Path::new("the cache"))),
        ))
        .into());
    }
    if found > 0 {
        return Err(BadInput(format!(
            "{found} files still hold data of these pairs, see above; delete them, or purge again"
        ))
        .into());
    }
    if told.is_verified() || told.is_dry_run() {
        return Ok(());
    }
    let advice = match told.pictures_unread > 0 {
        // A later purge cannot tell which pictures these were.
        true => {
            "delete those of the pictures that are not needed elsewhere, and resolve the other warnings"
        }
        false => "resolve the warnings, then run the same command again",
    };
    let result = &told.result;
    Err(BadInput(format!("the purge is done, but {result}: {advice}")).into())
}

fn write_receipt(
    args: &AuditArgs,
    receipt: &DeletionReceipt,
    context: &CommandContext,
) -> anyhow::Result<()> {
    if let Some(file) = &args.receipt {
        let text = serde_json::to_string_pretty(receipt)?;
        asif::disk::replace_file(file, text + "\n")?;
        context.note(format!("wrote {}", file.display()));
    }
    Ok(())
}

fn purge_rows(done: &PurgeReport) -> Vec<(&'static str, String)> {
    let mut rows = receipt::rows(&done.receipt);
    rows.push(("purged", format!("{} pairs", format::count(done.purged))));
    let dropped = list(&done.generations_dropped);
    rows.push(("dropped", format!("generations {dropped}")));
    for (name, count, what) in [
        ("rewritten", done.segments_rewritten, "segments"),
        ("", done.log_lines_rewritten, "lines of the log"),
        ("", done.skip_rows_removed, "rows of lists of skipped rows"),
        ("forgotten", done.embeddings_forgotten, "embeddings"),
        ("deleted", done.uploads_deleted, "uploaded pictures"),
        (
            "",
            done.leftovers_removed,
            "leftovers of killed commands beside the anchor set",
        ),
    ] {
        rows.push((name, format!("{} {what}", format::count(count))));
    }
    if let Some(search) = &done.search {
        let searched = format!(
            "{} files, {}",
            format::count(search.files),
            format::bytes(search.bytes)
        );
        rows.push(("searched", searched));
        let mut found: Vec<String> = search
            .found
            .iter()
            .map(|trace| {
                let kinds = format!("{:?}", trace.kinds).to_lowercase();
                format!("{} {kinds}", trace.file.display())
            })
            .collect();
        if found.is_empty() {
            found.push("none".to_owned());
        }
        rows.push(("found", format::list(&found)));
    }
    rows
}

/// Warns of what the purge did not reach.
fn warn_of_others(done: &PurgeReport, context: &CommandContext) {
    for other in &done.elsewhere {
        let set = other.set.display();
        if let Some(problem) = &other.problem {
            context.warn(format!(
                "asif: warning: {set} may hold removed pairs, and cannot be searched: {problem}"
            ));
        }
        if !other.ids.is_empty() {
            let held = format::count(other.ids.len() as u64);
            context.warn(format!(
                "asif: warning: {set} still holds {held} of these pairs ({} live), and was not \
                 changed: {}",
                other.live,
                advice_for(other)
            ));
        }
    }
    for kept in &done.leftovers_kept {
        context.warn(format!(
            "asif: warning: {} was left: {}",
            kept.file.display(),
            kept.why
        ));
    }
    warn_of_pictures(&done.pictures_left, context);
    for unknown in &done.unknown_links {
        context.warn(format!(
            "asif: warning: the files of segment {} have {} more hard links, in no anchor set that is \
             known here: the bytes stay there; `find DIR -inum {}` on the same disk finds them",
            unknown.segment, unknown.links, unknown.inode
        ));
    }
}

/// The most ids that an advised command line lists.
const NAMED_IDS: usize = 20;

/// The commands that delete the pairs from another anchor set; removed ones need a purge only.
fn advice_for(other: &OtherSet) -> String {
    let set = format::word(&other.set.display().to_string());
    let purge = format!("`asif audit {set} --purge`");
    let live = &other.live_ids;
    match live.len() {
        0 => purge,
        1..=NAMED_IDS => {
            let ids: Vec<String> = live
                .iter()
                .map(|id| format!("--id={}", format::word(id)))
                .collect();
            format!(
                "`asif anchors remove {set} {}`, then {purge}",
                ids.join(" ")
            )
        }
        _ => format!(
            "`asif anchors remove {set} --ids-file FILE` with a file of the ids, one per line (--json \
             lists them as live_ids), then {purge}"
        ),
    }
}

/// The most pictures that a warning names; --json names all.
const NAMED_PICTURES: usize = 3;

/// The pictures that were left, counted by reason, with the first of each named.
fn warn_of_pictures(left: &[KeptPicture], context: &CommandContext) {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for picture in left {
        let files = by_reason.entry(&picture.why).or_default();
        files.push(picture.file.display().to_string());
    }
    for (why, files) in by_reason {
        let named = files[..files.len().min(NAMED_PICTURES)].join(", ");
        let told = match files.len() {
            1 => format!("{named} was left: {why}"),
            n if n <= NAMED_PICTURES => format!("{n} pictures were left: {named}: {why}"),
            n => format!(
                "{} pictures were left: {why}: {named} and {} more (--json names them all)",
                format::count(n as u64),
                format::count((n - NAMED_PICTURES) as u64)
            ),
        };
        context.warn(format!("asif: warning: {told}"));
    }
}

fn list(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    match numbers.is_empty() {
        true => "none".to_owned(),
        false => numbers.join(", "),
    }
}

fn rows(trace: &PairTraces) -> Vec<(&'static str, String)> {
    let stored = match trace.segments.is_empty() {
        true => "none".to_owned(),
        false => trace.segments.join(", "),
    };
    let mut rows = vec![
        ("pair", format::line(&trace.id).into_owned()),
        ("live", if trace.live { "yes" } else { "no" }.to_owned()),
        ("in generations", list(&trace.generations)),
        ("bytes in segments", stored),
        ("named in the log", list(&trace.log)),
    ];
    if !trace.purged.is_empty() {
        rows.push(("purged, change of", list(&trace.purged)));
    }
    if !trace.files.is_empty() {
        let files: Vec<String> = trace
            .files
            .iter()
            .map(|found| format::path(&found.file))
            .collect();
        rows.push(("found in", files.join("\n")));
    }
    if !trace.elsewhere.is_empty() {
        let sets = trace.elsewhere.iter().map(|set| format::path(set));
        rows.push(("also held by", sets.collect::<Vec<_>>().join("\n")));
    }
    rows
}
