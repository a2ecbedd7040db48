//! Texts to vectors.
//!
//! | module | what it is |
//! |---|---|
//! | `agreement` | whether the files beside tokenizer.json say the same |
//! | `classes` | tokenizer classes: which are known |
//! | `rewrites` | what a tokenizer class writes into the tokenizer |
//! | `vocabulary` | token numbers against the rows of the model's table |
//! | `modules` | the chain of modules, and its pooling |
//! | `tokens` | texts as token numbers, and the tokenizer |
//! | `settings` | length, pooling and prompt from the folder's JSON files |
//! | `padding` | how far the tokenizer pads |
//! | `layout` | how rows of a batch are made equally long |

mod agreement;
mod classes;
mod layout;
mod modules;
mod padding;
mod rewrites;
mod settings;
mod tokens;
mod vocabulary;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection};

use super::error::{EncodeError, InputError, ModelError};
use super::folder::ModelFolder;
use super::identity::EncoderIdentity;
use super::isolate::{EncodedInput, encode_each};
use super::options::EncoderOptions;
use super::output::Reader;
use super::registry;
use super::runtime::pool::SessionPool;
use super::{Modality, SelfCheck, load, tells_apart};
use layout::Layout;
use padding::Padding;
use settings::TextSettings;
use tokens::{load_tokenizer, set_length};

pub use tokens::TokenizedText;

/// How many texts are encoded at once by default.
const BATCH: usize = 32;

/// The model and how it is fed, before it is known who it is.
#[derive(Debug)]
struct Model {
    pool: SessionPool,
    reader: Reader,
    tokenizer: Tokenizer,
    layout: Layout,
    lower_case: bool,
    prompt: String,
    /// How many tokens the model's table has, where the graph tells.
    rows: Option<u64>,
}

/// A text model, shared by reference between threads.
#[derive(Debug)]
pub struct TextEncoder {
    model: Model,
    sessions: usize,
    identity: EncoderIdentity,
}

impl TextEncoder {
    /// Loads the model and the tokenizer of `folder` and encodes the canary once, which tells the
    /// dimension.
    ///
    /// # Errors
    /// [`ModelError`]: a file is missing or cannot be followed, the graph is not a text encoder,
    /// its vectors are not as long as the folder says, or
    /// [ONNX Runtime is not loaded](super::runtime::load).
    pub fn open(folder: &ModelFolder, options: &EncoderOptions) -> Result<Self, ModelError> {
        let options = &options.or(&registry::overrides(folder)?);
        let onnx = folder.onnx_path(options.onnx_file.as_deref())?;
        let (mut tokenizer, raw, tokenizer_sha256) = load_tokenizer(folder)?;
        let agreed = agreement::check(folder, &tokenizer, &raw, options.trust_preprocessing)?;
        let side = agreed.side;
        let rows = vocabulary::rows(folder, &onnx, &raw)?;
        let truncation = tokenizer.get_truncation().map(|t| t.max_length);
        let own_side = tokenizer
            .get_truncation()
            .map_or(TruncationDirection::Right, |t| t.direction);
        let settings = TextSettings::read(folder, options, truncation)?;
        let (pool, sha256) = load(folder, &onnx, options)?;
        // Where all outputs are token vectors no other name and no pooling helps.
        if let Some(reason) = settings.more_layers.clone()
            && pool.outputs.iter().all(|output| output.shape.len() == 3)
        {
            return Err(ModelError::Graph { path: onnx, reason });
        }
        let reader = Reader::choose(
            Modality::Text,
            &pool.outputs,
            options,
            settings.pooling,
            &onnx,
        )?;
        let (padding, doubt) = Padding::read(folder, &tokenizer, &agreed.class)?;
        let layout = Layout::of(&pool.inputs, padding, &onnx)?;
        if let Some(error) = doubt.filter(|_| layout.reads_padding()) {
            return Err(error);
        }
        let max_length = layout
            .fixed_length()
            .unwrap_or(usize::MAX)
            .min(settings.max_length);
        let special = tokenizer
            .get_post_processor()
            .map_or(0, |p| p.added_tokens(false));
        if max_length <= special {
            return Err(match layout.fixed_length() {
                Some(fixed) if fixed == max_length => ModelError::Graph {
                    path: onnx,
                    reason: format!(
                        "its sequence length is fixed at {fixed}, which leaves no room beside the \
                         {special} special tokens of the tokenizer; export it with a free length"
                    ),
                },
                _ => settings.length_from.short_of(max_length, special),
            });
        }
        set_length(&mut tokenizer, max_length, side).map_err(|reason| ModelError::Tokenizer {
            path: folder.dir().join("tokenizer.json"),
            reason,
        })?;
        let TextSettings {
            lower_case, prompt, ..
        } = settings;
        let model = Model {
            pool,
            reader,
            tokenizer,
            layout,
            lower_case,
            prompt,
            rows,
        };

        let canary = model.tokenize(CANARY).map_err(|e| input_error(0, e))?;
        let (vector, rank) = model.run(&[&canary])?;
        let dim = vector.len();
        if let Some(expected) = settings.promised_dim
            && rank == 3
            && expected != dim
        {
            return Err(ModelError::WrongDimension {
                path: onnx,
                found: dim,
                expected,
                promised_by: "the pooling module's config.json",
            });
        }
        // Of an output that is asked for by name it is believed that it has them.
        let whole = ["sentence_embedding", "text_embeds"].contains(&model.reader.output.as_str())
            || options.output.is_some();
        if let Some(mut reason) = settings.more_layers.filter(|_| rank == 3 || !whole) {
            // Of token vectors it would not help to be named.
            let outputs = model.pool.outputs.iter().filter(|o| o.shape.len() == 2);
            let others: Vec<&str> = outputs.map(|o| o.name.as_str()).collect();
            if !others.is_empty() {
                reason.push_str(&format!(
                    ", or, if an output of one vector a text ({}) does, name it with `asif models add NAME DIR \
                     --output`",
                    others.join(", ")
                ));
            }
            return Err(ModelError::Graph { path: onnx, reason });
        }
        let others = PROBES.iter().map(|text| (*text).to_owned());
        let others = others.chain(vocabulary::some_tokens(&raw));
        let others = others.filter_map(|text| model.tokenize(&text).ok());
        let others = others.filter(|tokens| tokens.ids != canary.ids);
        let others = others.map(|tokens| Ok(model.run(&[&tokens])?.0));
        if !tells_apart(&vector, others) {
            return Err(ModelError::Graph {
                path: onnx,
                reason: super::same_vector("texts"),
            });
        }
        let mut preprocessing = json!({
            "output": model.reader.output,
            "pooling": model.reader.pooling_of(Modality::Text, rank),
            "max_length": max_length,
            "lower_case": model.lower_case,
            "prompt": model.prompt,
            "normalize": true,
            "padding": model.layout.describe(),
        });
        if let Some(class) = agreed.class.trusted {
            preprocessing["trusted"] = json!(class);
        }
        // Where the tokenizer itself says it, its hash tells.
        if let Some(side) = side.filter(|&side| side != own_side) {
            preprocessing["truncation_side"] = json!(side.as_ref());
        }
        let identity = EncoderIdentity::new(
            folder.name().to_owned(),
            Modality::Text,
            dim,
            sha256,
            Some(tokenizer_sha256),
            preprocessing,
        );
        Ok(Self {
            model,
            sessions: options.sessions.max(1),
            identity,
        })
    }

    /// Who makes these vectors.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// The length of a vector.
    pub fn dim(&self) -> usize {
        self.identity.dim
    }

    /// How many texts to hand to [`encode`](Self::encode) at once.
    pub fn batch_size(&self) -> usize {
        if self.model.layout.one_by_one() {
            1
        } else {
            BATCH
        }
    }

    /// Makes tokens of a text: the prompt, the text without spaces around it, cut to the longest
    /// that the model reads. The empty text is a text.
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
    /// [`EncodeError`]: the model cannot be run, or answers what is no vector.
    pub fn encode(&self, tokens: &[TokenizedText]) -> Result<Vec<f32>, EncodeError> {
        self.encode_refs(&tokens.iter().collect::<Vec<_>>())
    }

    /// As [`encode`](Self::encode), text by text where a batch fails: one that the model cannot answer
    /// has the reason instead, and the others have the vectors that they have alone.
    ///
    /// # Errors
    /// [`EncodeError`]: the model fails on its canary too, so that no text is to blame.
    pub fn encode_each(&self, tokens: &[TokenizedText]) -> Result<Vec<EncodedInput>, EncodeError> {
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
            out.extend(self.model.run(batch)?.0);
        }
        Ok(out)
    }

    /// Encodes any number of texts into `[n, dim]`, in their order: tokenises, sorts by length,
    /// makes batches and keeps all sessions busy.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), and [`EncodeError::Input`] for the first text that cannot be
    /// used.
    pub fn encode_texts<S: AsRef<str> + Sync>(&self, texts: &[S]) -> Result<Vec<f32>, EncodeError> {
        let tokens = self.tokenize_all(texts)?;
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(tokens[i].len()));
        let batches: Vec<&[usize]> = order.chunks(self.batch_size()).collect();
        let out = Mutex::new(vec![0f32; tokens.len() * self.dim()]);
        let next = AtomicUsize::new(0);
        self.on_all_sessions(batches.len(), || {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let rows: Vec<&TokenizedText> = batch.iter().map(|&i| &tokens[i]).collect();
                let vectors = self.encode_refs(&rows)?;
                let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
                for (&i, vector) in batch.iter().zip(vectors.chunks_exact(self.dim())) {
                    out[i * self.dim()..][..self.dim()].copy_from_slice(vector);
                }
            }
            Ok(())
        })?;
        Ok(out.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tokenises with as many threads as there are sessions.
    fn tokenize_all<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
    ) -> Result<Vec<TokenizedText>, EncodeError> {
        let parts: Vec<&[S]> = texts.chunks(BATCH).collect();
        let done = Mutex::new(vec![Vec::new(); parts.len()]);
        let next = AtomicUsize::new(0);
        self.on_all_sessions(parts.len(), || {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                let Some(texts) = parts.get(part) else {
                    return Ok(());
                };
                let tokens = texts
                    .iter()
                    .enumerate()
                    .map(|(i, text)| {
                        let text = self.tokenize(text.as_ref());
                        text.map_err(|e| input_error(part * BATCH + i, e))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                done.lock().unwrap_or_else(PoisonError::into_inner)[part] = tokens;
            }
        })?;
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(done.into_iter().flatten().collect())
    }

    /// Runs `work` on the caller's thread and, where `parts` of it are there, on one more for each
    /// further session.
    fn on_all_sessions(
        &self,
        parts: usize,
        work: impl Fn() -> Result<(), EncodeError> + Sync,
    ) -> Result<(), EncodeError> {
        std::thread::scope(|scope| {
            let helpers = self.sessions.min(parts).saturating_sub(1);
            let helpers: Vec<_> = (0..helpers)
                .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, &work).ok())
                .collect();
            let mine = work();
            let theirs = helpers
                .into_iter()
                .try_for_each(|helper| match helper.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
            mine.and(theirs)
        })
    }

    /// The vector of a fixed sentence.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        self.encode_texts(&[CANARY])
    }

    /// Looks whether vectors depend on their company, and how long one takes.
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
        // Some tokenizers make nothing of the empty text.
        let tokens: Vec<_> = texts
            .iter()
            .filter_map(|text| self.tokenize(text).ok())
            .collect();
        SelfCheck::of(&tokens, self.dim(), |batch| self.encode(batch))
    }
}

impl Model {
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

/// Other texts, which have to get other vectors.
const PROBES: [&str; 2] = [
    "a dog",
    "two people walk along a wide beach in the evening light",
];

fn input_error(index: usize, source: InputError) -> EncodeError {
    EncodeError::Input { index, source }
}
