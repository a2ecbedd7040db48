//! Compares how tokenizer classes change the loaded tokenizer with the content of tokenizer.json.

use std::cell::LazyCell;

use serde_json::Value;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{NormalizerWrapper, Replace, Sequence, Strip};
use tokenizers::{Encoding, NormalizedString, Normalizer, Tokenizer};

use super::super::error::{InputError, ModelError};
use super::super::folder::SettingsFile;
use super::classes::{LanguageToken, TokenizerClass, TokenizerFamily};
use super::disagreement::{content, contrary, differs};
use super::input_error;

/// What Python calls `string.punctuation`.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Checks that case and accents are handled as the class and its file require.
pub(super) fn letters(
    file: &SettingsFile,
    raw: &Value,
    tokenizer: &Tokenizer,
    class: &TokenizerClass,
) -> Result<(), ModelError> {
    let reads = class.reads_lower_case();
    if reads {
        bert_normalizer(file, raw, class.family)?;
    }
    let asked = file.switch("do_lower_case")?;
    // Asked of the normalizer itself: its settings may lie anywhere within a sequence.
    let lowers = !normalized(tokenizer, "AN").contains('A');
    let unasked = matches!(
        class.family,
        TokenizerFamily::Siglip | TokenizerFamily::Siglip2
    );
    let meant = asked.or(unasked.then_some(true));
    if reads && meant.is_some_and(|meant| meant != lowers) {
        let expected = format!(
            "{lowers}, since the normalizer of tokenizer.json {} capitals",
            if lowers { "takes away" } else { "keeps" }
        );
        return Err(contrary(file, "do_lower_case", asked, &expected));
    }
    // Kept may also mean decomposed, as a letter and a combining accent.
    let kept = normalized(tokenizer, "é").contains(['é', '\u{301}']);
    if let Some(asked) = file.switch("keep_accents")?.filter(|_| reads)
        && asked != kept
    {
        let expected = format!("{kept}, as the normalizer of tokenizer.json does");
        return Err(differs(file, "keep_accents", &asked.to_string(), &expected));
    }
    Ok(())
}

/// Removes punctuation and repeated spaces from texts, where the class does so before it
/// tokenizes and tokenizer.json does not. Published files have these steps; others of the class may not.
pub(super) fn add_canonical_text(
    tokenizer: &mut Tokenizer,
    class: &TokenizerClass,
) -> tokenizers::Result<()> {
    let kept = normalized(tokenizer, &format!("a{PUNCTUATION}b"));
    if class.family != TokenizerFamily::Siglip || !kept.contains(|c| PUNCTUATION.contains(c)) {
        return Ok(());
    }
    let replace = |pattern: &str, by: &str| {
        Replace::new(ReplacePattern::Regex(pattern.to_owned()), by).map(NormalizerWrapper::from)
    };
    let mut steps = vec![
        replace(r"[!-/:-@\[-`{-~]", "")?,
        replace(r"\s+", " ")?,
        Strip::new(true, true).into(),
    ];
    // Before the file's own steps, as the class cleans a text first.
    steps.extend(tokenizer.get_normalizer().cloned());
    tokenizer.with_normalizer(Some(Sequence::new(steps)))?;
    Ok(())
}

/// The text after the tokenizer's normalizer.
fn normalized(tokenizer: &Tokenizer, text: &str) -> String {
    let mut normal = NormalizedString::from(text);
    if let Some(normalizer) = tokenizer.get_normalizer()
        && normalizer.normalize(&mut normal).is_err()
    {
        return text.to_owned();
    }
    normal.get().to_owned()
}

/// The settings that BERT's tokenizer classes write into their normalizer.
fn bert_normalizer(
    file: &SettingsFile,
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
            // By default accents are stripped if and only if capitals are.
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

/// Checks that a leading space is added as the class and its file require.
pub(super) fn space_before(
    file: &SettingsFile,
    raw: &Value,
    family: TokenizerFamily,
) -> Result<(), ModelError> {
    let asked = file.switch("add_prefix_space")?;
    let level = raw.get("pre_tokenizer").filter(|part| !part.is_null());
    // By default only this pre-tokenizer is changed, and only where it is the only one.
    let alone = level.and_then(|part| part.get("type")?.as_str()) == Some("ByteLevel");
    let usual = (family == TokenizerFamily::Roberta && alone).then_some(false);
    let (found, by) = match prefix_space(level) {
        None if prepends(raw.get("normalizer")) => (Some(true), "normalizer"),
        found => (found, "pre_tokenizer"),
    };
    match found {
        Some(found) if asked.or(usual).is_some_and(|asked| asked != found) => {
            let expected = format!("{found}, as the {by} of tokenizer.json");
            Err(contrary(file, "add_prefix_space", asked, &expected))
        }
        _ => Ok(()),
    }
}

/// Whether a space is prepended; `None` where the pre-tokenizer has no such setting.
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

/// Whether the normalizer prepends something, as Llama's older files do with the space.
fn prepends(normalizer: Option<&Value>) -> bool {
    let Some(part) = normalizer else { return false };
    let inner = part.get("normalizers").and_then(Value::as_array);
    part.get("type").and_then(Value::as_str) == Some("Prepend")
        || inner.into_iter().flatten().any(|part| prepends(Some(part)))
}

/// Checks that texts begin and end with the tokens that the class and its file require.
pub(super) fn edges(
    file: &SettingsFile,
    map: Option<&SettingsFile>,
    tokenizer: &Tokenizer,
    class: &TokenizerClass,
) -> Result<(), ModelError> {
    let encoding = LazyCell::new(|| whole_text(tokenizer));
    let unread = |reason: &String| {
        let reason = reason.clone();
        ModelError::from(input_error(0, InputError::Tokenizer { reason }))
    };
    for (key, token, last) in [
        ("add_bos_token", "bos_token", false),
        ("add_eos_token", "eos_token", true),
    ] {
        let asked = file.switch(key)?;
        let unasked = class.family == TokenizerFamily::Llama;
        let Some(meant) = asked.or(unasked.then_some(!last)) else {
            continue;
        };
        let named = named_token(file, map, token).or(class.usual_edge(last));
        let Some(id) = named.and_then(|token| tokenizer.token_to_id(token)) else {
            if asked == Some(true) {
                let expected = format!("false or absent, since tokenizer.json has no `{token}`");
                return Err(differs(file, key, "true", &expected));
            }
            continue;
        };
        let ids = encoding.as_ref().map_err(unread)?.get_ids();
        let edge = if last { ids.last() } else { ids.first() };
        let found = edge == Some(&id);
        if found != meant {
            let expected = format!("{found}, as the post_processor of tokenizer.json does");
            return Err(contrary(file, key, asked, &expected));
        }
    }
    match class.family {
        TokenizerFamily::Language(language) => {
            let encoding = encoding.as_ref().map_err(unread)?;
            of_language(file, map, tokenizer, encoding, language)
        }
        _ => Ok(()),
    }
}

/// The tokens of a text, without the padding and truncation that the tokenizer's file may specify.
fn whole_text(tokenizer: &Tokenizer) -> Result<Encoding, String> {
    // Padding and truncation of the file would hide which tokens stand at the edges.
    let mut tokenizer = tokenizer.clone();
    let whole = tokenizer.with_padding(None).with_truncation(None);
    let encoding = whole.and_then(|whole| whole.encode_fast("a", true));
    encoding.map_err(|reason| reason.to_string())
}

/// The token for this role, where a file names one.
fn named_token<'a>(
    file: &'a SettingsFile,
    map: Option<&'a SettingsFile>,
    role: &str,
) -> Option<&'a str> {
    let holders = [Some(file), map].into_iter().flatten();
    let mut named = holders.filter_map(|f| f.get(role).and_then(content));
    named.next()
}

/// Checks that the post-processor writes the language of `src_lang`, as these classes do.
fn of_language(
    file: &SettingsFile,
    map: Option<&SettingsFile>,
    tokenizer: &Tokenizer,
    encoding: &Encoding,
    language: LanguageToken,
) -> Result<(), ModelError> {
    let asked = file.text("src_lang")?;
    let name = asked.unwrap_or(language.usual);
    let token = match language.underscores && !name.contains("__") {
        true => format!("__{name}__"),
        false => name.to_owned(),
    };
    let first = language.first && file.switch("legacy_behaviour")? != Some(true);
    let end = named_token(file, map, "eos_token").unwrap_or("</s>");
    let meant = match first {
        true => format!("{token} TEXT {end}"),
        false => format!("TEXT {end} {token}"),
    };
    let mut found = Vec::new();
    let mask = encoding.get_special_tokens_mask();
    for (&id, &special) in encoding.get_ids().iter().zip(mask) {
        let part = match special {
            0 => "TEXT".to_owned(),
            _ => tokenizer.id_to_token(id).unwrap_or_default(),
        };
        if part != "TEXT" || found.last() != Some(&part) {
            found.push(part);
        }
    }
    let found = found.join(" ");
    if found == meant {
        return Ok(());
    }
    let key = "src_lang";
    let expected = format!(
        "what the post_processor of tokenizer.json writes: {found}; the tokenizer's class writes {meant}"
    );
    match asked {
        Some(asked) => Err(differs(file, key, asked, &expected)),
        None => Err(differs(file, key, "absent", &expected)),
    }
}
