//! How far a tokenizer pads, by all the files that say it.

use serde_json::Value;
use tokenizers::{PaddingDirection, PaddingStrategy, Tokenizer};

use super::super::error::ModelError;
use super::super::folder::{ModelFolder, Settings};
use super::settings::{BELIEVABLE, model_max_length};

/// The padding of a model's own tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Padding {
    pub id: u32,
    pub type_id: u32,
    pub left: bool,
    /// How far a row is padded of which the model reads the padding; none where it is not known.
    pub rows: Option<RowLength>,
}

/// How long a row becomes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowLength {
    /// At least as long as this.
    pub fixed: usize,
    /// A multiple of this.
    pub multiple: usize,
}

impl RowLength {
    /// As it is.
    pub const OWN: Self = Self {
        fixed: 0,
        multiple: 1,
    };

    pub fn of(self, tokens: usize) -> usize {
        tokens.max(self.fixed).next_multiple_of(self.multiple)
    }
}

/// Model types whose texts are not padded, or whose padding comes after all that the model reads.
const READ_AS_THEY_ARE: [&str; 24] = [
    "albert",
    "bert",
    "bge-m3",
    "camembert",
    "chinese_clip",
    "clip",
    "clip_text_model",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "ernie",
    "gpt2",
    "llama",
    "longformer",
    "modernbert",
    "mpnet",
    "nomic_bert",
    "qwen2",
    "qwen3",
    "roberta",
    "t5",
    "xlm-roberta",
    "new",
];

impl Padding {
    /// From tokenizer.json's padding; else the pad token that the other files name; else token 0,
    /// which the attention mask hides.
    pub fn read(folder: &ModelFolder, tokenizer: &Tokenizer) -> Result<Self, ModelError> {
        let mut left = None;
        let mut id = None;
        for name in ["tokenizer_config.json", "special_tokens_map.json"] {
            let Some(file) = folder.json(name)? else {
                continue;
            };
            left = match file.text("padding_side")? {
                None => left,
                Some("left") => Some(true),
                Some("right") => Some(false),
                Some(other) => {
                    return Err(file.bad(
                        "padding_side",
                        other,
                        "left or right",
                        "correct the file",
                    ));
                }
            };
            let token = file.get("pad_token").and_then(|token| match token {
                Value::String(text) => Some(text.as_str()),
                other => other.get("content").and_then(Value::as_str),
            });
            id = id.or_else(|| token.and_then(|t| tokenizer.token_to_id(t)));
        }
        if let Some(own) = tokenizer.get_padding() {
            let fixed = match own.strategy {
                PaddingStrategy::Fixed(length) => length,
                PaddingStrategy::BatchLongest => 0,
            };
            let multiple = own.pad_to_multiple_of.unwrap_or(1).max(1);
            if fixed.max(multiple) as u64 > BELIEVABLE {
                return Err(ModelError::Setting {
                    path: folder.dir().join("tokenizer.json"),
                    key: "padding".to_owned(),
                    found: fixed.max(multiple).to_string(),
                    expected: format!("at most {BELIEVABLE} tokens"),
                    advice: "correct the file".to_owned(),
                });
            }
            return Ok(Self {
                id: own.pad_id,
                type_id: own.pad_type_id,
                left: left.unwrap_or(matches!(own.direction, PaddingDirection::Left)),
                rows: Some(RowLength { fixed, multiple }),
            });
        }
        let config = folder.json("config.json")?;
        if id.is_none() {
            id = config
                .as_ref()
                .and_then(|f| f.get("pad_token_id").and_then(Value::as_u64))
                .and_then(|id| u32::try_from(id).ok());
        }
        Ok(Self {
            id: id.unwrap_or(0),
            type_id: 0,
            left: left.unwrap_or(false),
            rows: unwritten_rows(folder, config.as_ref())?,
        })
    }
}

/// How long rows become where tokenizer.json does not say: SigLIP's are as long as the model reads.
fn unwritten_rows(
    folder: &ModelFolder,
    config: Option<&Settings>,
) -> Result<Option<RowLength>, ModelError> {
    let model_type = match config {
        Some(file) => file.text("model_type")?.unwrap_or(""),
        None => "",
    };
    let tokenizer = folder.json("tokenizer_config.json")?;
    let class = match &tokenizer {
        Some(file) => file.text("tokenizer_class")?.unwrap_or(""),
        None => "",
    };
    let Some(length) = model_max_length(folder)? else {
        return Ok(Some(RowLength::OWN));
    };
    if model_type.starts_with("siglip") || class.starts_with("Siglip") {
        return Ok(Some(RowLength {
            fixed: length,
            multiple: 1,
        }));
    }
    let known = READ_AS_THEY_ARE.contains(&model_type) || class.starts_with("CLIPTokenizer");
    Ok(known.then_some(RowLength::OWN))
}
