//! Inputs to unit vectors, through the cache, on all cores.
//!
//! | file | role |
//! |---|---|
//! | `mod` | [`Embedder`]: the encoders of both modalities and their caches |
//! | [`cache`] | embeddings by content hash of input and encoder |
//! | `embedding` | what becomes of one input |
//! | `error` | errors that stop all inputs |
//! | `images` | files and bytes of images to vectors |
//! | `texts` | texts to vectors |
//! | `file` | the content of images: in memory or from files, one large file at a time |
//! | `side` | the encoders of one modality with their caches; concatenates the members' vectors |
//! | `workers` | worker threads that share a queue and stop together |

pub mod cache;
mod embedding;
mod error;
mod file;
mod images;
mod side;
mod texts;
mod workers;

use std::path::Path;

use crate::encode::{
    EncoderEntry, EncoderIdentity, EncoderOptions, Ensemble, ImageEncoder, ModelError, TextEncoder,
    registry,
};
use crate::home::DataFolder;
use crate::modality::{Modality, PerModality};
use crate::progress::{CancelToken, ProgressObserver};
use cache::EmbeddingCache;
use side::ModalityEmbedder;

pub use embedding::{CacheWarning, EmbeddingResult, InputRejection};
pub use error::EmbedError;
pub(crate) use file::LARGEST_FILE;
pub use images::PreparedInput;

/// Progress observer and cancellation flag of a long operation.
#[derive(Clone, Copy)]
pub struct WorkControl<'a> {
    /// Is notified of each finished input.
    pub progress: &'a dyn ProgressObserver,
    /// Polled between batches.
    pub cancel: &'a CancelToken,
}

/// Where the encoder of a modality comes from.
#[derive(Debug, Clone, Copy)]
pub enum EncoderSource<'a> {
    /// An installed encoder or a model folder, several as [`registry::open_all`] reads them.
    Installed(&'a str),
    /// It is not opened: vectors that it made are given, and nothing of this modality can be encoded.
    Absent(&'a EncoderIdentity),
}

impl<'a> EncoderSource<'a> {
    /// The encoder that is recorded in an anchor set: absent if it runs elsewhere.
    pub fn recorded(identity: &'a EncoderIdentity) -> Self {
        match identity.is_elsewhere() {
            true => Self::Absent(identity),
            false => Self::Installed(&identity.name),
        }
    }

    /// Whether an encoder is opened.
    pub fn is_installed(&self) -> bool {
        matches!(self, Self::Installed(_))
    }
}

/// The encoders of both modalities and their caches.
#[derive(Debug)]
pub struct Embedder {
    image: ModalityEmbedder<ImageEncoder>,
    text: ModalityEmbedder<TextEncoder>,
    workers: usize,
}

impl Embedder {
    /// Creates an embedder from the encoders of both modalities, each serving up to `workers` threads at once.
    pub fn new(
        image: impl Into<Ensemble<ImageEncoder>>,
        text: impl Into<Ensemble<TextEncoder>>,
        workers: usize,
    ) -> Self {
        Self {
            image: ModalityEmbedder::new(image.into()),
            text: ModalityEmbedder::new(text.into()),
            workers: workers.max(1),
        }
    }

    /// Opens installed encoders by name, several of a modality as [`registry::open_all`] reads them; no cache.
    ///
    /// # Errors
    /// When one is not installed, or its folder cannot be used.
    pub fn open(
        home: &DataFolder,
        names: PerModality<&str>,
        options: &EncoderOptions,
    ) -> Result<Self, ModelError> {
        Self::open_some(home, names.map(EncoderSource::Installed), options)
    }

    /// As [`open`](Self::open), without the encoders that are not here or not needed.
    ///
    /// # Errors
    /// As [`open`](Self::open), for the encoders that are opened.
    pub fn open_some(
        home: &DataFolder,
        sources: PerModality<EncoderSource<'_>>,
        options: &EncoderOptions,
    ) -> Result<Self, ModelError> {
        let image = match sources.image {
            EncoderSource::Absent(identity) => Ensemble::absent(identity.clone()),
            EncoderSource::Installed(name) => {
                registry::open_all(home, name, Modality::Image, |folder| {
                    ImageEncoder::open(folder, options)
                })?
            }
        };
        let text = match sources.text {
            EncoderSource::Absent(identity) => Ensemble::absent(identity.clone()),
            EncoderSource::Installed(name) => {
                registry::open_all(home, name, Modality::Text, |folder| {
                    TextEncoder::open(folder, options)
                })?
            }
        };
        Ok(Self::new(image, text, options.sessions))
    }

    /// The same, with the caches of all encoders in `folder`. One that cannot be opened, read or written
    /// costs time only: `warning` receives the reason once per cache, and the work continues.
    ///
    /// An encoder whose vectors depend on the other inputs of a batch (a dynamically quantised
    /// one) gets no cache, because its vectors are not reproducible. This is tested when its cache
    /// is empty; see [`uncached`](Self::uncached).
    ///
    /// # Errors
    /// When an encoder fails.
    pub fn with_cache(mut self, folder: &Path, warning: CacheWarning) -> Result<Self, EmbedError> {
        let Self { image, text, .. } = &mut self;
        image.open_caches(folder, ImageEncoder::self_check, &warning)?;
        text.open_caches(folder, TextEncoder::self_check, &warning)?;
        Ok(self)
    }

    /// The same encoders and caches (shared) with the weights of these identities; `None`
    /// when an identity belongs to other encoders.
    pub fn weighed_as(&self, identities: PerModality<&EncoderIdentity>) -> Option<Self> {
        Some(Self {
            image: self.image.weighed_as(identities.image)?,
            text: self.text.weighed_as(identities.text)?,
            workers: self.workers,
        })
    }

    /// The names of the encoders whose embeddings are not cached.
    pub fn uncached(&self) -> Vec<&str> {
        let mut names = self.image.uncached();
        names.extend(self.text.uncached());
        names
    }

    /// The vector dimensions of both modalities.
    pub fn dims(&self) -> PerModality<usize> {
        PerModality {
            image: self.image().dim(),
            text: self.text().dim(),
        }
    }

    /// The image encoders.
    pub fn image(&self) -> &Ensemble<ImageEncoder> {
        &self.image.encoders
    }

    /// The text encoders.
    pub fn text(&self) -> &Ensemble<TextEncoder> {
        &self.text.encoders
    }

    /// How many embeddings were cache hits so far.
    pub(crate) fn cache_hits(&self) -> u64 {
        let caches = self.image.caches.iter().chain(self.text.caches.iter());
        caches.flatten().map(EmbeddingCache::hits).sum()
    }

    /// Both encoders as a manifest records them: `(image, text)`.
    ///
    /// # Errors
    /// When an encoder fails on its canary input.
    pub fn entries(&self) -> Result<(EncoderEntry, EncoderEntry), EmbedError> {
        Ok((self.image.entry()?, self.text.entry()?))
    }
}
