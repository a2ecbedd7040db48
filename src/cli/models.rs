//! `asif models`.

use std::path::PathBuf;

use asif::encode::{registry, runtime};
use clap::{Args, Subcommand};

use super::context::Context;
use super::format;

/// List the installed encoders, or add one.
///
/// An encoder is a folder in the layout of Hugging Face and sentence-transformers: model.onnx (or
/// onnx/model.onnx), config.json, and tokenizer.json or preprocessor_config.json. Pooling,
/// normalisation, lengths, resizing and the rest are read from there.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Check a model folder, run it once, and copy it under the given name.
    Add {
        /// The name to call it by.
        name: String,
        /// The model folder.
        dir: PathBuf,
        /// ONNX Runtime's shared library, where it is not the one in the home.
        #[arg(long, env = "ASIF_ONNXRUNTIME", value_name = "FILE")]
        onnxruntime: Option<PathBuf>,
    },
}

pub fn run(args: &ModelsArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(ModelsCommand::Add {
        name,
        dir,
        onnxruntime,
    }) = &args.command
    {
        runtime::load(onnxruntime.as_deref(), &context.home)?;
        let added = registry::add(&context.home, name, dir)?;
        if context.json {
            return context.print_json(&added);
        }
        return context.print(format!("added {}", row(&added)));
    }
    let installed = registry::installed(&context.home)?;
    if context.json {
        return context.print_json(&installed);
    }
    if installed.is_empty() {
        return context.print(format!(
            "no encoders in {}; tools/quickstart.sh installs the defaults, \
             `asif models add NAME DIR` your own",
            context.home.models().display()
        ));
    }
    context.print(installed.iter().map(row).collect::<Vec<_>>().join("\n"))
}

fn row(model: &registry::Installed) -> String {
    let dim = model.dim.map_or_else(|| "?".to_owned(), |d| d.to_string());
    format!(
        "{:<24} {:<6} {dim:>5} numbers  {:>9}  {}",
        model.name,
        model
            .modality
            .map_or_else(|| "?".to_owned(), |m| m.to_string()),
        format::bytes(model.bytes),
        model.path.display()
    )
}
