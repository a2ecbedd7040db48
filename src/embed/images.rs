//! Images to vectors.
//!
//! Each worker reads, hashes, decodes and encodes its own images, so that no core waits for another.
//! With several encoders an image is read and decoded once.

use std::borrow::Borrow;
use std::sync::OnceLock;

use image::RgbImage;

use super::cache::ContentKey;
use super::error::EmbedError;
use crate::embed::file::{self, ReadFailure};
use crate::embed::side::MemberEmbedding;
use crate::embed::{Embedder, EmbeddingResult, InputRejection, WorkControl, workers};
use crate::encode::image::decode::PictureLimits;
use crate::encode::image::thumbnail::thumbnail_file;
use crate::encode::isolate::prepared;
use crate::encode::{ImageEncoder, InputError, PreparedImage};
use crate::image_source::ImageSource;

/// The embedding of an image, and its thumbnail if it has one.
pub(crate) type PicturedEmbedding = (EmbeddingResult, Option<Vec<u8>>);

/// Receives the number of an image, its file, and its pixels if they were decoded.
type KeepPicture<'a> = &'a (dyn Fn(usize, &[u8], Option<&RgbImage>) + Sync);

/// Tolerance of the norm of a caller's vector around 1.
const UNIT_TOLERANCE: f64 = 1e-3;

/// An image as the input of each of the encoders.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedInput(Vec<PreparedImage>);

impl Embedder {
    /// As [`images`](Self::images), each with a small picture whose longer side has `side` pixels, a file in JPEG
    /// or PNG; `None` where there is none to make it of, or it cannot be shown.
    ///
    /// # Errors
    /// As [`images`](Self::images).
    pub(crate) fn images_with_thumbnails<I>(
        &self,
        images: &[I],
        side: u32,
        watch: WorkControl<'_>,
    ) -> Result<Vec<PicturedEmbedding>, EmbedError>
    where
        I: Borrow<ImageSource> + Sync,
    {
        let made: Vec<OnceLock<Vec<u8>>> = images.iter().map(|_| OnceLock::new()).collect();
        let keep = |image: usize, bytes: &[u8], decoded: Option<&RgbImage>| {
            if let Some(small) = thumbnail_file(bytes, decoded, side) {
                // Each image is prepared once.
                let _ = made[image].set(small);
            }
        };
        let vectors = self.watched(images, Some(&keep), watch)?;
        Ok(vectors
            .into_iter()
            .zip(made.into_iter().map(OnceLock::into_inner))
            .collect())
    }

    /// One embedding for each image, in order. The cache identifies an image by its content, wherever it is
    /// stored; a vector is used unchanged.
    ///
    /// # Errors
    /// When the encoder fails, or the operation is cancelled. A bad image is not an error.
    pub fn images<I>(
        &self,
        images: &[I],
        watch: WorkControl<'_>,
    ) -> Result<Vec<EmbeddingResult>, EmbedError>
    where
        I: Borrow<ImageSource> + Sync,
    {
        self.watched(images, None, watch)
    }

    fn watched<I>(
        &self,
        images: &[I],
        keep: Option<KeepPicture<'_>>,
        watch: WorkControl<'_>,
    ) -> Result<Vec<EmbeddingResult>, EmbedError>
    where
        I: Borrow<ImageSource> + Sync,
    {
        let images = || images.iter().map(<I as Borrow<ImageSource>>::borrow);
        let vector_of = |image: &ImageSource| match image {
            ImageSource::Vector { vector, .. } => Some(self.fitting(image, vector)),
            ImageSource::File(_)
            | ImageSource::Part(_)
            | ImageSource::Cell(..)
            | ImageSource::Bytes { .. } => None,
        };
        let known: Vec<_> = images().map(vector_of).collect();
        let unknown = images().zip(&known).enumerate();
        let unknown = unknown.filter(|(_, (_, known))| known.is_none());
        let (places, unknown): (Vec<_>, Vec<_>) = unknown.map(|(i, (image, _))| (i, image)).unzip();
        // Numbers of images without a vector are turned into those of all images.
        let keep = keep.map(|keep| {
            move |i: usize, bytes: &[u8], decoded: Option<&RgbImage>| {
                keep(places[i], bytes, decoded)
            }
        });
        let keep = keep.as_ref().map(|keep| keep as KeepPicture<'_>);
        let mut made = self.encoded(&unknown, keep, watch)?.into_iter();
        let embeddings = known.into_iter().map(|known| match known {
            Some(known) => {
                watch.progress.advance(1);
                known
            }
            None => made.next().expect("each unknown image has an embedding"),
        });
        Ok(embeddings.collect())
    }

    /// Checks a vector that was computed elsewhere: its length and norm must be those of the image encoders'
    /// vectors.
    fn fitting(&self, image: &ImageSource, vector: &[f32]) -> EmbeddingResult {
        let (dim, length) = (self.image().dim(), vector.len());
        // In double precision, for the tolerance is near the error of a sum in 32 bits.
        let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let fault = match length == dim {
            false => format!("expected a vector of {dim} numbers, found {length}"),
            true if (norm.sqrt() - 1.0).abs() < UNIT_TOLERANCE => return Ok(vector.to_vec()),
            true => format!("expected a vector of length 1, found {}", norm.sqrt()),
        };
        Err(InputRejection::from(format!(
            "{image}: {fault}; give a vector of the anchor set's image encoders"
        )))
    }

    fn encoded(
        &self,
        images: &[&ImageSource],
        keep: Option<KeepPicture<'_>>,
        watch: WorkControl<'_>,
    ) -> Result<Vec<EmbeddingResult>, EmbedError> {
        if !images.is_empty() {
            self.image.check_present()?;
        }
        let encoders = self.image().members();
        let done = workers::run(self.workers, images.len(), watch.cancel, |pieces| {
            let mut done = Vec::new();
            let mut batches: Vec<PendingImages> =
                encoders.iter().map(|_| PendingImages::default()).collect();
            while let Some(i) = pieces.take() {
                match self.look_up_or_prepare(i, images[i], keep, &mut done, &mut batches) {
                    Ok(()) => {}
                    // Out of memory or files: later images would fail as well, so the work stops.
                    Err(ReadFailure::Exhausted(error)) => return Err(error),
                    Err(ReadFailure::Rejected(rejected)) => done.push(MemberEmbedding {
                        input: i,
                        member: 0,
                        made: Err(rejected),
                    }),
                }
                // Each encoder has a batch size of its own, so their batches fill at different times.
                for (member, batch) in batches.iter_mut().enumerate() {
                    if batch.inputs.len() >= encoders[member].batch_size() {
                        self.encode_batch(images, member, batch, &mut done)?;
                    }
                }
                watch.progress.advance(1);
            }
            // The incomplete batches of this worker.
            for (member, batch) in batches.iter_mut().enumerate() {
                self.encode_batch(images, member, batch, &mut done)?;
            }
            Ok(done)
        })?;
        self.image.joined(done, images.len(), watch.cancel)
    }

    /// Decodes and preprocesses the bytes of an image file for every encoder; pure.
    ///
    /// # Errors
    /// [`InputError`]: this image cannot be used; others can. With a patience in `limits`,
    /// [`InputError::DecodersBusy`] says that it could be used later.
    pub fn prepare_image(
        &self,
        bytes: &[u8],
        limits: PictureLimits,
    ) -> Result<PreparedInput, InputError> {
        let members = self.image().members();
        // Such an input is refused when it is encoded.
        if members.is_empty() {
            return Ok(PreparedInput(Vec::new()));
        }
        prepared(|| {
            // Decoded once: the members differ only in what they do with the pixels.
            let pixels = members[0].decode_within(bytes, limits)?;
            let inputs = members.iter().map(|m| m.prepare_pixels(&pixels));
            Ok(PreparedInput(inputs.collect()))
        })
    }

    /// Encodes prepared images without the cache: one vector `[dim]` each, in order. Waits for free
    /// sessions. An image that an encoder cannot encode gets the reason instead.
    ///
    /// # Errors
    /// When an encoder fails on everything.
    pub fn encode_prepared(
        &self,
        images: Vec<PreparedInput>,
    ) -> Result<Vec<EmbeddingResult>, EmbedError> {
        if !images.is_empty() {
            self.image.check_present()?;
        }
        let members = self.image().members();
        let dim = self.image().dim();
        let mut joined: Vec<EmbeddingResult> = vec![Ok(vec![0.0; dim]); images.len()];
        // Turned around: a member takes all images at once.
        let mut of_members = vec![Vec::with_capacity(images.len()); members.len()];
        for PreparedInput(image) in images {
            of_members
                .iter_mut()
                .zip(image)
                .for_each(|(inputs, input)| inputs.push(input));
        }
        for (at, (member, inputs)) in members.iter().zip(of_members).enumerate() {
            for (made, whole) in member.encode_each(&inputs)?.into_iter().zip(&mut joined) {
                match (made, &mut *whole) {
                    (Ok(vector), Ok(row)) => self.image().place(at, &vector, row),
                    (Err(error), Ok(_)) => *whole = Err(InputRejection::from(error)),
                    (_, Err(_)) => {}
                }
            }
        }
        Ok(joined)
    }

    fn look_up_or_prepare(
        &self,
        input: usize,
        image: &ImageSource,
        keep: Option<KeepPicture<'_>>,
        done: &mut Vec<MemberEmbedding>,
        batches: &mut [PendingImages],
    ) -> Result<(), ReadFailure> {
        // Held until the pixels are dropped: one large file at a time.
        let (bytes, _turn) = file::content(image)?;
        let key = ContentKey::of_picture(&bytes);
        let mut pixels = None;
        for (member, encoder) in self.image().members().iter().enumerate() {
            if let Some(vector) = self.image.known(member, &key) {
                let made = Ok(vector);
                done.push(MemberEmbedding {
                    input,
                    member,
                    made,
                });
                continue;
            }
            let made = prepared(|| {
                let decoded = match pixels.take() {
                    Some(pixels) => pixels,
                    None => encoder.decode(&bytes)?,
                };
                Ok((encoder.prepare_pixels(&decoded), decoded))
            });
            let (made, decoded) = made.map_err(|e| InputRejection::of_image(image, &e))?;
            batches[member].push(input, key, made);
            pixels = Some(decoded);
        }
        if let Some(keep) = keep {
            keep(input, &bytes, pixels.as_deref());
        }
        Ok(())
    }

    fn encode_batch(
        &self,
        images: &[&ImageSource],
        member: usize,
        batch: &mut PendingImages,
        done: &mut Vec<MemberEmbedding>,
    ) -> Result<(), EmbedError> {
        let PendingImages {
            places,
            keys,
            inputs,
        } = std::mem::take(batch);
        if inputs.is_empty() {
            return Ok(());
        }
        let encoder: &ImageEncoder = &self.image().members()[member];
        let made = encoder.encode_each(&inputs)?;
        self.image.keep_good(member, &keys, &made);
        done.extend(
            places
                .into_iter()
                .zip(made)
                .map(|(input, made)| MemberEmbedding {
                    input,
                    member,
                    made: made.map_err(|e| InputRejection::of_image(images[input], &e)),
                }),
        );
        Ok(())
    }
}

/// Images waiting to be encoded as one batch by one encoder.
#[derive(Default)]
struct PendingImages {
    places: Vec<usize>,
    keys: Vec<ContentKey>,
    inputs: Vec<PreparedImage>,
}

impl PendingImages {
    fn push(&mut self, place: usize, key: ContentKey, input: PreparedImage) {
        self.places.push(place);
        self.keys.push(key);
        self.inputs.push(input);
    }
}
