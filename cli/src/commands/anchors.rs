//! `asif anchors`.

mod list;

use std::collections::HashSet;
use std::path::PathBuf;

use asif::anchors::AnchorSet;
use asif::anchors::change::add::{AddOptions, AddReport, add};
use asif::anchors::change::add_vectors::{AddVectorsOptions, add_vectors};
use asif::anchors::change::compact::compact;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::stored::plan::GraphPolicy;
use asif::modality::PerModality;
use asif::vector_files::VectorSources;
use clap::{Args, Subcommand};

use crate::context::CommandContext;
use crate::errors::exit::BadInput;
use crate::errors::hints::of_inputs;
use crate::files::read_text;
use crate::options::args::{AcceptArgs, EncoderArgs, EncodingLoad, ThumbnailArgs};
use crate::options::pairs::PairArgs;
use crate::options::receipt::{self, WriteArgs};
use crate::options::selection::{SelectionArgs, filter_of, not_taken};
use crate::options::vectors::{VectorPairArgs, note_left_out};
use crate::output::format;

use list::{ExportArgs, ListArgs, ShowArgs, run_export, run_list, run_show};

/// List and change the pairs of an anchor set.
///
/// The pairs are the model: adding or removing pairs deploys another model, at once and without
/// training. Each change publishes a new generation; a running query sees the old one or the new one,
/// never a mix, and `asif rollback` goes back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif anchors add mine.asif --pairs new.jsonl
  asif anchors remove mine.asif --where 'licence=CC-BY-NC-4.0' --dry-run
  asif anchors list mine.asif --where source=shop
  asif anchors export mine.asif > pairs.jsonl")]
pub struct AnchorsArgs {
    #[command(subcommand)]
    action: AnchorsCommand,
}

#[derive(Debug, Subcommand)]
enum AnchorsCommand {
    Add(AddArgs),
    Remove(RemoveArgs),
    List(ListArgs),
    Show(ShowArgs),
    Export(ExportArgs),
    Compact(CompactArgs),
    Curate(crate::commands::curate::CurateArgs),
    Influence(crate::commands::influence::InfluenceArgs),
}

/// Add pairs to an anchor set.
///
/// Only images and captions that are not in the embedding cache are encoded. The new pairs become a
/// segment of their own, which is searched along with the others; `asif anchors compact` merges
/// segments. A row whose id is already in the anchor set is skipped.
#[derive(Debug, Args)]
#[command(after_help = "\
Sources of pairs are those of `asif build`.

Example:
  asif anchors add mine.asif --pairs new.jsonl more-photos/")]
struct AddArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Files or folders of pairs.
    #[arg(
        long,
        env = "ASIF_PAIRS",
        required_unless_present_any = ["image_vectors", "vectors"],
        conflicts_with_all = ["image_vectors", "vectors"],
        num_args = 1..,
        value_name = "FILE_OR_DIR"
    )]
    pairs: Vec<PathBuf>,

    #[command(flatten)]
    vectors: VectorPairArgs,

    #[command(flatten)]
    reading: PairArgs,

    /// Fail at the first bad row instead of skipping it.
    #[arg(long, env = "ASIF_STRICT", conflicts_with = "max_errors")]
    strict: bool,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    thumbnails: ThumbnailArgs,

    #[command(flatten)]
    accept: AcceptArgs,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    encoders: EncoderArgs,
}

/// Remove pairs from an anchor set, by id or by metadata.
///
/// A removed pair has no influence any more: the answers of exact search are bit for bit those of an
/// anchor set that was built without it. Its bytes stay for rollback; `asif audit --purge` deletes them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif anchors remove mine.asif --id photo-17 --id photo-18
  asif anchors remove mine.asif --ids-file withdrawn.txt --missing-ok
  asif anchors remove mine.asif --where 'licence=CC BY-NC 4.0 source=flickr'")]
struct RemoveArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// The id of a pair; may be given several times.
    #[arg(long, env = "ASIF_ID", value_name = "ID")]
    id: Vec<String>,

    /// A file of ids, one per line.
    #[arg(long, env = "ASIF_IDS_FILE", value_name = "FILE")]
    ids_file: Option<PathBuf>,

    /// Every pair that matches: `KEY=VALUE` for each value it must have, or an expression such as
    /// "source = 'shop' and year < 2020" (`asif build --help`). If a value is a list, one matching entry is
    /// enough; a value of the first form may be in double quotes.
    #[arg(
        long = "where",
        env = "ASIF_WHERE",
        value_name = "FILTER",
        conflicts_with_all = ["id", "ids_file"],
        required_unless_present_any = ["id", "ids_file"]
    )]
    filter: Option<String>,

    /// Ignore ids that no pair of the anchor set has.
    #[arg(long, env = "ASIF_MISSING_OK")]
    missing_ok: bool,

    #[command(flatten)]
    write: WriteArgs,
}

/// Merge the segments of an anchor set into one, without the removed pairs.
///
/// The answers of exact search stay the same to the bit. Worth it after many additions, or when more
/// than a tenth of the pairs was removed.
#[derive(Debug, Args)]
struct CompactArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    #[command(flatten)]
    write: WriteArgs,
}

pub fn run(args: &AnchorsArgs, context: &CommandContext) -> anyhow::Result<()> {
    match &args.action {
        AnchorsCommand::Add(args) => run_add(args, context),
        AnchorsCommand::Remove(args) => run_remove(args, context),
        AnchorsCommand::List(args) => run_list(args, context),
        AnchorsCommand::Show(args) => run_show(args, context),
        AnchorsCommand::Export(args) => run_export(args, context),
        AnchorsCommand::Curate(args) => crate::commands::curate::run(args, context),
        AnchorsCommand::Influence(args) => crate::commands::influence::run(args, context),
        AnchorsCommand::Compact(args) => {
            let done = compact(&args.set, GraphPolicy::Auto, &args.write.options())?;
            receipt::print(&done, context)
        }
    }
}

/// Adds pairs of files of vectors.
fn added_vectors(
    args: &AddArgs,
    sources: VectorSources,
    context: &CommandContext,
) -> anyhow::Result<AddReport> {
    note_left_out(&sources, context);
    let encoders = PerModality::try_of(|modality| {
        let dim = sources.vectors[modality].dim();
        let told = args
            .vectors
            .told_encoder(&args.encoders, dim, modality, context)?;
        anyhow::Ok(told.map(|entry| entry.identity))
    })?;
    let options = AddVectorsOptions {
        set: args.set.clone(),
        strict: args.strict,
        max_errors: args.reading.max_errors(),
        graphs: GraphPolicy::Auto,
        encoders,
    };
    let write = args.write.options();
    Ok(add_vectors(&options, &write, sources, context.watch())?)
}

/// Adds pairs whose images and captions are encoded.
fn added_pairs(args: &AddArgs, context: &CommandContext) -> anyhow::Result<AddReport> {
    let options = AddOptions {
        set: args.set.clone(),
        pairs: args.pairs.clone(),
        selection: args.selection.selection()?,
        reading: args.reading.options()?,
        strict: args.strict,
        thumbnails: args.thumbnails.kept(),
        graphs: GraphPolicy::Auto,
        accept_encoder: args.accept.asked(),
    };
    let encoders = |set: &AnchorSet| {
        let embedder = args.encoders.open(context, Some(set), EncodingLoad::Many)?;
        anyhow::Ok(Box::new(embedder))
    };
    add(&options, &args.write.options(), encoders, context.watch())
}

fn run_add(args: &AddArgs, context: &CommandContext) -> anyhow::Result<()> {
    let report = match args.vectors.sources()? {
        Some(sources) => {
            args.selection.refuse_with_vectors()?;
            args.reading.refuse_with_vectors()?;
            added_vectors(args, sources, context)?
        }
        None => added_pairs(args, context)?,
    };
    receipt::warn(&report.receipt, context);
    if context.json {
        return context.print_json(&report);
    }
    let mut rows = receipt::rows(&report.receipt);
    rows.push(("skipped", skipped(&report)));
    rows.extend(not_taken(&report.not_taken));
    let cached = format!("{} embeddings", format::count(report.from_cache));
    rows.push(("from cache", cached));
    if let Some(list) = &report.skipped_list {
        rows.push(("skip list", format::path(list)));
    }
    context.print(format::facts(&rows))
}

fn skipped(report: &AddReport) -> String {
    if report.skipped == 0 {
        return "none".to_owned();
    }
    let mut text = format::count(report.skipped);
    for row in report.skipped_examples.iter().take(5) {
        let row = format!("{}: {}", row.origin, row.reason);
        text.push_str(&format!("\n{}", format::line(&row)));
    }
    for line in of_inputs(report.skipped_examples.iter().map(|row| row.remedy)) {
        text.push_str(&format!("\n{line}"));
    }
    text
}

fn run_remove(args: &RemoveArgs, context: &CommandContext) -> anyhow::Result<()> {
    let selection = match &args.filter {
        Some(filter) => PairSelection::Where(filter_of(filter)?),
        None => {
            let mut ids: HashSet<String> = args.id.iter().cloned().collect();
            if let Some(file) = &args.ids_file {
                let text = read_text(file, "one id per line")?;
                // Blank lines are no ids, or a trailing one would be reported as missing.
                let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
                ids.extend(lines.map(str::to_owned));
                if ids.is_empty() {
                    // An empty file is more likely a mistake than a wish to remove nothing.
                    let said = format!("{}: holds no id; write one id per line", file.display());
                    return Err(BadInput(said).into());
                }
            }
            PairSelection::Ids {
                ids,
                missing_ok: args.missing_ok,
            }
        }
    };
    let done = remove(&args.set, &selection, &args.write.options())?;
    receipt::print(&done, context)
}
