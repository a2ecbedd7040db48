//! Which columns the keys of records need.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::DataType;
use serde_json::{Map, Value};

use crate::pairs::is_pair_field;

/// The columns of metadata, gathered from all records before the first is written.
///
/// A key whose values are all whole numbers, floats, truth values or texts has a column of that type. Anything
/// else (lists, objects, null, several types) is JSON in a column of the extension type `arrow.json`, so that
/// each value comes back as it was.
#[derive(Debug, Default)]
pub struct RecordColumns {
    keys: BTreeMap<String, CellKind>,
    left_out: BTreeSet<String>,
}

/// The type of the values of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    Truth,
    Whole,
    Float,
    Text,
    Json,
}

impl RecordColumns {
    /// Takes note of the metadata of a record.
    pub fn see(&mut self, meta: &Map<String, Value>) {
        for (key, value) in meta {
            // A reader would take it for the id, the image or the texts of the pair.
            if is_pair_field(key) {
                self.left_out.insert(key.clone());
                continue;
            }
            let kind = CellKind::of(value);
            match self.keys.get_mut(key) {
                Some(known) if *known == kind => {}
                Some(known) => *known = CellKind::Json,
                None => drop(self.keys.insert(key.clone(), kind)),
            }
        }
    }

    /// Keys that are not written, because their names are those of a pair's own fields.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        self.left_out.iter().map(String::as_str)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, CellKind)> {
        self.keys.iter().map(|(key, kind)| (key.as_str(), *kind))
    }
}

impl CellKind {
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Truth,
            Value::Number(number) if number.is_i64() => Self::Whole,
            Value::Number(number) if number.is_f64() => Self::Float,
            Value::String(_) => Self::Text,
            _ => Self::Json,
        }
    }

    pub(super) fn column(self) -> DataType {
        match self {
            Self::Truth => DataType::Boolean,
            Self::Whole => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text | Self::Json => DataType::Utf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_column_has_the_type_of_all_values_of_its_key() {
        let mut columns = RecordColumns::default();
        for record in [
            json!({"a": 1, "b": "x", "c": 1, "d": [0.5], "e": true, "f": 0.5, "g": "x"}),
            json!({"a": -7, "c": 1.5, "e": false, "g": null, "caption": "x"}),
            json!({"h": u64::MAX}),
        ] {
            columns.see(record.as_object().unwrap());
        }
        use CellKind::{Float, Json, Text, Truth, Whole};
        let expected = [
            ("a", Whole),
            ("b", Text),
            ("c", Json),
            ("d", Json),
            ("e", Truth),
            ("f", Float),
            ("g", Json),
            ("h", Json),
        ];
        assert_eq!(columns.keys().collect::<Vec<_>>(), expected);
        assert_eq!(columns.left_out().collect::<Vec<_>>(), ["caption"]);
    }
}
