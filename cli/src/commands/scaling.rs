//! `asif eval scaling`.

use std::path::PathBuf;

use asif::disk;
use asif::eval::measure::EvaluationSubject;
use asif::eval::scaling::{ScalingPlan, ScalingReport, measure_scaling};
use asif::eval::{Dataset, scaling_table, svg};
use clap::Args;

use crate::context::CommandContext;
use crate::errors::hints::of_inputs;
use crate::options::args::{BOTH_NEEDED, EncodingLoad};
use crate::options::query::{QueryArgs, QuerySession};
use crate::output::outputs::{OutputKind, check_outputs, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  asif eval scaling --index mine.asif --dataset pets/ --sizes 500,1000,2000 --svg scaling.svg")]
pub struct ScalingArgs {
    /// One or more folders of labelled images.
    #[arg(long, env = "ASIF_DATASET", required = true, num_args = 1.., value_name = "IMAGEFOLDER")]
    dataset: Vec<PathBuf>,

    /// Other names for the classes, one `folder: name` per line.
    #[arg(long, env = "ASIF_CLASSNAMES", value_name = "FILE")]
    classnames: Option<PathBuf>,

    /// The numbers of anchors to measure with; a larger number than the anchor set has means all of them
    /// [default: 250, doubled up to all].
    #[arg(long, env = "ASIF_SIZES", value_delimiter = ',', value_name = "N,N,...", value_parser = clap::value_parser!(u32).range(1..))]
    sizes: Vec<u32>,

    /// How many random draws per size.
    #[arg(long, env = "ASIF_DRAWS", default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    draws: u64,

    /// The random seed: the same seed draws the same pairs.
    #[arg(long, env = "ASIF_SEED", default_value_t = 1, value_name = "N")]
    seed: u64,

    /// Also write the results as CSV.
    #[arg(long, env = "ASIF_CSV", value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Also draw the curves as SVG.
    #[arg(long, env = "ASIF_SVG", value_name = "FILE")]
    svg: Option<PathBuf>,

    #[command(flatten)]
    query: QueryArgs,
}

pub fn run(args: &ScalingArgs, context: &CommandContext) -> anyhow::Result<()> {
    let inputs: Vec<_> = args
        .classnames
        .as_deref()
        .into_iter()
        .chain(args.query.templates_file())
        .collect();
    let table = OutputKind::Table(ScalingReport::CSV_COLUMNS, Some(ScalingReport::CSV_DRAW));
    let outputs = [
        output("--csv", &args.csv, table),
        output("--svg", &args.svg, OutputKind::Drawing),
    ];
    check_outputs(outputs, &inputs)?;
    let datasets: Vec<Dataset> = args
        .dataset
        .iter()
        .map(|folder| Dataset::load(folder, args.classnames.as_deref()))
        .collect::<Result<_, _>>()?;
    context.note_left_out(&datasets);
    let QuerySession {
        set,
        embedder,
        templates,
        options,
    } = args.query.open(context, EncodingLoad::Many, BOTH_NEEDED)?;
    let sizes = if args.sizes.is_empty() {
        let doubled = std::iter::successors(Some(250), |n| Some(n * 2));
        let below = doubled.take_while(|n| *n < set.len());
        below.chain([set.len()]).collect()
    } else {
        args.sizes.iter().map(|n| *n as usize).collect()
    };
    let plan = ScalingPlan {
        sizes,
        draws: args.draws,
        seed: args.seed,
    };
    let subject = EvaluationSubject {
        set: &set,
        embedder: &embedder,
        watch: context.watch(),
    };
    let (report, rejected) =
        measure_scaling(subject, &datasets, templates.as_ref(), &options, &plan)?;
    for rejected in &rejected {
        context.note(format!("asif: {rejected}"));
    }
    for line in of_inputs(rejected.iter().map(|rejected| rejected.remedy)) {
        context.note(line);
    }
    for (file, text) in [(&args.csv, report.csv()), (&args.svg, svg(&report))] {
        if let Some(file) = file {
            disk::replace_file(file, text)?;
            context.note(format!("wrote {}", file.display()));
        }
    }
    if context.json {
        context.print_json(&report)
    } else {
        context.print(scaling_table(&report))
    }
}
