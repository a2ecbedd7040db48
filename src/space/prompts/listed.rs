//! Label files that are JSON or JSON Lines.

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::entries::is_wordnet;
use super::error::{PromptsError, place};
use crate::pairs::{CheckedValue, json_message, type_name as json_type};

/// The entries of a JSON object in the order of the file, duplicate keys included.
struct OrderedEntries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for OrderedEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = OrderedEntries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OrderedEntries, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, found)) = map.next_entry::<String, CheckedValue>()? {
                    if let Some(inner) = found.twice {
                        let said = format!("the key {inner:?} under {key:?} occurs twice");
                        return Err(serde::de::Error::custom(said));
                    }
                    entries.push((key, found.value));
                }
                Ok(OrderedEntries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelLine {
    label: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default, alias = "descriptions")]
    prompts: Vec<String>,
}

/// The alternative names and own prompts of a label.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct LabelDetails {
    /// Alternative names, for example in other languages; templates are applied to them too.
    pub names: Vec<String>,
    /// Complete prompts, to which no template is applied.
    pub prompts: Vec<String>,
}

/// The contents of a JSON document of labels.
pub(super) enum LabelDocument {
    /// Names only, taken literally.
    Names(Vec<String>),
    /// Labels with prompts of their own.
    Entries(LabelEntries),
}

/// Number, label and the rest of each entry.
type LabelEntries = Vec<(usize, String, LabelDetails)>;

/// A list of names, `{"label": prompts, ...}` with entries numbered among each other, or the numbered
/// classes of a model.
pub(super) fn document(path: &Path, text: &str) -> Result<LabelDocument, PromptsError> {
    let mut each = text.lines().filter(|line| !line.trim().is_empty());
    let is_value = |line: &str| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok();
    if each.clone().nth(1).is_some() && each.all(is_value) {
        let what = "this seems to be JSON Lines; name the file .jsonl";
        return Err(wrong(path, what));
    }
    if text.trim_start().starts_with('[') {
        let values: Vec<Value> = serde_json::from_str(text).map_err(|e| fault(path, 0, &e))?;
        let name = |value: Value| match value {
            Value::String(name) => Some(name),
            _ => None,
        };
        let names: Option<Vec<_>> = values.into_iter().map(name).collect();
        let names = names.filter(|names| !names.is_empty()).ok_or_else(|| {
            wrong(
                path,
                "expected a list of labels as strings, such as [\"cat\", \"dog\"]",
            )
        })?;
        return Ok(LabelDocument::Names(names));
    }
    let OrderedEntries(entries) =
        serde_json::from_str(text).map_err(|error| fault(path, 0, &error))?;
    for key in ["id2label", "label2id"] {
        if let Some((_, Value::Object(map))) = entries.iter().find(|(name, _)| name == key) {
            let map: Vec<_> = map.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            return numbered(&map).map(LabelDocument::Names).ok_or_else(|| {
                wrong(
                    path,
                    &format!("expected numbered class names under {key:?}"),
                )
            });
        }
    }
    if let Some(names) = numbered(&entries) {
        return Ok(LabelDocument::Names(names));
    }
    refuse_other_objects(path, &entries)?;
    if entries.len() > 1 && entries.iter().all(|(key, _)| key.parse::<i64>().is_ok()) {
        let fault = numbering_fault(&entries);
        let what = format!("the keys are numbers, as in a list of classes, but {fault}");
        return Err(wrong(path, &what));
    }
    let mut listed = Vec::new();
    for (index, (label, value)) in entries.into_iter().enumerate() {
        let texts = match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(values) => values
                .into_iter()
                .map(|value| value.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        let prompts = texts.ok_or_else(|| {
            wrong(
                path,
                &format!("expected a prompt or a list of prompts under {label:?}"),
            )
        })?;
        let (names, prompts) = (Vec::new(), trimmed(prompts));
        listed.push((index, label, LabelDetails { names, prompts }));
    }
    Ok(LabelDocument::Entries(listed))
}

/// Rejects objects whose keys are not labels: those with a list of labels under a key such as `labels`, and
/// those with class codes as keys or as values.
fn refuse_other_objects(path: &Path, entries: &[(String, Value)]) -> Result<(), PromptsError> {
    let is_code = |value: &Value| {
        let text = value.as_str().map(str::trim);
        text.is_some_and(|text| text.parse::<f64>().is_ok() || is_wordnet(text))
    };
    let are_codes = |value: &Value| match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(is_code),
        value => is_code(value),
    };
    if !entries.is_empty() && entries.iter().all(|(_, value)| are_codes(value)) {
        let what = "the values are quoted numbers or WordNet ids instead of prompts; \
                    expected numbers, such as {\"cat\": 0, \"dog\": 1}, or a list of the names";
        return Err(wrong(path, what));
    }
    let holders = [
        "labels",
        "classes",
        "names",
        "class_names",
        "classnames",
        "categories",
        "candidate_labels",
    ];
    // A single key with a list is more likely a holder than a label: one label alone cannot be classified.
    let is_alone = entries.len() == 1;
    let holds = |(key, value): &&(String, Value)| {
        let is_holder = is_alone || holders.contains(&key.to_ascii_lowercase().as_str());
        is_holder && (value.is_array() || value.is_object())
    };
    if let Some((key, _)) = entries.iter().find(holds) {
        let what = format!(
            "{key:?} seems to hold the labels; expected them at the top of the file, such as \
             [\"cat\", \"dog\"]"
        );
        return Err(wrong(path, &what));
    }
    let fields = ["label", "names", "prompts"];
    let is_field = |(key, _): &(String, Value)| fields.contains(&key.as_str());
    if entries.len() > 1 && entries.iter().all(is_field) {
        let what = "this seems to be one row of a JSON Lines label file; expected one such row a line in a \
                    .jsonl file";
        return Err(wrong(path, what));
    }
    if !entries.is_empty() && entries.iter().all(|(key, _)| is_wordnet(key)) {
        let what = "the keys are WordNet ids instead of names; expected a list of the names, such \
                    as [\"tench\", \"goldfish\"]";
        return Err(wrong(path, what));
    }
    Ok(())
}

/// The names of classes in the order of their numbers: `{"0": "tench"}` (`id2label`),
/// `{"tench": 0}` (`label2id`) or `{"0": ["n01440764", "tench"]}` (Keras's `class_index.json`).
fn numbered(entries: &[(String, Value)]) -> Option<Vec<String>> {
    let one = |(key, value): &(String, Value)| match (key.parse::<u64>(), value) {
        (Ok(number), Value::String(name)) => Some((number, name.clone())),
        (Ok(number), Value::Array(pair)) => match pair.as_slice() {
            [Value::String(id), Value::String(name)] if is_wordnet(id) => {
                Some((number, name.replace('_', " ")))
            }
            _ => None,
        },
        // A number on both sides has no name.
        (Err(_), Value::Number(number)) => Some((number.as_u64()?, key.clone())),
        _ => None,
    };
    let mut classes: Vec<_> = entries.iter().map(one).collect::<Option<_>>()?;
    classes.sort_by_key(|(number, _)| *number);
    // A single class whose number is not 0 is unlikely to be the class list of a model.
    if classes.len() == 1 && classes[0].0 != 0 {
        return None;
    }
    let distinct = classes.windows(2).all(|pair| pair[0].0 != pair[1].0);
    (distinct && !classes.is_empty()).then(|| classes.into_iter().map(|(_, name)| name).collect())
}

/// What is wrong with classes that have numbers as keys.
fn numbering_fault(entries: &[(String, Value)]) -> String {
    let mut seen = HashSet::new();
    for (key, value) in entries {
        let number: i64 = key.parse().expect("the keys are whole numbers");
        if number < 0 {
            return format!(
                "the number {key} is negative, and classes are numbered from 0; remove it, or write a \
                 list of the names, [\"cat\", \"dog\"]"
            );
        }
        if !seen.insert(number) {
            return format!("the number {number} occurs twice; give each class its own");
        }
        if !value.is_string() {
            let found = json_type(value);
            return format!("expected a name under {key:?}, found {found}");
        }
    }
    "not every class has a name".to_owned()
}

/// `{"label": ..., "names": [...], "prompts": [...]}` a line.
pub(super) fn lines(path: &Path, text: &str) -> Result<LabelEntries, PromptsError> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let value: Value =
                serde_json::from_str(line).map_err(|error| fault(path, index, &error))?;
            if !value.is_object() {
                let found = json_type(&value);
                return Err(PromptsError::Json {
                    at: place(Some(path), index),
                    what: format!("expected an object with \"label\", found {found}"),
                });
            }
            // Parsed from the text again, because a `Value` keeps only the last value of a duplicate key.
            let line: LabelLine =
                serde_json::from_str(line).map_err(|error| fault(path, index, &error))?;
            let prompts = trimmed(line.prompts);
            let names = line.names;
            Ok((index, line.label, LabelDetails { names, prompts }))
        })
        .collect()
}

fn wrong(path: &Path, what: &str) -> PromptsError {
    PromptsError::Json {
        at: place(Some(path), 0),
        what: what.to_owned(),
    }
}

fn trimmed(prompts: Vec<String>) -> Vec<String> {
    let prompts = prompts.iter().map(|p| p.trim()).filter(|p| !p.is_empty());
    prompts.map(str::to_owned).collect()
}

/// `before`: the number of lines before the text that was parsed.
fn fault(path: &Path, before: usize, error: &serde_json::Error) -> PromptsError {
    let said = json_message(error);
    let what = said.split(" at ").next().unwrap_or_default();
    PromptsError::Json {
        at: place(Some(path), before + error.line().max(1) - 1),
        what: what.to_owned(),
    }
}
