//! Opens a text encoder: reads the files and the graph, and encodes a first text.

use serde_json::json;
use tokenizers::{PostProcessor, TruncationDirection};

use super::super::error::ModelError;
use super::super::folder::ModelFolder;
use super::super::identity::EncoderIdentity;
use super::super::options::EncoderOptions;
use super::super::output::OutputReader;
use super::super::{load, same_vector, tells_apart};
use super::layout::InputLayout;
use super::padding::TokenPadding;
use super::settings::TextSettings;
use super::tokens::{load_tokenizer, set_length};
use super::{CANARY, TextEncoder, TextModel, agreement, input_error, rewrites, vocabulary};
use crate::modality::Modality;

/// Other texts, which must get different vectors.
const PROBES: [&str; 2] = [
    "a dog",
    "two people walk along a wide beach in the evening light",
];

impl TextEncoder {
    /// Loads the model and the tokenizer of `folder` and encodes the canary once, which tells the
    /// dimension.
    ///
    /// # Errors
    /// [`ModelError`]: a file is missing or unsupported, the graph is not a text encoder,
    /// its dimension is not the one the folder declares, or
    /// [ONNX Runtime is not loaded](crate::encode::runtime::load).
    pub fn open(folder: &ModelFolder, options: &EncoderOptions) -> Result<Self, ModelError> {
        let options = &options.or(&folder.overrides()?);
        let onnx = folder.onnx_path(options.onnx_file.as_deref())?;
        let (mut tokenizer, raw, tokenizer_sha256) = load_tokenizer(folder)?;
        let agreed = agreement::check(folder, &tokenizer, &raw, options.trust_preprocessing)?;
        let broken = |reason: String| ModelError::Tokenizer {
            path: folder.dir().join("tokenizer.json"),
            reason,
        };
        rewrites::add_canonical_text(&mut tokenizer, &agreed.class)
            .map_err(|e| broken(e.to_string()))?;
        let side = agreed.side;
        let rows = vocabulary::rows(folder, &onnx, &raw)?;
        let truncation = tokenizer.get_truncation().map(|t| t.max_length);
        let own_side = tokenizer
            .get_truncation()
            .map_or(TruncationDirection::Right, |t| t.direction);
        let settings = TextSettings::read(folder, options, truncation)?;
        let (pool, sha256) = load(folder, &onnx, options)?;
        // Where all outputs are token vectors, no other output and no pooling helps.
        if let Some(reason) = settings.more_layers.clone()
            && pool.outputs.iter().all(|output| output.shape.len() == 3)
        {
            return Err(ModelError::Graph { path: onnx, reason });
        }
        let reader = OutputReader::choose(
            Modality::Text,
            &pool.outputs,
            options,
            settings.pooling,
            &onnx,
        )?;
        let (padding, doubt) = TokenPadding::read(folder, &tokenizer, &agreed.class)?;
        let layout = InputLayout::of(&pool.inputs, padding, &onnx)?;
        if let Some(error) = doubt.filter(|_| layout.reads_padding()) {
            return Err(error);
        }
        let max_length = layout
            .fixed_length()
            .unwrap_or(usize::MAX)
            .min(settings.max_length);
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |p| p.added_tokens(false));
        if max_length <= special {
            return Err(match layout.fixed_length() {
                Some(fixed) if fixed == max_length => ModelError::Graph {
                    path: onnx,
                    reason: format!(
                        "its sequence length is fixed at {fixed}, which leaves no room beside the \
                         {special} special tokens of the tokenizer; export it with a free length"
                    ),
                },
                _ => settings.length_from.short_of(max_length, special),
            });
        }
        set_length(&mut tokenizer, max_length, side).map_err(broken)?;
        let TextSettings {
            lower_case, prompt, ..
        } = settings;
        let model = TextModel {
            pool,
            reader,
            tokenizer,
            layout,
            lower_case,
            prompt,
            rows,
        };

        let canary = model.tokenize(CANARY).map_err(|e| input_error(0, e))?;
        let (vector, rank) = model.run(&[&canary])?;
        let dim = vector.len();
        if let Some(expected) = settings.promised_dim
            && rank == 3
            && expected != dim
        {
            return Err(ModelError::WrongDimension {
                path: onnx,
                found: dim,
                expected,
                promised_by: "the pooling module's config.json",
            });
        }
        // An output that was chosen by name is assumed to contain these modules.
        let whole = ["sentence_embedding", "text_embeds"].contains(&model.reader.output.as_str())
            || options.output.is_some();
        if let Some(mut reason) = settings.more_layers.filter(|_| rank == 3 || !whole) {
            // Of token vectors it would not help to be named.
            let outputs = model.pool.outputs.iter().filter(|o| o.shape.len() == 2);
            let others: Vec<&str> = outputs.map(|o| o.name.as_str()).collect();
            if others.is_empty() {
                return Err(ModelError::Graph { path: onnx, reason });
            }
            reason.push_str(&format!(
                ", or, if an output of one vector a text ({}) does, choose it",
                others.join(", ")
            ));
            return Err(ModelError::NoOutput { path: onnx, reason });
        }
        let others = PROBES.iter().map(|text| (*text).to_owned());
        let others = others.chain(vocabulary::some_tokens(&raw));
        let others = others.filter_map(|text| model.tokenize(&text).ok());
        let others = others.filter(|tokens| tokens.ids != canary.ids);
        let others = others.map(|tokens| Ok(model.run(&[&tokens])?.0));
        if !tells_apart(&vector, others) {
            return Err(ModelError::Graph {
                path: onnx,
                reason: same_vector("texts"),
            });
        }
        let mut preprocessing = json!({
            "output": model.reader.output,
            "pooling": model.reader.pooling_of(Modality::Text, rank),
            "max_length": max_length,
            "lower_case": model.lower_case,
            "prompt": model.prompt,
            "normalize": true,
            "padding": model.layout.describe(),
        });
        if let Some(class) = agreed.class.trusted {
            preprocessing["trusted"] = json!(class);
        }
        // Where tokenizer.json itself has it, its hash covers it.
        if let Some(side) = side.filter(|&side| side != own_side) {
            preprocessing["truncation_side"] = json!(side.as_ref());
        }
        let identity = EncoderIdentity::new(
            folder.name().to_owned(),
            Modality::Text,
            dim,
            sha256,
            Some(tokenizer_sha256),
            preprocessing,
        );
        Ok(Self {
            model,
            sessions: options.sessions.max(1),
            identity,
        })
    }
}
