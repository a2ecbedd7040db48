//! The encoders of a server: encode pictures and texts as unit vectors, in batches over all requests.
//!
//! ```text
//! URL ─────> fetch permit, or 429 ─> fetched ─> permit ─┐
//! picture ─> permit, or 429 ────────────────────────────┴> decoded on a bounded pool ─┐
//! text ────> cached? ─────────────────────────────────────────────────────────────────┴> batch ─> vector
//! ```
//!
//! With several encoders of a modality, batches and cached vectors have the weights that the encoders were
//! opened with. A generation may have other weights, so vectors are rescaled to those of the anchor set that
//! is queried.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Refusal;
use crate::inputs::batching::{BatchOptions, Batcher};
use crate::inputs::fetch::ImageFetcher;
use crate::inputs::picture::RequestPicture;
use crate::middleware::metrics::Metrics;
use crate::options::ServeLimits;
use crate::sets::cache::WeightedCache;
use asif::anchors::change::reweigh::scaled;
use asif::anchors::live::CanaryCheck;
use asif::anchors::{AnchorSet, AnchorsError};
use asif::embed::{Embedder, InputRejection, PreparedInput, WorkControl};
use asif::encode::image::decode::{DecodeBudget, PictureLimits, decoding_cost};
use asif::encode::{EncoderEntry, ImageEncoder, InputError, TextEncoder};
use asif::modality::{Modality, PerModality};
use asif::progress::{CancelToken, NoProgress};
use asif::space::vector::dot;

/// How long an encoder waits for pictures that are being decoded; a tenth of the time of one picture.
const LINGER: Duration = Duration::from_millis(2);
/// The size of the cache of text vectors in bytes: about 40,000 prompts of labels, which are needed again
/// for each generation.
const TEXTS: usize = 80 << 20;
/// The longest accepted text in bytes, about eight thousand tokens. Encoders truncate earlier, but a
/// tokenizer would process megabytes while other texts wait.
pub(crate) const LONGEST: usize = 32 << 10;

/// The divisor of a request's time limit that gives how long a picture waits for decoding memory.
const MEMORY_SHARE: u32 = 2;

/// A picture is large if decoding it takes more than the limit of [`DecodeBudget`] divided by this.
const LARGE_PART: u64 = 8;

/// The least cosine of canary embeddings, as in [`AnchorSet::accept_encoders`].
const SAME: f64 = 0.99999;

/// A unit vector, or why the input was rejected.
pub(crate) type EmbedResult = Result<Arc<[f32]>, InputRejection>;

/// Both encoders, shared by all anchor sets that were built with them, whatever their weights.
#[derive(Debug)]
pub(crate) struct SharedEncoders {
    embedder: Arc<Embedder>,
    fetcher: Arc<ImageFetcher>,
    images: Batcher<PreparedInput, EmbedResult>,
    texts: Batcher<String, EmbedResult>,
    /// Permits for pictures that are processed or wait.
    places: Semaphore,
    /// Permits for pictures that are fetched or wait for it; separate, so that a slow host does not delay
    /// pictures that were sent.
    fetches: Semaphore,
    /// Permits to decode.
    decoders: Arc<Semaphore>,
    /// The permit to decode a large picture, one at a time and separate from `decoders`, so that large
    /// pictures delay only other large ones.
    large: Arc<Semaphore>,
    kept: WeightedCache<String, Arc<[f32]>>,
    /// The limit on pixels, and how long a picture waits for memory.
    pictures: PictureLimits,
    workers: usize,
    text_batch: usize,
    metrics: Arc<Metrics>,
}

impl SharedEncoders {
    /// Starts the threads that call the encoders.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        embedder: Arc<Embedder>,
        fetcher: Arc<ImageFetcher>,
        limits: &ServeLimits,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        // The number of sessions of the encoders (`EncoderOptions::throughput`).
        let workers = cores.min(4);
        // An encoder that is not here encodes nothing.
        let largest = |sizes: Option<usize>| sizes.unwrap_or(1);
        let batching = |size: usize| BatchOptions {
            size,
            workers,
            linger: LINGER,
        };
        let (model, told) = (Arc::clone(&embedder), Arc::clone(&metrics));
        let images = Batcher::start(
            "image",
            batching(largest(
                embedder
                    .image()
                    .members()
                    .iter()
                    .map(ImageEncoder::batch_size)
                    .max(),
            )),
            move |inputs: Vec<PreparedInput>| {
                let vectors = model.encode_prepared(inputs)?;
                Ok(vectors.into_iter().map(|v| v.map(Arc::from)).collect())
            },
            move |call| told.batch("image", call),
        )?;
        let text_batch = embedder
            .text()
            .members()
            .iter()
            .map(TextEncoder::batch_size);
        let text_batch = largest(text_batch.max());
        let (model, told) = (Arc::clone(&embedder), Arc::clone(&metrics));
        let texts = Batcher::start(
            "text",
            BatchOptions {
                linger: Duration::ZERO,
                ..batching(text_batch)
            },
            move |inputs: Vec<String>| {
                let watch = WorkControl {
                    progress: &NoProgress,
                    cancel: &CancelToken::default(),
                };
                let vectors = model.texts(&inputs, watch)?;
                Ok(vectors.into_iter().map(|v| v.map(Arc::from)).collect())
            },
            move |call| told.batch("text", call),
        )?;
        Ok(Self {
            embedder,
            fetcher,
            images,
            texts,
            places: Semaphore::new(limits.images),
            fetches: Semaphore::new(limits.images),
            decoders: Arc::new(Semaphore::new(cores)),
            large: Arc::new(Semaphore::new(1)),
            workers,
            text_batch,
            kept: WeightedCache::new(TEXTS),
            pictures: PictureLimits {
                pixels: limits.pixels,
                patience: Some(limits.time / MEMORY_SHARE),
            },
            metrics,
        })
    }

    /// The encoders themselves.
    pub fn embedder(&self) -> &Arc<Embedder> {
        &self.embedder
    }

    /// How many images and texts wait for an encoder call.
    pub fn waiting(&self) -> PerModality<usize> {
        PerModality {
            image: self.images.waiting(),
            text: self.texts.waiting(),
        }
    }

    /// Checks that an anchor set was built with these encoders. Weights may differ.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`], which names both encoders.
    pub fn check(&self, set: &AnchorSet) -> Result<(), AnchorsError> {
        set.factors(Modality::Image, self.embedder.image().identity())?;
        set.factors(Modality::Text, self.embedder.text().identity())?;
        Ok(())
    }

    /// A check of generations: each must have been built with these encoders, and the encoders must reproduce
    /// its canary embeddings.
    ///
    /// # Errors
    /// When an encoder fails on its canary input.
    pub fn canary(&self) -> Result<CanaryCheck, AnchorsError> {
        let (image, text) = self.embedder.entries()?;
        Ok(Box::new(move |set| {
            same_canary(set, Modality::Image, &image)?;
            same_canary(set, Modality::Text, &text)
        }))
    }

    /// One vector for each picture, in order, with the weights of `set`.
    ///
    /// # Errors
    /// When too many pictures wait already, the encoder fails, or the anchor set has other encoders.
    pub async fn pictures(
        &self,
        pictures: Vec<RequestPicture>,
        set: &AnchorSet,
    ) -> Result<Vec<EmbedResult>, Refusal> {
        let factors = set.factors(Modality::Image, self.embedder.image().identity())?;
        let is_named = |picture: &RequestPicture| picture.address().is_some();
        let named = pictures.iter().filter(|picture| is_named(picture)).count();
        // All places or none: half a batch that waits for the rest would block others.
        let mut sent = places(&self.places, pictures.len() - named)
            .ok_or_else(|| Refusal::busy("too many images wait for the encoder"))?;
        let mut named = places(&self.fetches, named)
            .ok_or_else(|| Refusal::busy("too many images wait to be fetched"))?;
        let all = pictures.into_iter().map(|picture| {
            let own = match is_named(&picture) {
                true => &mut named,
                false => &mut sent,
            };
            let place = own.split(1);
            self.picture(picture, place)
        });
        Ok(all_scaled(try_join_all(all).await?, &factors))
    }

    async fn picture(
        &self,
        picture: RequestPicture,
        mut place: Option<SemaphorePermit<'_>>,
    ) -> Result<EmbedResult, Refusal> {
        // `_fetched` holds the memory permit of a fetched file until the picture is encoded.
        let (picture, _fetched) = match picture.address() {
            None => (picture, None),
            Some(address) => match self.fetcher.file(address).await? {
                Ok(file) => {
                    // Waits instead of refusing, because the fetch is already done. Never closed.
                    place = self.places.acquire().await.ok();
                    (RequestPicture::Bytes(file.bytes.clone()), Some(file))
                }
                Err(rejected) => return Ok(Err(rejected)),
            },
        };
        // Announced before it is decoded, so that the encoder waits a moment for it.
        let mut coming = Some(self.images.announce());
        let most = DecodeBudget::process().limit() / LARGE_PART;
        let image = match self.prepared(&self.decoders, picture, most).await? {
            // Withdraw the announcement: no encoder should wait for a picture that takes seconds to decode.
            PreparedPicture::Large(picture) => {
                drop(coming);
                coming = None;
                self.prepared(&self.large, picture, u64::MAX).await?
            }
            prepared => prepared,
        };
        let image = match image {
            PreparedPicture::Ready(image) => image,
            PreparedPicture::Rejected(rejected) => return Ok(Err(rejected)),
            // Both checks read the same header.
            PreparedPicture::Large(_) => {
                return Err(Refusal::internal(
                    "the decoding cost of the picture changed",
                ));
            }
        };
        let vector = self.images.submit(vec![image]);
        // Submitted: nothing is to be waited for any more.
        drop(coming);
        let mut vectors = vector.await?;
        drop(place);
        vectors
            .pop()
            .ok_or_else(|| Refusal::internal("the encoder returned no vector"))
    }

    /// Decodes a picture into the encoder's input once a permit is free; a picture that takes more than `most`
    /// bytes to decode is returned.
    async fn prepared(
        &self,
        turns: &Arc<Semaphore>,
        picture: RequestPicture,
        most: u64,
    ) -> Result<PreparedPicture, Refusal> {
        // The semaphore is never closed, so this cannot fail.
        let turn = Arc::clone(turns).acquire_owned().await;
        let (embedder, limits) = (Arc::clone(&self.embedder), self.pictures);
        let prepared = tokio::task::spawn_blocking(move || {
            // Held until the work ends, even if the request was cancelled.
            let _turn = turn;
            prepare_apart(&embedder, picture, limits, most)
        });
        prepared
            .await
            .map_err(|_| Refusal::internal("the decoder thread panicked"))?
    }

    /// One vector for each text, in order, with the weights of `set`; vectors are cached.
    ///
    /// # Errors
    /// When the encoder fails, or the anchor set has other encoders.
    pub async fn texts(
        &self,
        texts: &[String],
        set: &AnchorSet,
    ) -> Result<Vec<EmbedResult>, Refusal> {
        let factors = set.factors(Modality::Text, self.embedder.text().identity())?;
        let mut vectors: Vec<Option<EmbedResult>> = texts
            .iter()
            .map(|text| match text.len() {
                ..=LONGEST => self.kept.get(text).map(Ok),
                n => Some(Err(InputRejection::from(format!(
                    "the text has {n} bytes, at most {LONGEST} are accepted; shorten it"
                )))),
            })
            .collect();
        // Texts over the limit have a result already and are not encoded.
        let missing: Vec<usize> = (0..texts.len()).filter(|&i| vectors[i].is_none()).collect();
        let hits = texts.len() - missing.len();
        self.metrics.looked_up("texts", true, hits);
        self.metrics.looked_up("texts", false, missing.len());
        let size = missing.len().div_ceil(self.workers);
        let size = size.clamp(1, self.text_batch.max(1));
        let chunks: Vec<&[usize]> = missing.chunks(size).collect();
        // At most one chunk per worker at a time, so that texts of other requests get their turn.
        for chunks in chunks.chunks(self.workers) {
            let submit = |places: &&[usize]| {
                self.texts
                    .submit(places.iter().map(|&i| texts[i].clone()).collect())
            };
            let made = try_join_all(chunks.iter().map(submit)).await?;
            let places = chunks.iter().copied().flatten();
            for (&place, vector) in places.zip(made.into_iter().flatten()) {
                // Rejections are not kept, for they are cheap to find again.
                if let Ok(vector) = &vector {
                    let weight = texts[place].len() + size_of_val(&**vector);
                    let (text, vector) = (texts[place].clone(), Arc::clone(vector));
                    self.kept.put(text, vector, weight);
                }
                vectors[place] = Some(vector);
            }
        }
        let made = |vector: Option<EmbedResult>| vector.expect("every missing vector was computed");
        Ok(all_scaled(
            vectors.into_iter().map(made).collect(),
            &factors,
        ))
    }
}

/// `n` permits at once, if that many are free.
fn places(of: &Semaphore, n: usize) -> Option<SemaphorePermit<'_>> {
    of.try_acquire_many(u32::try_from(n).ok()?).ok()
}

fn same_canary(set: &AnchorSet, modality: Modality, here: &EncoderEntry) -> Result<(), String> {
    let factors = set.factors(modality, &here.identity);
    let factors = factors.map_err(|e| e.to_string())?;
    if here.identity.is_elsewhere() {
        // It encodes nothing here, and neither does it have a canary.
        return Ok(());
    }
    let (built, made) = (
        &set.encoder(modality).canary,
        scaled(&here.canary, &factors),
    );
    let cosine = match built.len() == made.len() {
        // Zero canaries give NaN, which is not at least the limit.
        true => dot(built, &made) / (dot(built, built) * dot(&made, &made)).sqrt(),
        false => 0.0,
    };
    match cosine >= SAME {
        true => Ok(()),
        false => Err(format!(
            "the canary embedding of {} differs from the one recorded when the generation was built \
             (cosine {cosine:.6})",
            here.identity.name
        )),
    }
}

/// Vectors scaled by [`AnchorSet::factors`], which are usually empty.
fn all_scaled(mut vectors: Vec<EmbedResult>, factors: &[f32]) -> Vec<EmbedResult> {
    if !factors.is_empty() {
        for vector in vectors.iter_mut().flatten() {
            *vector = scaled(vector, factors).into();
        }
    }
    vectors
}

/// The result of preparing a picture.
enum PreparedPicture {
    /// The encoder's input.
    Ready(PreparedInput),
    /// The picture cannot be used.
    Rejected(InputRejection),
    /// Decoding takes more memory than was allowed; it was not started.
    Large(RequestPicture),
}

/// Runs [`prepare`] on a thread of its own, which then ends. The allocator caches freed memory per thread,
/// megabytes for each size class of large blocks, until the thread allocates again or ends, and tokio's
/// blocking threads never end. If no thread can be started, runs on this one.
fn prepare_apart(
    embedder: &Embedder,
    picture: RequestPicture,
    limits: PictureLimits,
    most: u64,
) -> Result<PreparedPicture, Refusal> {
    let left = Mutex::new(Some(picture));
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).take();
    let work = || take().map(|picture| prepare(embedder, picture, limits, most));
    let done = std::thread::scope(|scope| {
        let decoder = std::thread::Builder::new().name("asif-decode".to_owned());
        let started = decoder.spawn_scoped(scope, work).ok()?;
        match started.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    done.or_else(work)
        .unwrap_or_else(|| Err(Refusal::internal("the decoder thread panicked")))
}

/// Decodes a picture into the encoder's input, unless that takes more than `most` bytes.
fn prepare(
    embedder: &Embedder,
    picture: RequestPicture,
    limits: PictureLimits,
    most: u64,
) -> Result<PreparedPicture, Refusal> {
    let bytes = match picture.bytes() {
        Ok(bytes) => bytes,
        Err(rejected) => return Ok(PreparedPicture::Rejected(rejected)),
    };
    if decoding_cost(&bytes, limits).is_ok_and(|cost| cost > most) {
        return Ok(PreparedPicture::Large(picture));
    }
    match embedder.prepare_image(&bytes, limits) {
        Ok(image) => Ok(PreparedPicture::Ready(image)),
        Err(InputError::DecodersBusy) => Err(Refusal::busy("other large images are being decoded")),
        Err(error) => Ok(PreparedPicture::Rejected(InputRejection::from(error))),
    }
}
