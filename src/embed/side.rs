//! The encoders of one modality with their caches.

use std::path::Path;
use std::sync::Arc;

use super::cache::{ContentKey, EmbeddingCache};
use super::embedding::{CacheWarning, EmbeddingResult, InputRejection};
use super::error::EmbedError;
use crate::encode::{
    EncodeError, EncodedInput, Encoder, EncoderEntry, EncoderIdentity, Ensemble, SelfCheck,
};
use crate::progress::CancelToken;

/// The encoders of one modality, each with its cache if it may have one.
pub(super) struct ModalityEmbedder<E> {
    pub(super) encoders: Ensemble<E>,
    pub(super) caches: Arc<[Option<EmbeddingCache>]>,
    /// Names of encoders whose vectors depend on the other inputs of a batch.
    unsteady: Vec<String>,
    warning: Option<CacheWarning>,
}

impl<E: std::fmt::Debug> std::fmt::Debug for ModalityEmbedder<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Side");
        shown.field("encoders", &self.encoders);
        shown.field("caches", &self.caches).finish_non_exhaustive()
    }
}

impl<E: Encoder> ModalityEmbedder<E> {
    pub(super) fn new(encoders: Ensemble<E>) -> Self {
        let caches = encoders.members().iter().map(|_| None).collect();
        Self {
            encoders,
            caches,
            unsteady: Vec::new(),
            warning: None,
        }
    }

    /// Opens the cache of each encoder whose vectors do not depend on the batch. One that cannot be used is
    /// reported and skipped.
    pub(super) fn open_caches(
        &mut self,
        folder: &Path,
        self_check: impl Fn(&E) -> Result<SelfCheck, EncodeError>,
        warning: &CacheWarning,
    ) -> Result<(), EmbedError> {
        let mut unsteady = Vec::new();
        let open = |encoder: &E| {
            let identity = encoder.identity();
            let opened = EmbeddingCache::open(folder, &identity.fingerprint, identity.dim);
            let cache = match opened {
                Ok(cache) => cache,
                Err(error) => {
                    warning(&format!("cannot be used: {error}"));
                    return Ok(None);
                }
            };
            // A cache with entries was filled by this encoder, which passed the check then.
            let keeps = !cache.is_empty() || self_check(encoder)?.batch_invariant;
            if !keeps {
                unsteady.push(identity.name.clone());
            }
            Ok(keeps.then_some(cache))
        };
        let caches = self.encoders.members().iter().map(open);
        self.caches = caches.collect::<Result<_, EmbedError>>()?;
        self.unsteady = unsteady;
        self.warning = Some(Arc::clone(warning));
        Ok(())
    }

    /// The same encoders and caches (shared) with the weights of `identity`; `None` when it
    /// belongs to other encoders.
    pub(super) fn weighed_as(&self, identity: &EncoderIdentity) -> Option<Self> {
        Some(Self {
            encoders: self.encoders.weighed_as(identity)?,
            caches: Arc::clone(&self.caches),
            unsteady: self.unsteady.clone(),
            warning: self.warning.clone(),
        })
    }

    pub(super) fn uncached(&self) -> Vec<&str> {
        self.unsteady.iter().map(String::as_str).collect()
    }

    pub(super) fn entry(&self) -> Result<EncoderEntry, EmbedError> {
        Ok(EncoderEntry {
            identity: self.encoders.identity().clone(),
            canary: self.encoders.canary()?,
        })
    }

    /// Rejects the place of an encoder that is not here.
    ///
    /// # Errors
    /// [`EmbedError::NoEncoder`].
    pub(super) fn check_present(&self) -> Result<(), EmbedError> {
        if !self.encoders.is_absent() {
            return Ok(());
        }
        let identity = self.encoders.identity();
        Err(EmbedError::NoEncoder {
            modality: identity.modality,
            name: identity.name.clone(),
        })
    }

    /// The cached vector of this input by this member.
    pub(super) fn known(&self, member: usize, key: &ContentKey) -> Option<Vec<f32>> {
        self.caches[member].as_ref().and_then(|c| c.get(key))
    }

    /// Caches a member's vectors of the inputs that it could encode. A cache that cannot be written is reported
    /// once, and costs time only.
    pub(super) fn keep_good(&self, member: usize, keys: &[ContentKey], made: &[EncodedInput]) {
        let (Some(cache), Some(warning)) = (&self.caches[member], &self.warning) else {
            return;
        };
        // Rejected inputs are not cached, so that a later version may accept them.
        let good = keys.iter().zip(made);
        let good = good.filter_map(|(key, made)| Some((*key, made.as_ref().ok()?)));
        let (keys, vectors): (Vec<ContentKey>, Vec<&Vec<f32>>) = good.unzip();
        let vectors: Vec<f32> = vectors.into_iter().flatten().copied().collect();
        if keys.is_empty() {
            return;
        }
        if let Err(error) = cache.put_until_refused(&keys, &vectors) {
            warning(&format!("takes no more: {error}"));
        }
    }

    /// Puts the members' vectors into input order and concatenates them. A gap means that
    /// the operation was cancelled.
    pub(super) fn joined(
        &self,
        done: Vec<MemberEmbedding>,
        inputs: usize,
        cancel: &CancelToken,
    ) -> Result<Vec<EmbeddingResult>, EmbedError> {
        let members = self.encoders.members().len();
        // Counted down, so that an input which one member lacks is noticed.
        let mut missing = vec![members; inputs];
        let mut joined: Vec<EmbeddingResult> = vec![Ok(vec![0.0; self.encoders.dim()]); inputs];
        for MemberEmbedding {
            input,
            member,
            made,
        } in done
        {
            match (made, &mut joined[input]) {
                (Ok(vector), Ok(whole)) => self.encoders.place(member, &vector, whole),
                // The rejection of one member is enough: the input has no joined vector.
                (Err(rejected), place) => *place = Err(rejected),
                (Ok(_), Err(_)) => {}
            }
            missing[input] -= 1;
        }
        let whole = joined
            .iter()
            .zip(missing)
            .all(|(e, m)| e.is_err() || m == 0);
        match whole && !cancel.requested() {
            true => Ok(joined),
            false => Err(EmbedError::Interrupted),
        }
    }
}

/// A member's result for an input: its vector `[member dim]`, or why there is none.
#[derive(Debug)]
pub(super) struct MemberEmbedding {
    pub(super) input: usize,
    pub(super) member: usize,
    pub(super) made: Result<Vec<f32>, InputRejection>,
}
