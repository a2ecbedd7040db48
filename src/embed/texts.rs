//! Texts to vectors.
//!
//! Texts are tokenised together and sorted by length, so that a batch holds little padding; workers
//! then take batch after batch. Equal texts are encoded once.

use std::collections::HashMap;

use rayon::prelude::*;

use super::cache::ContentKey;
use super::error::EmbedError;
use crate::embed::side::MemberEmbedding;
use crate::embed::{Embedder, EmbeddingResult, InputRejection, WorkControl, workers};
use crate::encode::TokenizedText;
use crate::encode::isolate::prepared;
use crate::progress::SteppedProgress;

impl Embedder {
    /// One embedding for each text, in order; equal texts are encoded once.
    ///
    /// # Errors
    /// When the encoder fails, or the operation is cancelled. A bad text is not an error.
    pub fn texts<S>(
        &self,
        texts: &[S],
        watch: WorkControl<'_>,
    ) -> Result<Vec<EmbeddingResult>, EmbedError>
    where
        S: AsRef<str> + Sync,
    {
        if !texts.is_empty() {
            self.text.check_present()?;
        }
        let mut places: HashMap<ContentKey, Vec<usize>> = HashMap::new();
        for (i, text) in texts.iter().enumerate() {
            let key = ContentKey::of(text.as_ref().as_bytes());
            places.entry(key).or_default().push(i);
        }
        let members = self.text().members().len();
        let steps = SteppedProgress::of(watch.progress, members as u64);
        let (mut done, mut batches) = (Vec::new(), Vec::new());
        for member in 0..members {
            let mut missing = Vec::new();
            for (key, places) in &places {
                match self.text.known(member, key) {
                    Some(vector) => {
                        steps.advance(places.len() as u64);
                        done.extend(everywhere(places, member, &Ok(vector)));
                    }
                    None => missing.push((*key, places.as_slice())),
                }
            }
            batches.extend(self.batches(member, texts, missing, &mut done));
        }
        let encoded = workers::run(self.workers, batches.len(), watch.cancel, |pieces| {
            let mut done = Vec::new();
            while let Some(piece) = pieces.take() {
                let batch = &batches[piece];
                let encoder = &self.text().members()[batch.member];
                let made = encoder.encode_each(&batch.tokens)?;
                self.text.keep_good(batch.member, &batch.keys, &made);
                for (places, made) in batch.places.iter().zip(made) {
                    let made = made.map_err(InputRejection::from);
                    done.extend(everywhere(places, batch.member, &made));
                    steps.advance(places.len() as u64);
                }
            }
            Ok(done)
        })?;
        done.extend(encoded);
        self.text.joined(done, texts.len(), watch.cancel)
    }

    /// The vectors `[texts, dim]`, row-major, of texts that must all be valid, such as prompts.
    ///
    /// # Errors
    /// As [`texts`](Self::texts); [`EmbedError::Prompt`] with the first text that is refused.
    pub fn prompts<S>(&self, texts: &[S], watch: WorkControl<'_>) -> Result<Vec<f32>, EmbedError>
    where
        S: AsRef<str> + Sync,
    {
        let mut vectors = Vec::with_capacity(texts.len() * self.text().dim());
        for (text, vector) in texts.iter().zip(self.texts(texts, watch)?) {
            vectors.extend(vector.map_err(|rejected| EmbedError::Prompt {
                prompt: text.as_ref().to_owned(),
                reason: rejected.reason,
            })?);
        }
        Ok(vectors)
    }

    /// Tokenises texts for one encoder; texts that it rejects are recorded as finished.
    fn batches<'a, S: AsRef<str> + Sync>(
        &self,
        member: usize,
        texts: &[S],
        missing: Vec<(ContentKey, &'a [usize])>,
        done: &mut Vec<MemberEmbedding>,
    ) -> Vec<PendingTexts<'a>> {
        let encoder = &self.text().members()[member];
        let tokenized: Vec<_> = missing
            .into_par_iter()
            .map(|(key, places)| {
                let tokens = prepared(|| encoder.tokenize(texts[places[0]].as_ref()));
                (key, places, tokens)
            })
            .collect();
        let mut good = Vec::with_capacity(tokenized.len());
        for (key, places, tokens) in tokenized {
            match tokens {
                Ok(tokens) => good.push((key, places, tokens)),
                Err(error) => {
                    done.extend(everywhere(
                        places,
                        member,
                        &Err(InputRejection::from(error)),
                    ));
                }
            }
        }
        // Longest first: the last batches, which not all workers share, are then the cheap ones.
        good.sort_by_key(|(_, places, tokens)| (std::cmp::Reverse(tokens.len()), places[0]));
        let size = encoder.batch_size();
        let mut batches: Vec<PendingTexts<'a>> = Vec::with_capacity(good.len().div_ceil(size));
        for (i, (key, places, tokens)) in good.into_iter().enumerate() {
            if i % size == 0 {
                batches.push(PendingTexts {
                    member,
                    ..PendingTexts::default()
                });
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

/// Records a member's result for a text at every position of that text.
fn everywhere(
    places: &[usize],
    member: usize,
    made: &EmbeddingResult,
) -> impl Iterator<Item = MemberEmbedding> {
    places.iter().map(move |&input| MemberEmbedding {
        input,
        member,
        made: made.clone(),
    })
}

/// Distinct texts that one encoder encodes as one batch, each with all its positions.
#[derive(Default)]
struct PendingTexts<'a> {
    member: usize,
    places: Vec<&'a [usize]>,
    keys: Vec<ContentKey>,
    tokens: Vec<TokenizedText>,
}
