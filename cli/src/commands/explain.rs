//! `asif explain`.

mod report;
mod text_pair;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use asif::anchors::change::select;
use asif::anchors::{AnchorSet, AnchorsError};
use asif::classify::{ClassifiedImage, Classifier};
use asif::disk;
use asif::embed::InputRejection;
use asif::eval::page::{ExplanationDetail, PageEntry, page};
use asif::space::prompts::{LabelList, PromptTemplates};
use asif::vector_files::{VectorReader, row_place};
use clap::Args;

use self::report::{CounterfactualAnswer, ExplainLine, ExplainOutcome, ImageExplanation};
use crate::commands::classify::load_of;
use crate::context::CommandContext;
use crate::errors::exit::{BadInput, UsageError};
use crate::errors::hints;
use crate::options::query::{LabelArgs, QueryArgs, inputs};
use crate::options::selection::filter_of;
use crate::options::vectors::{GivenLabels, VectorQueryArgs, check_images};
use crate::output::format;
use crate::output::outputs::{OutputKind, check_outputs, output};

/// The number of labels shown for each answer.
const LABELS: usize = 5;

/// Explain an answer by its anchor pairs, and show what it would be without some of them.
///
/// A score is a sum over anchor pairs. Listed are the pairs that contributed most to the score of the best
/// label (or of --label) and those that lowered it most, each with its similarities and its contribution.
/// The total of the other pairs and the calibration offset, which belongs to no pair, follow, so that all
/// lines add up to the score.
#[derive(Debug, Args)]
#[command(after_help = "\
Output:
  With --json, one line per image: predictions, and reasons with the pairs (supporting, opposing),
  others, offset (of the calibration), parts (the contribution of each part of the space) and unsplit
  (parts that are not sums over pairs: ridge and procrustes); with --without also the answer without the
  excluded pairs.

Examples:
  asif explain --index mine.asif --labels cat,dog photo.jpg
  asif explain --index mine.asif --labels cat,dog --label dog --html why.html photos/*.jpg
  asif explain --index mine.asif --labels cat,dog --without 'source=flickr8k' photo.jpg
  asif explain --index mine.asif --text-pair photo.jpg 'a dog runs on the beach'")]
pub struct ExplainArgs {
    #[command(flatten)]
    labels: LabelArgs,

    /// The label to explain [default: the best label of each image].
    #[arg(
        long,
        env = "ASIF_LABEL",
        value_name = "NAME",
        conflicts_with = "text_pair"
    )]
    label: Option<String>,

    /// Explain the score of one image and one caption, given as two arguments.
    #[arg(
        long,
        env = "ASIF_TEXT_PAIR",
        conflicts_with_all = ["LabelArgs", "VectorQueryArgs"]
    )]
    text_pair: bool,

    /// How many pairs to list for a label, and how many against it.
    #[arg(long, env = "ASIF_TOP", default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,

    #[command(flatten)]
    without: ExclusionArgs,

    /// Also write an HTML page with the images and those of the pairs.
    #[arg(
        long,
        env = "ASIF_HTML",
        value_name = "FILE",
        conflicts_with = "image_vectors"
    )]
    html: Option<PathBuf>,

    #[command(flatten)]
    query: QueryArgs,

    #[command(flatten)]
    vectors: VectorQueryArgs,

    /// Image files; with --text-pair an image file and a caption.
    #[arg(required_unless_present = "image_vectors", value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// Excluded pairs.
#[derive(Debug, Args)]
struct ExclusionArgs {
    /// Also show the answer with every pair excluded that has all of these values in its metadata.
    #[arg(long, env = "ASIF_WITHOUT", value_name = "KEY=VALUE ...")]
    without: Option<String>,

    /// Exclude the pair with this id as well; may be given several times.
    #[arg(long, env = "ASIF_WITHOUT_ID", value_name = "ID")]
    without_id: Vec<String>,
}

/// An anchor set without its excluded pairs.
struct RemainingSet {
    set: AnchorSet,
    what: String,
    pairs: usize,
}

impl ExclusionArgs {
    /// The anchor set without the excluded pairs; none if no pair is excluded.
    fn rest(&self, set: &AnchorSet) -> anyhow::Result<Option<RemainingSet>> {
        let mut rows = Vec::new();
        let mut what = Vec::new();
        if let Some(text) = &self.without {
            let filter = filter_of(text)?;
            rows = select::by_filter(set, &filter)?;
            if rows.is_empty() {
                return Err(select::no_match(set, &filter)?.into());
            }
            what.push(filter.to_string());
        }
        if !self.without_id.is_empty() {
            let ids = self.without_id.iter().cloned().collect();
            let (found, missing) = select::by_ids(set, &ids)?;
            if !missing.is_empty() {
                let said = format!("no live pair has the id {}", missing.join(" or "));
                return Err(BadInput(format!("{said}; `asif anchors list` lists the ids")).into());
            }
            rows.extend(found);
            what.push(self.without_id.join(", "));
        }
        if what.is_empty() {
            return Ok(None);
        }
        rows.sort_unstable();
        rows.dedup();
        Ok(Some(RemainingSet {
            set: set.without(&rows)?,
            what: what.join(", "),
            pairs: rows.len(),
        }))
    }
}

pub fn run(args: &ExplainArgs, context: &CommandContext) -> anyhow::Result<()> {
    let explained = explain_all(args, context);
    match args.text_pair {
        true => explained.map_err(text_pair::explained_error),
        false => explained,
    }
}

fn explain_all(args: &ExplainArgs, context: &CommandContext) -> anyhow::Result<()> {
    let out = output("--html", &args.html, OutputKind::Page);
    let mut read = inputs(&args.images, &args.labels, &args.query);
    read.extend(args.vectors.files());
    check_outputs([out], &read)?;
    let asked = ExplainTarget::read(args, context)?;
    let vectors = args.vectors.images()?;
    let load = load_of(asked.images.len());
    let question = args.query.open(context, load, args.vectors.needed())?;
    let set = &question.set;
    let templates = match (&asked.caption, &question.templates) {
        // A caption is compared as it is, without the words of a template.
        (true, _) => PromptTemplates::parse(["{}"])?,
        (false, given) => given.clone().unwrap_or_default(),
    };
    // Before the images are encoded, so that a wrong filter is told at once.
    let rest = args.without.rest(set)?;
    let classifier = |set| asked.labels.classifier(set, &question, &templates, context);
    let now = classifier(set)?;
    let then = rest
        .as_ref()
        .map(|rest| classifier(&rest.set))
        .transpose()?;
    // Explained one by one, but classified together, so that all workers are busy.
    let answers = match vectors {
        Some(vectors) => {
            check_images(&vectors, set)?;
            answers_of(&now, vectors)?
        }
        None => {
            let names = asked.images.iter().map(|image| AskedImage::File(image));
            names
                .zip(now.classify(asked.images, context.watch())?)
                .collect()
        }
    };
    let mut lines = Vec::new();
    for (image, answer) in answers {
        let found = match answer {
            Ok(answer) => {
                let mut explained = explain(&asked, args.top as usize, &now, &answer)?;
                if let (Some(then), Some(rest)) = (&then, &rest) {
                    explained.without = Some(without(&explained, rest, then, answer)?);
                }
                ExplainOutcome::Explained(Box::new(explained))
            }
            Err(InputRejection { reason, remedy }) => ExplainOutcome::Failed {
                error: reason,
                hint: remedy.and_then(hints::of_input),
            },
        };
        lines.push((image, found));
    }
    finish(args, context, set, &now, lines)
}

/// An image that is asked.
#[derive(Debug, Clone, Copy)]
enum AskedImage<'a> {
    File(&'a Path),
    /// A row of a file of vectors, counted from 0.
    Row(u64),
}

type AskedAnswer<'a> = (AskedImage<'a>, Result<ClassifiedImage, InputRejection>);

/// The answers for the rows of a file of image vectors.
fn answers_of(
    classifier: &Classifier<'_>,
    vectors: VectorReader,
) -> anyhow::Result<Vec<AskedAnswer<'static>>> {
    let (dim, parts) = (vectors.dim(), vectors.parts());
    let block = vectors.read_all().map_err(AnchorsError::from)?;
    let mut faults = block.faults.iter().peekable();
    let rows = block.values.chunks_exact(dim).enumerate();
    let answers = rows.map(|(row, vector)| {
        let answer = match faults.next_if(|(at, _)| *at == row) {
            Some((_, fault)) => {
                let place = row_place(&parts, row as u64);
                Err(InputRejection::from(format!("{place}: {fault}")))
            }
            None => {
                let mut answers = classifier.answers(vec![vector.to_vec()])?;
                Ok(answers.pop().expect("one vector has one answer"))
            }
        };
        Ok((AskedImage::Row(row as u64), answer))
    });
    answers.collect()
}

/// What is to be explained.
struct ExplainTarget<'a> {
    images: &'a [PathBuf],
    labels: GivenLabels,
    /// The index of the label to explain.
    class: Option<usize>,
    /// Whether the label is a caption, which is not put into templates.
    caption: bool,
}

impl<'a> ExplainTarget<'a> {
    fn read(args: &'a ExplainArgs, context: &CommandContext) -> anyhow::Result<Self> {
        if args.text_pair {
            let [image, caption] = args.images.as_slice() else {
                let found = args.images.len();
                return Err(UsageError(format!(
                    "--text-pair takes an image file and a caption, found {found} arguments; put the \
                     caption in quotes"
                ))
                .into());
            };
            return Ok(Self {
                images: std::slice::from_ref(image),
                labels: GivenLabels::Texts(LabelList::new([caption.to_string_lossy()])?),
                class: Some(0),
                caption: true,
            });
        }
        let labels = args.vectors.labels(&args.labels, context)?;
        let place = |name: &String| {
            let at = labels.names().iter().position(|label| label == name);
            at.ok_or_else(|| {
                let known = labels.names().join(", ");
                BadInput(format!(
                    "--label {name:?} is not one of the labels: {known}"
                ))
            })
        };
        Ok(Self {
            images: &args.images,
            class: args.label.as_ref().map(place).transpose()?,
            labels,
            caption: false,
        })
    }
}

fn explain(
    asked: &ExplainTarget<'_>,
    top: usize,
    classifier: &Classifier<'_>,
    answer: &ClassifiedImage,
) -> anyhow::Result<ImageExplanation> {
    let predictions = classifier.ranked(answer, LABELS);
    let best = predictions.first().expect("there is a label").class;
    Ok(ImageExplanation {
        reasons: classifier.reasons(answer, asked.class.unwrap_or(best), top)?,
        predictions,
        without: None,
    })
}

fn without(
    explained: &ImageExplanation,
    rest: &RemainingSet,
    then: &Classifier<'_>,
    answer: ClassifiedImage,
) -> anyhow::Result<CounterfactualAnswer> {
    let label = &explained.reasons.label;
    let class = then.labels().iter().position(|l| l == label);
    // The index may not be taken over: it is looked up by name in the other head.
    let class = class.expect("both are of the same labels");
    // The same vector in the other set: the image is not encoded twice.
    let mut answers = then.answers(vec![answer.vector])?;
    let answer = answers.pop().expect("one vector has one answer");
    Ok(CounterfactualAnswer {
        what: rest.what.clone(),
        pairs: rest.pairs,
        predictions: then.ranked(&answer, LABELS),
        score: answer.similarities[class],
    })
}

/// Prints the explanations, writes the page, and reports images that could not be used.
fn finish(
    args: &ExplainArgs,
    context: &CommandContext,
    set: &AnchorSet,
    classifier: &Classifier<'_>,
    lines: Vec<(AskedImage<'_>, ExplainOutcome)>,
) -> anyhow::Result<()> {
    let count = lines.len();
    let mut entries = Vec::new();
    let mut advised = BTreeSet::new();
    // A hint is given once, however many images it is for.
    for (image, found) in lines {
        match &found {
            ExplainOutcome::Failed { error, hint } => {
                context.note(format!("asif: {error}"));
                advised.extend(*hint);
            }
            ExplainOutcome::Explained(one) if !context.json => {
                let name = match image {
                    AskedImage::File(path) => path.to_owned(),
                    AskedImage::Row(row) => PathBuf::from(format!("row {row}")),
                };
                context.print(report::text(&name, one))?
            }
            ExplainOutcome::Explained(_) => {}
        }
        let line = ExplainLine {
            image: match image {
                AskedImage::File(path) => Some(path.display().to_string()),
                AskedImage::Row(_) => None,
            },
            row: match image {
                AskedImage::File(_) => None,
                AskedImage::Row(row) => Some(row),
            },
            found,
        };
        if context.json {
            context.print_line_json(&line)?;
        }
        // A page shows pictures, which vectors do not have.
        let path = match image {
            AskedImage::File(path) => path,
            AskedImage::Row(_) => Path::new(""),
        };
        if let ExplainOutcome::Explained(one) = line.found {
            entries.push(PageEntry {
                image: path,
                predictions: one.predictions,
                reasons: Some(one.reasons),
                without: one.without.map(|w| {
                    let pairs = format::count(w.pairs as u64);
                    (format!("{} ({pairs} pairs)", w.what), w.predictions)
                }),
            });
        }
    }
    for hint in advised {
        context.note(hints::line(hint));
    }
    // Nothing could be used at all, which is an error; some failures are lines in a list.
    if entries.is_empty() {
        return Err(BadInput(format!("0 of {count} images could be used, see above")).into());
    }
    if let Some(file) = &args.html {
        let html = page(set, classifier.recipe(), ExplanationDetail::Full, entries);
        disk::replace_file(file, html)?;
        context.note(format!("wrote {}", file.display()));
    }
    Ok(())
}
