//! Whether the files beside tokenizer.json say the same as it does.
//!
//! Hugging Face's tokenizer classes read tokenizer_config.json and change the loaded tokenizer by it.
//! Here tokenizer.json is followed; where the other files would change token numbers, the folder is
//! refused with the key.

use serde_json::Value;
use tokenizers::{
    NormalizedString, Normalizer, Tokenizer, TruncationDirection, TruncationStrategy,
};

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, Settings};

/// Checks the files, and says on which side long texts are cut where they do.
///
/// # Errors
/// [`ModelError::Setting`] for a key that would change token numbers.
pub(super) fn check(
    folder: &ModelFolder,
    tokenizer: &Tokenizer,
    raw: &Value,
) -> Result<Option<TruncationDirection>, ModelError> {
    let own = Settings {
        path: folder.dir().join("tokenizer.json"),
        value: raw.clone(),
    };
    if let Some(truncation) = tokenizer.get_truncation()
        && matches!(truncation.strategy, TruncationStrategy::OnlySecond)
    {
        return Err(own.bad(
            "truncation.strategy",
            "OnlySecond",
            "LongestFirst or OnlyFirst, since a text is one sequence",
            "correct the file",
        ));
    }
    if let Some(part) = raw.get("model").and_then(|model| model.get("dropout"))
        && part.as_f64().is_some_and(|part| part != 0.0)
    {
        return Err(own.bad(
            "model.dropout",
            &part.to_string(),
            "null or 0: merges that are left out at random give a text another vector each time",
            "set it to null",
        ));
    }
    if let Some(tokens) = folder.json("added_tokens.json")? {
        for (token, id) in tokens.value.as_object().into_iter().flatten() {
            same_number(&tokens, token, tokenizer, token, id.as_u64())?;
        }
    }
    let map = folder.json("special_tokens_map.json")?;
    let file = folder.json("tokenizer_config.json")?;
    let family = TokenizerFamily::of(folder, file.as_ref())?;
    // A file that is not there is one that says nothing.
    let file = file.unwrap_or_else(|| Settings {
        path: folder.dir().join("tokenizer_config.json"),
        value: Value::Object(serde_json::Map::new()),
    });
    for (id, token) in file
        .get("added_tokens_decoder")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(content) = token.get("content").and_then(Value::as_str) {
            let id = id.parse().ok();
            same_number(&file, "added_tokens_decoder", tokenizer, content, id)?;
            if !added(raw, content) {
                return Err(differs(
                    &file,
                    "added_tokens_decoder",
                    &format!("{content:?}"),
                    "only tokens that added_tokens of tokenizer.json has",
                ));
            }
        }
    }
    for holder in [Some(&file), map.as_ref()].into_iter().flatten() {
        for key in ["additional_special_tokens", "extra_special_tokens"] {
            let tokens: Vec<&Value> = match holder.get(key) {
                Some(Value::Array(list)) => list.iter().collect(),
                Some(Value::Object(map)) => map.values().collect(),
                _ => continue,
            };
            let mut tokens = tokens.into_iter().filter_map(content);
            if let Some(token) = tokens.find(|token| !added(raw, token)) {
                let expected = "only tokens that added_tokens of tokenizer.json has";
                return Err(differs(holder, key, token, expected));
            }
        }
    }
    if file.switch("add_special_tokens")? == Some(false) {
        let expected = "true or absent, since the post_processor of tokenizer.json adds them";
        return Err(differs(&file, "add_special_tokens", "false", expected));
    }
    if file.switch("split_special_tokens")? == Some(true) {
        return Err(differs(
            &file,
            "split_special_tokens",
            "true",
            "false or absent",
        ));
    }
    bert_normalizer(&file, raw, family)?;
    if file.switch("do_lower_case")? == Some(true) && !lowers(tokenizer) {
        return Err(differs(
            &file,
            "do_lower_case",
            "true",
            "false, since the normalizer of tokenizer.json keeps capitals",
        ));
    }
    let asked = file.switch("add_prefix_space")?;
    let level = raw.get("pre_tokenizer");
    // Unasked, only this pre-tokenizer is changed, and only where it stands alone.
    let alone = level.and_then(|part| part.get("type")?.as_str()) == Some("ByteLevel");
    let usual = (family == TokenizerFamily::Roberta && alone).then_some(false);
    if let Some(found) = prefix_space(level)
        && asked.or(usual).is_some_and(|asked| asked != found)
    {
        let expected = format!("{found}, as the pre_tokenizer of tokenizer.json");
        return Err(contrary(&file, "add_prefix_space", asked, &expected));
    }
    edges(&file, map.as_ref(), tokenizer, family)?;
    match file.text("truncation_side")? {
        None => Ok(None),
        Some("right") => Ok(Some(TruncationDirection::Right)),
        Some("left") => Ok(Some(TruncationDirection::Left)),
        Some(other) => Err(differs(&file, "truncation_side", other, "left or right")),
    }
}

fn differs(file: &Settings, key: &str, found: &str, expected: &str) -> ModelError {
    file.bad(
        key,
        found,
        expected,
        "make it agree with tokenizer.json: save the tokenizer again with the program that the model \
         comes from, or correct the file that is wrong",
    )
}

/// The error for a switch that says otherwise than tokenizer.json, by itself or by being absent where
/// the tokenizer's class then takes it for the other.
fn contrary(file: &Settings, key: &str, asked: Option<bool>, expected: &str) -> ModelError {
    match asked {
        Some(asked) => differs(file, key, &asked.to_string(), expected),
        None => file.bad(
            key,
            "absent",
            &format!("{expected}; the tokenizer's class takes it for the other where it is absent"),
            "write it into the file as it is meant, and save tokenizer.json again if that differs",
        ),
    }
}

/// Tokenizer classes that change the loaded tokenizer even by what their file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenizerFamily {
    /// Small letters and no accents, and each Chinese character a word.
    Bert,
    /// No space before the text.
    Roberta,
    /// A token before the text and none after it.
    Llama,
    Other,
}

impl TokenizerFamily {
    /// By `tokenizer_class`; without it by `model_type` in config.json.
    fn of(folder: &ModelFolder, file: Option<&Settings>) -> Result<Self, ModelError> {
        let class = match file {
            Some(file) => file.text("tokenizer_class")?,
            None => None,
        };
        let config = folder.json("config.json")?;
        let kind = match (class, &config) {
            (Some(class), _) => {
                let stem = class.strip_suffix("Fast").unwrap_or(class);
                stem.strip_suffix("Tokenizer").unwrap_or(stem)
            }
            (None, Some(config)) => config.text("model_type")?.unwrap_or(""),
            (None, None) => "",
        };
        Ok(match kind.to_ascii_lowercase().as_str() {
            "bert" | "convbert" | "distilbert" | "electra" | "funnel" | "layoutlm"
            | "mobilebert" | "mpnet" | "squeezebert" => Self::Bert,
            "bart" | "deberta" | "gpt2" | "led" | "longformer" | "mvp" | "roberta" => Self::Roberta,
            "codellama" | "gemma" | "llama" => Self::Llama,
            _ => Self::Other,
        })
    }
}

fn same_number(
    file: &Settings,
    key: &str,
    tokenizer: &Tokenizer,
    token: &str,
    id: Option<u64>,
) -> Result<(), ModelError> {
    let known = tokenizer.token_to_id(token).map(u64::from);
    if known.is_some() && known == id {
        return Ok(());
    }
    let number = |id: Option<u64>| id.map_or("none".to_owned(), |id| id.to_string());
    let found = format!("{token:?} with the number {}", number(id));
    let expected = format!("the number {} of tokenizer.json", number(known));
    Err(differs(file, key, &found, &expected))
}

/// Whether a token is one that tokenizer.json looks for before it cuts a text up.
fn added(raw: &Value, token: &str) -> bool {
    let list = raw.get("added_tokens").and_then(Value::as_array);
    let mut added = list.into_iter().flatten().filter_map(content);
    added.any(|own| own == token)
}

/// The text of a token that is written as a text or as an object.
fn content(token: &Value) -> Option<&str> {
    match token {
        Value::String(text) => Some(text),
        other => other.get("content").and_then(Value::as_str),
    }
}

/// The settings that BERT's tokenizer classes write into their normalizer.
fn bert_normalizer(
    file: &Settings,
    raw: &Value,
    family: TokenizerFamily,
) -> Result<(), ModelError> {
    let Some(normalizer) = raw
        .get("normalizer")
        .filter(|n| n.get("type").and_then(Value::as_str) == Some("BertNormalizer"))
    else {
        return Ok(());
    };
    let lower = file.switch("do_lower_case")?;
    for (key, own) in [
        ("do_lower_case", "lowercase"),
        ("strip_accents", "strip_accents"),
        ("tokenize_chinese_chars", "handle_chinese_chars"),
    ] {
        let asked = file.switch(key)?;
        let usual = match own {
            // Accents go as capitals do where nothing is said.
            "strip_accents" => lower.unwrap_or(true),
            _ => true,
        };
        let meant = asked.or((family == TokenizerFamily::Bert).then_some(usual));
        let found = normalizer.get(own).cloned().unwrap_or(Value::Null);
        let lowercase = normalizer.get("lowercase").and_then(Value::as_bool);
        let effective = match own {
            "strip_accents" => found.as_bool().or(lowercase),
            _ => found.as_bool(),
        };
        if let (Some(meant), Some(effective)) = (meant, effective)
            && meant != effective
        {
            let expected = format!("{effective}, as `{own}` in the normalizer of tokenizer.json");
            return Err(contrary(file, key, asked, &expected));
        }
    }
    Ok(())
}

/// Whether the tokenizer's normalizer makes small letters of capitals.
fn lowers(tokenizer: &Tokenizer) -> bool {
    let mut text = NormalizedString::from("AN");
    let normalizer = tokenizer.get_normalizer();
    normalizer.is_some_and(|n| n.normalize(&mut text).is_ok()) && !text.get().contains('A')
}

/// Whether a space is put before the text; none where the pre-tokenizer has no such setting.
fn prefix_space(pre_tokenizer: Option<&Value>) -> Option<bool> {
    let part = pre_tokenizer?;
    match part.get("type")?.as_str()? {
        "ByteLevel" => part.get("add_prefix_space")?.as_bool(),
        "Metaspace" => match part.get("prepend_scheme").and_then(Value::as_str) {
            Some(scheme) => Some(scheme != "never"),
            None => part.get("add_prefix_space")?.as_bool(),
        },
        "Sequence" => {
            let parts = part.get("pretokenizers")?.as_array()?;
            parts.iter().find_map(|part| prefix_space(Some(part)))
        }
        _ => None,
    }
}

/// Whether texts begin and end with the tokens that the file asks for.
fn edges(
    file: &Settings,
    map: Option<&Settings>,
    tokenizer: &Tokenizer,
    family: TokenizerFamily,
) -> Result<(), ModelError> {
    for (key, token, last) in [
        ("add_bos_token", "bos_token", false),
        ("add_eos_token", "eos_token", true),
    ] {
        let asked = file.switch(key)?;
        let Some(meant) = asked.or((family == TokenizerFamily::Llama).then_some(!last)) else {
            continue;
        };
        let holders = [Some(file), map].into_iter().flatten();
        let named = holders
            .filter_map(|f| f.get(token).and_then(content))
            .next();
        let Some(id) = named.and_then(|token| tokenizer.token_to_id(token)) else {
            continue;
        };
        let encoding = tokenizer.encode_fast("a", true);
        let ids = encoding.map(|e| e.get_ids().to_vec()).unwrap_or_default();
        let edge = if last { ids.last() } else { ids.first() };
        let found = edge == Some(&id);
        if found != meant {
            let expected = format!("{found}, as the post_processor of tokenizer.json does");
            return Err(contrary(file, key, asked, &expected));
        }
    }
    Ok(())
}
