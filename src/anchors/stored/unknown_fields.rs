//! Fields of a newer program in files whose format this one reads.
//!
//! Readers ignore them. Writers would lose them: see `newer_program`.

use serde_json::Value;

/// The fields of `read` that are not in `known`, which is `read` parsed and serialised again by this
/// program; as `segments[0].colour`. An empty field is ignored: nothing is lost with it.
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
