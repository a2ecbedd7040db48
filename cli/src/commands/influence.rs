//! `asif anchors influence`.

use std::path::{Path, PathBuf};

use asif::disk::FileReplacement;
use asif::eval::Dataset;
use asif::eval::anchors::influence::{
    AnchorInfluence, InfluenceOptions, InfluenceReport, influence,
};
use asif::eval::measure::EvaluationSubject;
use clap::Args;
use serde::Serialize;

use crate::context::{CommandContext, open};
use crate::errors::exit::BadInput;
use crate::errors::hints::of_inputs;
use crate::options::args::EncodingLoad;
use crate::options::query::ScoreArgs;
use crate::output::format;
use crate::output::outputs::{OutputKind, check_outputs, output};

/// Measure which anchors and which sources help or harm on labelled images.
///
/// For each anchor: how much larger the mean margin of the right label is with it than without it, and
/// how many answers change. Computed in one pass from the plain relative rows alone, whatever other parts
/// the space of the anchor set has: a row without the anchor is renormalised, but not refilled with the
/// next nearest anchor. When a whole source is excluded, rows are refilled. The mean of the anchors is kept
/// in both cases.
#[derive(Debug, Args)]
#[command(after_help = "\
Choose what to remove on one data set and evaluate on another, or the choice overfits to chance.

Example:
  asif anchors influence mine.asif --dataset validation/ --csv influence.csv")]
pub struct InfluenceArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// A folder of labelled images.
    #[arg(
        long,
        env = "ASIF_DATASET",
        required = true,
        value_name = "IMAGEFOLDER"
    )]
    dataset: PathBuf,

    /// Other names for the classes, one `folder: name` per line.
    #[arg(long, env = "ASIF_CLASSNAMES", value_name = "FILE")]
    classnames: Option<PathBuf>,

    /// How many of the most helpful and of the most harmful anchors to show.
    #[arg(long, env = "ASIF_TOP", value_name = "N", default_value_t = 10)]
    top: usize,

    /// Also write every anchor as CSV.
    #[arg(long, env = "ASIF_CSV", value_name = "FILE")]
    csv: Option<PathBuf>,

    #[command(flatten)]
    score: ScoreArgs,
}

pub fn run(args: &InfluenceArgs, context: &CommandContext) -> anyhow::Result<()> {
    let inputs: Vec<_> = args
        .classnames
        .as_deref()
        .into_iter()
        .chain(args.score.templates_file())
        .collect();
    let columns = COLUMNS.join(",");
    let csv = OutputKind::Table(&columns, None);
    check_outputs([output("--csv", &args.csv, csv)], &inputs)?;
    let dataset = Dataset::load(&args.dataset, args.classnames.as_deref())?;
    context.note_left_out([&dataset]);
    let mut set = open(&args.set, context)?;
    let head = args.score.options(&set)?;
    let rows = head.space.plain().copied().ok_or_else(|| {
        BadInput(
            "the space has no relative rows, so no anchor can be left out of them; add --space asif"
            .to_owned(),
        )
    })?;
    if head.space.parts.len() > 1 || head.space.calibration.is_some() {
        context.note(
            "asif: influence is measured on the plain relative rows (asif) of this space, without \
             a correction for hubs",
        );
    }
    let options = InfluenceOptions {
        params: rows,
        mode: head.mode,
        aggregate: head.aggregate,
    };
    let templates = args.score.templates(context)?;
    let embedder = args
        .score
        .ask()
        .embedder(context, &mut set, EncodingLoad::Many)?;
    let subject = EvaluationSubject {
        set: &set,
        embedder: &embedder,
        watch: context.watch(),
    };
    let found = influence(subject, &dataset, templates.as_ref(), options)?;
    for rejected in &found.rejected {
        context.note(format!("asif: {}", rejected.reason));
    }
    for line in of_inputs(found.rejected.iter().map(|rejected| rejected.remedy)) {
        context.note(line);
    }
    if let Some(file) = &args.csv {
        write_csv(file, &found)?;
        context.note(format!("wrote {}", file.display()));
    }
    if context.json {
        return context.print_json(&found);
    }
    context.print(table(&found, args.top))
}

/// The names of the fields of [`InfluenceRow`].
const COLUMNS: [&str; 8] = [
    "anchor", "id", "source", "images", "margin", "lost", "gained", "caption",
];

#[derive(Serialize)]
struct InfluenceRow<'a> {
    anchor: u32,
    id: &'a str,
    source: &'a str,
    images: u64,
    margin: f64,
    lost: u64,
    gained: u64,
    caption: &'a str,
}

fn write_csv(file: &Path, found: &InfluenceReport) -> anyhow::Result<()> {
    let file = FileReplacement::begin(file)?;
    let mut out = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(file);
    // Written here, because the serializer writes the header only with a first row.
    out.write_record(COLUMNS)?;
    for a in &found.anchors {
        out.serialize(InfluenceRow {
            anchor: a.anchor,
            id: &a.id,
            source: &a.source,
            images: a.effect.images,
            margin: a.effect.margin,
            lost: a.effect.lost,
            gained: a.effect.gained,
            caption: &a.caption,
        })?;
    }
    let file = out.into_inner().map_err(|e| e.into_error())?;
    Ok(file.finish()?)
}

fn table(found: &InfluenceReport, top: usize) -> String {
    let accuracy = found.accuracy;
    let mut text = format!(
        "{}: {} images, top-1 {:.1} % ({:.1} to {:.1}), mean margin {:.4}\n\n\
         sources: pairs, margin lost without it, right answers lost and gained without it, top-1 without it",
        found.dataset,
        found.images,
        accuracy.value * 100.0,
        accuracy.low * 100.0,
        accuracy.high * 100.0,
        found.margin
    );
    for s in &found.sources {
        let name = match s.source.as_str() {
            "" => "(not stated)".into(),
            source => format::line(source),
        };
        text.push_str(&format!(
            "\n  {:>7}  {:+.4}  -{:<4} +{:<4} {:5.1} %  {name}",
            s.pairs,
            s.effect.margin,
            s.effect.lost,
            s.effect.gained,
            s.accuracy_without * 100.0
        ));
    }
    let mut list = |title: &str, anchors: &mut dyn Iterator<Item = &AnchorInfluence>| {
        text.push_str(&format!(
            "\n\n{title}: margin lost without it, right answers lost and gained without it"
        ));
        for a in anchors.take(top) {
            text.push_str(&format!(
                "\n  {:+.6}  -{:<3} +{:<3} {}  {}",
                a.effect.margin,
                a.effect.lost,
                a.effect.gained,
                format::line(&a.id),
                format::line(&a.caption)
            ));
        }
    };
    list(
        "most helpful",
        &mut found.anchors.iter().filter(|a| a.effect.margin > 0.0),
    );
    list(
        "most harmful",
        &mut found.anchors.iter().rev().filter(|a| a.effect.margin < 0.0),
    );
    text
}
