//! Which keys and values pairs have that are nearest to those that a filter names in vain.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::PairFilter;
use super::fields::PairFields;

/// Keys and values that are told of each.
const TOLD: usize = 3;
/// Different values that are compared for each key; there may be as many as pairs.
const COMPARED: usize = 100_000;

/// What the pairs have under the keys of a filter that selects none of them.
#[derive(Debug)]
pub struct NearestValues {
    wanted: Vec<(String, String)>,
    /// Those of the metadata of any pair.
    keys: HashSet<String>,
    /// The values of each key of the filter.
    values: BTreeMap<String, HashSet<String>>,
}

impl NearestValues {
    /// Nothing seen yet.
    pub fn of(filter: &PairFilter) -> Self {
        let values = filter.keys().into_iter().map(|key| (key, HashSet::new()));
        Self {
            wanted: filter.terms(),
            keys: HashSet::new(),
            values: values.collect(),
        }
    }

    /// Adds what a pair has.
    pub fn see(&mut self, pair: &PairFields<'_>) {
        for key in pair.meta.keys() {
            if self.keys.len() < COMPARED && !self.keys.contains(key) {
                self.keys.insert(key.clone());
            }
        }
        for (key, values) in &mut self.values {
            let room = COMPARED.saturating_sub(values.len());
            values.extend(pair.texts(key).into_iter().take(room));
        }
    }

    /// What is told of one key and one value of it.
    fn told(&self, key: &str, wanted: &str) -> Option<String> {
        let held = self.values.get(key)?;
        if held.is_empty() {
            let nearest = nearest(&self.keys, key);
            return Some(match nearest.is_empty() {
                true => format!("no pair has a key {key:?}"),
                false => format!("no pair has a key {key:?}, the nearest are {nearest}"),
            });
        }
        // A pattern is told by the values too: it may lack its `%`.
        let is_there = held.contains(wanted);
        (!is_there).then(|| {
            format!(
                "of {key:?} the nearest values are {}",
                nearest(held, wanted)
            )
        })
    }
}

/// The names nearest to `wanted`, each in quotes, by Jaro-Winkler similarity without regard to case.
fn nearest(held: &HashSet<String>, wanted: &str) -> String {
    let wanted = wanted.to_lowercase();
    let near = |text: &String| strsim::jaro_winkler(&text.to_lowercase(), &wanted);
    let mut sorted: Vec<(f64, &String)> = held.iter().map(|text| (near(text), text)).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let told = sorted.iter().take(TOLD).map(|(_, text)| {
        let short: String = text.chars().take(60).collect();
        format!("{short:?}")
    });
    told.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for NearestValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told: Vec<String> = Vec::new();
        for (key, wanted) in &self.wanted {
            let more = self.told(key, wanted);
            told.extend(more.filter(|more| !told.contains(more)));
            if told.len() == TOLD {
                break;
            }
        }
        match told.is_empty() {
            true => {
                f.write_str("each of its values exists, but no pair has what it asks for together")
            }
            false => f.write_str(&told.join("; ")),
        }
    }
}
