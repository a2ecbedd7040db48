//! Texts to vectors.
//!
//! | module | what it is |
//! |---|---|
//! | `opening` | opens an encoder |
//! | `sessions` | encodes any number of texts, on all sessions |
//! | `agreement` | checks that the files beside tokenizer.json agree with it |
//! | `classes` | the known tokenizer classes |
//! | `rewrites` | how a tokenizer class changes the tokenizer |
//! | `vocabulary` | checks token ids against the rows of the model's table |
//! | `modules` | the chain of modules, and its pooling |
//! | `tokens` | texts as token ids, and the tokenizer |
//! | `settings` | length, pooling and prompt from the folder's JSON files |
//! | `padding` | the padding of the tokenizer |
//! | `layout` | pads the rows of a batch to one length |

mod agreement;
mod classes;
mod disagreement;
mod layout;
mod modules;
mod opening;
mod padding;
mod rewrites;
mod sessions;
mod settings;
mod tokens;
mod vocabulary;

use tokenizers::Tokenizer;

use super::SelfCheck;
use super::error::{EncodeError, InputError};
use super::identity::EncoderIdentity;
use super::isolate::{EncodedInput, encode_each, whole};
use super::output::OutputReader;
use super::runtime::pool::SessionPool;
use crate::modality::Modality;
use layout::InputLayout;

pub use tokens::TokenizedText;

/// How many texts are encoded at once by default.
const BATCH: usize = 32;

/// The model with its inputs and outputs, before its identity is known.
#[derive(Debug)]
struct TextModel {
    pool: SessionPool,
    reader: OutputReader,
    tokenizer: Tokenizer,
    layout: InputLayout,
    lower_case: bool,
    prompt: String,
    /// The number of rows of the model's embedding table, where the graph shows it.
    rows: Option<u64>,
}

/// A text model, shared by reference between threads.
#[derive(Debug)]
pub struct TextEncoder {
    model: TextModel,
    sessions: usize,
    identity: EncoderIdentity,
}

impl TextEncoder {
    /// The identity of this encoder.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// The length of a vector.
    pub fn dim(&self) -> usize {
        self.identity.dim
    }

    /// How many texts to pass to [`encode`](Self::encode) at once.
    pub fn batch_size(&self) -> usize {
        if self.model.layout.one_by_one() {
            1
        } else {
            BATCH
        }
    }

    /// Tokenises a text: the prompt and the trimmed text, truncated to the longest sequence
    /// that the model reads. An empty text is valid.
    ///
    /// # Errors
    /// [`InputError`]: this text cannot be used; others can.
    pub fn tokenize(&self, text: &str) -> Result<TokenizedText, InputError> {
        self.model.tokenize(text)
    }

    /// Encodes a batch into `[n, dim]` row-major, each row of unit norm. All rows are padded to the
    /// longest, so sort by length before making batches. Waits for a free session.
    ///
    /// # Errors
    /// [`EncodeError`]: the model cannot be run, or its output is not a valid vector.
    pub fn encode(&self, tokens: &[TokenizedText]) -> Result<Vec<f32>, EncodeError> {
        self.encode_refs(&tokens.iter().collect::<Vec<_>>())
    }

    /// As [`encode`](Self::encode), text by text where a batch fails: one that the model cannot answer
    /// has the reason instead, and the others have the vectors that they have alone.
    ///
    /// # Errors
    /// [`EncodeError`]: the model fails on its canary too, so that no text is to blame.
    pub(crate) fn encode_each(
        &self,
        tokens: &[TokenizedText],
    ) -> Result<Vec<EncodedInput>, EncodeError> {
        let tokens: Vec<&TokenizedText> = tokens.iter().collect();
        let mut all = Vec::with_capacity(tokens.len());
        for batch in self.model.layout.batches(&tokens) {
            let run = |batch: &[&TokenizedText]| self.model.run(batch).map(|(vectors, _)| vectors);
            let model = self.model.pool.name();
            all.extend(encode_each(model, batch, self.dim(), run, || {
                self.canary()
            })?);
        }
        Ok(all)
    }

    fn encode_refs(&self, tokens: &[&TokenizedText]) -> Result<Vec<f32>, EncodeError> {
        let mut out = Vec::with_capacity(tokens.len() * self.dim());
        for batch in self.model.layout.batches(tokens) {
            let vectors = self.model.run(batch)?.0;
            out.extend(whole(
                self.model.pool.name(),
                vectors,
                batch.len(),
                self.dim(),
            )?);
        }
        Ok(out)
    }

    /// The vector of a fixed sentence.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        self.encode_texts(&[CANARY])
    }

    /// Checks whether vectors depend on the batch, and measures how long one takes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn self_check(&self) -> Result<SelfCheck, EncodeError> {
        let texts = [
            CANARY,
            "a dog",
            "",
            "two people walk along a wide beach in the evening light",
        ];
        // Some tokenizers produce no tokens for the empty text.
        let tokens: Vec<_> = texts
            .iter()
            .filter_map(|text| self.tokenize(text).ok())
            .collect();
        SelfCheck::of(&tokens, self.dim(), |batch| self.encode(batch))
    }
}

impl TextModel {
    fn tokenize(&self, text: &str) -> Result<TokenizedText, InputError> {
        let mut text = format!("{}{}", self.prompt, text.trim());
        if self.lower_case {
            text = text.to_lowercase();
        }
        let encoding =
            self.tokenizer
                .encode_fast(text, true)
                .map_err(|e| InputError::Tokenizer {
                    reason: e.to_string(),
                })?;
        if encoding.is_empty() {
            return Err(InputError::NoTokens);
        }
        // A tokenizer of another model may have more tokens than this table has rows.
        let beyond = |id: &&u32| self.rows.is_some_and(|rows| u64::from(**id) >= rows);
        if let Some(&id) = encoding.get_ids().iter().find(beyond) {
            return Err(InputError::TokenBeyond {
                token: self.tokenizer.id_to_token(id).unwrap_or_default(),
                id,
                model: self.pool.name().to_owned(),
            });
        }
        Ok(TokenizedText {
            ids: encoding.get_ids().to_vec(),
            types: encoding.get_type_ids().to_vec(),
            // What did not fit is kept as overflow by the tokenizer.
            truncated: !encoding.get_overflowing().is_empty(),
        })
    }

    /// One run of the model: the vectors, and the rank of the output they come from.
    fn run(&self, tokens: &[&TokenizedText]) -> Result<(Vec<f32>, usize), EncodeError> {
        let batch = self.layout.pad(tokens);
        self.pool.with(|slot| {
            let (session, _) = slot.parts();
            self.pool.run(
                session,
                &batch.feeds(),
                &self.reader.output,
                |shape, data| {
                    let vectors = self.reader.vectors(
                        Modality::Text,
                        self.pool.name(),
                        tokens.len(),
                        shape,
                        data,
                        Some(&batch.spans),
                    )?;
                    Ok((vectors, shape.len()))
                },
            )
        })
    }
}

/// The text that [`TextEncoder::canary`] encodes.
const CANARY: &str = "a red kite above the harbour at noon";

fn input_error(index: usize, source: InputError) -> EncodeError {
    EncodeError::Input { index, source }
}
