//! `asif eval`.

use std::path::{Path, PathBuf};

use asif::eval::measure::{EvaluationSubject, MeasuredReport, measure_retrieval, measure_zeroshot};
use asif::eval::{Dataset, retrieval_table, zeroshot_table};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::commands::scaling;
use crate::context::{CommandContext, open};
use crate::errors::hints::of_inputs;
use crate::options::args::{BOTH_NEEDED, EncodingLoad};
use crate::options::query::{AskArgs, QueryArgs, QuerySession, note_few};

/// Measure accuracy on labelled or captioned images.
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(subcommand)]
    command: EvalCommand,
}

#[derive(Debug, Subcommand)]
enum EvalCommand {
    /// Zero-shot classification: top-1, top-5 and mean per-class recall with 95 % intervals.
    ///
    /// A data set is a folder with one subfolder of images per class, or with meta.json (class names,
    /// templates, source) and labels.jsonl. The JSON output has the keys of CLIP_benchmark.
    Zeroshot(ZeroshotArgs),
    /// Image-text retrieval: recall at 1, 5 and 10 in both directions, with 95 % intervals.
    ///
    /// A data set is a folder with pairs.jsonl: an image and its captions on each line.
    Retrieval(RetrievalArgs),
    /// Accuracy against the number of anchors: random subsets of an anchor set, as a table and a plot.
    ///
    /// A draw is a random order of the pairs; its first N pairs are measured as if they were the whole
    /// anchor set. Intervals include the sampling of images and the spread of the draws.
    Scaling(scaling::ScalingArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  asif eval zeroshot --index mine.asif --dataset pets/ flowers/ --paper")]
struct ZeroshotArgs {
    /// One or more folders of labelled images.
    #[arg(long, env = "ASIF_DATASET", required = true, num_args = 1.., value_name = "IMAGEFOLDER")]
    dataset: Vec<PathBuf>,

    /// Other names for the classes, one `folder: name` per line.
    #[arg(long, env = "ASIF_CLASSNAMES", value_name = "FILE")]
    classnames: Option<PathBuf>,

    #[command(flatten)]
    query: QueryArgs,
}

#[derive(Debug, Args)]
struct RetrievalArgs {
    /// The anchor set.
    #[arg(long, env = "ASIF_INDEX", value_name = "DIR.asif")]
    index: PathBuf,

    /// One or more folders of captioned images.
    #[arg(long, env = "ASIF_DATASET", required = true, num_args = 1.., value_name = "FOLDER")]
    dataset: Vec<PathBuf>,

    #[command(flatten)]
    ask: AskArgs,
}

pub fn run(args: &EvalArgs, context: &CommandContext) -> anyhow::Result<()> {
    match &args.command {
        EvalCommand::Zeroshot(args) => zeroshot(args, context),
        EvalCommand::Retrieval(args) => retrieval(args, context),
        EvalCommand::Scaling(args) => scaling::run(args, context),
    }
}

fn zeroshot(args: &ZeroshotArgs, context: &CommandContext) -> anyhow::Result<()> {
    let datasets = load(&args.dataset, args.classnames.as_deref())?;
    let QuerySession {
        set,
        embedder,
        templates,
        options,
    } = args.query.open(context, EncodingLoad::Many, BOTH_NEEDED)?;
    let subject = EvaluationSubject {
        set: &set,
        embedder: &embedder,
        watch: context.watch(),
    };
    let mut reports = Vec::new();
    for dataset in &datasets {
        let measured = measure_zeroshot(subject, dataset, templates.as_ref(), options.clone())?;
        reports.push(noted(measured, context));
    }
    print(&reports, zeroshot_table, context)
}

fn retrieval(args: &RetrievalArgs, context: &CommandContext) -> anyhow::Result<()> {
    let mut set = open(&args.index, context)?;
    let space = args.ask.recipe(&set)?;
    note_few(&space, set.len(), context);
    let datasets = load(&args.dataset, None)?;
    let embedder = args.ask.embedder(context, &mut set, EncodingLoad::Many)?;
    let subject = EvaluationSubject {
        set: &set,
        embedder: &embedder,
        watch: context.watch(),
    };
    let mut reports = Vec::new();
    for dataset in &datasets {
        reports.push(noted(
            measure_retrieval(subject, dataset, &space, args.ask.mode())?,
            context,
        ));
    }
    print(&reports, retrieval_table, context)
}

fn load(folders: &[PathBuf], classnames: Option<&Path>) -> anyhow::Result<Vec<Dataset>> {
    Ok(folders
        .iter()
        .map(|f| Dataset::load(f, classnames))
        .collect::<Result<_, _>>()?)
}

/// The report; images that could not be used are named on standard error.
fn noted<R>(measured: MeasuredReport<R>, context: &CommandContext) -> R {
    for rejected in &measured.rejected {
        context.note(format!("asif: {rejected}"));
    }
    for line in of_inputs(measured.rejected.iter().map(|rejected| rejected.remedy)) {
        context.note(line);
    }
    measured.report
}

/// One data set gives one JSON object, as CLIP_benchmark writes it; several give a list.
fn print<R: Serialize + ToString>(
    reports: &[R],
    table: impl Fn(&[R]) -> String,
    context: &CommandContext,
) -> anyhow::Result<()> {
    match reports {
        [one] if context.json => context.print_json(one),
        several if context.json => context.print_json(&several),
        [one] => context.print(one.to_string()),
        several => {
            several
                .iter()
                .try_for_each(|r| context.print(r.to_string()))?;
            context.print(table(several))
        }
    }
}
