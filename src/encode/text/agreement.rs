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
    if let Some(tokens) = folder.json("added_tokens.json")? {
        for (token, id) in tokens.value.as_object().into_iter().flatten() {
            same_number(&tokens, token, tokenizer, token, id.as_u64())?;
        }
    }
    let map = folder.json("special_tokens_map.json")?;
    let Some(file) = folder.json("tokenizer_config.json")? else {
        return Ok(None);
    };
    for (id, token) in file
        .get("added_tokens_decoder")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(content) = token.get("content").and_then(Value::as_str) {
            let id = id.parse().ok();
            same_number(&file, "added_tokens_decoder", tokenizer, content, id)?;
        }
    }
    for holder in [Some(&file), map.as_ref()].into_iter().flatten() {
        let more = holder
            .get("additional_special_tokens")
            .and_then(Value::as_array);
        for token in more.into_iter().flatten().filter_map(content) {
            if tokenizer.token_to_id(token).is_none() {
                return Err(differs(
                    holder,
                    "additional_special_tokens",
                    token,
                    "only tokens that tokenizer.json has",
                ));
            }
        }
    }
    if file.switch("split_special_tokens")? == Some(true) {
        return Err(differs(
            &file,
            "split_special_tokens",
            "true",
            "false or absent",
        ));
    }
    bert_normalizer(&file, raw)?;
    if file.switch("do_lower_case")? == Some(true) && !lowers(tokenizer) {
        return Err(differs(
            &file,
            "do_lower_case",
            "true",
            "false, since the normalizer of tokenizer.json keeps capitals",
        ));
    }
    if let Some(asked) = file.switch("add_prefix_space")?
        && let Some(found) = prefix_space(raw.get("pre_tokenizer"))
        && asked != found
    {
        return Err(differs(
            &file,
            "add_prefix_space",
            &asked.to_string(),
            &format!("{found}, as the pre_tokenizer of tokenizer.json"),
        ));
    }
    edges(&file, map.as_ref(), tokenizer)?;
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

/// The text of a token that is written as a text or as an object.
fn content(token: &Value) -> Option<&str> {
    match token {
        Value::String(text) => Some(text),
        other => other.get("content").and_then(Value::as_str),
    }
}

/// The settings that BERT's tokenizer classes write into their normalizer.
fn bert_normalizer(file: &Settings, raw: &Value) -> Result<(), ModelError> {
    let Some(normalizer) = raw
        .get("normalizer")
        .filter(|n| n.get("type").and_then(Value::as_str) == Some("BertNormalizer"))
    else {
        return Ok(());
    };
    for (key, own) in [
        ("do_lower_case", "lowercase"),
        ("strip_accents", "strip_accents"),
        ("tokenize_chinese_chars", "handle_chinese_chars"),
    ] {
        let Some(asked) = file.switch(key)? else {
            continue;
        };
        let found = normalizer.get(own).cloned().unwrap_or(Value::Null);
        // Accents are stripped as capitals are where nothing is said.
        let lower = normalizer.get("lowercase").and_then(Value::as_bool);
        let effective = match own {
            "strip_accents" => found.as_bool().or(lower),
            _ => found.as_bool(),
        };
        if effective.is_some_and(|found| found != asked) {
            let expected = format!("{found}, as `{own}` in the normalizer of tokenizer.json");
            return Err(differs(file, key, &asked.to_string(), &expected));
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
fn edges(file: &Settings, map: Option<&Settings>, tokenizer: &Tokenizer) -> Result<(), ModelError> {
    for (key, token, last) in [
        ("add_bos_token", "bos_token", false),
        ("add_eos_token", "eos_token", true),
    ] {
        let Some(asked) = file.switch(key)? else {
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
        if found != asked {
            let expected = format!("{found}, as the post_processor of tokenizer.json does");
            return Err(differs(file, key, &asked.to_string(), &expected));
        }
    }
    Ok(())
}
