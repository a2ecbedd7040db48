//! `asif eval`.

use std::path::{Path, PathBuf};

use asif::eval::measure::{
    EvaluationSubject, MeasuredReport, measure_retrieval, measure_zeroshot,
    measure_zeroshot_vectors,
};
use asif::eval::predictions::{PredictionLayout, PredictionWriter};
use asif::eval::{Dataset, ZeroshotReport, retrieval_table, zeroshot_table};
use asif::vector_files::VectorReader;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::commands::scaling;
use crate::context::{CommandContext, open};
use crate::errors::exit::{BadInput, UsageError};
use crate::errors::hints::of_inputs;
use crate::files::read_text;
use crate::options::args::{BOTH_NEEDED, EncodingLoad};
use crate::options::predictions::{ClassFileArgs, PredictionArgs};
use crate::options::query::{AskArgs, LabelArgs, QueryArgs, QuerySession, inputs, note_few};
use crate::options::vectors::{VectorQueryArgs, check_images};
use crate::output::outputs::check_outputs;

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
  asif eval zeroshot --index mine.asif --dataset pets/ flowers/ --paper
  asif eval zeroshot --index mine.asif --dataset pets/ --predictions p.csv --per-class c.csv --confusion m.png
  asif eval zeroshot --index mine.asif --image-vectors q.npy --label-vectors l.npy --targets t.txt")]
struct ZeroshotArgs {
    /// One or more folders of labelled images.
    #[arg(
        long = "dataset",
        id = "images",
        env = "ASIF_DATASET",
        required_unless_present = "image_vectors",
        num_args = 1..,
        value_name = "IMAGEFOLDER"
    )]
    dataset: Vec<PathBuf>,

    #[command(flatten)]
    vectors: VectorQueryArgs,

    #[command(flatten)]
    labels: LabelArgs,

    /// With --image-vectors: the label of each row, one per line, as its name or its number from 0.
    #[arg(
        long,
        env = "ASIF_TARGETS",
        value_name = "FILE",
        requires = "image_vectors"
    )]
    targets: Option<PathBuf>,

    /// Other names for the classes, one `folder: name` per line.
    #[arg(long, env = "ASIF_CLASSNAMES", value_name = "FILE")]
    classnames: Option<PathBuf>,

    #[command(flatten)]
    predictions: PredictionArgs,

    /// With --predictions: how many labels to write for each image [default: 5].
    #[arg(long, env = "ASIF_TOP", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: Option<u32>,

    #[command(flatten)]
    files: ClassFileArgs,

    #[command(flatten)]
    query: QueryArgs,
}

/// The labels that are written for each image unless told otherwise.
const TOP: u32 = 5;

impl ZeroshotArgs {
    /// Refuses files that could not be written, before the work.
    fn check_outputs(&self) -> anyhow::Result<()> {
        // The variable may be set for other commands.
        let is_of_variable = std::env::var_os("ASIF_TOP").is_some();
        if self.top.is_some() && !self.predictions.is_given() && !is_of_variable {
            let said = "--top is for --predictions; give --predictions FILE too, or leave it out";
            return Err(UsageError(said.to_owned()).into());
        }
        let lists = [&self.classnames, &self.targets].into_iter().flatten();
        let mut read = inputs(&[], &self.labels, &self.query);
        read.extend(lists.map(PathBuf::as_path).chain(self.vectors.files()));
        let [per_class, confusion] = self.files.outputs(self.dataset.len())?;
        check_outputs([self.predictions.output()?, per_class, confusion], &read)
    }

    /// Begins the file of predictions among this many classes.
    fn begin_predictions(&self, classes: usize) -> anyhow::Result<Option<PredictionWriter>> {
        self.predictions.begin(PredictionLayout {
            top: (self.top.unwrap_or(TOP) as usize).min(classes),
            is_measured: true,
        })
    }

    /// Writes all files, and the figures to standard output.
    fn write(
        &self,
        reports: &[ZeroshotReport],
        predictions: Option<PredictionWriter>,
        context: &CommandContext,
    ) -> anyhow::Result<()> {
        self.predictions.finish(predictions, context)?;
        self.files.write(reports, context)?;
        print(reports, zeroshot_table, context)
    }
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

/// Measures on the rows of a file of image vectors.
fn zeroshot_vectors(
    args: &ZeroshotArgs,
    images: VectorReader,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let Some(file) = &args.targets else {
        let said = "--image-vectors needs the label of each row; give --targets FILE";
        return Err(UsageError(said.to_owned()).into());
    };
    let labels = args.vectors.labels(&args.labels, context)?;
    let targets = targets(file, labels.names(), &images)?;
    let needed = args.vectors.needed();
    let session = args.query.open(context, EncodingLoad::Many, needed)?;
    let templates = session.templates.clone().unwrap_or_default();
    let classifier = labels.classifier(&session.set, &session, &templates, context)?;
    check_images(&images, &session.set)?;
    let name = images.path().display().to_string();
    let (set, options) = (&session.set, &session.options);
    let mut out = args.begin_predictions(classifier.labels().len())?;
    let measured = measure_zeroshot_vectors(
        set,
        &classifier,
        &name,
        images,
        targets,
        options,
        out.as_mut(),
    )?;
    args.write(&[noted(measured, context)], out, context)
}

/// The number of each row's label.
fn targets(file: &Path, labels: &[String], images: &VectorReader) -> anyhow::Result<Vec<usize>> {
    let text = read_text(
        file,
        "the label of each row of the image vectors, one per line",
    )?;
    let line = |(line, text): (usize, &str)| {
        let text = text.trim();
        let named = labels.iter().position(|label| label == text);
        let numbered = || text.parse().ok().filter(|number| *number < labels.len());
        named.or_else(numbered).ok_or_else(|| {
            let (file, line) = (file.display(), line + 1);
            BadInput(format!(
                "{file}, line {line}: {text:?} is neither one of the {} labels nor the number of one, from 0",
                labels.len()
            ))
        })
    };
    let found: Vec<usize> = text
        .lines()
        .enumerate()
        .map(line)
        .collect::<Result<_, _>>()?;
    if found.len() as u64 != images.rows() {
        let said = format!(
            "{} has {} rows and {} has {}; give the label of each row",
            images.path().display(),
            images.rows(),
            file.display(),
            found.len()
        );
        return Err(BadInput(said).into());
    }
    Ok(found)
}

fn zeroshot(args: &ZeroshotArgs, context: &CommandContext) -> anyhow::Result<()> {
    args.check_outputs()?;
    if let Some(images) = args.vectors.images()? {
        return zeroshot_vectors(args, images, context);
    }
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
    let classes = datasets.iter().map(Dataset::classes).max().unwrap_or(0);
    let mut out = args.begin_predictions(classes)?;
    let mut reports = Vec::new();
    for dataset in &datasets {
        let options = options.clone();
        let measured =
            measure_zeroshot(subject, dataset, templates.as_ref(), options, out.as_mut())?;
        reports.push(noted(measured, context));
    }
    args.write(&reports, out, context)
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
