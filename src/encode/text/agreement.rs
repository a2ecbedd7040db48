//! Checks that the files beside tokenizer.json agree with it.
//!
//! Hugging Face's tokenizer classes read tokenizer_config.json and change the loaded tokenizer by it.
//! Here tokenizer.json is authoritative; where the other files would change token ids, the folder is
//! rejected, naming the key.

use serde_json::Value;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Tokenizer, TruncationDirection, TruncationStrategy};

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, SettingsFile};
use super::classes::TokenizerClass;
use super::disagreement::{content, differs};
use super::rewrites;

/// The settings in the files beside tokenizer.json.
pub(super) struct TokenizerSettings {
    /// The truncation side, where they specify it.
    pub side: Option<TruncationDirection>,
    /// The tokenizer's class.
    pub class: TokenizerClass,
}

/// Checks the files. With `trust` an unknown tokenizer class is assumed to do what
/// tokenizer.json says.
///
/// # Errors
/// [`ModelError::Setting`] for a key that would change token ids.
pub(super) fn check(
    folder: &ModelFolder,
    tokenizer: &Tokenizer,
    raw: &Value,
    trust: bool,
) -> Result<TokenizerSettings, ModelError> {
    let own = SettingsFile {
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
    unknown_token(&own)?;
    if let Some(tokens) = folder.json("added_tokens.json")? {
        for (token, id) in tokens.value.as_object().into_iter().flatten() {
            same_number(&tokens, token, tokenizer, token, id.as_u64())?;
        }
    }
    let map = folder.json("special_tokens_map.json")?;
    let file = folder.json("tokenizer_config.json")?;
    let class = TokenizerClass::of(folder, file.as_ref(), trust)?;
    // A missing file is treated as an empty one.
    let file = file.unwrap_or_else(|| SettingsFile {
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
    rewrites::letters(&file, raw, tokenizer, &class)?;
    rewrites::space_before(&file, raw, class.family)?;
    rewrites::edges(&file, map.as_ref(), tokenizer, &class)?;
    let side = match file.text("truncation_side")? {
        None => None,
        Some("right") => Some(TruncationDirection::Right),
        Some("left") => Some(TruncationDirection::Left),
        Some(other) => {
            return Err(differs(&file, "truncation_side", other, "left or right"));
        }
    };
    Ok(TokenizerSettings { side, class })
}

/// Rejects an unknown-word token that is not in the vocabulary: the first such word would fail. Where all
/// bytes are tokens there are no unknown words.
fn unknown_token(own: &SettingsFile) -> Result<(), ModelError> {
    let Some(model) = own.get("model") else {
        return Ok(());
    };
    let usual = match model.get("type").and_then(Value::as_str) {
        Some("WordPiece") => Some("[UNK]"),
        Some("WordLevel") => Some("<unk>"),
        _ if knows_all_bytes(own, model) => return Ok(()),
        _ => None,
    };
    let named = model.get("unk_token").and_then(Value::as_str).or(usual);
    let vocab = model.get("vocab").and_then(Value::as_object);
    match (named, vocab) {
        (Some(token), Some(vocab)) if !vocab.contains_key(token) => Err(own.bad(
            "model.unk_token",
            &format!("{token:?}"),
            "a token of model.vocab, for words that are not in it",
            "name the token that the model was trained with, or copy tokenizer.json again",
        )),
        _ => Ok(()),
    }
}

/// Whether BPE has a token for each byte that can occur in text, and falls back to bytes for unknown words.
fn knows_all_bytes(own: &SettingsFile, model: &Value) -> bool {
    fn by_level(part: &Value) -> bool {
        let lists = ["pretokenizers", "normalizers"].map(|key| part.get(key));
        let mut parts = lists.into_iter().flatten().filter_map(Value::as_array);
        part.get("type").and_then(Value::as_str) == Some("ByteLevel")
            || parts.any(|list| list.iter().any(by_level))
    }
    let Some(vocab) = model.get("vocab").and_then(Value::as_object) else {
        return false;
    };
    let mut steps = ["pre_tokenizer", "normalizer"]
        .map(|key| own.get(key))
        .into_iter();
    if steps.any(|step| step.is_some_and(by_level)) {
        // These bytes never occur in UTF-8 text.
        let never = |c: &char| matches!(c, '\u{c0}' | '\u{c1}' | '\u{f5}'..='\u{ff}');
        let mut bytes = ByteLevel::alphabet().into_iter().filter(|c| !never(c));
        return bytes.all(|byte| vocab.contains_key(byte.encode_utf8(&mut [0; 4])));
    }
    let fallback = model.get("byte_fallback").and_then(Value::as_bool);
    let mut bytes = (0..=0xf4).filter(|byte| !matches!(byte, 0xc0 | 0xc1));
    fallback == Some(true) && bytes.all(|byte| vocab.contains_key(&format!("<0x{byte:02X}>")))
}

fn same_number(
    file: &SettingsFile,
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

/// Whether a token is an added token, which tokenizer.json matches before it splits a text.
fn added(raw: &Value, token: &str) -> bool {
    let list = raw.get("added_tokens").and_then(Value::as_array);
    let mut added = list.into_iter().flatten().filter_map(content);
    added.any(|own| own == token)
}
