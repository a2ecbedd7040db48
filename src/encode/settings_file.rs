//! A JSON file of a model folder, whose values are read with errors that name file and key.

use std::path::PathBuf;

use serde_json::Value;

use super::error::ModelError;

/// A JSON file of the folder, with its path for messages.
#[derive(Debug, Clone)]
pub(crate) struct SettingsFile {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub value: Value,
}

impl SettingsFile {
    /// The value of `key` at the top level; `None` when it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// The switch `key`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is neither true nor false.
    pub(crate) fn switch(&self, key: &str) -> Result<Option<bool>, ModelError> {
        self.typed(key, "true or false", Value::as_bool)
    }

    /// The number `key`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is not a number.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, ModelError> {
        self.typed(key, "a number", Value::as_f64)
    }

    /// The count `key`: an integer from 1 to `most`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is something else.
    pub(crate) fn count(&self, key: &str, most: u64) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        // An integer may be written as 512.0.
        let whole = value.as_f64().filter(|v| v.fract() == 0.0);
        match whole.filter(|&v| v >= 1.0 && v <= most as f64) {
            Some(v) => Ok(Some(v as usize)),
            None => Err(self.bad(
                key,
                &value.to_string(),
                &format!("a whole number from 1 to {most}"),
                "correct the file",
            )),
        }
    }

    /// The text `key`.
    ///
    /// # Errors
    /// [`ModelError::Setting`] when it is not text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        self.typed(key, "a text", Value::as_str)
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| self.bad(key, &value.to_string(), expected, "correct the file")),
        }
    }

    /// The error for an unsupported value of `key`.
    pub(crate) fn bad(&self, key: &str, found: &str, expected: &str, advice: &str) -> ModelError {
        ModelError::Setting {
            path: self.path.clone(),
            key: key.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
            advice: advice.into(),
            choice: None,
        }
    }
}
