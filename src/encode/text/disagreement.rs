//! Errors for files that contradict tokenizer.json, and how such files write tokens.

use serde_json::Value;

use super::super::error::ModelError;
use super::super::folder::SettingsFile;

pub(super) fn differs(file: &SettingsFile, key: &str, found: &str, expected: &str) -> ModelError {
    file.bad(
        key,
        found,
        expected,
        "make it agree with tokenizer.json: save the tokenizer again with the program that the model \
         comes from, or correct the file that is wrong",
    )
}

/// The error for a switch that contradicts tokenizer.json, by its value or by being absent where
/// the tokenizer's class has the opposite default.
pub(super) fn contrary(
    file: &SettingsFile,
    key: &str,
    asked: Option<bool>,
    expected: &str,
) -> ModelError {
    match asked {
        Some(asked) => differs(file, key, &asked.to_string(), expected),
        None => file.bad(
            key,
            "absent",
            &format!("{expected}; the tokenizer's class takes it for the other where it is absent"),
            "write it into the file as it is meant, and save tokenizer.json again if that differs",
        ),
    }
}

/// The text of a token that is given as a string or as an object.
pub(super) fn content(token: &Value) -> Option<&str> {
    match token {
        Value::String(text) => Some(text),
        other => other.get("content").and_then(Value::as_str),
    }
}
