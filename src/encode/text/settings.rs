//! The settings in a text model's JSON files: length, padding, pooling, prompt.

use std::path::PathBuf;

use serde_json::Value;

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, SettingsFile};
use super::super::options::{EncoderOptions, Pooling};
use super::modules::{ModuleChain, pooling_of};

/// The longest plausible sequence, in tokens; a `model_max_length` above it (1e30, a thousand
/// million) means that there is no limit.
pub(super) const BELIEVABLE: u64 = 1 << 20;
/// The longest sequence where no file gives one.
const USUAL_LENGTH: usize = 512;

/// What sentence-transformers calls the transformer's file, by the model's kind; the first that is there
/// is read.
const SENTENCE_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

/// Its arguments for the tokenizer, which are not supported here.
const TOKENIZER_ARGUMENTS: [&str; 4] = [
    "tokenizer_args",
    "tokenizer_kwargs",
    "processor_kwargs",
    "processing_kwargs",
];

/// Model types whose config.json calls the number of positions `n_positions`.
const N_POSITIONS: [&str; 6] = [
    "codegen",
    "ctrl",
    "gpt2",
    "gpt_bigcode",
    "gptj",
    "openai-gpt",
];

/// The settings of a text encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextSettings {
    /// The maximum number of tokens, including special ones.
    pub max_length: usize,
    /// Where the limit comes from.
    pub length_from: LengthSource,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
    /// The prefix of each text.
    pub prompt: String,
    /// How token vectors are pooled, where the folder specifies it.
    pub pooling: Option<Pooling>,
    /// The dimension that `1_Pooling/config.json` declares.
    pub promised_dim: Option<usize>,
    /// Why the token vectors alone are not the embedding.
    pub more_layers: Option<String>,
}

/// The key that limits the length of texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LengthSource {
    path: PathBuf,
    key: &'static str,
}

impl LengthSource {
    fn of(folder: &ModelFolder, file: &str, key: &'static str) -> Self {
        Self {
            path: folder.dir().join(file),
            key,
        }
    }

    /// The error for a length that leaves no room beside the special tokens.
    pub(crate) fn short_of(&self, length: usize, special: usize) -> ModelError {
        ModelError::Setting {
            path: self.path.clone(),
            key: self.key.to_owned(),
            found: length.to_string(),
            expected: format!(
                "more than {special}, since the tokenizer adds {special} special tokens"
            ),
            advice: "correct the file".into(),
            choice: None,
        }
    }
}

impl TextSettings {
    /// Reads the files of `folder`; `truncation` is what tokenizer.json itself truncates to.
    pub(crate) fn read(
        folder: &ModelFolder,
        options: &EncoderOptions,
        truncation: Option<usize>,
    ) -> Result<Self, ModelError> {
        let sentence = sentence_config(folder)?;
        let modules = ModuleChain::read(folder)?;
        let prompt = prompt(folder, options)?;
        let pooling = match &modules.pooling {
            Some(dir) => modules.pooling_config(folder, dir)?,
            None => None,
        };
        let mut promised_dim = None;
        let pooling = match pooling {
            None => None,
            Some(file) => {
                promised_dim = match file.count("word_embedding_dimension", BELIEVABLE)? {
                    Some(dim) => Some(dim),
                    None => file.count("embedding_dimension", BELIEVABLE)?,
                };
                if !prompt.is_empty() && file.switch("include_prompt")? == Some(false) {
                    return Err(file.bad(
                        "include_prompt",
                        "false",
                        "true when a prompt is used",
                        "use the encoder without a prompt",
                    ));
                }
                // A pooling that the options override may be an unsupported one.
                match options.pooling {
                    Some(chosen) => Some(chosen),
                    None => Some(pooling_of(&file)?),
                }
            }
        };
        let (max_length, length_from) = max_length(folder, sentence.as_ref(), truncation)?;
        Ok(Self {
            max_length,
            length_from,
            lower_case: match &sentence {
                Some(file) => file.switch("do_lower_case")?.unwrap_or(false),
                None => false,
            },
            prompt,
            pooling,
            promised_dim,
            more_layers: modules.refused,
        })
    }
}

/// The transformer's file, if it exists.
fn sentence_config(folder: &ModelFolder) -> Result<Option<SettingsFile>, ModelError> {
    for name in SENTENCE_FILES {
        let Some(file) = folder.json(name)? else {
            continue;
        };
        for key in TOKENIZER_ARGUMENTS {
            let map = file.get(key).and_then(Value::as_object);
            let nothing = |map: &serde_json::Map<String, Value>| {
                map.iter()
                    .all(|(key, value)| value.is_null() || key == "trust_remote_code")
            };
            if let Some(found) = file.get(key).filter(|_| !map.is_some_and(nothing)) {
                return Err(file.bad(
                    key,
                    &found.to_string(),
                    "empty or absent, since these arguments are not handed to the tokenizer",
                    "save the tokenizer with these settings in its own files, and remove the key",
                ));
            }
        }
        return Ok(Some(file));
    }
    Ok(None)
}

fn max_length(
    folder: &ModelFolder,
    sentence: Option<&SettingsFile>,
    truncation: Option<usize>,
) -> Result<(usize, LengthSource), ModelError> {
    let from = |file, key| LengthSource::of(folder, file, key);
    if let Some(file) = sentence
        && let Some(n) = file.count("max_seq_length", BELIEVABLE)?
    {
        let (path, key) = (file.path.clone(), "max_seq_length");
        return Ok((n, LengthSource { path, key }));
    }
    let model =
        model_max_length(folder)?.map(|n| (n, from("tokenizer_config.json", "model_max_length")));
    let positions = match folder.json("config.json")? {
        Some(file) => positions(&file)?,
        None => None,
    };
    let positions = positions.map(|n| (n, from("config.json", "max_position_embeddings")));
    Ok(match (model, positions) {
        // The smaller one: positions beyond the table do not exist, whatever the tokenizer allows.
        (Some(a), Some(b)) if b.0 < a.0 => b,
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => (
            truncation.unwrap_or(USUAL_LENGTH),
            from("tokenizer.json", "truncation.max_length"),
        ),
    })
}

/// `model_max_length` of tokenizer_config.json; none where the file has none or a number that means
/// "no limit".
pub(super) fn model_max_length(folder: &ModelFolder) -> Result<Option<usize>, ModelError> {
    let Some(file) = folder.json("tokenizer_config.json")? else {
        return Ok(None);
    };
    // The older key, which Hugging Face's tokenizers still read.
    let key = match file.get("model_max_length") {
        None if file.get("max_len").is_some() => "max_len",
        _ => "model_max_length",
    };
    if file
        .get(key)
        .and_then(Value::as_f64)
        .is_some_and(|v| v > BELIEVABLE as f64)
    {
        return Ok(None);
    }
    file.count(key, BELIEVABLE)
}

/// The number of positions of the model, from config.json or its `text_config`.
fn positions(file: &SettingsFile) -> Result<Option<usize>, ModelError> {
    let kind = file.text("model_type")?.unwrap_or("");
    let key = match N_POSITIONS.contains(&kind) && file.get("n_positions").is_some() {
        true => "n_positions",
        false => "max_position_embeddings",
    };
    // Two-tower models keep the text half's settings in an inner object.
    let inner = file.get("text_config").filter(|part| part.is_object());
    let file = match inner {
        Some(inner) if file.get(key).is_none() => &SettingsFile {
            path: file.path.clone(),
            value: inner.clone(),
        },
        _ => file,
    };
    let Some(n) = file.count(key, BELIEVABLE)? else {
        return Ok(None);
    };
    // RoBERTa's family counts positions from the padding token's number onward.
    let kind = file.text("model_type")?.unwrap_or("");
    let offset = match kind {
        "roberta" | "xlm-roberta" | "camembert" | "mpnet" => {
            file.get("pad_token_id")
                .and_then(Value::as_u64)
                .filter(|&id| id < BELIEVABLE)
                .unwrap_or(1) as usize
                + 1
        }
        _ => 0,
    };
    Ok(Some(n.saturating_sub(offset).max(1)))
}

/// The prefix of each text: an option that names a prompt of the folder, or is one itself; else
/// the folder's default prompt.
fn prompt(folder: &ModelFolder, options: &EncoderOptions) -> Result<String, ModelError> {
    let file = folder.json("config_sentence_transformers.json")?;
    if let Some(settings) = &file {
        let prompts = settings.get("prompts");
        let texts = |map: &Value| {
            let map = map.as_object();
            map.is_some_and(|map| map.values().all(|v| v.is_string() || v.is_null()))
        };
        if let Some(other) = prompts.filter(|map| !texts(map)) {
            return Err(settings.bad(
                "prompts",
                &other.to_string(),
                "texts by their names",
                "correct the file",
            ));
        }
        if let Some(dim) = settings.get("truncate_dim") {
            return Err(settings.bad(
                "truncate_dim",
                &dim.to_string(),
                "absent: vectors are not shortened",
                "remove it, or export the model with a shorter output",
            ));
        }
    }
    let known = |name: &str| -> Option<String> {
        let prompts = file.as_ref()?.get("prompts")?;
        prompts.get(name)?.as_str().map(str::to_owned)
    };
    if let Some(asked) = &options.prompt {
        return Ok(known(asked).unwrap_or_else(|| asked.clone()));
    }
    let Some(settings) = &file else {
        return Ok(String::new());
    };
    match settings.text("default_prompt_name")? {
        None => Ok(String::new()),
        Some(name) => known(name).ok_or_else(|| {
            settings.bad(
                "default_prompt_name",
                name,
                "a name in `prompts`",
                "correct the file",
            )
        }),
    }
}

#[cfg(test)]
mod tests;
