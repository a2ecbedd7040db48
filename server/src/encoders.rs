//! The encoders of a server: pictures and texts to unit vectors, in batches over all requests.
//!
//! ```text
//! address ─> place to be fetched, or 429 ─> fetched ─> place ─┐
//! picture ─> place, or 429 ───────────────────────────────────┴> decoded on a bounded pool ─┐
//! text ────> kept? ─────────────────────────────────────────────────────────────────────────┴> batch ─> vector
//! ```
//!
//! Batches and what is kept have the weights that several encoders were opened with. A generation may
//! have others, so that what is handed out is brought to those of the set it is asked for.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::batching::{Batcher, Batching};
use super::error::Refusal;
use super::fetch::Fetcher;
use super::kept::Kept;
use super::metrics::Metrics;
use super::options::Limits;
use super::picture::Picture;
use asif::anchors::change::reweigh::scaled;
use asif::anchors::live::Canary;
use asif::anchors::{AnchorSet, AnchorsError};
use asif::embed::{Embedder, PreparedInput, Rejected, Watch};
use asif::encode::image::decode::{DecodeBudget, PictureLimits, decoding_cost};
use asif::encode::{EncoderEntry, ImageEncoder, InputError, TextEncoder};
use asif::modality::{Modality, Sides};
use asif::progress::{Cancel, Silent};
use asif::space::vector::dot;

/// How long an encoder waits for pictures that are being decoded; a tenth of what one takes.
const LINGER: Duration = Duration::from_millis(2);
/// Bytes of texts and their vectors that are kept: some 40,000 prompts of labels, which come again
/// with each generation.
const TEXTS: usize = 80 << 20;
/// The longest text that is read, in bytes: some eight thousand tokens. Encoders read fewer, and yet
/// a tokenizer would go through megabytes while other texts wait.
pub(super) const LONGEST: usize = 32 << 10;

/// The part of a request's time that a picture waits for memory that others have.
const MEMORY_SHARE: u32 = 2;

/// A picture that takes more than this part of [`DecodeBudget`]'s limit, one in so many, is a large
/// one.
const LARGE_PART: u64 = 8;

/// As in [`AnchorSet::accept_encoders`].
const SAME: f64 = 0.99999;

/// A unit vector, or why this input has none.
pub(super) type Embedded = Result<Arc<[f32]>, Rejected>;

/// Both encoders, shared by all sets that were built with them, at whatever weights.
#[derive(Debug)]
pub(super) struct Encoders {
    embedder: Arc<Embedder>,
    fetcher: Arc<Fetcher>,
    images: Batcher<PreparedInput, Embedded>,
    texts: Batcher<String, Embedded>,
    /// Pictures that may be in work.
    places: Semaphore,
    /// Pictures that may be fetched or wait for it: other places, so that a host that is slow keeps
    /// no picture waiting that was sent.
    fetches: Semaphore,
    /// Turns to decode.
    decoders: Arc<Semaphore>,
    /// The turn to decode a large picture. One at a time, and beside `decoders`: whoever sends large
    /// ones keeps those waiting who do the same, and nobody else.
    large: Arc<Semaphore>,
    kept: Kept<String, Arc<[f32]>>,
    /// What a picture may take, and how long it waits for memory.
    pictures: PictureLimits,
    workers: usize,
    text_batch: usize,
    metrics: Arc<Metrics>,
}

impl Encoders {
    /// Starts the threads that call them.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        embedder: Arc<Embedder>,
        fetcher: Arc<Fetcher>,
        limits: &Limits,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let cores = available_parallelism().map_or(1, usize::from);
        // As many as the encoders have sessions (`EncoderOptions::throughput`).
        let workers = cores.min(4);
        let batching = |size: Option<usize>| Batching {
            size: size.unwrap_or(1),
            workers,
            linger: LINGER,
        };
        let (model, told) = (Arc::clone(&embedder), Arc::clone(&metrics));
        let images = Batcher::start(
            "image",
            batching(
                embedder
                    .image()
                    .members()
                    .iter()
                    .map(ImageEncoder::batch_size)
                    .max(),
            ),
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
        let text_batch = text_batch.max().unwrap_or(1);
        let (model, told) = (Arc::clone(&embedder), Arc::clone(&metrics));
        let texts = Batcher::start(
            "text",
            Batching {
                linger: Duration::ZERO,
                ..batching(Some(text_batch))
            },
            move |inputs: Vec<String>| {
                let watch = Watch {
                    progress: &Silent,
                    cancel: &Cancel::default(),
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
            kept: Kept::new(TEXTS),
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

    /// How many images and texts wait for a call.
    pub fn waiting(&self) -> Sides<usize> {
        Sides {
            image: self.images.waiting(),
            text: self.texts.waiting(),
        }
    }

    /// Refuses a set that was built with others. Weights may differ.
    ///
    /// # Errors
    /// [`AnchorsError::OtherEncoder`] naming both.
    pub fn check(&self, set: &AnchorSet) -> Result<(), AnchorsError> {
        set.factors(Modality::Image, self.embedder.image().identity())?;
        set.factors(Modality::Text, self.embedder.text().identity())?;
        Ok(())
    }

    /// A check of generations: they were built with these encoders, which make of their canary inputs
    /// what they made then.
    ///
    /// # Errors
    /// When an encoder fails on its canary input.
    pub fn canary(&self) -> Result<Canary, AnchorsError> {
        let (image, text) = self.embedder.entries()?;
        Ok(Box::new(move |set| {
            same_canary(set, Modality::Image, &image)?;
            same_canary(set, Modality::Text, &text)
        }))
    }

    /// One vector for each picture, in order, as `set` has them.
    ///
    /// # Errors
    /// That too many pictures wait already, that the encoder fails, or that the set has others.
    pub async fn pictures(
        &self,
        pictures: Vec<Picture>,
        set: &AnchorSet,
    ) -> Result<Vec<Embedded>, Refusal> {
        let factors = set.factors(Modality::Image, self.embedder.image().identity())?;
        let is_named = |picture: &Picture| picture.address().is_some();
        let named = pictures.iter().filter(|picture| is_named(picture)).count();
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
        picture: Picture,
        mut place: Option<SemaphorePermit<'_>>,
    ) -> Result<Embedded, Refusal> {
        // What was fetched keeps its memory until the picture has its vector.
        let (picture, _fetched) = match picture.address() {
            None => (picture, None),
            Some(address) => match self.fetcher.file(address).await? {
                Ok(file) => {
                    // Waits, where one that was sent is refused: its work is done in part. Never closed.
                    place = self.places.acquire().await.ok();
                    (Picture::Bytes(file.bytes.clone()), Some(file))
                }
                Err(rejected) => return Ok(Err(rejected)),
            },
        };
        let mut coming = Some(self.images.announce());
        let most = DecodeBudget::process().limit() / LARGE_PART;
        let image = match self.prepared(&self.decoders, picture, most).await? {
            // No encoder waits for one that takes seconds.
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
            // Of two looks at the same headers.
            PreparedPicture::Large(_) => {
                return Err(Refusal::internal("the picture has two sizes"));
            }
        };
        let vector = self.images.submit(vec![image]);
        drop(coming);
        let mut vectors = vector.await?;
        drop(place);
        vectors
            .pop()
            .ok_or_else(|| Refusal::internal("the encoder gave no vector"))
    }

    /// A picture as the encoder's input, in its turn; one that takes more than `most` bytes to decode
    /// comes back.
    async fn prepared(
        &self,
        turns: &Arc<Semaphore>,
        picture: Picture,
        most: u64,
    ) -> Result<PreparedPicture, Refusal> {
        // Never closed.
        let turn = Arc::clone(turns).acquire_owned().await;
        let (embedder, limits) = (Arc::clone(&self.embedder), self.pictures);
        let prepared = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            prepare_apart(&embedder, picture, limits, most)
        });
        prepared
            .await
            .map_err(|_| Refusal::internal("the decoder's thread panicked"))?
    }

    /// One vector for each text, in order, as `set` has them; those of texts that came before are
    /// kept.
    ///
    /// # Errors
    /// When the encoder fails, or the set has others.
    pub async fn texts(&self, texts: &[String], set: &AnchorSet) -> Result<Vec<Embedded>, Refusal> {
        let factors = set.factors(Modality::Text, self.embedder.text().identity())?;
        let mut vectors: Vec<Option<Embedded>> = texts
            .iter()
            .map(|text| match text.len() {
                ..=LONGEST => self.kept.get(text).map(Ok),
                n => Some(Err(Rejected {
                    reason: format!("it has {n} bytes, at most {LONGEST} are read; cut it"),
                })),
            })
            .collect();
        let missing: Vec<usize> = (0..texts.len()).filter(|&i| vectors[i].is_none()).collect();
        let hits = texts.len() - missing.len();
        self.metrics.looked_up("texts", true, hits);
        self.metrics.looked_up("texts", false, missing.len());
        let size = missing.len().div_ceil(self.workers);
        let size = size.clamp(1, self.text_batch.max(1));
        let chunks: Vec<&[usize]> = missing.chunks(size).collect();
        // No more at once than there are workers: others' texts have their turn in between.
        for chunks in chunks.chunks(self.workers) {
            let submit = |places: &&[usize]| {
                self.texts
                    .submit(places.iter().map(|&i| texts[i].clone()).collect())
            };
            let made = try_join_all(chunks.iter().map(submit)).await?;
            let places = chunks.iter().copied().flatten();
            for (&place, vector) in places.zip(made.into_iter().flatten()) {
                if let Ok(vector) = &vector {
                    let weight = texts[place].len() + size_of_val(&**vector);
                    let (text, vector) = (texts[place].clone(), Arc::clone(vector));
                    self.kept.put(text, vector, weight);
                }
                vectors[place] = Some(vector);
            }
        }
        Ok(all_scaled(
            vectors.into_iter().flatten().collect(),
            &factors,
        ))
    }
}

/// So many places at once, if there are.
fn places(of: &Semaphore, n: usize) -> Option<SemaphorePermit<'_>> {
    of.try_acquire_many(u32::try_from(n).ok()?).ok()
}

fn same_canary(set: &AnchorSet, modality: Modality, here: &EncoderEntry) -> Result<(), String> {
    let factors = set.factors(modality, &here.identity);
    let factors = factors.map_err(|e| e.to_string())?;
    let (built, made) = (
        &set.encoder(modality).canary,
        scaled(&here.canary, &factors),
    );
    let cosine = match built.len() == made.len() {
        true => dot(built, &made) / (dot(built, built) * dot(&made, &made)).sqrt(),
        false => 0.0,
    };
    match cosine >= SAME {
        true => Ok(()),
        false => Err(format!(
            "{} makes another vector of its canary input here than when the generation was built \
             (cosine {cosine:.6})",
            here.identity.name
        )),
    }
}

/// Vectors times [`AnchorSet::factors`], which mostly are none.
fn all_scaled(mut vectors: Vec<Embedded>, factors: &[f32]) -> Vec<Embedded> {
    if !factors.is_empty() {
        for vector in vectors.iter_mut().flatten() {
            *vector = scaled(vector, factors).into();
        }
    }
    vectors
}

/// What became of a picture.
enum PreparedPicture {
    /// The encoder's input.
    Ready(PreparedInput),
    /// It cannot be used.
    Rejected(Rejected),
    /// Decoding it takes more memory than was allowed; it was not begun.
    Large(Picture),
}

/// Does what [`prepare`] does on a thread that ends with it. The allocator keeps some of what a thread has
/// freed for that thread, megabytes of each size of large blocks, until it asks for memory again or
/// ends; those that wait for blocking work never end. Where the system gives no thread, this one
/// does it.
fn prepare_apart(
    embedder: &Embedder,
    picture: Picture,
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
        .unwrap_or_else(|| Err(Refusal::internal("the decoder's thread panicked")))
}

/// Decodes a picture and makes it the encoder's input, unless that takes more than `most` bytes.
fn prepare(
    embedder: &Embedder,
    picture: Picture,
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
        Err(error) => Ok(PreparedPicture::Rejected(Rejected::from(error))),
    }
}
