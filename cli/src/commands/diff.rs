//! `asif diff`.

use std::path::PathBuf;

use asif::anchors::AnchorSet;
use asif::anchors::care::diff::diff;
use asif::classify::Classifier;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::context::{CommandContext, open_at};
use crate::options::args::EncodingLoad;
use crate::options::query::{LabelArgs, ScoreArgs};
use crate::output::format;

/// Compare two anchor sets, or two generations of one: which pairs and which answers differ.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif diff mine.asif@3 mine.asif
  asif diff old.asif new.asif --labels cat,dog --probe photos/*.jpg")]
pub struct DiffArgs {
    /// An anchor set, or with @N its generation N.
    #[arg(value_name = "A.asif[@N]")]
    a: String,

    /// The other one.
    #[arg(value_name = "B.asif[@N]")]
    b: String,

    /// Images to classify with both.
    #[arg(long, env = "ASIF_PROBE", num_args = 1.., value_name = "IMAGE", requires = "LabelArgs")]
    probe: Vec<PathBuf>,

    #[command(flatten)]
    labels: LabelArgs,

    #[command(flatten)]
    score: ScoreArgs,
}

/// An image whose best label differs.
#[derive(Debug, Serialize)]
struct ChangedAnswer {
    image: String,
    a: String,
    b: String,
}

pub fn run(args: &DiffArgs, context: &CommandContext) -> anyhow::Result<()> {
    let mut sets = [open_at(&args.a, context)?, open_at(&args.b, context)?];
    let pairs = diff(&sets[0], &sets[1])?;
    let answers = match args.probe.is_empty() {
        true => None,
        false => Some(probe(args, &mut sets, context)?),
    };
    if context.json {
        let mut json = json!(pairs);
        if let Some(answers) = &answers {
            json["answers_changed"] = json!(answers);
            json["probed"] = args.probe.len().into();
        }
        return context.print_json(&json);
    }
    let ids = |ids: &[String]| {
        let shown = &ids[..ids.len().min(20)];
        let more = if ids.len() > shown.len() { "\n..." } else { "" };
        format!(
            "{}\n{}{more}",
            format::count(ids.len() as u64),
            format::list(shown)
        )
    };
    let mut rows = vec![
        ("same", format::count(pairs.same)),
        ("gained", ids(&pairs.gained)),
        ("lost", ids(&pairs.lost)),
        ("changed", ids(&pairs.changed)),
    ];
    if let Some(answers) = &answers {
        let line = |c: &ChangedAnswer| {
            let text = format!("{}: {} -> {}", c.image, c.a, c.b);
            format!("\n{}", format::line(&text))
        };
        let lines: String = answers.iter().map(line).collect();
        let count = format!("{} of {} images{lines}", answers.len(), args.probe.len());
        rows.push(("answers", count));
    }
    context.print(format::facts(&rows))
}

fn probe(
    args: &DiffArgs,
    sets: &mut [AnchorSet; 2],
    context: &CommandContext,
) -> anyhow::Result<Vec<ChangedAnswer>> {
    let labels = args.labels.read(context)?;
    let templates = args.score.templates(context)?.unwrap_or_default();
    let mut best = Vec::new();
    for set in sets {
        let options = args.score.options(set)?;
        let embedder = args
            .score
            .ask()
            .embedder(context, set, EncodingLoad::Many)?;
        let watch = context.watch();
        let classifier = Classifier::new(set, &embedder, &labels, &templates, options, watch)?;
        let mut of_set = Vec::new();
        for answer in classifier.classify(&args.probe, context.watch())? {
            let answer = answer?;
            let mut first = classifier.ranked(&answer, 1);
            of_set.push(first.pop().expect("there is a label").label);
        }
        best.push(of_set);
    }
    let pairs = args.probe.iter().zip(best[0].iter().zip(&best[1]));
    Ok(pairs
        .filter(|(_, (a, b))| a != b)
        .map(|(image, (a, b))| ChangedAnswer {
            image: image.display().to_string(),
            a: a.clone(),
            b: b.clone(),
        })
        .collect())
}
