//! JSON parsing without silent loss: duplicate keys in an object, and integers that no
//! 64-bit number can hold, are detected.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value, and whether serde_json would have lost something: it keeps the last of two values
/// with one key.
#[derive(Debug)]
pub(crate) struct CheckedValue {
    pub(crate) value: Value,
    /// A duplicate key, with the path of the enclosing objects: `meta.source`.
    pub(crate) twice: Option<String>,
}

impl CheckedValue {
    fn plain(value: impl Into<Value>) -> Self {
        Self {
            value: value.into(),
            twice: None,
        }
    }
}

impl<'de> Deserialize<'de> for CheckedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckedVisitor)
    }
}

struct CheckedVisitor;

impl<'de> Visitor<'de> for CheckedVisitor {
    type Value = CheckedValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<CheckedValue, A::Error> {
        let mut map = Map::new();
        let mut twice = None;
        while let Some((key, inner)) = access.next_entry::<String, CheckedValue>()? {
            let nested = inner.twice.map(|within| format!("{key}.{within}"));
            // The first is reported, outermost before what lies within.
            let again = map.contains_key(&key).then(|| key.clone());
            twice = twice.or(again).or(nested);
            map.insert(key, inner.value);
        }
        let value = Value::Object(map);
        Ok(CheckedValue { value, twice })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<CheckedValue, A::Error> {
        let mut values = Vec::new();
        let mut twice = None;
        while let Some(inner) = access.next_element::<CheckedValue>()? {
            twice = twice.or(inner.twice);
            values.push(inner.value);
        }
        let value = Value::Array(values);
        Ok(CheckedValue { value, twice })
    }

    fn visit_str<E>(self, text: &str) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(text))
    }

    fn visit_string<E>(self, text: String) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(value))
    }

    fn visit_unit<E>(self) -> Result<CheckedValue, E> {
        Ok(CheckedValue::plain(Value::Null))
    }
}

/// An integer in a JSON text that would be rounded because it does not fit into 64 bits. Fractions
/// are taken as doubles, as most programs write them.
pub(super) fn rounded_integer(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let (mut at, mut in_text) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            // An escaped quotation mark does not end the text.
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            b'0'..=b'9' | b'-' if !in_text => {
                let rest = &bytes[at..];
                let length = rest.iter().take_while(|byte| is_of_number(byte)).count();
                let number = json.get(at..at + length)?;
                if is_rounded(number) {
                    return Some(number);
                }
                // The last byte is skipped by the step at the end of the loop.
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn is_rounded(number: &str) -> bool {
    let is_whole = !number.contains(['.', 'e', 'E']);
    let is_held = number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok();
    // `{}` writes a double's shortest digits with zeros behind them.
    let same = || {
        // A large double such as 1e20 is written out by some programs, and read back unchanged.
        number
            .parse::<f64>()
            .is_ok_and(|double| format!("{double}") == number)
    };
    is_whole && !is_held && !same()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_twice_is_found_at_any_depth() {
        for (text, key) in [
            (r#"{"a":1,"a":2}"#, Some("a")),
            (r#"{"meta":{"a":1,"a":2}}"#, Some("meta.a")),
            (r#"{"meta":[{"b":{"a":1,"a":1}}]}"#, Some("meta.b.a")),
            (r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#, None),
            (r#"[{"a":1},{"a":2}]"#, None),
        ] {
            let found: CheckedValue = serde_json::from_str(text).unwrap();
            assert_eq!(found.twice.as_deref(), key, "{text}");
        }
        let text = r#"{"a":[1,-2,0.5,1e300,18446744073709551615,null,true,"x\n"],"b":{}}"#;
        let found: CheckedValue = serde_json::from_str(text).unwrap();
        assert_eq!(found.value, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn whole_numbers_that_would_be_rounded_are_found() {
        for number in [
            "12345678901234567890123",
            "-9223372036854775809",
            "18446744073709551617",
        ] {
            let text = format!(r#"{{"a":"\"","b":[{number}]}}"#);
            assert_eq!(rounded_integer(&text), Some(number), "{text}");
        }
        for text in [
            r#"{"a":18446744073709551615,"b":-9223372036854775808}"#,
            r#"{"a":"12345678901234567890123","b\\":"\"12345678901234567890123"}"#,
            r#"{"a":0.1234567890123456789,"b":1e30,"c":-0,"d":[]}"#,
            r#"{"a":1000000000000000000000000}"#,
        ] {
            assert_eq!(rounded_integer(text), None, "{text}");
        }
    }
}
