//! Checks token ids against the rows of the model's embedding table.

use std::path::Path;

use serde_json::Value;

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, SettingsFile};
use super::super::onnx::OnnxSummary;

/// The number of rows of the embedding table of the ONNX file `onnx`, where the graph shows it.
///
/// # Errors
/// [`ModelError::Setting`] when tokenizer.json has a token beyond it; where the graph does not show it,
/// beyond `vocab_size` of config.json.
pub(super) fn rows(
    folder: &ModelFolder,
    onnx: &Path,
    raw: &Value,
) -> Result<Option<u64>, ModelError> {
    let rows = OnnxSummary::read(onnx)?.token_rows();
    let (limit, from) = match (rows, folder.json("config.json")?) {
        (Some(rows), _) => {
            let name = onnx.file_name().unwrap_or_default().display();
            (rows, format!("the rows of the table in {name}"))
        }
        (None, Some(config)) => match config.get("vocab_size").and_then(Value::as_u64) {
            Some(size) => (size, "vocab_size of config.json".to_owned()),
            None => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    let highest = match raw.get("model").and_then(|model| model.get("vocab")) {
        Some(Value::Object(map)) => {
            let numbers = map
                .iter()
                .filter_map(|(token, id)| Some((token, id.as_u64()?)));
            numbers
                .max_by_key(|(_, id)| *id)
                .map(|(token, id)| (token.as_str(), id))
        }
        Some(Value::Array(list)) => list.last().map(|last| {
            let token = last.get(0).and_then(Value::as_str).unwrap_or("");
            (token, list.len() as u64 - 1)
        }),
        _ => None,
    };
    match highest.filter(|(_, id)| *id >= limit) {
        None => Ok(rows),
        Some((token, id)) => {
            let file = SettingsFile {
                path: folder.dir().join("tokenizer.json"),
                value: Value::Null,
            };
            Err(file.bad(
                "model.vocab",
                &format!("{token:?} with the number {id}"),
                &format!("numbers below {limit}, {from}"),
                "copy tokenizer.json and the model from one source",
            ))
        }
    }
}

/// A few tokens from across the vocabulary.
pub(super) fn some_tokens(raw: &Value) -> Vec<String> {
    const SOME: usize = 8;
    let vocab = raw.get("model").and_then(|model| model.get("vocab"));
    let spaced = |count: usize| count.div_ceil(SOME).max(1);
    match vocab {
        Some(Value::Object(map)) => {
            let tokens = map.keys().step_by(spaced(map.len()));
            tokens.cloned().collect()
        }
        Some(Value::Array(list)) => {
            let tokens = list.iter().step_by(spaced(list.len()));
            let tokens = tokens.filter_map(|entry| entry.get(0)?.as_str());
            tokens.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
