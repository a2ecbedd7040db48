//! What a text model's JSON files say: length, padding, pooling, prompt.

use std::path::PathBuf;

use serde_json::Value;

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, Settings};
use super::super::options::{EncoderOptions, Pooling};
use super::modules::{Modules, pooling_of};

/// The longest sequence that is believed, in tokens: files say 1e30 for "no limit".
pub(super) const BELIEVABLE: u64 = 1 << 20;
/// Above this a `model_max_length` means that there is no limit, as in Hugging Face's tokenizers.
const NO_LIMIT: f64 = 1e20;
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

/// What that file hands to the tokenizer, whose effect is not followed here.
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
    /// Tokens at most, special ones included.
    pub max_length: usize,
    /// Where that stands.
    pub length_from: LengthSource,
    /// Whether texts are lower-cased before the tokenizer sees them.
    pub lower_case: bool,
    /// What is put before each text.
    pub prompt: String,
    /// How token vectors become one, where the folder says it.
    pub pooling: Option<Pooling>,
    /// The vector length that `1_Pooling/config.json` promises.
    pub promised_dim: Option<usize>,
    /// Why the token vectors alone are not the embedding.
    pub more_layers: Option<String>,
}

/// The key that says how long texts may be.
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
    pub fn short_of(&self, length: usize, special: usize) -> ModelError {
        ModelError::Setting {
            path: self.path.clone(),
            key: self.key.to_owned(),
            found: length.to_string(),
            expected: format!(
                "more than {special}, since the tokenizer adds {special} special tokens"
            ),
            advice: "correct the file".to_owned(),
        }
    }
}

impl TextSettings {
    /// Reads the files of `folder`; `truncation` is what tokenizer.json itself truncates to.
    pub fn read(
        folder: &ModelFolder,
        options: &EncoderOptions,
        truncation: Option<usize>,
    ) -> Result<Self, ModelError> {
        let sentence = sentence_config(folder)?;
        let modules = Modules::read(folder)?;
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
                // A pooling that the options replace need not be one that is known here.
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

/// The transformer's file, where there is one.
fn sentence_config(folder: &ModelFolder) -> Result<Option<Settings>, ModelError> {
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
    sentence: Option<&Settings>,
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
    // The older name, which Hugging Face's tokenizers still read.
    let key = match file.get("model_max_length") {
        None if file.get("max_len").is_some() => "max_len",
        _ => "model_max_length",
    };
    if file
        .get(key)
        .and_then(Value::as_f64)
        .is_some_and(|v| v > NO_LIMIT)
    {
        return Ok(None);
    }
    file.count(key, BELIEVABLE)
}

/// How many positions the model has, by config.json or its `text_config`.
fn positions(file: &Settings) -> Result<Option<usize>, ModelError> {
    let kind = file.text("model_type")?.unwrap_or("");
    let key = match N_POSITIONS.contains(&kind) && file.get("n_positions").is_some() {
        true => "n_positions",
        false => "max_position_embeddings",
    };
    let inner = file.get("text_config").filter(|part| part.is_object());
    let file = match inner {
        Some(inner) if file.get(key).is_none() => &Settings {
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

/// The text before each text: an option that names a prompt of the folder, or is one itself; else
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
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)], options: &EncoderOptions) -> Result<TextSettings, String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, content) in files.iter().chain(&[("vocab.txt", "a")]) {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        let folder = ModelFolder::open(dir.path()).unwrap();
        TextSettings::read(&folder, options, Some(77)).map_err(|e| e.to_string())
    }

    fn length(files: &[(&str, &str)]) -> usize {
        read(files, &EncoderOptions::latency()).unwrap().max_length
    }

    #[test]
    fn the_maximum_length_comes_from_the_first_file_that_has_one() {
        let sentence = ("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
        let tokenizer = ("tokenizer_config.json", r#"{"model_max_length": 512}"#);
        let endless = ("tokenizer_config.json", r#"{"model_max_length": 1e30}"#);
        let huge = (
            "tokenizer_config.json",
            r#"{"model_max_length": 1000000000000000019884624838656}"#,
        );
        let bert = (
            "config.json",
            r#"{"model_type": "bert", "max_position_embeddings": 384}"#,
        );
        let roberta = (
            "config.json",
            r#"{"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}"#,
        );
        assert_eq!(length(&[sentence, tokenizer, bert]), 256);
        assert_eq!(length(&[tokenizer, bert]), 384);
        assert_eq!(length(&[endless, bert]), 384);
        assert_eq!(length(&[huge, roberta]), 512);
        assert_eq!(length(&[endless]), 77);
        let older = ("tokenizer_config.json", r#"{"max_len": 40}"#);
        let gpt = (
            "config.json",
            r#"{"model_type": "gpt2", "n_positions": 30}"#,
        );
        assert_eq!((length(&[older]), length(&[older, gpt])), (40, 30));
        for name in SENTENCE_FILES {
            assert_eq!(
                length(&[(name, r#"{"max_seq_length": 9}"#), bert]),
                9,
                "{name}"
            );
        }
        assert_eq!(
            length(&[("sentence_xlnet_config.json", "{}"), sentence]),
            256
        );
    }

    #[test]
    fn arguments_for_the_tokenizer_are_refused_unless_they_say_nothing() {
        for key in TOKENIZER_ARGUMENTS {
            for (file, value) in [
                ("sentence_bert_config.json", r#"{"padding_side": "left"}"#),
                ("sentence_roberta_config.json", "[1]"),
            ] {
                let content = format!("{{\"{key}\": {value}}}");
                let error = read(&[(file, &content)], &EncoderOptions::latency()).unwrap_err();
                assert!(error.contains(file) && error.contains(key), "{error}");
            }
            let content =
                format!(r#"{{"{key}": {{"trust_remote_code": true}}, "model_args": {{"a": 1}}}}"#);
            let files = [("sentence_bert_config.json", content.as_str())];
            assert!(read(&files, &EncoderOptions::latency()).is_ok());
        }
    }

    #[test]
    fn a_length_that_is_none_is_refused_with_file_and_key() {
        for (file, key) in [
            ("sentence_bert_config.json", "max_seq_length"),
            ("tokenizer_config.json", "model_max_length"),
            ("config.json", "max_position_embeddings"),
            ("1_Pooling/config.json", "word_embedding_dimension"),
        ] {
            for bad in [
                "0",
                "-1",
                "1000000000000000000",
                "1.5",
                "\"8\"",
                "true",
                "[8]",
                "1e19",
            ] {
                let content = format!("{{\"{key}\": {bad}, \"pooling_mode_cls_token\": true}}");
                let error = read(&[(file, &content)], &EncoderOptions::latency()).unwrap_err();
                assert!(error.contains(file) && error.contains(key), "{error}");
            }
            let content = format!("{{\"{key}\": null, \"pooling_mode_cls_token\": true}}");
            assert!(read(&[(file, &content)], &EncoderOptions::latency()).is_ok());
        }
    }

    #[test]
    fn pooling_in_both_spellings() {
        let pooling = |content: &str| {
            read(
                &[("1_Pooling/config.json", content)],
                &EncoderOptions::latency(),
            )
            .map(|s| s.pooling.unwrap())
        };
        assert_eq!(
            pooling(r#"{"pooling_mode_cls_token": true}"#),
            Ok(Pooling::Cls)
        );
        assert_eq!(
            pooling(r#"{"pooling_mode_max_tokens": true}"#),
            Ok(Pooling::Max)
        );
        assert_eq!(pooling(r#"{"pooling_mode": "mean"}"#), Ok(Pooling::Mean));
        assert_eq!(pooling(r#"{"pooling_mode": "CLS"}"#), Ok(Pooling::Cls));
        for bad in [
            r#"{"pooling_mode_lasttoken": true}"#,
            r#"{"pooling_mode": "weightedmean"}"#,
            r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
            "{}",
        ] {
            let error = pooling(bad).unwrap_err();
            assert!(
                error.contains("1_Pooling") && error.contains("--pool"),
                "{error}"
            );
        }
    }

    #[test]
    fn modules_that_are_not_followed_are_kept_as_a_reason() {
        let modules = r#"[{"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "P"},
            {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]"#;
        let pool = r#"{"pooling_mode_mean_tokens": true, "word_embedding_dimension": 8}"#;
        let s = read(
            &[("modules.json", modules), ("P/config.json", pool)],
            &EncoderOptions::latency(),
        )
        .unwrap();
        assert_eq!((s.pooling, s.promised_dim), (Some(Pooling::Mean), Some(8)));
        assert!(s.more_layers.unwrap().contains("Dense"));
        let error = read(&[("modules.json", modules)], &EncoderOptions::latency()).unwrap_err();
        assert!(
            error.contains("P/config.json") && error.contains("modules.json"),
            "{error}"
        );
        let own = modules.replace(
            "sentence_transformers.models.Transformer",
            "our_code.Transformer",
        );
        let s = read(
            &[("modules.json", &own), ("P/config.json", pool)],
            &EncoderOptions::latency(),
        );
        assert!(
            s.unwrap()
                .more_layers
                .unwrap()
                .contains("our_code.Transformer")
        );
    }

    #[test]
    fn prompts_by_name_by_text_and_by_default() {
        let file = (
            "config_sentence_transformers.json",
            r#"{"prompts": {"query": "query: "}, "default_prompt_name": "query"}"#,
        );
        let with = |prompt: Option<&str>, files: &[(&str, &str)]| {
            let prompt = prompt.map(str::to_owned);
            read(
                files,
                &EncoderOptions {
                    prompt,
                    ..EncoderOptions::latency()
                },
            )
            .map(|s| s.prompt)
        };
        assert_eq!(with(None, &[file]).unwrap(), "query: ");
        assert_eq!(with(Some("query"), &[file]).unwrap(), "query: ");
        assert_eq!(with(Some("a photo of "), &[file]).unwrap(), "a photo of ");
        assert_eq!(with(None, &[]).unwrap(), "");
        let lost = (
            "config_sentence_transformers.json",
            r#"{"default_prompt_name": "passage"}"#,
        );
        assert!(with(None, &[lost]).unwrap_err().contains("passage"));
    }
}
