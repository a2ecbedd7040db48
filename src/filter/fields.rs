//! What a filter looks at.

use serde_json::{Map, Value};

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct PairFields<'a> {
    /// The pair's id.
    pub id: &'a str,
    /// The image's name.
    pub image: &'a str,
    /// The captions.
    pub captions: &'a [String],
    /// Everything else.
    pub meta: &'a Map<String, Value>,
}

impl PairFields<'_> {
    /// The values under a key as texts; of a list, each entry.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.values(key, |held| {
            let single = held.iter().filter(|value| !value.is_array());
            let text = |value: &&Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            single.map(text).collect()
        })
    }

    /// The values under a key: of the metadata, else the id, the image's name or a caption. `licence` and
    /// `license` are one key.
    pub(super) fn values<T>(&self, key: &str, look: impl FnOnce(&[&Value]) -> T) -> T {
        let held = match key {
            // Both spellings occur in lists; a filter means either.
            "licence" | "license" => self.meta.get("licence").or(self.meta.get("license")),
            key => self.meta.get(key),
        };
        let own: Vec<Value> = match (held, key) {
            (Some(_), _) => Vec::new(),
            (None, "id") => vec![self.id.into()],
            (None, "image") => vec![self.image.into()],
            (None, "caption" | "captions") => self
                .captions
                .iter()
                .map(|text| text.as_str().into())
                .collect(),
            (None, _) => Vec::new(),
        };
        match held {
            // In a list one entry is enough; the list as a whole can be asked for as it is written.
            Some(list @ Value::Array(_)) => {
                let mut entries = Vec::new();
                flatten(list, &mut entries);
                look(&entries)
            }
            Some(value) => look(&[value]),
            None => look(&own.iter().collect::<Vec<_>>()),
        }
    }
}

/// A value and, of lists, all entries.
fn flatten<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
    if let Value::Array(entries) = value {
        entries.iter().for_each(|entry| flatten(entry, into));
    }
    into.push(value);
}
