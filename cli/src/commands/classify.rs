//! `asif classify`.

use std::path::{Path, PathBuf};

use asif::anchors::AnchorsError;
use asif::classify::{Classifier, RankedLabel};
use asif::disk;
use asif::embed::InputRejection;
use asif::eval::page::{ExplanationDetail, PAIRS, PageEntry, page};
use asif::eval::predictions::{PredictionLayout, PredictionRow, PredictionWriter};
use asif::vector_files::{VectorBlock, VectorReader, row_file, row_place};
use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::context::CommandContext;
use crate::errors::exit::{BadInput, StrictInput};
use crate::errors::hints::{of_input, of_inputs};
use crate::options::args::EncodingLoad;
use crate::options::predictions::PredictionArgs;
use crate::options::query::{LabelArgs, QueryArgs, inputs};
use crate::options::vectors::{VectorQueryArgs, check_images};
use crate::output::format;
use crate::output::outputs::{OutputKind, check_outputs, output};

/// Vectors that are classified at a time.
const BLOCK: usize = 256;

/// From this many images on, a session on every core is worth its start.
const MANY: usize = 32;

/// Classify images by free-text labels.
///
/// Labels need no training. Each label is inserted into the prompt templates, encoded, and compared with
/// the image through the pairs of the anchor set.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("choice").args(["labels", "labels_file", "label_vectors"]).required(true).multiple(true))]
#[command(after_help = "\
Output:
  With --json, one line per image:
  {\"image\":\"a.jpg\",\"predictions\":[{\"label\":\"cat\",\"score\":0.91,\"similarity\":0.43},...]}
  score is the softmax over the labels, similarity the score in the space: for plain relative rows
  their dot product, in the default space standard deviations above the best scores of other pairs.
  An image that cannot be used has \"error\" instead of \"predictions\", and \"hint\" where an option of
  this command would help; the other images are still classified.
  With --image-vectors, one line per row of the file, in order, with its number from 0:
  {\"row\":0,\"predictions\":[...]}

  With --predictions, one row per input, in order: row (from 0), input, answer, score and similarity of the
  answer, error, and label, score and similarity of the --top best labels.

Examples:
  asif classify --index mine.asif --labels cat,dog,'a red bicycle' *.jpg
  asif classify --index mine.asif --labels-file labels.txt --html report.html photos/*.png
  asif classify --index mine.asif --image-vectors q.npy --label-vectors l.npy --json")]
pub struct ClassifyArgs {
    #[command(flatten)]
    labels: LabelArgs,

    /// How many labels to show for each image.
    #[arg(long, env = "ASIF_TOP", default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,

    /// Also write an HTML page with the pictures, and the anchor pairs behind each answer.
    #[arg(
        long,
        env = "ASIF_HTML",
        value_name = "FILE",
        conflicts_with = "image_vectors"
    )]
    html: Option<PathBuf>,

    /// Fail when an image cannot be used.
    #[arg(long, env = "ASIF_STRICT")]
    strict: bool,

    #[command(flatten)]
    predictions: PredictionArgs,

    #[command(flatten)]
    query: QueryArgs,

    #[command(flatten)]
    vectors: VectorQueryArgs,

    /// Image files.
    #[arg(required_unless_present = "image_vectors", value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// One line of JSON output.
#[derive(Serialize)]
struct ClassifyLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predictions: Option<&'a [RankedLabel]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

pub fn run(args: &ClassifyArgs, context: &CommandContext) -> anyhow::Result<()> {
    let out = output("--html", &args.html, OutputKind::Page);
    let mut read = inputs(&args.images, &args.labels, &args.query);
    read.extend(args.vectors.files());
    check_outputs([out, args.predictions.output()?], &read)?;
    let labels = args.vectors.labels(&args.labels, context)?;
    let vectors = args.vectors.images()?;
    let load = load_of(args.images.len());
    let session = args.query.open(context, load, args.vectors.needed())?;
    let templates = session.templates.clone().unwrap_or_default();
    let set = &session.set;
    let classifier = labels.classifier(set, &session, &templates, context)?;
    let mut out = args.predictions.begin(PredictionLayout {
        top: (args.top as usize).min(classifier.labels().len()),
        is_measured: false,
    })?;
    if let Some(vectors) = vectors {
        check_images(&vectors, set)?;
        return classify_vectors(args, &classifier, vectors, out, context);
    }
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
    for (row, (image, result)) in (0..).zip(&results) {
        if let Some(out) = &mut out {
            out.write(&PredictionRow {
                row,
                input: &image.display().to_string(),
                target: None,
                answer: result
                    .as_deref()
                    .map_err(|rejected| rejected.reason.as_str()),
            })?;
        }
        if context.json {
            let line = ClassifyLine {
                image: Some(image.display().to_string()),
                row: None,
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
    args.predictions.finish(out, context)?;
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
        let html = page(set, classifier.recipe(), ExplanationDetail::Brief, entries);
        disk::replace_file(file, html)?;
        context.note(format!("wrote {}", file.display()));
    }
    let bad = answers.iter().filter(|a| a.is_err()).count();
    judge(bad as u64, answers.len() as u64, args.strict)
}

/// An error if images could not be used: all of them, or, with `strict`, any.
fn judge(bad: u64, all: u64, strict: bool) -> anyhow::Result<()> {
    let said = || format!("{bad} of {all} images could not be used, see above");
    if bad > 0 && strict {
        return Err(StrictInput(said()).into());
    }
    if bad == all {
        return Err(BadInput(said()).into());
    }
    Ok(())
}

/// Classifies the rows of a file of image vectors, a block at a time.
fn classify_vectors(
    args: &ClassifyArgs,
    classifier: &Classifier<'_>,
    mut vectors: VectorReader,
    mut out: Option<PredictionWriter>,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let (dim, parts) = (vectors.dim(), vectors.parts());
    let mut block = VectorBlock::default();
    let (mut row, mut bad) = (0, 0);
    while vectors
        .next_block(BLOCK, &mut block)
        .map_err(AnchorsError::from)?
        > 0
    {
        let faulty = |at: usize| block.faults.iter().find(|(of, _)| *of == at);
        let rows = block.values.chunks_exact(dim).enumerate();
        let good = rows.filter(|(at, _)| faulty(*at).is_none());
        let mut answers = classifier
            .answers(good.map(|(_, vector)| vector.to_vec()).collect())?
            .into_iter();
        for at in 0..block.values.len() / dim {
            let fault = faulty(at).map(|(_, fault)| format!("{}: {fault}", row_place(&parts, row)));
            let ranked = match &fault {
                Some(fault) => Err(fault.as_str()),
                None => {
                    let answer = answers.next();
                    let answer = answer.expect("each vector without a fault has an answer");
                    Ok(classifier.ranked(&answer, args.top as usize))
                }
            };
            if let Some(out) = &mut out {
                out.write(&PredictionRow {
                    row,
                    input: &row_file(&parts, row),
                    target: None,
                    answer: ranked.as_deref().map_err(|fault| *fault),
                })?;
            }
            if context.json {
                context.print_line_json(&ClassifyLine {
                    image: None,
                    row: Some(row),
                    predictions: ranked.as_deref().ok(),
                    error: fault.clone(),
                    hint: None,
                })?;
            } else if let Ok(predictions) = &ranked {
                let name = format!("row {row}");
                context.print(table(Path::new(&name), predictions))?;
            }
            if let Some(fault) = fault {
                bad += 1;
                context.warn(format!("asif: {fault}"));
            }
            row += 1;
        }
    }
    args.predictions.finish(out, context)?;
    judge(bad, row, args.strict)
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
