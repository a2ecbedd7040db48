//! Validates a body against the schema of its route in `/openapi.json`, and describes the first mismatch.
//!
//! The JSON is validated while it is parsed, without building values, so a refused body takes no further
//! memory.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The OpenAPI document, for the schemas of all bodies.
static DOCUMENT: OnceLock<Value> = OnceLock::new();

/// Sets the document that bodies are validated against; once, before the first request.
pub(super) fn know_bodies(document: &str) {
    DOCUMENT.get_or_init(|| serde_json::from_str(document).expect("the document is valid JSON"));
}

/// The first mismatch of a JSON body with the schema of this name: the path of the field, what was expected
/// and what was found. None if the body matches.
pub(super) fn mismatch(schema: &str, bytes: &[u8]) -> Option<String> {
    let schema = format!("/components/schemas/{schema}");
    let schema = DOCUMENT.get()?.pointer(&schema)?;
    let found = RefCell::new(None);
    let node = SchemaNode {
        schema,
        path: String::new(),
        found: &found,
    };
    // Errors of JSON syntax were reported before.
    let _ = node.deserialize(&mut serde_json::Deserializer::from_slice(bytes));
    found.into_inner()
}

/// A position in the body, and the schema that is expected there.
struct SchemaNode<'a> {
    schema: &'a Value,
    path: String,
    found: &'a RefCell<Option<String>>,
}

/// Resolves references.
fn resolved(schema: &Value) -> &Value {
    match schema["$ref"].as_str() {
        Some(name) => DOCUMENT
            .get()
            .and_then(|document| document.pointer(name.trim_start_matches('#')))
            .map_or(schema, resolved),
        None => schema,
    }
}

/// The alternatives of a schema, of which one must match.
fn choices(schema: &Value) -> Vec<&Value> {
    let schema = resolved(schema);
    let lists = ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|key| schema[key].as_array());
    let all: Vec<&Value> = lists.flatten().flat_map(choices).collect();
    match all.is_empty() {
        true => vec![schema],
        false => all,
    }
}

/// Whether a schema allows this type.
fn is_of(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => kind == "object" && schema["properties"].is_object(),
    }
}

/// A description of what a schema allows.
fn wanted(schema: &Value) -> String {
    let mut all = BTreeSet::new();
    for schema in choices(schema) {
        if let Some(values) = schema["enum"].as_array() {
            let values: Vec<String> = values.iter().map(Value::to_string).collect();
            all.insert(format!("one of {}", values.join(", ")));
            continue;
        }
        for (kind, words) in [
            ("string", "a text"),
            ("integer", "a whole number"),
            ("number", "a number"),
            ("boolean", "true or false"),
            ("object", "an object"),
        ] {
            if is_of(schema, kind) {
                all.insert(words.to_owned());
            }
        }
        if is_of(schema, "array") {
            let of = wanted(&schema["items"]);
            all.insert(match of.as_str() {
                "a text" => "a list of texts".to_owned(),
                "a number" => "a list of numbers".to_owned(),
                "an object" => "a list of objects".to_owned(),
                of => format!("a list of ({of})"),
            });
        }
    }
    Vec::from_iter(all).join(" or ")
}

impl<'a> SchemaNode<'a> {
    fn place(&self) -> String {
        match self.path.as_str() {
            "" => "the body".to_owned(),
            path => format!("`{path}`"),
        }
    }

    /// Records the mismatch, and ends the validation.
    fn wrong<E: Error>(&self, found: &str) -> E {
        let message = format!(
            "{}: expected {}, found {found}",
            self.place(),
            wanted(self.schema)
        );
        self.end(message)
    }

    fn end<E: Error>(&self, message: String) -> E {
        self.found.borrow_mut().get_or_insert(message);
        E::custom("schema mismatch")
    }

    fn child(&self, schema: &'a Value, path: String) -> Self {
        Self {
            schema,
            path,
            found: self.found,
        }
    }

    fn of(&self, kind: &str) -> Option<&'a Value> {
        let all = choices(self.schema).into_iter();
        let mut all: Vec<&Value> = all.filter(|schema| is_of(schema, kind)).collect();
        // Prefer an alternative that names fields.
        all.sort_by_key(|schema| !schema["properties"].is_object());
        all.first().copied()
    }

    fn whole<E: Error>(self, number: i128) -> Result<(), E> {
        let Some(schema) = self.of("integer").or_else(|| self.of("number")) else {
            return Err(self.wrong(&format!("the number {number}")));
        };
        let least = schema["minimum"].as_f64().map(|least| least as i128);
        match least {
            Some(least) if number < least => {
                let message = format!(
                    "{}: expected a whole number of at least {least}, found {number}",
                    self.place()
                );
                Err(self.end(message))
            }
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for SchemaNode<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for SchemaNode<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.of("boolean") {
            Some(_) => Ok(()),
            None => Err(self.wrong(&value.to_string())),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.whole(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.whole(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.of("number") {
            Some(_) => Ok(()),
            None => Err(self.wrong(&format!("the number {value:?}"))),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.of("null") {
            Some(_) => Ok(()),
            None => Err(self.wrong("null")),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let texts = choices(self.schema);
        let mut texts = texts.iter().filter(|schema| is_of(schema, "string"));
        let fits = |schema: &&&Value| {
            let listed = schema["enum"].as_array();
            listed.is_none_or(|listed| listed.iter().any(|one| one == value))
        };
        match texts.clone().next() {
            None => Err(self.wrong("a text")),
            Some(_) if texts.any(|schema| fits(&schema)) => Ok(()),
            Some(_) => {
                let begin: String = value.chars().take(60).collect();
                Err(self.wrong(&format!("{begin:?}")))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(schema) = self.of("array") else {
            return Err(self.wrong("a list"));
        };
        for at in 0.. {
            let entry = self.child(&schema["items"], format!("{}[{at}]", self.path));
            if list.next_element_seed(entry)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some(schema) = self.of("object") else {
            return Err(self.wrong("an object"));
        };
        let known = schema["properties"].as_object();
        // In an `allOf` schema, a part without named fields allows any field.
        let joined = choices(self.schema);
        let open = joined
            .iter()
            .any(|part| is_of(part, "object") && !part["properties"].is_object())
            || !matches!(
                schema.get("additionalProperties"),
                Some(Value::Bool(false)) | None
            );
        let mut seen = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = match self.path.as_str() {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            let field = known.and_then(|known| known.get(&key));
            match field {
                Some(field) => map.next_value_seed(self.child(field, path.clone()))?,
                None if open => drop(map.next_value::<IgnoredAny>()?),
                None => {
                    let names = known.into_iter().flat_map(|known| known.keys());
                    let message = format!(
                        "{}: unknown field {:?}; {}",
                        self.place(),
                        key.chars().take(60).collect::<String>(),
                        advice(&key, names.map(String::as_str))
                    );
                    return Err(self.end(message));
                }
            }
            if field.is_some() && !seen.insert(key) {
                return Err(self.end(format!("`{path}` is given twice; give it once")));
            }
        }
        let required = schema["required"].as_array().into_iter().flatten();
        let missing = required
            .filter_map(Value::as_str)
            .find(|name| !seen.contains(*name));
        match missing {
            None => Ok(()),
            Some(name) => {
                let field = known
                    .and_then(|known| known.get(name))
                    .unwrap_or(&Value::Null);
                let message = format!(
                    "{}: the field `{name}` is missing, expected {}",
                    self.place(),
                    wanted(field)
                );
                Err(self.end(message))
            }
        }
    }
}

/// Suggests the known name nearest to an unknown one, or lists all names.
pub(super) fn advice<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let near = names
        .iter()
        .map(|name| (distance(given, name), *name))
        .min();
    match near {
        // At least one given letter must remain.
        Some((steps, name)) if steps <= 1 + name.len() / 3 && steps < given.chars().count() => {
            format!("did you mean `{name}`?")
        }
        _ => format!("known are {}", names.join(", ")),
    }
}

/// The Levenshtein distance; words above 64 bytes are not compared.
fn distance(given: &str, name: &str) -> usize {
    if given.len() > 64 {
        return usize::MAX;
    }
    // One row of the table of dynamic programming, updated in place for each letter of `given`.
    let mut row: Vec<usize> = (0..=name.chars().count()).collect();
    for (i, a) in given.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in name.chars().enumerate() {
            let exchanged = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[name.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_the_field_what_was_expected_and_what_was_found() {
        know_bodies(&crate::openapi());
        let told = |body: &str| mismatch("ClassifyRequest", body.as_bytes()).unwrap_or_default();
        assert_eq!(told("[]"), "the body: expected an object, found a list");
        assert_eq!(
            told("{\"labels\": [3]}"),
            "`labels[0]`: expected a text, found the number 3"
        );
        assert_eq!(
            told("{\"labels\": [], \"top\": -1}"),
            "`top`: expected a whole number of at least 1, found -1"
        );
        assert!(told("{\"labels\": [], \"tpo\": 1}").contains("did you mean `top`?"));
        let far = told("{\"labels\": [], \"p\": 4}");
        assert!(
            far.contains("known are") && !far.contains("did you mean"),
            "{far}"
        );
        assert!(told("{\"labels\": [], \"labels\": []}").contains("`labels` is given twice"));
        assert!(told("{}").contains("the field `labels` is missing"));
        let aggregate = told("{\"labels\": [], \"aggregate\": \"avg\"}");
        assert!(
            aggregate.contains("\"mean-score\"") && aggregate.contains("\"avg\""),
            "{aggregate}"
        );
        let nested = told("{\"labels\": [], \"without\": {\"ids\": 3}}");
        assert!(
            nested.starts_with("`without.ids`: expected a list of texts"),
            "{nested}"
        );
        assert_eq!(told("{\"labels\": [\"a\"], \"vectors\": [[0.5]]}"), "");
    }
}
