//! `asif anchors`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Write as _;
use std::path::PathBuf;

use asif::anchors::change::add::{AddOptions, AddReport, add};
use asif::anchors::change::add_vectors::{AddVectorsOptions, add_vectors};
use asif::anchors::change::compact::compact;
use asif::anchors::change::remove::{PairSelection, remove};
use asif::anchors::change::select;
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::stored::records::PairRecord;
use asif::anchors::{AnchorId, AnchorSet};
use asif::disk::FileReplacement;
use asif::image_source::ImageSource;
use asif::modality::PerModality;
use asif::pairs::path_text::{text_of, with_bytes_written};
use asif::vector_files::VectorSources;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::context::{CommandContext, open};
use crate::errors::exit::BadInput;
use crate::errors::hints::of_inputs;
use crate::files::read_text;
use crate::options::args::{AcceptArgs, EncoderArgs, EncodingLoad, ThumbnailArgs};
use crate::options::pairs::PairArgs;
use crate::options::receipt::{self, WriteArgs};
use crate::options::selection::{SelectionArgs, filter_of, not_taken};
use crate::options::vectors::{VectorPairArgs, note_left_out};
use crate::output::format;
use crate::output::outputs::{OutputKind, check_outputs, output, refuse_source};

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

/// List the pairs of an anchor set: number, id, image and first caption.
///
/// With --json, one object per line.
#[derive(Debug, Args)]
struct ListArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Only pairs that match: `KEY=VALUE ...`, or an expression (`asif build --help`).
    #[arg(long = "where", env = "ASIF_WHERE", value_name = "FILTER")]
    filter: Option<String>,

    /// Print only their number.
    #[arg(long, env = "ASIF_COUNT", conflicts_with_all = ["limit", "offset", "keys", "values"])]
    count: bool,

    /// List the keys of their metadata, each with the number of pairs that have it.
    #[arg(long, env = "ASIF_KEYS", conflicts_with = "values")]
    keys: bool,

    /// List the values of a key, each with the number of pairs that have it, the most frequent first.
    #[arg(long, env = "ASIF_VALUES", value_name = "KEY")]
    values: Option<String>,

    /// List at most this many pairs.
    #[arg(long, env = "ASIF_LIMIT", value_name = "N")]
    limit: Option<usize>,

    /// Skip this many pairs first.
    #[arg(long, env = "ASIF_OFFSET", value_name = "N", default_value_t = 0)]
    offset: usize,
}

/// Show everything that an anchor set stores about some pairs; with --json, one object per line.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Ids of pairs.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Write the pairs of an anchor set as JSON Lines, which `asif build --pairs` reads.
///
/// Images are written as paths, not copied; a name that is not UTF-8 as Python writes it (`\udcNN`).
#[derive(Debug, Args)]
struct ExportArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Where to write; standard output if not given.
    #[arg(long, env = "ASIF_OUT", value_name = "FILE.jsonl")]
    out: Option<PathBuf>,

    /// Write images by their names in their sources instead of their paths on this machine, for a list that
    /// is given away or lies beside the images.
    #[arg(long, env = "ASIF_IMAGE_NAMES")]
    image_names: bool,
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

fn run_list(args: &ListArgs, context: &CommandContext) -> anyhow::Result<()> {
    let filter = args.filter.as_deref().map(filter_of).transpose()?;
    let set = open(&args.set, context)?;
    let anchors: Vec<AnchorId> = match &filter {
        Some(filter) => {
            let rows = select::by_filter(&set, filter)?;
            rows.iter()
                .map(|&r| set.live().number(r) as AnchorId)
                .collect()
        }
        None => (0..set.len() as AnchorId).collect(),
    };
    if let (true, Some(filter)) = (anchors.is_empty(), &filter) {
        // An empty list is an answer, but what was meant may be another value.
        context.note(select::no_match(&set, filter)?.to_string());
    }
    if args.count {
        return match context.json {
            true => context.print_json(&json!({"pairs": anchors.len()})),
            false => context.print(anchors.len().to_string()),
        };
    }
    if args.keys || args.values.is_some() {
        return list_metadata(args, &set, &anchors, context);
    }
    let shown = anchors
        .iter()
        .skip(args.offset)
        .take(args.limit.unwrap_or(usize::MAX));
    for &anchor in shown {
        let record = set.record(anchor)?;
        if context.json {
            context.print_line_json(&line(anchor, &record))?;
        } else {
            let caption = record.captions.first().map_or("", String::as_str);
            let text = format!("{anchor:>7}  {}  {}  {caption}", record.id, record.image);
            context.print(format::line(&text))?;
        }
    }
    Ok(())
}

/// Keys of the metadata, or values of a key, with the numbers of pairs that have them.
fn list_metadata(
    args: &ListArgs,
    set: &AnchorSet,
    anchors: &[AnchorId],
    context: &CommandContext,
) -> anyhow::Result<()> {
    let mut tally: BTreeMap<String, u64> = BTreeMap::new();
    for &anchor in anchors {
        let record = set.record(anchor)?;
        let meta = record.metadata();
        let of_pair: BTreeSet<String> = match &args.values {
            None => meta.keys().cloned().collect(),
            Some(key) => record.fields(&meta).texts(key).into_iter().collect(),
        };
        for name in of_pair {
            *tally.entry(name).or_default() += 1;
        }
    }
    let mut all: Vec<(String, u64)> = tally.into_iter().collect();
    if args.values.is_some() {
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    }
    if let (true, Some(key)) = (all.is_empty(), &args.values) {
        let said =
            format!("no pair has the key {key:?}; `asif anchors list --keys` lists the keys");
        return Err(BadInput(said).into());
    }
    let name = if args.keys { "key" } else { "value" };
    let limit = args.limit.unwrap_or(usize::MAX);
    for (text, pairs) in all.into_iter().skip(args.offset).take(limit) {
        match context.json {
            true => context.print_line_json(&json!({name: text, "pairs": pairs}))?,
            false => context.print(format::line(&format!("{pairs:>7}  {text}")))?,
        }
    }
    Ok(())
}

fn run_show(args: &ShowArgs, context: &CommandContext) -> anyhow::Result<()> {
    let set = open(&args.set, context)?;
    let ids = args.ids.iter().cloned().collect();
    let (rows, missing) = select::by_ids(&set, &ids)?;
    for row in rows {
        let anchor = set.live().number(row) as AnchorId;
        let record = set.record(anchor)?;
        if context.json {
            context.print_line_json(&line(anchor, &record))?;
            continue;
        }
        let (segment, _) = set
            .place(row)
            .expect("the row belongs to a pair of this anchor set");
        let rows = [
            ("id", format::line(&record.id).into_owned()),
            ("anchor", anchor.to_string()),
            ("segment", set.manifest().segments[segment].id.clone()),
            ("image", format::line(&record.image).into_owned()),
            ("captions", format::list(&record.captions)),
            ("metadata", record.meta.clone()),
        ];
        context.print(format::facts(&rows))?;
    }
    // What was found is shown first; the missing ids decide the exit code.
    if missing.is_empty() {
        return Ok(());
    }
    let said = format!("no live pair has the id {}", missing.join(" or "));
    Err(BadInput(format!("{said}; `asif anchors list` lists the ids")).into())
}

/// A pair as `list` and `show` print it.
fn line(anchor: AnchorId, record: &PairRecord) -> Value {
    let mut line = exported(record);
    line.insert("anchor".into(), json!(anchor));
    Value::Object(line)
}

/// A pair in the form that pair sources have.
fn exported(record: &PairRecord) -> Map<String, Value> {
    let mut line = record.metadata();
    line.insert("id".into(), json!(record.id));
    line.insert("image".into(), json!(record.image));
    line.insert("captions".into(), json!(record.captions));
    line
}

fn run_export(args: &ExportArgs, context: &CommandContext) -> anyhow::Result<()> {
    check_outputs([output("--out", &args.out, OutputKind::Pairs)], &[])?;
    let set = open(&args.set, context)?;
    // Overwriting a source would lose what the set was made from.
    if let Some(out) = &args.out {
        refuse_source("--out", out, set.path())?;
    }
    let lines = (0..set.len() as AnchorId).map(|anchor| {
        let mut pair = exported(&set.record(anchor)?);
        // The name in the record is relative to a folder that the reader of the list may not know.
        if let Some(ImageSource::File(path)) = set.image(anchor)?.filter(|_| !args.image_names) {
            pair.insert("image".into(), json!(text_of(&path)));
        }
        anyhow::Ok(Value::Object(pair))
    });
    let Some(out) = &args.out else {
        return lines
            .into_iter()
            .try_for_each(|line| context.print(with_bytes_written(line?.to_string())));
    };
    // Written aside and renamed, so that a list which breaks off replaces nothing.
    let mut file = std::io::BufWriter::new(FileReplacement::begin(out)?);
    for line in lines {
        writeln!(file, "{}", with_bytes_written(line?.to_string()))?;
    }
    file.into_inner().map_err(|e| e.into_error())?.finish()?;
    context.note(format!("wrote {}", out.display()));
    if context.json {
        return context.print_json(&json!({"out": out, "pairs": set.len()}));
    }
    Ok(())
}
