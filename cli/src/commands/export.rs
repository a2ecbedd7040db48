//! `asif export`.

use std::path::PathBuf;

use asif::anchors::export::{ExportOptions, ExportParts, export};
use clap::Args;

use crate::context::{CommandContext, open_at};
use crate::options::selection::filter_of;
use crate::output::format;
use crate::output::outputs::{OutputPlace, refuse_dash};

/// Write the vectors and the metadata of an anchor set as files of other tools.
#[derive(Debug, Args)]
#[command(after_help = "\
Files in the folder, in the layout of clip-retrieval; row i of each is one pair:
  img_emb/img_emb_0.npy         unit vectors of the images, float32
  text_emb/text_emb_0.npy       unit vectors of the texts
  metadata/metadata_0.parquet   id, image_path, captions, and all other fields
Without --vectors and --metadata both are written. `asif build --vectors DIR` makes an anchor set with the same
vectors, to the bit. The folder gets its name when it is whole.

Examples:
  asif export mine.asif --out mine-vectors/
  asif export mine.asif@3 --vectors --where \"source = 'shop'\" --out shop-vectors/")]
pub struct ExportFilesArgs {
    /// The anchor set, or with @N its generation N.
    #[arg(env = "ASIF_INDEX", value_name = "DIR.asif[@N]")]
    set: String,

    /// The folder to write, which does not exist yet or is empty.
    #[arg(long, env = "ASIF_OUT", value_name = "DIR")]
    out: PathBuf,

    /// Write the unit vectors of both sides.
    #[arg(long, env = "ASIF_EXPORT_VECTORS")]
    vectors: bool,

    /// Write ids, names of images, captions and metadata.
    #[arg(long, env = "ASIF_EXPORT_METADATA")]
    metadata: bool,

    /// Only pairs that match: `source=shop licence=CC0-1.0`, or an expression as in `asif build`.
    #[arg(long = "where", env = "ASIF_WHERE", value_name = "FILTER")]
    filter: Option<String>,
}

pub fn run(args: &ExportFilesArgs, context: &CommandContext) -> anyhow::Result<()> {
    refuse_dash("--out", &args.out, OutputPlace::Folder)?;
    let all = !(args.vectors || args.metadata);
    let options = ExportOptions {
        out: args.out.clone(),
        parts: ExportParts {
            vectors: args.vectors || all,
            metadata: args.metadata || all,
        },
        filter: args.filter.as_deref().map(filter_of).transpose()?,
    };
    let set = open_at(&args.set, context)?;
    let report = export(&set, &options, context.watch())?;
    if !report.left_out.is_empty() {
        context.note(format!(
            "asif: metadata that has the name of a pair's own field was left out: {}",
            report.left_out.join(", ")
        ));
    }
    if context.json {
        return context.print_json(&report);
    }
    context.print(format::facts(&[
        ("folder", format::path(&report.out)),
        ("generation", report.generation.to_string()),
        ("pairs", format::count(report.pairs)),
        ("files", format::list(&report.files)),
    ]))
}
