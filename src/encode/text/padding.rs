//! The padding of a tokenizer, from all files that specify it.

use serde_json::Value;
use tokenizers::{PaddingDirection, PaddingStrategy, Tokenizer};

use super::super::error::ModelError;
use super::super::folder::ModelFolder;
use super::classes::{TokenizerClass, TokenizerFamily};
use super::settings::{BELIEVABLE, model_max_length};

/// The padding of a model's own tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenPadding {
    pub id: u32,
    pub type_id: u32,
    pub left: bool,
    /// The padded length of a row where the model reads the padding; `None` where it is unknown.
    pub rows: Option<RowLength>,
    /// Whether rows are padded to that length even where a mask hides the padding: SigLIP reads the last
    /// place.
    pub always: bool,
    /// Whether the tokenizer produces no mask, so that a model that needs one gets all ones.
    pub unmasked: bool,
}

/// The padded length of a single row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowLength {
    /// At least as long as this.
    pub fixed: usize,
    /// A multiple of this.
    pub multiple: usize,
}

impl RowLength {
    /// The row is not padded.
    pub(crate) const OWN: Self = Self {
        fixed: 0,
        multiple: 1,
    };

    pub(crate) fn of(self, tokens: usize) -> usize {
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

impl TokenPadding {
    /// From tokenizer.json's padding; else the pad token that the other files name; else token 0,
    /// which the attention mask hides. Also returns why the pad token is ambiguous, for a model that reads
    /// it.
    pub(crate) fn read(
        folder: &ModelFolder,
        tokenizer: &Tokenizer,
        class: &TokenizerClass,
    ) -> Result<(Self, Option<ModelError>), ModelError> {
        let mut left = None;
        let (mut id, mut doubt) = (None, None);
        for name in ["tokenizer_config.json", "special_tokens_map.json"] {
            let Some(file) = folder.json(name)? else {
                continue;
            };
            // The later file wins where it says something.
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
            let Some(token) = token else { continue };
            let found = tokenizer.token_to_id(token);
            let own = tokenizer.get_padding().map(|own| own.pad_id);
            // Only a doubt: it matters to a model that reads the padding, which is known later.
            if found.is_none() || own.or(id).is_some_and(|other| Some(other) != found) {
                doubt.get_or_insert_with(|| {
                    file.bad(
                        "pad_token",
                        token,
                        "the token that tokenizer.json and the other files pad with, since the model \
                         reads the padding",
                        "correct the file that is wrong",
                    )
                });
            }
            id = id.or(found);
        }
        let kind = PaddingHints::of(folder, class.family)?;
        if let Some(own) = tokenizer.get_padding() {
            let fixed = match own.strategy {
                PaddingStrategy::Fixed(length) => length,
                PaddingStrategy::BatchLongest => 0,
            };
            let multiple = own.pad_to_multiple_of.unwrap_or(1).max(1);
            // A length from a file becomes the size of every batch, so it must be plausible.
            if fixed.max(multiple) as u64 > BELIEVABLE {
                return Err(ModelError::Setting {
                    path: folder.dir().join("tokenizer.json"),
                    key: "padding".to_owned(),
                    found: fixed.max(multiple).to_string(),
                    expected: format!("at most {BELIEVABLE} tokens"),
                    advice: "correct the file".into(),
                    choice: None,
                });
            }
            let padding = Self {
                id: own.pad_id,
                type_id: own.pad_type_id,
                left: left.unwrap_or(matches!(own.direction, PaddingDirection::Left)),
                rows: Some(RowLength { fixed, multiple }),
                always: kind.siglip,
                unmasked: kind.unmasked,
            };
            return Ok((padding, doubt));
        }
        // Asked last: config.json is the model's, and the tokenizer's files are about the tokenizer.
        if id.is_none() {
            id = folder
                .json("config.json")?
                .and_then(|f| f.get("pad_token_id").and_then(Value::as_u64))
                .and_then(|id| u32::try_from(id).ok());
        }
        let padding = Self {
            id: id.unwrap_or(0),
            type_id: 0,
            left: left.unwrap_or(false),
            rows: kind.unwritten_rows(folder)?,
            always: kind.siglip,
            unmasked: kind.unmasked,
        };
        Ok((padding, doubt))
    }
}

/// The padding that the folder's other files imply.
struct PaddingHints {
    /// Padded to the maximum length; the model reads the last position.
    siglip: bool,
    /// Not padded, or only after the positions that the model reads.
    as_they_are: bool,
    unmasked: bool,
}

impl PaddingHints {
    fn of(folder: &ModelFolder, family: TokenizerFamily) -> Result<Self, ModelError> {
        let config = folder.json("config.json")?;
        let model_type = match &config {
            Some(file) => file.text("model_type")?.unwrap_or(""),
            None => "",
        };
        let tokenizer = folder.json("tokenizer_config.json")?;
        let names = tokenizer.as_ref().and_then(|f| f.get("model_input_names"));
        let masked = |names: &Value| {
            let names = names.as_array();
            // Without the key a tokenizer makes a mask.
            names.is_none_or(|names| names.iter().any(|name| name == "attention_mask"))
        };
        Ok(Self {
            siglip: model_type.starts_with("siglip")
                || matches!(family, TokenizerFamily::Siglip | TokenizerFamily::Siglip2),
            as_they_are: READ_AS_THEY_ARE.contains(&model_type) || family == TokenizerFamily::Clip,
            unmasked: names.is_some_and(|names| !masked(names)),
        })
    }

    /// The padded length of rows where tokenizer.json does not specify it.
    fn unwritten_rows(&self, folder: &ModelFolder) -> Result<Option<RowLength>, ModelError> {
        Ok(match model_max_length(folder)? {
            // SigLIP was trained on rows of full length, and reads the last place of them.
            Some(fixed) if self.siglip => Some(RowLength { fixed, multiple: 1 }),
            None if self.siglip => None,
            // With a stated length but an unknown model it cannot be told whether rows are padded to it.
            Some(_) if !self.as_they_are => None,
            _ => Some(RowLength::OWN),
        })
    }
}
