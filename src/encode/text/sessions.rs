//! Encodes any number of texts, on all sessions at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::super::error::EncodeError;
use super::{BATCH, TextEncoder, TokenizedText, input_error};

impl TextEncoder {
    /// Encodes any number of texts into `[n, dim]`, in their order: tokenises, sorts by length,
    /// forms batches and keeps all sessions busy.
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
}
