//! Images to vectors.
//!
//! | module | what it is |
//! |---|---|
//! | [`decode`] | bytes to RGB, with limits and EXIF orientation |
//! | `input` | the image input of the graph, checked against the preprocessing |
//! | `canary` | canary images, drawn by integer arithmetic |
//! | `resample` | Pillow's resampler, bit for bit |
//! | [`thumbnail`] | small pictures that browsers show |
//! | [`preprocess`] | `preprocessor_config.json`: RGB to the model's tensor |

mod canary;
pub mod decode;
mod input;
pub mod preprocess;
pub(crate) mod resample;
pub mod thumbnail;

use image::RgbImage;
use serde_json::json;

use super::error::{EncodeError, InputError, ModelError};
use super::folder::ModelFolder;
use super::identity::EncoderIdentity;
use super::isolate::{EncodedInput, encode_each, whole};
use super::options::EncoderOptions;
use super::output::OutputReader;
use super::runtime::pool::{InputTensor, SessionPool};
use super::{SelfCheck, load, tells_apart};
use crate::modality::Modality;
use decode::{DecodedImage, PictureLimits};
use input::BATCH;
use input::find_input;
use preprocess::ImagePreprocessor;

/// The version of decoding and resampling, part of the identity. Increment it with any change to a pixel of
/// an image that was decoded as other programs do, so that older cached embeddings are not reused. Where only
/// the set of rejected images changes, [`decode::DECODING`] is enough.
const PIXELS: u32 = 1;

/// An image as its encoder's input, `[3, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedImage {
    values: Vec<f32>,
}

impl PreparedImage {}

/// The model with its inputs and outputs, before its identity is known.
#[derive(Debug)]
struct ImageModel {
    pool: SessionPool,
    reader: OutputReader,
    preprocess: ImagePreprocessor,
    input: String,
}

/// An image model, shared by reference between threads.
#[derive(Debug)]
pub struct ImageEncoder {
    model: ImageModel,
    apply_exif: bool,
    batch: usize,
    identity: EncoderIdentity,
}

impl ImageEncoder {
    /// Loads the model of `folder` and encodes the canary once, which gives the dimension.
    ///
    /// # Errors
    /// [`ModelError`]: a file is missing or unsupported, the graph is not an image encoder,
    /// or [ONNX Runtime is not loaded](super::runtime::load).
    pub fn open(folder: &ModelFolder, options: &EncoderOptions) -> Result<Self, ModelError> {
        let options = &options.or(&folder.overrides()?);
        let onnx = folder.onnx_path(options.onnx_file.as_deref())?;
        let preprocess = ImagePreprocessor::read(folder, options.trust_preprocessing)?;
        let (pool, sha256) = load(folder, &onnx, options)?;
        let (input, batch) = find_input(&pool.inputs, &preprocess, &onnx)?;
        let reader = OutputReader::choose(Modality::Image, &pool.outputs, options, None, &onnx)?;
        let model = ImageModel {
            pool,
            reader,
            preprocess,
            input,
        };

        let (vector, rank) = model.run(&[model.prepare(&canary::picture())])?;
        // A model that gives several pictures one vector reads its input wrongly; better refused than indexed.
        let others = canary::others().map(|picture| model.run(&[model.prepare(&picture)]));
        if !tells_apart(&vector, others.map(|run| Ok(run?.0))) {
            return Err(ModelError::Graph {
                path: onnx,
                reason: super::same_vector("pictures"),
            });
        }
        // What changes a vector becomes part of the identity, so that caches and sets notice.
        let mut preprocessing = model.preprocess.describe();
        preprocessing["output"] = json!(model.reader.output);
        preprocessing["pooling"] = json!(model.reader.pooling_of(Modality::Image, rank));
        preprocessing["exif"] = json!(options.apply_exif);
        preprocessing["pixels"] = json!(PIXELS);
        let name = folder.name().to_owned();
        let dim = vector.len();
        let identity =
            EncoderIdentity::new(name, Modality::Image, dim, sha256, None, preprocessing);
        Ok(Self {
            model,
            apply_exif: options.apply_exif,
            batch,
            identity,
        })
    }

    /// The identity of this encoder.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// The length of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.identity.dim
    }

    /// How many images to pass to [`encode`](Self::encode) at once.
    pub fn batch_size(&self) -> usize {
        self.batch
    }

    /// The image preprocessing.
    pub fn preprocess(&self) -> &ImagePreprocessor {
        &self.model.preprocess
    }

    /// Decodes and preprocesses the bytes of an image file.
    ///
    /// # Errors
    /// [`InputError`]: this image cannot be used; others can.
    pub fn prepare(&self, bytes: &[u8]) -> Result<PreparedImage, InputError> {
        let pixels = self.decode(bytes)?;
        Ok(self.prepare_pixels(&pixels))
    }

    /// Decodes the bytes of an image file, with the EXIF orientation applied if enabled. Waits for memory
    /// while other images hold it.
    ///
    /// # Errors
    /// [`InputError`]: this image cannot be used; others can.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<DecodedImage<RgbImage>, InputError> {
        self.decode_within(bytes, PictureLimits::default())
    }

    /// As [`decode`](Self::decode), within limits.
    ///
    /// # Errors
    /// [`InputError`]: this image cannot be used; others can.
    pub(crate) fn decode_within(
        &self,
        bytes: &[u8],
        limits: PictureLimits,
    ) -> Result<DecodedImage<RgbImage>, InputError> {
        decode::decode_within(bytes, self.apply_exif, limits)
    }

    /// Preprocesses pixels that are decoded already.
    pub fn prepare_pixels(&self, image: &RgbImage) -> PreparedImage {
        self.model.prepare(image)
    }

    /// Encodes a batch into `[n, dim]` row-major, each row of unit norm. Waits for a free session.
    ///
    /// # Errors
    /// [`EncodeError`]: the model cannot be run, or its output is not a valid vector.
    pub fn encode(&self, images: &[PreparedImage]) -> Result<Vec<f32>, EncodeError> {
        let mut out = Vec::with_capacity(images.len() * self.dim());
        for batch in images.chunks(self.batch.max(1)) {
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

    /// As [`encode`](Self::encode), retrying input by input where a batch fails: an input that the model cannot
    /// encode gets the reason instead, and the others the vectors that they get alone.
    ///
    /// # Errors
    /// [`EncodeError`]: the model fails on its canary too, so the fault is not an input's.
    pub(crate) fn encode_each(
        &self,
        images: &[PreparedImage],
    ) -> Result<Vec<EncodedInput>, EncodeError> {
        let mut all = Vec::with_capacity(images.len());
        for batch in images.chunks(self.batch.max(1)) {
            let run = |batch: &[PreparedImage]| self.model.run(batch).map(|(vectors, _)| vectors);
            let model = self.model.pool.name();
            all.extend(encode_each(model, batch, self.dim(), run, || {
                self.canary()
            })?);
        }
        Ok(all)
    }

    /// The vector of the canary image, whose pixels are the same on every machine.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        self.encode(&[self.prepare_pixels(&canary::picture())])
    }

    /// Checks whether vectors depend on the batch, and measures how long one takes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn self_check(&self) -> Result<SelfCheck, EncodeError> {
        // Pictures of different sizes, so that a batch is not made of equal inputs.
        let images: Vec<_> = (0..self.batch.clamp(2, BATCH) as u32)
            .map(|seed| self.prepare_pixels(&canary::drawn(160 + 24 * seed, 240, seed)))
            .collect();
        SelfCheck::of(&images, self.dim(), |batch| self.encode(batch))
    }
}

impl ImageModel {
    fn prepare(&self, image: &RgbImage) -> PreparedImage {
        PreparedImage {
            values: self.preprocess.tensor(&self.preprocess.pixels(image)),
        }
    }

    /// One run of the model: the vectors, and the rank of the output they come from.
    fn run(&self, images: &[PreparedImage]) -> Result<(Vec<f32>, usize), EncodeError> {
        let values = self.preprocess.values();
        // Checked here, because a wrong length would shift all later inputs of the batch.
        if let Some(wrong) = images.iter().find(|i| i.values.len() != values) {
            return Err(EncodeError::WrongInput {
                model: self.pool.name().to_owned(),
                found: wrong.values.len(),
                expected: values,
            });
        }
        let (width, height) = self.preprocess.size();
        let shape = [images.len(), 3, height as usize, width as usize];
        self.pool.with(|slot| {
            let (session, buffer) = slot.parts();
            let batch: &[f32] = match images {
                // A single input is handed on as it lies, without a copy.
                [one] => &one.values,
                many => {
                    buffer.clear();
                    many.iter()
                        .for_each(|image| buffer.extend_from_slice(&image.values));
                    buffer
                }
            };
            let feed = InputTensor::F32(&self.input, shape, batch);
            self.pool
                .run(session, &[feed], &self.reader.output, |shape, data| {
                    let vectors = self.reader.vectors(
                        Modality::Image,
                        self.pool.name(),
                        images.len(),
                        shape,
                        data,
                        None,
                    )?;
                    Ok((vectors, shape.len()))
                })
        })
    }
}
