//! `asif anchors list`, `show` and `export`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

use asif::anchors::change::select;
use asif::anchors::stored::records::PairRecord;
use asif::anchors::{AnchorId, AnchorSet};
use asif::disk::FileReplacement;
use asif::image_source::ImageSource;
use asif::pairs::path_text::{text_of, with_bytes_written};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::context::{CommandContext, open};
use crate::errors::exit::BadInput;
use crate::options::selection::filter_of;
use crate::output::format;
use crate::output::outputs::{OutputKind, check_outputs, output, refuse_source};

/// List the pairs of an anchor set: number, id, image and first caption.
///
/// With --json, one object per line.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
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
pub(super) struct ShowArgs {
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
pub(super) struct ExportArgs {
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

pub(super) fn run_list(args: &ListArgs, context: &CommandContext) -> anyhow::Result<()> {
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

pub(super) fn run_show(args: &ShowArgs, context: &CommandContext) -> anyhow::Result<()> {
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

pub(super) fn run_export(args: &ExportArgs, context: &CommandContext) -> anyhow::Result<()> {
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
