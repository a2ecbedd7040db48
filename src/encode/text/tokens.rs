//! Texts as token ids, and the tokenizer that produces them.

use serde_json::Value;
use tokenizers::{Tokenizer, TruncationDirection, TruncationParams};

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, sha256_of};

/// A text as its encoder's input: token ids, including special tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedText {
    pub(super) ids: Vec<u32>,
    pub(super) types: Vec<u32>,
    pub(super) truncated: bool,
}

impl TokenizedText {
    /// How many tokens; the cost of encoding grows with it.
    #[expect(clippy::len_without_is_empty, reason = "no TokenizedText is empty")]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The token ids.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Whether the text was truncated to the length that the model reads. Tokenizers
    /// that add no special tokens do not report it.
    pub fn truncated(&self) -> bool {
        self.truncated
    }
}

/// The tokenizer, its file as JSON, and the file's SHA-256, all from the same bytes.
pub(super) fn load_tokenizer(
    folder: &ModelFolder,
) -> Result<(Tokenizer, Value, String), ModelError> {
    let path = folder.dir().join("tokenizer.json");
    if !path.is_file() {
        return Err(ModelError::Missing {
            path,
            what: "the tokenizer of a text encoder",
            advice: "copy tokenizer.json from the model's source; vocab.txt alone is not enough",
        });
    }
    let bytes = fs_err::read(&path)?;
    ModelError::refuse_stand_in(&path, &bytes)?;
    let raw: Value = serde_json::from_slice(&bytes).map_err(|source| ModelError::Json {
        path: path.clone(),
        source,
    })?;
    let tokenizer = Tokenizer::from_bytes(&bytes).map_err(|e| ModelError::Tokenizer {
        path,
        reason: e.to_string(),
    })?;
    Ok((tokenizer, raw, sha256_of(&bytes)))
}

/// Disables padding, which `layout` does, and truncates texts at `max_length` tokens.
pub(super) fn set_length(
    tokenizer: &mut Tokenizer,
    max_length: usize,
    side: Option<TruncationDirection>,
) -> Result<(), String> {
    let own = tokenizer.get_truncation().cloned().unwrap_or_default();
    let truncation = TruncationParams {
        max_length,
        stride: 0,
        direction: side.unwrap_or(own.direction),
        ..own
    };
    let tokenizer = tokenizer.with_padding(None);
    tokenizer
        .with_truncation(Some(truncation))
        .map(|_| ())
        .map_err(|e| e.to_string())
}
