//! What a text model's JSON files say: length, padding, pooling, prompt.

use serde_json::Value;

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, Settings};
use super::super::options::{EncoderOptions, Pooling};

/// The longest sequence that is believed, in tokens: files say 1e30 for "no limit".
pub(super) const BELIEVABLE: u64 = 1 << 20;
/// Above this a `model_max_length` means that there is no limit, as in Hugging Face's tokenizers.
const NO_LIMIT: f64 = 1e20;
/// The longest sequence where no file gives one.
const USUAL_LENGTH: usize = 512;

/// The settings of a text encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextSettings {
    /// Tokens at most, special ones included.
    pub max_length: usize,
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

impl TextSettings {
    /// Reads the files of `folder`; `truncation` is what tokenizer.json itself truncates to.
    pub fn read(
        folder: &ModelFolder,
        options: &EncoderOptions,
        truncation: Option<usize>,
    ) -> Result<Self, ModelError> {
        let sentence = folder.json("sentence_bert_config.json")?;
        let modules = Modules::read(folder)?;
        let prompt = prompt(folder, options)?;
        let pooling = match &modules.pooling {
            Some(dir) => folder.json(&format!("{dir}/config.json"))?,
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
        Ok(Self {
            max_length: max_length(folder, sentence.as_ref(), truncation)?,
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

/// The chain of sentence-transformers modules.
struct Modules {
    /// The folder of the pooling module.
    pooling: Option<String>,
    /// The first module that is not followed, with the reason.
    refused: Option<String>,
}

impl Modules {
    fn read(folder: &ModelFolder) -> Result<Self, ModelError> {
        let Some(file) = folder.json("modules.json")? else {
            let usual = folder.dir().join("1_Pooling/config.json").is_file();
            return Ok(Self {
                pooling: usual.then(|| "1_Pooling".to_owned()),
                refused: None,
            });
        };
        let list = file.value.as_array().ok_or_else(|| {
            file.bad(
                "(top level)",
                "not a list",
                "a list of modules",
                "copy the file again",
            )
        })?;
        let mut modules = Self {
            pooling: None,
            refused: None,
        };
        for module in list {
            let text = |key: &str| module.get(key).and_then(Value::as_str).unwrap_or("");
            let path = text("path");
            let plain = |path: &str| {
                let mut parts = std::path::Path::new(path).components();
                parts.all(|c| matches!(c, std::path::Component::Normal(_)))
            };
            if !plain(path) {
                return Err(file.bad(
                    "path",
                    path,
                    "a folder in the model folder",
                    "correct the file",
                ));
            }
            match text("type").rsplit('.').next().unwrap_or("") {
                "Transformer" if !path.is_empty() => {
                    return Err(file.bad(
                        "path",
                        path,
                        "empty for the transformer, whose files are read from the model folder itself",
                        "move the files of that folder up and set the path to \"\"",
                    ));
                }
                "Transformer" | "Normalize" => {}
                "Pooling" if modules.pooling.is_some() => {
                    return Err(file.bad(
                        "type",
                        "Pooling twice",
                        "one Pooling",
                        "correct the file",
                    ));
                }
                "Pooling" => modules.pooling = Some(path.to_owned()),
                other => {
                    modules.refused.get_or_insert_with(|| {
                        format!(
                            "modules.json has a `{other}` module after the transformer, which the \
                             ONNX file's token vectors do not contain; export the model with a \
                             `sentence_embedding` output that includes it"
                        )
                    });
                }
            }
        }
        Ok(modules)
    }
}

fn pooling_of(file: &Settings) -> Result<Pooling, ModelError> {
    let refuse = |found: &str| {
        file.bad(
            "pooling_mode",
            found,
            "one of mean, cls, max",
            "choose one (`asif models add NAME DIR --pool`) if you know that it fits the model",
        )
    };
    // Newer files name the mode, older ones have a switch for each.
    if let Some(mode) = file.text("pooling_mode")? {
        return mode.parse().map_err(|_| refuse(mode));
    }
    let mut on = Vec::new();
    if let Some(map) = file.value.as_object() {
        for (key, value) in map {
            let Some(mode) = key.strip_prefix("pooling_mode_") else {
                continue;
            };
            if !value.is_null() && file.switch(key)? == Some(true) {
                on.push(mode);
            }
        }
    }
    match on[..] {
        // Dividing by the square root of the length gives the same direction as the mean.
        ["mean_tokens" | "mean_sqrt_len_tokens"] => Ok(Pooling::Mean),
        ["cls_token"] => Ok(Pooling::Cls),
        ["max_tokens"] => Ok(Pooling::Max),
        [] => Err(refuse("absent")),
        _ => Err(refuse(&on.join(" and "))),
    }
}

fn max_length(
    folder: &ModelFolder,
    sentence: Option<&Settings>,
    truncation: Option<usize>,
) -> Result<usize, ModelError> {
    if let Some(file) = sentence
        && let Some(n) = file.count("max_seq_length", BELIEVABLE)?
    {
        return Ok(n);
    }
    let model = model_max_length(folder)?;
    let positions = match folder.json("config.json")? {
        Some(file) => positions(&file)?,
        None => None,
    };
    match (model, positions) {
        (Some(a), Some(b)) => Ok(a.min(b)),
        (Some(n), None) | (None, Some(n)) => Ok(n),
        (None, None) => Ok(truncation.unwrap_or(USUAL_LENGTH)),
    }
}

/// `model_max_length` of tokenizer_config.json; none where the file has none or a number that means
/// "no limit".
pub(super) fn model_max_length(folder: &ModelFolder) -> Result<Option<usize>, ModelError> {
    let Some(file) = folder.json("tokenizer_config.json")? else {
        return Ok(None);
    };
    let key = "model_max_length";
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
    let key = "max_position_embeddings";
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
