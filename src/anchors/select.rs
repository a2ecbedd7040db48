//! Which pairs of a set a command speaks of.

use std::collections::HashSet;
use std::fmt;

use rayon::prelude::*;

use super::error::AnchorsError;
use super::records::Record;
use super::set::AnchorSet;

/// Pairs whose metadata has all of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<(String, String)>,
}

impl Filter {
    /// Reads `KEY=VALUE KEY=VALUE`: a word without `=` belongs to the value before it, so
    /// `licence=CC BY 4.0 source=mine` has two terms.
    ///
    /// # Errors
    /// [`AnchorsError::Filter`] when there is no term, or a key or value is empty.
    pub fn parse(text: &str) -> Result<Self, AnchorsError> {
        let refuse = |what| AnchorsError::Filter {
            text: text.to_owned(),
            what,
        };
        let mut terms: Vec<(String, String)> = Vec::new();
        for word in text.split_whitespace() {
            match (word.split_once('='), terms.last_mut()) {
                (Some((key, value)), _) => terms.push((key.to_owned(), value.to_owned())),
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

    /// The keys and values, in the order in which they were given.
    pub fn terms(&self) -> &[(String, String)] {
        &self.terms
    }

    /// Whether a pair has all the values. Numbers and `true` are compared as they are written.
    pub fn matches(&self, record: &Record) -> bool {
        let meta: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&record.meta).unwrap_or_default();
        self.terms.iter().all(|(key, wanted)| {
            let found = match key.as_str() {
                "licence" | "license" => meta.get("licence").or(meta.get("license")),
                key => meta.get(key),
            };
            found.is_some_and(|value| match value.as_str() {
                Some(text) => text == wanted,
                None => {
                    let written = value.to_string();
                    written == *wanted
                }
            })
        })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let terms: Vec<String> = self.terms.iter().map(|(k, v)| format!("{k}={v}")).collect();
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

/// The rows of the live pairs that `filter` lets through, ascending.
///
/// # Errors
/// When a record is damaged.
pub fn by_filter(set: &AnchorSet, filter: &Filter) -> Result<Vec<usize>, AnchorsError> {
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

/// What `look` finds at the live pairs, in their order; it is given segment, place in it and row.
fn live_pairs<T: Send>(
    set: &AnchorSet,
    look: impl Fn(usize, usize, usize) -> Result<Option<T>, AnchorsError> + Sync,
) -> Result<Vec<T>, AnchorsError> {
    let mut all = Vec::new();
    let mut first = 0;
    for (at, segment) in set.segments().iter().enumerate() {
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

    fn record(meta: &str) -> Record {
        Record {
            id: "a".into(),
            image: "a.jpg".into(),
            captions: vec!["a".into()],
            meta: meta.into(),
        }
    }

    #[test]
    fn values_may_hold_spaces_and_every_term_counts() {
        let filter = Filter::parse("licence=CC BY 4.0 source=mine").unwrap();
        assert_eq!(filter.to_string(), "licence=CC BY 4.0 source=mine");
        assert!(filter.matches(&record(r#"{"license":"CC BY 4.0","source":"mine"}"#)));
        assert!(!filter.matches(&record(r#"{"license":"CC BY 4.0","source":"yours"}"#)));
        assert!(!filter.matches(&record(r#"{"source":"mine"}"#)));
        let year = Filter::parse("year=2026").unwrap();
        assert!(year.matches(&record(r#"{"year":2026}"#)));
        assert!(!year.matches(&record("not json")));
        for bad in ["", "  ", "mine", "=x", "licence=", "licence= source=x"] {
            assert!(Filter::parse(bad).is_err(), "{bad:?}");
        }
    }
}
