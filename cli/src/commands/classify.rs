//! `asif classify`.

use std::path::{Path, PathBuf};

use asif::classify::{Classifier, RankedLabel};
use asif::disk;
use asif::embed::InputRejection;
use asif::eval::page::{ExplanationDetail, PAIRS, PageEntry, page};
use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::context::CommandContext;
use crate::errors::exit::{BadInput, StrictInput};
use crate::errors::hints::{of_input, of_inputs};
use crate::options::args::EncodingLoad;
use crate::options::query::{LabelArgs, QueryArgs, QuerySession, inputs};
use crate::output::format;
use crate::output::outputs::{OutputKind, check_outputs, output};

/// From this many images on, a session on every core is worth its start.
const MANY: usize = 32;

/// Classify images by free-text labels.
///
/// Labels need no training. Each label is inserted into the prompt templates, encoded, and compared with
/// the image through the pairs of the anchor set.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("choice").args(["labels", "labels_file"]).required(true))]
#[command(after_help = "\
Output:
  With --json, one line per image:
  {\"image\":\"a.jpg\",\"predictions\":[{\"label\":\"cat\",\"score\":0.91,\"similarity\":0.43},...]}
  score is the softmax over the labels, similarity the score in the space: for plain relative rows
  their dot product, in the default space standard deviations above the best scores of other pairs.
  An image that cannot be used has \"error\" instead of \"predictions\", and \"hint\" where an option of
  this command would help; the other images are still classified.

Examples:
  asif classify --index mine.asif --labels cat,dog,'a red bicycle' *.jpg
  asif classify --index mine.asif --labels-file labels.txt --html report.html photos/*.png")]
pub struct ClassifyArgs {
    #[command(flatten)]
    labels: LabelArgs,

    /// How many labels to show for each image.
    #[arg(long, env = "ASIF_TOP", default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,

    /// Also write an HTML page with the pictures, and the anchor pairs behind each answer.
    #[arg(long, env = "ASIF_HTML", value_name = "FILE")]
    html: Option<PathBuf>,

    /// Fail when an image cannot be used.
    #[arg(long, env = "ASIF_STRICT")]
    strict: bool,

    #[command(flatten)]
    query: QueryArgs,

    /// Image files.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// One line of JSON output.
#[derive(Serialize)]
struct ClassifyLine<'a> {
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<&'a [RankedLabel]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

pub fn run(args: &ClassifyArgs, context: &CommandContext) -> anyhow::Result<()> {
    let out = output("--html", &args.html, OutputKind::Page);
    check_outputs([out], &inputs(&args.images, &args.labels, &args.query))?;
    let labels = args.labels.read(context)?;
    let QuerySession {
        set,
        embedder,
        templates,
        options,
    } = args.query.open(context, load_of(args.images.len()))?;
    let templates = templates.unwrap_or_default();
    let watch = context.watch();
    let classifier = Classifier::new(&set, &embedder, &labels, &templates, options, watch)?;
    let answers = classifier.classify(&args.images, context.watch())?;
    let results: Vec<(&Path, Result<Vec<RankedLabel>, &InputRejection>)> = args
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
            let line = ClassifyLine {
                image: image.display().to_string(),
                predictions: result.as_deref().ok(),
                error: result.as_ref().err().map(|e| e.reason.clone()),
                hint: result.as_ref().err().and_then(|e| of_input(e.remedy?)),
            };
            context.print_line_json(&line)?;
        } else if let Ok(predictions) = result {
            context.print(table(image, predictions))?;
        }
        if let Err(rejected) = result {
            context.warn(format!("asif: {}", rejected.reason));
        }
    }
    let rejected = answers.iter().filter_map(|answer| answer.as_ref().err());
    for line in of_inputs(rejected.map(|rejected| rejected.remedy)) {
        context.warn(line);
    }
    if let Some(file) = &args.html {
        let mut entries = Vec::new();
        for (image, answer) in args.images.iter().zip(&answers) {
            let Ok(answer) = answer else { continue };
            let predictions = classifier.ranked(answer, args.top as usize);
            let first = predictions.first();
            let reasons = first.map(|p| classifier.reasons(answer, p.class, PAIRS));
            entries.push(PageEntry {
                image,
                reasons: reasons.transpose()?,
                predictions,
                without: None,
            });
        }
        let html = page(&set, classifier.recipe(), ExplanationDetail::Brief, entries);
        disk::replace_file(file, html)?;
        context.note(format!("wrote {}", file.display()));
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

/// The encoding load of a number of images.
pub fn load_of(images: usize) -> EncodingLoad {
    if images >= MANY {
        EncodingLoad::Many
    } else {
        EncodingLoad::Few
    }
}

/// An image with its labels, best first, as bars.
pub fn table(image: &Path, predictions: &[RankedLabel]) -> String {
    const BAR: f32 = 24.0;
    let labels: Vec<_> = predictions.iter().map(|p| format::line(&p.label)).collect();
    let width = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0);
    let mut text = format::line(&image.display().to_string()).into_owned();
    for (p, label) in predictions.iter().zip(&labels) {
        let bar = "█".repeat((p.score * BAR).round() as usize);
        let label = format::padded(label, width);
        text.push_str(&format!(
            "\n  {:5.1} %  {label}  {:6.3}  {bar}",
            p.score * 100.0,
            p.similarity
        ));
    }
    text
}
