//! `asif models`.

use std::path::PathBuf;

use asif::anchors::stored::place::refuse_in_set;
use asif::encode::options::{EncoderOverrides, Pooling};
use asif::encode::{registry, runtime};
use clap::{Args, Subcommand};

use crate::context::CommandContext;
use crate::output::format;

/// List the installed encoders, or add one.
///
/// An encoder is a folder in the layout of Hugging Face and sentence-transformers: model.onnx (or
/// onnx/model.onnx), config.json, and tokenizer.json or preprocessor_config.json. Pooling,
/// normalisation, lengths, resizing and all other settings are read from these files.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Check a model folder, run it once, and copy it under the given name.
    Add {
        /// The name of the encoder.
        name: String,
        /// The model folder.
        dir: PathBuf,
        /// The ONNX file, relative to the folder [default: model.onnx, else onnx/model.onnx]. In the folder
        /// of a two-tower model it selects the tower to install.
        #[arg(long, env = "ASIF_ONNX_FILE", value_name = "FILE")]
        onnx_file: Option<PathBuf>,
        /// The output to read, if the ONNX graph has several and none has a usual name.
        #[arg(long, env = "ASIF_OUTPUT", value_name = "NAME")]
        output: Option<String>,
        /// How a sequence or feature map is pooled into one vector (mean, cls, max), instead of the setting of
        /// the folder.
        #[arg(long, env = "ASIF_POOL", value_name = "POOLING")]
        pool: Option<Pooling>,
        /// A prefix for every text: the name of a prompt in config_sentence_transformers.json, or the text itself.
        #[arg(long, env = "ASIF_PROMPT", value_name = "NAME|WORDS")]
        prompt: Option<String>,
        /// Accept an unknown image processor class, assuming that its keys (size, crop_size, resample, mean,
        /// deviation) have their usual meaning, or an unknown tokenizer class, assuming that tokenizer.json
        /// makes its tokens. A class may do more than its files say, so compare a vector with one of the
        /// original program before you rely on it. Recorded in the encoder's identity.
        #[arg(long, env = "ASIF_TRUST_PREPROCESSING")]
        trust_preprocessing: bool,
        /// ONNX Runtime's shared library, if it is not the one in the home folder.
        #[arg(long, env = "ASIF_ONNXRUNTIME", value_name = "FILE")]
        onnxruntime: Option<PathBuf>,
    },
}

pub fn run(args: &ModelsArgs, context: &CommandContext) -> anyhow::Result<()> {
    if let Some(ModelsCommand::Add {
        name,
        dir,
        onnx_file,
        output,
        pool,
        prompt,
        trust_preprocessing,
        onnxruntime,
    }) = &args.command
    {
        let overrides = EncoderOverrides {
            prompt: prompt.clone(),
            output: output.clone(),
            pooling: *pool,
            onnx_file: onnx_file.clone(),
            trust_preprocessing: *trust_preprocessing,
        };
        refuse_in_set(&context.home.models())?;
        runtime::load(onnxruntime.as_deref(), &context.home)?;
        let added = registry::add(&context.home, name, dir, &overrides)?;
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
            "no encoders in {}; tools/quickstart.sh installs the default ones, \
             `asif models add NAME DIR` your own",
            context.home.models().display()
        ));
    }
    context.print(installed.iter().map(row).collect::<Vec<_>>().join("\n"))
}

fn row(model: &registry::InstalledEncoder) -> String {
    let dim = model.dim.map_or_else(|| "?".to_owned(), |d| d.to_string());
    let text = format!(
        "{:<24} {:<6} {dim:>5} numbers  {:>9}  {}",
        model.name,
        model
            .modality
            .map_or_else(|| "?".to_owned(), |m| m.to_string()),
        format::bytes(model.bytes),
        model.path.display()
    );
    format::line(&text).into_owned()
}
