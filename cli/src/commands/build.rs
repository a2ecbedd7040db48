//! `asif build`.

use std::path::PathBuf;

use asif::anchors::change::build::{BuildOptions, BuildReport, build, build_vectors, check};
use asif::anchors::change::writer::KEEP;
use asif::anchors::stored::plan::GraphPolicy;
use asif::space::Recipe;
use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};

use crate::context::CommandContext;
use crate::errors::hints::of_inputs;
use crate::options::args::{EncoderArgs, EncodingLoad, SpaceArgs, ThumbnailArgs};
use crate::options::pairs::PairArgs;
use crate::options::query::note_few;
use crate::options::receipt;
use crate::options::selection::{SelectionArgs, not_taken};
use crate::options::vectors::{VectorPairArgs, note_left_out};
use crate::output::format;
use crate::output::outputs::{OutputPlace, refuse_dash};

/// The end of `--help`.
fn sources() -> String {
    let sources = asif::pairs::sources_help();
    format!(
        "Sources of pairs:\n{sources}Paths of images are relative to the file that names them.\n\n\
         Examples:\n  asif build --pairs shop.csv holiday-photos/ --out mine.asif\n  \
         asif build --image-vectors img.npy --text-vectors txt.npy --metadata pairs.jsonl --out mine.asif\n  \
         asif build --vectors clip-retrieval-output/ --image-encoder-name ViT-B-32 --out mine.asif"
    )
}

/// Build an anchor set from image-text pairs.
///
/// Each pair is an image and one or more captions. Images are encoded by the image encoder, captions by
/// the text encoder; the two encoders need no joint training.
///
/// Embeddings are cached, so an interrupted build continues where it stopped when the same command is
/// run again, and a build after a change encodes only what changed. A row that cannot be used is
/// counted, listed and skipped.
#[derive(Debug, Args)]
#[command(after_help = sources())]
pub struct BuildArgs {
    /// Files or folders of pairs.
    #[arg(
        long,
        env = "ASIF_PAIRS",
        required_unless_present_any = ["image_vectors", "vectors"],
        conflicts_with_all = ["image_vectors", "vectors"],
        num_args = 1..,
        value_name = "FILE_OR_DIR"
    )]
    pairs: Vec<PathBuf>,

    #[command(flatten)]
    vectors: VectorPairArgs,

    #[command(flatten)]
    reading: PairArgs,

    /// The anchor set to build, a folder; by convention its name ends in .asif.
    #[arg(long, env = "ASIF_OUT", value_name = "DIR.asif")]
    out: PathBuf,

    /// Replace the content of an existing anchor set by publishing a new generation; queries that run
    /// meanwhile see the old generation, then the new one, and `asif rollback` goes back.
    #[arg(long, env = "ASIF_OVERWRITE")]
    overwrite: bool,

    /// How many generations of the anchor set are kept for rollback, including the new one. A generation
    /// that shares no segment with the others takes the disk space of a whole anchor set.
    #[arg(long, env = "ASIF_KEEP", value_name = "N", default_value_t = KEEP, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    keep: usize,

    /// Fail at the first bad row instead of skipping it.
    #[arg(long, env = "ASIF_STRICT", conflicts_with = "max_errors")]
    strict: bool,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    thumbnails: ThumbnailArgs,

    /// Whether to build graphs (HNSW), which answer single queries over very many anchors faster than a
    /// scan.
    #[arg(long, env = "ASIF_GRAPH", value_enum, default_value_t = GraphArg::Auto)]
    graph: GraphArg,

    #[command(flatten)]
    encoders: EncoderArgs,

    #[command(flatten)]
    space: SpaceArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GraphArg {
    /// Where a graph is expected to be faster on this machine.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

pub fn run(args: &BuildArgs, context: &CommandContext) -> anyhow::Result<()> {
    refuse_dash("--out", &args.out, OutputPlace::Folder)?;
    let sources = args.vectors.sources()?;
    if sources.is_some() {
        args.selection.refuse_with_vectors()?;
        args.reading.refuse_with_vectors()?;
    }
    let options = BuildOptions {
        pairs: match &sources {
            Some(sources) => sources.paths(),
            None => args.pairs.clone(),
        },
        reading: args.reading.options()?,
        out: args.out.clone(),
        overwrite: args.overwrite,
        keep: args.keep,
        selection: args.selection.selection()?,
        strict: args.strict,
        space: args.space.over(&Recipe::default())?,
        thumbnails: args.thumbnails.kept(),
        graphs: match args.graph {
            GraphArg::Auto => GraphPolicy::Auto,
            GraphArg::Always => GraphPolicy::Always,
            GraphArg::Never => GraphPolicy::Never,
        },
    };
    let report = match sources {
        Some(sources) => {
            note_left_out(&sources, context);
            let encoders = args.vectors.encoders(&sources, &args.encoders, context)?;
            build_vectors(&options, &encoders, sources, context.watch())?
        }
        None => {
            check(&options)?;
            let embedder = args.encoders.open(context, None, EncodingLoad::Many)?;
            build(&options, &embedder, context.watch())?
        }
    };
    receipt::note_unfinished(&report.warnings, context);
    for note in &report.notes {
        context.note(format!("asif: {note}"));
    }
    note_few(&options.space, report.counts.pairs as usize, context);
    if context.json {
        context.print_json(&report)
    } else {
        context.print(summary(&report))
    }
}

fn summary(report: &BuildReport) -> String {
    let seconds = &report.seconds;
    let mut rows = vec![
        (
            "set",
            format!(
                "{}, generation {}",
                format::path(&report.out),
                report.generation
            ),
        ),
        (
            "pairs",
            format!(
                "{} with {} captions",
                format::count(report.counts.pairs),
                format::count(report.counts.captions)
            ),
        ),
        ("skipped", skipped(report)),
    ];
    rows.extend(not_taken(&report.not_taken));
    rows.extend([
        (
            "from cache",
            format!("{} embeddings", format::count(report.from_cache)),
        ),
        (
            "seconds",
            format!(
                "{:.1} = images {:.1} + captions {:.1} + reading {:.1} + writing {:.1} + the rest",
                seconds.total, seconds.images, seconds.captions, seconds.read, seconds.write
            ),
        ),
        ("on disk", on_disk(report)),
    ]);
    if let Some(list) = &report.skipped_list {
        rows.push(("skip list", format::path(list)));
    }
    format::facts(&rows)
}

fn on_disk(report: &BuildReport) -> String {
    let all = format::bytes(report.bytes);
    match report.thumbnail_bytes {
        0 => all,
        small => format!("{all}, of which {} thumbnails", format::bytes(small)),
    }
}

fn skipped(report: &BuildReport) -> String {
    if report.counts.skipped == 0 {
        return "none".to_owned();
    }
    let kinds: Vec<String> = report
        .skipped_by_reason
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    let mut text = format!(
        "{} ({})",
        format::count(report.counts.skipped),
        kinds.join(", ")
    );
    for row in report.skipped_examples.iter().take(5) {
        let row = format!("{}: {}", row.origin, row.reason);
        text.push_str(&format!("\n{}", format::line(&row)));
    }
    if report.counts.skipped > 5 {
        text.push_str("\n...");
    }
    for line in of_inputs(report.skipped_examples.iter().map(|row| row.remedy)) {
        text.push_str(&format!("\n{line}"));
    }
    text
}
