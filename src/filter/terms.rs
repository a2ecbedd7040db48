//! The short form of a filter: `KEY=VALUE KEY=VALUE`.

use std::fmt;

use super::fields::PairFields;

/// Keys with the values that a pair must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilterTerms(Vec<(String, String)>);

/// Whether each word is a term of its own, with a value that is not quoted as texts of expressions are.
pub(super) fn is_plain(text: &str) -> bool {
    text.split_whitespace().all(|word| {
        let (key, value) = word.split_once('=').unwrap_or_default();
        let is_key = !key.is_empty() && !key.ends_with(['<', '>', '!']);
        is_key && !value.is_empty() && !value.starts_with(['\'', '"'])
    })
}

/// Whether a text was meant as an expression although its words read as the short form: a key with a character of
/// expressions, a value that begins with one, or `and` or `or` before a further comparison. Read as the short form it
/// would select nothing, without a word of warning.
pub(super) fn is_slip(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    // A quoted value may hold anything.
    let mut is_quoted = false;
    words.iter().enumerate().any(|(at, word)| {
        let was_quoted = is_quoted;
        if let Some((key, value)) = word.split_once('=').filter(|_| !was_quoted) {
            let is_open = value.starts_with('"') && !ends_quoted(&value[1..]);
            is_quoted = is_open;
            let has_sign = |signs: &[char]| key.contains(signs);
            return has_sign(&['<', '>', '!', '(', ')', '\'', '"', ',', ';'])
                || value.starts_with(['=', '>', '\'']);
        }
        if was_quoted {
            is_quoted = !ends_quoted(word);
            return false;
        }
        // Such as `year<2005` behind a whole term.
        if at > 0
            && word
                .split_once(['<', '>'])
                .is_some_and(|(key, value)| !key.is_empty() && !value.is_empty())
        {
            return true;
        }
        let is_joining = word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or");
        at > 0 && is_joining && is_comparison(&words[at + 1..])
    })
}

/// Whether a word closes a quoted value.
fn ends_quoted(word: &str) -> bool {
    let escapes = word.bytes().rev().skip(1).take_while(|&byte| byte == b'\\');
    word.ends_with('"') && escapes.count() % 2 == 0
}

/// Whether words behind `and` or `or` begin a comparison. None at all are an expression that was not finished.
fn is_comparison(words: &[&str]) -> bool {
    const OPERATORS: [&str; 13] = [
        "=", "!=", "<>", "<", "<=", ">", ">=", "like", "ilike", "in", "between", "is", "not",
    ];
    let is_any = |word: &str, of: &[&str]| of.iter().any(|known| word.eq_ignore_ascii_case(known));
    match words {
        [] => true,
        [first, ..] if is_any(first, &["not"]) || first.contains(['=', '<', '>', '(']) => true,
        [_, second, ..] => is_any(second, &OPERATORS),
        [_] => false,
    }
}

/// Whether the first word is `KEY=...`.
pub(super) fn begins_as_terms(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    first.find('=').is_some_and(|at| at > 0)
}

/// A word without `=` belongs to the value before it, so `licence=CC BY 4.0 source=mine` has two terms. A value
/// in double quotes is taken literally, with `\"` for a quote and `\\` for a backslash in it: `title="a = b"`.
///
/// # Errors
/// What is wrong: there is no term, a key or value is empty, or a quote is not closed.
pub(super) fn parse(text: &str) -> Result<FilterTerms, &'static str> {
    let mut terms: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after.trim_start();
        match (word.split_once('='), terms.last_mut()) {
            (Some((key, value)), _) if value.starts_with('"') => {
                // Found again in the whole text, because a quoted value may contain spaces that cut the word.
                let begin = text.len() - after.len() - value.len();
                let (value, after) = unquoted(&text[begin..])
                    .ok_or("has a quote that is not closed before a space or the end")?;
                terms.push((key.to_owned(), value));
                rest = after.trim_start();
            }
            (Some((key, value)), _) => terms.push((key.to_owned(), value.to_owned())),
            // Values are written unquoted by people, and may have spaces.
            (None, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (None, None) => return Err("does not begin with KEY="),
        }
    }
    if terms.is_empty() {
        return Err("is empty");
    }
    if terms.iter().any(|(k, v)| k.is_empty() || v.is_empty()) {
        return Err("has a key or a value that is empty");
    }
    Ok(FilterTerms(terms))
}

impl FilterTerms {
    /// The same keys with other values.
    pub(super) fn with_values(&self, value: impl Fn(&str) -> String) -> Self {
        let other = |(key, old): &(String, String)| (key.clone(), value(old));
        Self(self.0.iter().map(other).collect())
    }

    /// The keys and values, in the order in which they were given.
    pub(super) fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }

    /// Whether a pair has all the values. Numbers and booleans are compared as text; for a list
    /// one matching entry is enough.
    pub(super) fn matches(&self, pair: &PairFields<'_>) -> bool {
        self.0.iter().all(|(key, wanted)| {
            pair.values(key, |held| held.iter().any(|value| is_value(value, wanted)))
        })
    }
}

fn is_value(value: &serde_json::Value, wanted: &str) -> bool {
    match value {
        serde_json::Value::String(text) => text == wanted,
        other => {
            let written = other.to_string();
            written == wanted
        }
    }
}

/// The quoted string at the beginning of a text, and the rest after a space.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut signs = text.char_indices().skip(1);
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => value.push(signs.next()?.1),
            '"' => {
                let after = &text[at + 1..];
                let ends = after.is_empty() || after.starts_with(char::is_whitespace);
                return ends.then_some((value, after));
            }
            sign => value.push(sign),
        }
    }
    None
}

/// Whether a value must be quoted to be parsed back unchanged.
fn needs_quotes(value: &str) -> bool {
    let plain = value.split_whitespace().collect::<Vec<_>>().join(" ") == value;
    let later_key = value.split(' ').skip(1).any(|word| word.contains('='));
    !plain || later_key || value.starts_with('"') || is_slip(&format!("key={value}"))
}

impl fmt::Display for FilterTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |v: &str| format!("\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\""));
        let term = |(k, v): &(String, String)| match needs_quotes(v) {
            true => format!("{k}={}", quoted(v)),
            false => format!("{k}={v}"),
        };
        let terms: Vec<String> = self.0.iter().map(term).collect();
        f.write_str(&terms.join(" "))
    }
}
