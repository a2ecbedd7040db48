//! Fields of a newer program in files whose format this one reads.
//!
//! Whoever reads passes over them. Whoever writes would lose them, because the next manifest is made from
//! what was understood of the last: so every writer refuses a set in which a kept generation has one.

use std::path::Path;

use serde_json::Value;

use super::layout;
use super::manifest::{self, Manifest};
use crate::anchors::error::AnchorsError;

/// The fields of `read` that are not in `known`, which is what this program writes of what it understood of
/// it; as `segments[0].colour`. A field without content is none: nothing is lost with it.
pub(crate) fn unknown_fields(read: &Value, known: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(read, known, String::new(), &mut found);
    found
}

fn collect(read: &Value, known: &Value, at: String, found: &mut Vec<String>) {
    match (read, known) {
        (Value::Object(read), Value::Object(known)) => {
            for (key, value) in read {
                let dot = if at.is_empty() { "" } else { "." };
                let here = format!("{at}{dot}{key}");
                match known.get(key) {
                    Some(known) => collect(value, known, here, found),
                    None if is_empty(value) => {}
                    None => found.push(here),
                }
            }
        }
        (Value::Array(read), Value::Array(known)) => {
            for (i, (read, known)) in read.iter().zip(known).enumerate() {
                collect(read, known, format!("{at}[{i}]"), found);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// Refuses to change a set in which a kept generation is a newer program's, by its format or by a field.
/// Damaged manifests, and those that the system refuses to show, are for others to tell of.
///
/// # Errors
/// [`AnchorsError::UnknownField`], [`AnchorsError::UnknownContent`], [`AnchorsError::Format`].
pub(crate) fn refuse(set: &Path, live: u64) -> Result<(), AnchorsError> {
    for generation in manifest::list(set)?.into_iter().filter(|n| *n <= live) {
        let name = layout::generation_name(generation);
        match Manifest::read_with_unknown(set, &name) {
            Ok((manifest, unknown)) => {
                if let Some(field) = unknown.into_iter().next() {
                    return Err(AnchorsError::UnknownField {
                        path: layout::generations_folder(set).join(format!("{name}.json")),
                        field,
                        made_by: manifest.made_by,
                    });
                }
            }
            Err(error) if error.is_of_newer() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_written_again_is_unknown_however_deep() {
        let known = json!({"a": 1, "list": [{"id": "x"}, {"id": "y"}], "free": {"k": 2}});
        let mut read = known.clone();
        assert_eq!(unknown_fields(&read, &known), [""; 0]);
        read["list"][1]["colour"] = json!("red");
        read["b"] = json!({"c": null});
        read["empty"] = json!([]);
        read["none"] = json!(null);
        assert_eq!(unknown_fields(&read, &known), ["b", "list[1].colour"]);
    }
}
