//! Selects the pairs that a command refers to.

use std::collections::HashSet;
use std::fmt;

use rayon::prelude::*;

use crate::anchors::error::AnchorsError;
use crate::anchors::stored::records::PairRecord;
use crate::anchors::stored::set::AnchorSet;

/// Pairs whose metadata has all of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataFilter {
    terms: Vec<(String, String)>,
}

impl MetadataFilter {
    /// Reads `KEY=VALUE KEY=VALUE`: a word without `=` belongs to the value before it, so
    /// `licence=CC BY 4.0 source=mine` has two terms. A value in double quotes is taken literally, with
    /// `\"` for a quote and `\\` for a backslash in it: `title="a = b"`.
    ///
    /// # Errors
    /// [`AnchorsError::Filter`] when there is no term, a key or value is empty, or a quote is not closed.
    pub fn parse(text: &str) -> Result<Self, AnchorsError> {
        let refuse = |what| AnchorsError::Filter {
            text: text.to_owned(),
            what,
        };
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
                    let (value, after) = unquoted(&text[begin..]).ok_or_else(|| {
                        refuse("has a quote that is not closed before a space or the end")
                    })?;
                    terms.push((key.to_owned(), value));
                    rest = after.trim_start();
                }
                (Some((key, value)), _) => terms.push((key.to_owned(), value.to_owned())),
                // Values are written unquoted by people, and may have spaces.
                (None, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(word);
                }
                (None, None) => return Err(refuse("does not begin with KEY=")),
            }
        }
        if terms.is_empty() {
            return Err(refuse("is empty"));
        }
        if terms.iter().any(|(k, v)| k.is_empty() || v.is_empty()) {
            return Err(refuse("has a key or a value that is empty"));
        }
        Ok(Self { terms })
    }

    /// The same keys with other values.
    pub(crate) fn with_values(&self, value: impl Fn(&str) -> String) -> Self {
        let other = |(key, old): &(String, String)| (key.clone(), value(old));
        Self {
            terms: self.terms.iter().map(other).collect(),
        }
    }

    /// The keys and values, in the order in which they were given.
    pub(crate) fn terms(&self) -> &[(String, String)] {
        &self.terms
    }

    /// Whether a pair has all the values. Numbers and booleans are compared as text; for a list
    /// one matching entry is enough.
    pub(crate) fn matches(&self, record: &PairRecord) -> bool {
        let meta = record.metadata();
        self.terms.iter().all(|(key, wanted)| {
            let found = match key.as_str() {
                // Both spellings occur in lists; a filter means either.
                "licence" | "license" => meta.get("licence").or(meta.get("license")),
                key => meta.get(key),
            };
            found.is_some_and(|value| is_value(value, wanted))
        })
    }
}

fn is_value(value: &serde_json::Value, wanted: &str) -> bool {
    match value {
        serde_json::Value::String(text) => text == wanted,
        // Any entry counts, but the list as written does too.
        serde_json::Value::Array(entries) if entries.iter().any(|e| is_value(e, wanted)) => true,
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
    // Runs of white space and line ends would come back as one space.
    let plain = value.split_whitespace().collect::<Vec<_>>().join(" ") == value;
    // A later word with `=` would be read as the next term.
    let later_key = value.split(' ').skip(1).any(|word| word.contains('='));
    !plain || later_key || value.starts_with('"')
}

impl fmt::Display for MetadataFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |v: &str| format!("\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\""));
        let term = |(k, v): &(String, String)| match needs_quotes(v) {
            true => format!("{k}={}", quoted(v)),
            false => format!("{k}={v}"),
        };
        let terms: Vec<String> = self.terms.iter().map(term).collect();
        f.write_str(&terms.join(" "))
    }
}

/// The rows of the live pairs with these ids, ascending, and the ids that no live pair has.
///
/// # Errors
/// When a record is damaged.
pub fn by_ids(
    set: &AnchorSet,
    ids: &HashSet<String>,
) -> Result<(Vec<usize>, Vec<String>), AnchorsError> {
    let found = live_pairs(set, |segment, local, row| {
        let id = set.segments()[segment].pair_id(local)?;
        Ok(ids.contains(id).then(|| (row, id.to_owned())))
    })?;
    let present: HashSet<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    let mut missing: Vec<String> = ids
        .iter()
        .filter(|id| !present.contains(id.as_str()))
        .cloned()
        .collect();
    missing.sort();
    Ok((found.iter().map(|(row, _)| *row).collect(), missing))
}

/// The rows of the live pairs that match `filter`, ascending.
///
/// # Errors
/// When a record is damaged.
pub fn by_filter(set: &AnchorSet, filter: &MetadataFilter) -> Result<Vec<usize>, AnchorsError> {
    live_pairs(set, |segment, local, row| {
        let record = set.segments()[segment].record(local)?;
        Ok(filter.matches(&record).then_some(row))
    })
}

/// The ids of all live pairs, in their order.
///
/// # Errors
/// When a record is damaged.
pub fn ids(set: &AnchorSet) -> Result<Vec<String>, AnchorsError> {
    live_pairs(set, |segment, local, _| {
        Ok(Some(set.segments()[segment].pair_id(local)?.to_owned()))
    })
}

/// Calls `look` with segment, position in it and row of each live pair, and collects the results in order.
fn live_pairs<T: Send>(
    set: &AnchorSet,
    look: impl Fn(usize, usize, usize) -> Result<Option<T>, AnchorsError> + Sync,
) -> Result<Vec<T>, AnchorsError> {
    let mut all = Vec::new();
    let mut first = 0;
    for (at, segment) in set.segments().iter().enumerate() {
        // Records are read in parallel; collecting keeps the order of rows.
        let found: Vec<T> = (0..segment.len())
            .into_par_iter()
            .filter(|local| set.live().contains(first + local))
            .filter_map(|local| look(at, local, first + local).transpose())
            .collect::<Result<_, _>>()?;
        all.extend(found);
        first += segment.len();
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(meta: &str) -> PairRecord {
        PairRecord {
            id: "a".into(),
            image: "a.jpg".into(),
            captions: vec!["a".into()],
            meta: meta.into(),
        }
    }

    #[test]
    fn values_may_hold_spaces_and_every_term_counts() {
        let filter = MetadataFilter::parse("licence=CC BY 4.0 source=mine").unwrap();
        assert_eq!(filter.to_string(), "licence=CC BY 4.0 source=mine");
        assert!(filter.matches(&record(r#"{"license":"CC BY 4.0","source":"mine"}"#)));
        assert!(!filter.matches(&record(r#"{"license":"CC BY 4.0","source":"yours"}"#)));
        assert!(!filter.matches(&record(r#"{"source":"mine"}"#)));
        let year = MetadataFilter::parse("year=2026").unwrap();
        assert!(year.matches(&record(r#"{"year":2026}"#)));
        let bad_quotes = ["a=\"b", "a=\"b\"c", "a=\"b\\\"", "a=\"\""];
        for bad in ["", "  ", "mine", "=x", "licence=", "licence= source=x"]
            .into_iter()
            .chain(bad_quotes)
        {
            assert!(MetadataFilter::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// What stands in a pair can be asked for, whatever it is, and is read back from the log.
    #[test]
    fn every_value_can_be_written() {
        let odd = "Zo\u{eb} \"Q=\" O\u{2019}Hara";
        for value in [
            odd,
            "two  spaces",
            " at the ends ",
            "a b=c",
            "\"",
            "\\",
            "a\nb",
            "x=y",
            "\"a\" b",
        ] {
            let meta = serde_json::json!({"photographer": value, "people": ["Bob", value]});
            let pair = record(&meta.to_string());
            for key in ["photographer", "people"] {
                let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
                let filter =
                    MetadataFilter::parse(&format!("people=Bob {key}=\"{escaped}\" people=Bob"))
                        .unwrap();
                assert!(filter.matches(&pair), "{filter}");
                assert_eq!(MetadataFilter::parse(&filter.to_string()).unwrap(), filter);
            }
        }
        assert!(
            !MetadataFilter::parse("people=Eve")
                .unwrap()
                .matches(&record(r#"{"people":["Bob"]}"#))
        );
    }
}
