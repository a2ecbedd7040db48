//! Label files that are JSON or JSON Lines.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::labels::More;
use super::{PromptsError, lines_of, place};

/// One prompt or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a prompt or a list of prompts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Vec<String> {
    fn from(prompts: OneOrMany) -> Self {
        match prompts {
            OneOrMany::One(prompt) => vec![prompt],
            OneOrMany::Many(prompts) => prompts,
        }
    }
}

/// An object in the order of the file, its keys as often as they are there.
struct Entries(Vec<(String, OneOrMany)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    label: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default, alias = "descriptions")]
    prompts: Vec<String>,
}

/// Number, label and the rest of each entry.
type Listed = Vec<(usize, String, More)>;

/// `{"label": prompts, ...}`; entries are numbered among each other.
pub(super) fn object(path: &Path, text: &str) -> Result<Listed, PromptsError> {
    let entries: Entries = serde_json::from_str(text).map_err(|error| fault(path, 0, &error))?;
    let entry = |(index, (label, prompts)): (usize, (String, OneOrMany))| {
        let names = Vec::new();
        let prompts = trimmed(prompts.into());
        (index, label, More { names, prompts })
    };
    Ok(entries.0.into_iter().enumerate().map(entry).collect())
}

/// `{"label": ..., "names": [...], "prompts": [...]}` a line.
pub(super) fn lines(path: &Path, text: &str) -> Result<Listed, PromptsError> {
    lines_of(text)
        .map(|(index, line)| {
            let line: Line =
                serde_json::from_str(line).map_err(|error| fault(path, index, &error))?;
            let prompts = trimmed(line.prompts);
            let names = line.names;
            Ok((index, line.label, More { names, prompts }))
        })
        .collect()
}

fn trimmed(prompts: Vec<String>) -> Vec<String> {
    let prompts = prompts.iter().map(|p| p.trim()).filter(|p| !p.is_empty());
    prompts.map(str::to_owned).collect()
}

/// `before` lines stand above what the JSON parser was given.
fn fault(path: &Path, before: usize, error: &serde_json::Error) -> PromptsError {
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or_default();
    PromptsError::Json {
        at: place(Some(path), before + error.line().max(1) - 1),
        what: what.to_owned(),
    }
}
