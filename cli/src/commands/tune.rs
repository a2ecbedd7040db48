//! `asif tune`.

use std::path::PathBuf;

use asif::anchors::change::respace::respace;
use asif::anchors::change::reweigh::reweigh;
use asif::anchors::stored::plan::GraphPolicy;
use asif::anchors::{AnchorSet, ChangeReceipt};
use asif::encode::EncoderIdentity;
use asif::eval::Dataset;
use asif::eval::measure::EvaluationSubject;
use asif::eval::tune::{MOST_PAIRS, TunePairs, labelled};
use asif::modality::{Modality, PerModality};
use asif::space::Recipe;
use asif::space::recipe::WeightedPart;
use asif::space::tune::compare::RecipeMetrics;
use asif::space::tune::folds::FoldOptions;
use asif::space::tune::members::EncoderBlocks;
use asif::space::tune::{self, LabelledImages, TuneEstimate, TuneOutcome};
use clap::Args;
use serde::Serialize;

use crate::context::{CommandContext, open};
use crate::errors::hints::{of_inputs, of_not_asked};
use crate::options::args::{AcceptArgs, EncoderArgs, EncodingLoad};
use crate::options::receipt::{self, WriteArgs};
use crate::output::format;

/// Find the best recipe for the pairs of an anchor set, measured on held-out pairs.
///
/// Without labels, two tasks are measured and weighted equally: retrieval of held-out pairs, from image to
/// text and from text to image, and classification of images into clusters of texts that were held out
/// whole. The first measures accuracy near the anchors, the second away from them. With --validation,
/// labelled images replace the clusters. Shown are how often the right answer is ranked first, and the mean of
/// 1 / rank. The present recipe is kept unless another one is significantly better; the gain is then estimated
/// on pairs that were not used for the choice. If an anchor set has several encoders of a modality, their
/// weights are tried first; --apply then writes the vectors with the
/// new weights, which a server picks up like any other change.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  asif tune mine.asif
  asif tune mine.asif --apply
  asif tune mine.asif --validation labelled/ --table")]
pub struct TuneArgs {
    /// The anchor set.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif")]
    set: PathBuf,

    /// Folders of labelled images, one subfolder per class; never those that you report accuracy on.
    #[arg(long, env = "ASIF_VALIDATION", num_args = 1.., value_name = "IMAGEFOLDER")]
    validation: Vec<PathBuf>,

    /// Write the recommended recipe as a new generation; `asif rollback` undoes it.
    #[arg(long, env = "ASIF_APPLY")]
    apply: bool,

    /// Show all recipes that were tried.
    #[arg(long, env = "ASIF_TABLE")]
    table: bool,

    /// How many folds the choice is made on: in each, other pairs are held out and asked for. More are more
    /// reliable and slower.
    #[arg(long, env = "ASIF_FOLDS", value_name = "N", default_value_t = 3)]
    folds: usize,

    /// The random seed of the folds: the same seed gives the same result.
    #[arg(long, env = "ASIF_SEED", value_name = "N", default_value_t = 1)]
    seed: u64,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    encoders: EncoderArgs,

    #[command(flatten)]
    accept: AcceptArgs,
}

/// The JSON output.
#[derive(Serialize)]
struct TuneReport<'a> {
    #[serde(flatten)]
    tuned: &'a TuneOutcome,
    /// The differences between the recommended and the present recipe.
    changes: Vec<String>,
    /// The change, if --apply made one.
    #[serde(skip_serializing_if = "Option::is_none")]
    applied: Option<&'a ChangeReceipt>,
}

pub fn run(args: &TuneArgs, context: &CommandContext) -> anyhow::Result<()> {
    let mut set = open(&args.set, context)?;
    let labelled = validation(args, &mut set, context)?;
    // The weights that the stored vectors have, which the search scales from.
    let members = PerModality::of(|modality| blocks(&set.encoder(modality).identity));
    let pairs = TunePairs::read(&set, MOST_PAIRS)?;
    // Told, since the advice then rests on a sample.
    if set.len() > MOST_PAIRS {
        context.note(format!(
            "asif: tuned on {} of {} pairs",
            format::count(MOST_PAIRS as u64),
            format::count(set.len() as u64)
        ));
    }
    let recipe = set.manifest().space.clone();
    let subject = tune::TuneInput {
        vectors: pairs.vectors(),
        captions: pairs.captions(),
        recipe: &recipe,
        labelled: &labelled,
        members: &members,
    };
    let options = FoldOptions {
        seed: args.seed,
        // Without an inner fold there is nothing to choose on.
        inner: args.folds.max(1),
    };
    let watch = context.watch();
    let tuned = tune::tune(subject, &options, watch.progress, watch.cancel)?;
    // Only where the outer fold confirmed the gain; else `--apply` changes nothing.
    let applied = if args.apply && tuned.is_change() {
        let change = ("tune", changes(&tuned, &set).join("; "));
        let (recipe, options) = (&tuned.recommended, args.write.options());
        Some(match &tuned.members {
            // Other weights of encoders rewrite the vectors; another recipe alone is a line in the manifest.
            Some(to) => {
                let weights = to.as_ref().map(|blocks| blocks.weights.as_slice());
                let graphs = GraphPolicy::default();
                reweigh(&args.set, weights, recipe, change, graphs, &options)?
            }
            None => respace(&args.set, recipe, change, &options)?,
        })
    } else {
        None
    };
    if context.json {
        return context.print_json(&TuneReport {
            tuned: &tuned,
            changes: changes(&tuned, &set),
            applied: applied.as_ref(),
        });
    }
    if args.table {
        context.print(table(&tuned))?;
    }
    context.print(format::facts(&rows(&tuned, &labelled, &set)))?;
    match &applied {
        Some(done) => {
            context.print("")?;
            receipt::print(done, context)
        }
        None => Ok(()),
    }
}

fn validation(
    args: &TuneArgs,
    set: &mut AnchorSet,
    context: &CommandContext,
) -> anyhow::Result<Vec<LabelledImages>> {
    if args.validation.is_empty() {
        return Ok(Vec::new());
    }
    let datasets = args.validation.iter().map(|f| Dataset::load(f, None));
    let datasets: Vec<Dataset> = datasets.collect::<Result<_, _>>()?;
    context.note_left_out(&datasets);
    let embedder = args.encoders.open(context, Some(set), EncodingLoad::Many)?;
    args.accept.apply(set, &embedder)?;
    let subject = EvaluationSubject {
        set,
        embedder: &embedder,
        watch: context.watch(),
    };
    let mut all = Vec::new();
    for dataset in &datasets {
        let (labelled, rejected) = labelled(subject, dataset)?;
        for reason in &rejected {
            context.note(format!("asif: {reason}"));
        }
        for line in of_inputs(rejected.iter().map(|rejected| rejected.remedy)) {
            context.note(line);
        }
        all.push(labelled);
    }
    Ok(all)
}

fn rows(
    tuned: &TuneOutcome,
    labelled: &[LabelledImages],
    set: &AnchorSet,
) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        (
            "pairs",
            format!(
                "{}, {} distinct",
                format::count(tuned.pairs as u64),
                format::count(tuned.groups as u64)
            ),
        ),
        ("tried", format!("{} recipes", tuned.trials.len())),
        ("present", tuned.present.in_use(set.len())),
    ];
    if let Some(estimate) = &tuned.estimate {
        rows.extend(estimated(estimate, labelled));
    }
    let advice = if tuned.is_change() {
        format!("{}\n{}", tuned.recommended, changes(tuned, set).join("\n"))
    } else {
        "keep the present recipe".to_owned()
    };
    rows.push(("advice", format!("{advice}\n({})", tuned.reason)));
    rows
}

fn estimated(estimate: &TuneEstimate, labelled: &[LabelledImages]) -> Vec<(&'static str, String)> {
    let names: Vec<&str> = labelled.iter().map(|l| l.name.as_str()).collect();
    let classes = if names.is_empty() {
        "held-out clusters".to_owned()
    } else {
        names.join(", ")
    };
    type Metric = fn(&RecipeMetrics) -> Option<f64>;
    let line = |first: Metric, rank: Metric, asked: usize, what: &str| {
        let of = |recipe: &RecipeMetrics| Some((first(recipe)?, rank(recipe)?));
        match (of(&estimate.present), of(&estimate.found)) {
            (Some((old, before)), Some((new, after))) => format!(
                "right answer ranked first {:.1} -> {:.1} %, mean reciprocal rank {before:.3} -> {after:.3} ({asked} {what})",
                100.0 * old,
                100.0 * new,
            ),
            _ => match estimate.not_asked {
                None => format!("- ({asked} {what}: not measured)"),
                Some(why) => {
                    let hint =
                        of_not_asked(why).map_or_else(String::new, |hint| format!("\n{hint}"));
                    format!("- ({asked} {what}: {why}){hint}")
                }
            },
        }
    };
    vec![
        (
            "retrieval",
            line(
                |recipe| recipe.pairs_first,
                |recipe| recipe.pairs,
                estimate.asked.pairs,
                "held-out pairs",
            ),
        ),
        (
            "classes",
            line(
                |recipe| recipe.classes_first,
                |recipe| recipe.classes,
                estimate.asked.classes,
                &format!("images of {classes}"),
            ),
        ),
        (
            "gain",
            format!(
                "{:+.1} %, 95 % interval {:+.1} to {:+.1}, relative to the present recipe",
                100.0 * estimate.gain.value,
                100.0 * estimate.interval[0],
                100.0 * estimate.interval[1],
            ),
        ),
    ]
}

/// The encoders of a modality and their weights.
fn blocks(identity: &EncoderIdentity) -> EncoderBlocks {
    let cached = identity.cached();
    EncoderBlocks {
        dims: cached.iter().map(|m| m.dim).collect(),
        weights: cached.iter().map(|m| m.weight).collect(),
    }
}

/// The recommended changes: weights of encoders, then parts of the recipe.
fn changes(tuned: &TuneOutcome, set: &AnchorSet) -> Vec<String> {
    let mut lines = Vec::new();
    let weighed = tuned.members.iter().flat_map(PerModality::iter);
    for (modality, to) in Modality::BOTH.into_iter().zip(weighed) {
        let old = &set.encoder(modality).identity;
        // The name holds the weights, so equal names mean equal weights after rounding.
        if let Some((new, _)) = old.reweighed(&to.weights)
            && new.name != old.name
        {
            lines.extend([format!("- {}", old.name), format!("+ {}", new.name)]);
        }
    }
    lines.extend(differences(&tuned.present, &tuned.recommended));
    lines
}

/// The differences between two recipes, one line per part.
fn differences(old: &Recipe, new: &Recipe) -> Vec<String> {
    let line = |sign: &str, part: &WeightedPart| format!("{sign} {} {}", part.weight, part.part);
    let missing = |of: &Recipe, other: &Recipe, sign: &str| -> Vec<String> {
        // A part with another setting is shown as one that goes and one that comes.
        let parts = of.parts.iter().filter(|p| !other.parts.contains(p));
        parts.map(|p| line(sign, p)).collect()
    };
    let mut lines = missing(old, new, "-");
    lines.extend(missing(new, old, "+"));
    if old.calibration != new.calibration {
        for (sign, calibration) in [("-", old.calibration), ("+", new.calibration)] {
            if let Some(c) = calibration {
                lines.push(format!("{sign} {c}"));
            }
        }
    }
    lines
}

fn table(tuned: &TuneOutcome) -> String {
    let mean = |worth: Option<f64>| worth.map_or("-".to_owned(), |worth| format!("{worth:.4}"));
    let mut lines = vec![format!(
        "{:<18}{:>9}{:>9}{:>8}{:>7}   compared with the present recipe",
        "changed", "pairs", "classes", "gain %", "error"
    )];
    for trial in &tuned.trials {
        lines.push(format!(
            "{:<18}{:>9}{:>9}{:>+8.2}{:>7.2} {} {}",
            trial.axis.as_deref().unwrap_or("(present)"),
            mean(trial.worth.pairs),
            mean(trial.worth.classes),
            100.0 * trial.gain.value,
            100.0 * trial.gain.error,
            if trial.kept { "*" } else { " " },
            differences(&tuned.present, &trial.recipe).join("  ")
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
