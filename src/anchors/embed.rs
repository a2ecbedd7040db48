//! Inputs to unit vectors, through the cache, with every core busy.
//!
//! Images: each worker reads, hashes, decodes and encodes its own images, so that no core waits for
//! another. Texts: tokenised together and sorted by length, so that a batch holds little padding;
//! workers then take batch after batch.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;

use super::cache::{ContentKey, EmbeddingCache};
use super::error::AnchorsError;
use super::manifest::EncoderEntry;
use crate::encode::{EncoderIdentity, ImageEncoder, PreparedImage, TextEncoder, Tokens};
use crate::progress::{Cancel, Progress};

/// An input that could not be embedded, and why; the others go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// What is wrong with it, and what to do.
    pub reason: String,
}

/// A unit vector `[dim]`, or why there is none.
pub type Embedding = Result<Vec<f32>, Rejected>;

/// Who watches long work, and who may stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Told of each input that is done.
    pub progress: &'a dyn Progress,
    /// Looked at between batches.
    pub cancel: &'a Cancel,
}

/// Both encoders and their caches.
#[derive(Debug)]
pub struct Embedder {
    image: ImageEncoder,
    text: TextEncoder,
    image_cache: Option<EmbeddingCache>,
    text_cache: Option<EmbeddingCache>,
    workers: usize,
}

impl Embedder {
    /// From two encoders, each of which serves up to `workers` threads at once.
    pub fn new(image: ImageEncoder, text: TextEncoder, workers: usize) -> Self {
        Self {
            image,
            text,
            image_cache: None,
            text_cache: None,
            workers: workers.max(1),
        }
    }

    /// The same, with the caches of both encoders in `folder`.
    ///
    /// An encoder whose vectors depend on the other inputs of a batch (a dynamically quantised
    /// one) gets no cache: what it made once it would not make again. That is tried when its cache
    /// is empty; see [`uncached`](Self::uncached).
    ///
    /// # Errors
    /// When a cache file cannot be opened or created, or an encoder fails.
    pub fn with_cache(mut self, folder: &Path) -> Result<Self, AnchorsError> {
        let open = |identity: &EncoderIdentity| {
            EmbeddingCache::open(folder, &identity.fingerprint, identity.dim)
        };
        let image = open(self.image.identity())?;
        if !image.is_empty() || self.image.self_check()?.batch_invariant {
            self.image_cache = Some(image);
        }
        let text = open(self.text.identity())?;
        if !text.is_empty() || self.text.self_check()?.batch_invariant {
            self.text_cache = Some(text);
        }
        Ok(self)
    }

    /// The names of the encoders whose embeddings are not kept.
    pub fn uncached(&self) -> Vec<&str> {
        let image = self.image_cache.is_none().then(|| self.image.identity());
        let text = self.text_cache.is_none().then(|| self.text.identity());
        [image, text]
            .into_iter()
            .flatten()
            .map(|i| i.name.as_str())
            .collect()
    }

    /// The image encoder.
    pub fn image(&self) -> &ImageEncoder {
        &self.image
    }

    /// The text encoder.
    pub fn text(&self) -> &TextEncoder {
        &self.text
    }

    /// How many embeddings came out of the caches so far.
    pub fn cache_hits(&self) -> u64 {
        [&self.image_cache, &self.text_cache]
            .into_iter()
            .flatten()
            .map(EmbeddingCache::hits)
            .sum()
    }

    /// Both encoders as a manifest records them: `(image, text)`.
    ///
    /// # Errors
    /// When an encoder fails on its canary input.
    pub fn entries(&self) -> Result<(EncoderEntry, EncoderEntry), AnchorsError> {
        Ok((
            EncoderEntry {
                identity: self.image.identity().clone(),
                canary: self.image.canary()?,
            },
            EncoderEntry {
                identity: self.text.identity().clone(),
                canary: self.text.canary()?,
            },
        ))
    }

    /// One embedding for each image file, in order.
    ///
    /// # Errors
    /// When the encoder or the cache fails, or somebody asked to stop. A bad image is no error.
    pub fn images<P>(&self, paths: &[P], watch: Watch<'_>) -> Result<Vec<Embedding>, AnchorsError>
    where
        P: AsRef<Path> + Sync,
    {
        let next = AtomicUsize::new(0);
        let done = self.on_workers(paths.len(), |stop| {
            let mut done: Vec<(usize, Embedding)> = Vec::new();
            let mut batch = ImageBatch::default();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= paths.len() || stop.load(Ordering::Relaxed) || watch.cancel.requested() {
                    break;
                }
                match self.look_up_or_prepare(paths[i].as_ref()) {
                    Ok(Looked::Cached(vector)) => done.push((i, Ok(vector))),
                    Ok(Looked::Prepared(key, image)) => batch.push(i, key, image),
                    Err(rejected) => done.push((i, Err(rejected))),
                }
                if batch.inputs.len() >= self.image.batch_size() {
                    done.extend(self.encode_images(&mut batch)?);
                }
                watch.progress.advance(1);
            }
            done.extend(self.encode_images(&mut batch)?);
            Ok(done)
        })?;
        in_order(done, paths.len(), watch.cancel)
    }

    /// One embedding for each text, in order; equal texts are encoded once.
    ///
    /// # Errors
    /// When the encoder or the cache fails, or somebody asked to stop. A bad text is no error.
    pub fn texts<S>(&self, texts: &[S], watch: Watch<'_>) -> Result<Vec<Embedding>, AnchorsError>
    where
        S: AsRef<str> + Sync,
    {
        let mut places: HashMap<ContentKey, Vec<usize>> = HashMap::new();
        for (i, text) in texts.iter().enumerate() {
            places
                .entry(ContentKey::of(text.as_ref().as_bytes()))
                .or_default()
                .push(i);
        }
        let cache = self.text_cache.as_ref();
        let mut done = Vec::with_capacity(texts.len());
        let mut missing = Vec::new();
        for (key, places) in places {
            match cache.and_then(|c| c.get(&key)) {
                Some(vector) => done.extend(places.iter().map(|&i| (i, Ok(vector.clone())))),
                None => missing.push((key, places)),
            }
        }
        watch.progress.advance(done.len() as u64);
        done.extend(self.missing_texts(texts, missing, watch)?);
        in_order(done, texts.len(), watch.cancel)
    }

    /// The vectors of texts that must all be usable, such as prompts, `[texts, dim]` row-major.
    ///
    /// # Errors
    /// As [`texts`](Self::texts); [`AnchorsError::Prompt`] with the first text that is refused.
    pub fn prompts<S>(&self, texts: &[S], watch: Watch<'_>) -> Result<Vec<f32>, AnchorsError>
    where
        S: AsRef<str> + Sync,
    {
        let mut vectors = Vec::with_capacity(texts.len() * self.text().dim());
        for (text, vector) in texts.iter().zip(self.texts(texts, watch)?) {
            vectors.extend(vector.map_err(|rejected| AnchorsError::Prompt {
                prompt: text.as_ref().to_owned(),
                reason: rejected.reason,
            })?);
        }
        Ok(vectors)
    }

    fn missing_texts<S: AsRef<str> + Sync>(
        &self,
        texts: &[S],
        missing: Vec<(ContentKey, Vec<usize>)>,
        watch: Watch<'_>,
    ) -> Result<Vec<(usize, Embedding)>, AnchorsError> {
        let tokenized: Vec<_> = missing
            .into_par_iter()
            .map(|(key, places)| {
                let tokens = self.text.tokenize(texts[places[0]].as_ref());
                (key, places, tokens)
            })
            .collect();
        let mut done = Vec::new();
        let mut good = Vec::with_capacity(tokenized.len());
        for (key, places, tokens) in tokenized {
            match tokens {
                Ok(tokens) => good.push((key, places, tokens)),
                Err(error) => {
                    let rejected = Rejected {
                        reason: error.to_string(),
                    };
                    done.extend(places.into_iter().map(|i| (i, Err(rejected.clone()))));
                }
            }
        }
        // Longest first: the last batches, which not all workers share, are then the cheap ones.
        good.sort_by_key(|(_, places, tokens)| (std::cmp::Reverse(tokens.len()), places[0]));
        let batches = TextBatch::split(good, self.text.batch_size());
        let next = AtomicUsize::new(0);
        let encoded = self.on_workers(batches.len(), |stop| {
            let mut done = Vec::new();
            loop {
                let b = next.fetch_add(1, Ordering::Relaxed);
                if b >= batches.len() || stop.load(Ordering::Relaxed) || watch.cancel.requested() {
                    return Ok(done);
                }
                let batch = &batches[b];
                let vectors = self.text.encode(&batch.tokens)?;
                if let Some(cache) = &self.text_cache {
                    cache.put(&batch.keys, &vectors)?;
                }
                for (places, vector) in batch
                    .places
                    .iter()
                    .zip(vectors.chunks_exact(self.text.dim()))
                {
                    done.extend(places.iter().map(|&i| (i, Ok(vector.to_vec()))));
                    watch.progress.advance(places.len() as u64);
                }
            }
        })?;
        done.extend(encoded);
        Ok(done)
    }

    fn look_up_or_prepare(&self, path: &Path) -> Result<Looked, Rejected> {
        let bytes = fs_err::read(path).map_err(|e| Rejected {
            reason: e.to_string(),
        })?;
        let key = ContentKey::of(&bytes);
        if let Some(vector) = self.image_cache.as_ref().and_then(|c| c.get(&key)) {
            return Ok(Looked::Cached(vector));
        }
        let prepared = self.image.prepare(&bytes);
        prepared
            .map(|image| Looked::Prepared(key, image))
            .map_err(|e| Rejected {
                reason: format!("{}: {e}", path.display()),
            })
    }

    fn encode_images(
        &self,
        batch: &mut ImageBatch,
    ) -> Result<Vec<(usize, Embedding)>, AnchorsError> {
        let ImageBatch {
            places,
            keys,
            inputs,
        } = std::mem::take(batch);
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let vectors = self.image.encode(&inputs)?;
        if let Some(cache) = &self.image_cache {
            cache.put(&keys, &vectors)?;
        }
        let rows = vectors.chunks_exact(self.image.dim()).map(<[f32]>::to_vec);
        Ok(places.into_iter().zip(rows.map(Ok)).collect())
    }

    /// Runs `work` on as many threads as there is work for; the first error stops the others.
    fn on_workers<T: Send>(
        &self,
        pieces: usize,
        work: impl Fn(&AtomicBool) -> Result<Vec<T>, AnchorsError> + Sync,
    ) -> Result<Vec<T>, AnchorsError> {
        let stop = AtomicBool::new(false);
        let guarded = || work(&stop).inspect_err(|_| stop.store(true, Ordering::Relaxed));
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers.min(pieces))
                .map(|_| scope.spawn(guarded))
                .collect();
            let mut all = Vec::new();
            for worker in workers {
                all.extend(
                    worker
                        .join()
                        .unwrap_or_else(|p| std::panic::resume_unwind(p))?,
                );
            }
            Ok(all)
        })
    }
}

enum Looked {
    Cached(Vec<f32>),
    Prepared(ContentKey, PreparedImage),
}

/// Images that wait to be encoded together.
#[derive(Default)]
struct ImageBatch {
    places: Vec<usize>,
    keys: Vec<ContentKey>,
    inputs: Vec<PreparedImage>,
}

impl ImageBatch {
    fn push(&mut self, place: usize, key: ContentKey, input: PreparedImage) {
        self.places.push(place);
        self.keys.push(key);
        self.inputs.push(input);
    }
}

/// Distinct texts that are encoded together, each with every place it stands in.
#[derive(Default)]
struct TextBatch {
    places: Vec<Vec<usize>>,
    keys: Vec<ContentKey>,
    tokens: Vec<Tokens>,
}

impl TextBatch {
    fn split(texts: Vec<(ContentKey, Vec<usize>, Tokens)>, size: usize) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::with_capacity(texts.len().div_ceil(size));
        for (i, (key, places, tokens)) in texts.into_iter().enumerate() {
            if i % size == 0 {
                batches.push(Self::default());
            }
            if let Some(batch) = batches.last_mut() {
                batch.keys.push(key);
                batch.places.push(places);
                batch.tokens.push(tokens);
            }
        }
        batches
    }
}

/// Puts what the workers made back into the order of the inputs; a gap means that they were stopped.
fn in_order(
    mut done: Vec<(usize, Embedding)>,
    expected: usize,
    cancel: &Cancel,
) -> Result<Vec<Embedding>, AnchorsError> {
    if done.len() < expected || cancel.requested() {
        return Err(AnchorsError::Interrupted);
    }
    done.sort_unstable_by_key(|(i, _)| *i);
    Ok(done.into_iter().map(|(_, embedding)| embedding).collect())
}
