//! `asif classify`.

use std::path::{Path, PathBuf};

use asif::anchors::embed::Rejected;
use asif::classify::{Answer, Classifier, Prediction};
use asif::space::prompts::Labels;
use clap::Args;
use serde::Serialize;

use super::args::{AcceptArgs, EncoderArgs, HeadArgs, Load, SearchArgs, SpaceArgs};
use super::context::Context;
use super::exit::{BadInput, StrictInput};

/// Images a run that is worth starting a session on every core for.
const MANY: usize = 32;

/// Say which of some labels fits each image.
///
/// Labels are free text and need no training. Each is put into the prompt templates, encoded, and
/// compared with the image through the anchor pairs of the set.
#[derive(Debug, Args)]
#[command(after_help = "\
Output:
  With --json, one line an image:
  {\"image\":\"a.jpg\",\"predictions\":[{\"label\":\"cat\",\"score\":0.91,\"similarity\":0.43},...]}
  score is the softmax over the labels, similarity the dot product of the relative rows.
  An image that cannot be used has \"error\" instead of \"predictions\"; the others go on.

Examples:
  asif classify --index mine.asif --labels cat,dog,'a red bicycle' *.jpg
  asif classify --index mine.asif --labels-file labels.txt --html report.html photos/*.png")]
pub struct ClassifyArgs {
    /// The set.
    #[arg(long, env = "ASIF_INDEX", value_name = "DIR.asif")]
    index: PathBuf,

    /// The labels, separated by commas; a label's names in several languages by `|`, as in
    /// `cat|gato|Katze`.
    #[arg(
        long,
        env = "ASIF_LABELS",
        value_name = "A,B,C",
        required_unless_present = "labels_file"
    )]
    labels: Option<String>,

    /// The labels, one a line; `#` begins a comment. `label: what it looks like` gives a label a
    /// prompt of its own, tabs several; .json and .jsonl are read too.
    #[arg(
        long,
        env = "ASIF_LABELS_FILE",
        value_name = "FILE",
        conflicts_with = "labels"
    )]
    labels_file: Option<PathBuf>,

    /// How many labels to show for each image.
    #[arg(long, env = "ASIF_TOP", default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,

    /// Also write a page with the pictures, and the anchor pairs behind each answer.
    #[arg(long, env = "ASIF_HTML", value_name = "FILE")]
    html: Option<PathBuf>,

    /// End with an error when an image cannot be used.
    #[arg(long, env = "ASIF_STRICT")]
    strict: bool,

    #[command(flatten)]
    head: HeadArgs,

    #[command(flatten)]
    space: SpaceArgs,

    #[command(flatten)]
    search: SearchArgs,

    #[command(flatten)]
    encoders: EncoderArgs,

    #[command(flatten)]
    accept: AcceptArgs,

    /// Image files.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// One line of JSON output.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<&'a [Prediction]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub fn run(args: &ClassifyArgs, context: &Context) -> anyhow::Result<()> {
    let labels = match (&args.labels, &args.labels_file) {
        (Some(list), _) => Labels::parse(list)?,
        (None, Some(file)) => Labels::from_file(file)?,
        (None, None) => Labels::parse("")?,
    };
    let templates = args.head.templates()?.unwrap_or_default();
    let mut set = super::open(&args.index, context)?;
    let options = args
        .head
        .options(&args.space, &args.search, &set.manifest().space)?;
    let load = if args.images.len() >= MANY {
        Load::Many
    } else {
        Load::Few
    };
    let embedder = args.encoders.open(context, Some(&set), load)?;
    args.accept.apply(&mut set, &embedder)?;
    let classifier = Classifier::new(
        &set,
        &embedder,
        &labels,
        &templates,
        options,
        context.watch(),
    )?;
    let answers = classifier.classify(&args.images, context.watch())?;
    let results: Vec<(&Path, Result<Vec<Prediction>, &Rejected>)> = args
        .images
        .iter()
        .zip(&answers)
        .map(|(image, answer)| {
            let ranked = answer
                .as_ref()
                .map(|a| classifier.ranked(a, args.top as usize));
            (image.as_path(), ranked)
        })
        .collect();
    for (image, result) in &results {
        if context.json {
            let line = Line {
                image: image.display().to_string(),
                predictions: result.as_deref().ok(),
                error: result.as_ref().err().map(|e| e.reason.clone()),
            };
            context.print(serde_json::to_string(&line)?)?;
        } else if let Ok(predictions) = result {
            context.print(table(image, predictions))?;
        }
        if let Err(rejected) = result {
            context.note(format!("asif: {}", rejected.reason));
        }
    }
    if let Some(page) = &args.html {
        let good: Vec<(&Path, &Answer)> = args
            .images
            .iter()
            .zip(&answers)
            .filter_map(|(image, answer)| Some((image.as_path(), answer.as_ref().ok()?)))
            .collect();
        let html = asif::eval::page::page(&set, &classifier, &good, args.top as usize)?;
        fs_err::write(page, html)?;
        context.note(format!("wrote {}", page.display()));
    }
    let bad = answers.iter().filter(|a| a.is_err()).count();
    let said = || {
        format!(
            "{bad} of {} images could not be used, see above",
            answers.len()
        )
    };
    if bad > 0 && args.strict {
        return Err(StrictInput(said()).into());
    }
    if bad == answers.len() {
        return Err(BadInput(said()).into());
    }
    Ok(())
}

fn table(image: &Path, predictions: &[Prediction]) -> String {
    const BAR: f32 = 24.0;
    let width = predictions
        .iter()
        .map(|p| p.label.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = image.display().to_string();
    for p in predictions {
        let bar = "█".repeat((p.score * BAR).round() as usize);
        let label = &p.label;
        text.push_str(&format!(
            "\n  {:5.1} %  {label:<width$}  {:6.3}  {bar}",
            p.score * 100.0,
            p.similarity
        ));
    }
    text
}
