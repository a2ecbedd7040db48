//! Images to vectors.
//!
//! | module | what it is |
//! |---|---|
//! | [`decode`] | bytes to RGB, with limits and EXIF orientation |
//! | `jpeg` | JPEG to libjpeg-turbo's exact bytes |
//! | [`resample`] | Pillow's resampler, bit for bit |
//! | [`preprocess`] | `preprocessor_config.json`: RGB to the model's tensor |

pub mod decode;
mod jpeg;
pub mod preprocess;
pub mod resample;

use std::path::Path;
use std::time::Instant;

use image::{Rgb, RgbImage};
use serde_json::json;

use super::error::{EncodeError, InputError, ModelError};
use super::folder::ModelFolder;
use super::identity::EncoderIdentity;
use super::options::EncoderOptions;
use super::output::Reader;
use super::runtime::pool::{Element, Feed, Port, SessionPool};
use super::{Modality, SelfCheck, compare_batches};
use preprocess::Preprocess;

/// How many images are encoded at once by default: larger batches gain nothing on CPUs.
const BATCH: usize = 8;

/// An image as its encoder's input, `[3, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedImage {
    values: Vec<f32>,
}

impl PreparedImage {
    /// The tensor's values, `[3, height, width]` row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// An image model, shared by reference between threads.
#[derive(Debug)]
pub struct ImageEncoder {
    pool: SessionPool,
    reader: Reader,
    preprocess: Preprocess,
    input: String,
    apply_exif: bool,
    batch: usize,
    identity: EncoderIdentity,
}

impl ImageEncoder {
    /// Loads the model of `folder` and encodes the canary once.
    ///
    /// # Errors
    /// [`ModelError`]: a file is missing or cannot be followed, the graph is not an image encoder,
    /// or [ONNX Runtime is not loaded](super::runtime::load).
    pub fn open(folder: &ModelFolder, options: &EncoderOptions) -> Result<Self, ModelError> {
        let onnx = folder.onnx_path(options.onnx_file.as_deref())?;
        let preprocess = Preprocess::read(folder)?;
        // Hashing 100 MB takes as long as loading them: do both at once.
        let (hash, pool) = std::thread::scope(|scope| {
            let hash = scope.spawn(|| folder.model_sha256(&onnx));
            let pool = SessionPool::open(
                folder.name(),
                &onnx,
                options.sessions,
                options.threads_per_session,
            );
            (hash.join(), pool)
        });
        let hash = hash.unwrap_or_else(|_| folder.model_sha256(&onnx))?;
        let pool = pool?;
        let (input, batch) = find_input(&pool.inputs, &preprocess, &onnx)?;
        let reader = Reader::choose(Modality::Image, &pool.outputs, options, None, &onnx)?;
        let mut encoder = Self {
            pool,
            reader,
            preprocess,
            input,
            apply_exif: options.apply_exif,
            batch,
            identity: EncoderIdentity::new(
                folder.name().to_owned(),
                Modality::Image,
                0,
                hash,
                None,
                json!({}),
            ),
        };
        encoder.identify()?;
        Ok(encoder)
    }

    /// Learns the dimension from the canary and completes the identity.
    fn identify(&mut self) -> Result<(), EncodeError> {
        let canary = self.prepare_pixels(&canary_image());
        let (vector, rank) = self.run(&[canary])?;
        let mut preprocessing = self.preprocess.describe();
        if let Some(map) = preprocessing.as_object_mut() {
            map.insert("output".into(), json!(self.reader.output));
            map.insert(
                "pooling".into(),
                json!(self.reader.pooling_of(Modality::Image, rank)),
            );
            map.insert("exif".into(), json!(self.apply_exif));
        }
        let old = &self.identity;
        self.identity = EncoderIdentity::new(
            old.name.clone(),
            Modality::Image,
            vector.len(),
            old.model_sha256.clone(),
            None,
            preprocessing,
        );
        Ok(())
    }

    /// Who makes these vectors.
    pub fn identity(&self) -> &EncoderIdentity {
        &self.identity
    }

    /// The length of a vector.
    pub fn dim(&self) -> usize {
        self.identity.dim
    }

    /// How many images to hand to [`encode`](Self::encode) at once.
    pub fn batch_size(&self) -> usize {
        self.batch
    }

    /// How pictures become tensors.
    pub fn preprocess(&self) -> &Preprocess {
        &self.preprocess
    }

    /// Decodes and preprocesses the bytes of an image file.
    ///
    /// # Errors
    /// [`InputError`]: this image cannot be used; others can.
    pub fn prepare(&self, bytes: &[u8]) -> Result<PreparedImage, InputError> {
        Ok(self.prepare_pixels(&decode::decode(bytes, self.apply_exif)?))
    }

    /// Preprocesses pixels that are decoded already.
    pub fn prepare_pixels(&self, image: &RgbImage) -> PreparedImage {
        PreparedImage {
            values: self.preprocess.tensor(&self.preprocess.pixels(image)),
        }
    }

    /// Encodes a batch into `[n, dim]` row-major, each row of unit norm. Waits for a free session.
    ///
    /// # Errors
    /// [`EncodeError`]: the model cannot be run, or answers what is no vector.
    pub fn encode(&self, images: &[PreparedImage]) -> Result<Vec<f32>, EncodeError> {
        let mut out = Vec::with_capacity(images.len() * self.dim());
        for batch in images.chunks(self.batch.max(1)) {
            out.extend(self.run(batch)?.0);
        }
        Ok(out)
    }

    /// The vector of a drawn picture: the same pixels on every machine.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn canary(&self) -> Result<Vec<f32>, EncodeError> {
        self.encode(&[self.prepare_pixels(&canary_image())])
    }

    /// Looks whether vectors depend on their company, and how long one takes.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn self_check(&self) -> Result<SelfCheck, EncodeError> {
        let images: Vec<_> = (0..self.batch.clamp(2, BATCH) as u32)
            .map(|seed| self.prepare_pixels(&drawn_image(160 + 24 * seed, 240, seed)))
            .collect();
        let mut alone = Vec::new();
        let mut millis = f64::INFINITY;
        for image in &images {
            let start = Instant::now();
            alone.extend(self.encode(std::slice::from_ref(image))?);
            millis = millis.min(start.elapsed().as_secs_f64() * 1e3);
        }
        let together = self.encode(&images)?;
        let (batch_invariant, worst_cosine) = compare_batches(&alone, &together, self.dim());
        let norm = self.canary()?.iter().map(|v| v * v).sum::<f32>().sqrt();
        Ok(SelfCheck {
            batch_invariant,
            worst_cosine,
            norm,
            millis,
        })
    }

    /// One run of the model: the vectors, and the rank of the output they come from.
    fn run(&self, images: &[PreparedImage]) -> Result<(Vec<f32>, usize), EncodeError> {
        let values = self.preprocess.values();
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
                [one] => &one.values,
                many => {
                    buffer.clear();
                    many.iter()
                        .for_each(|image| buffer.extend_from_slice(&image.values));
                    buffer
                }
            };
            let feed = Feed::F32(&self.input, shape, batch);
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

/// The graph's picture input, checked against the preprocessing, and the batch size it allows.
fn find_input(
    inputs: &[Port],
    preprocess: &Preprocess,
    onnx: &Path,
) -> Result<(String, usize), ModelError> {
    let refuse = |reason: String| ModelError::Graph {
        path: onnx.to_owned(),
        reason,
    };
    let names: Vec<_> = inputs
        .iter()
        .map(|i| format!("{} {:?}", i.name, i.shape))
        .collect();
    let [input] = inputs else {
        return Err(refuse(format!(
            "an image encoder has one input, this graph has {}; export the image half alone",
            names.join(", ")
        )));
    };
    if input.element != Element::F32 {
        return Err(refuse(format!(
            "input `{}` is not 32-bit floating point ({:?}); export the model in float32",
            input.name, input.element
        )));
    }
    let (width, height) = preprocess.size();
    let batch = match input.shape[..] {
        [] => BATCH,
        [batch, channels, h, w] => {
            let fits = |declared: i64, value: u32| declared < 0 || declared == i64::from(value);
            if !(fits(channels, 3) && fits(h, height) && fits(w, width)) {
                return Err(refuse(format!(
                    "input `{}` has shape {:?}, but preprocessor_config.json makes [n, 3, {height}, \
                     {width}]; correct its size or crop_size, or export the model for that size",
                    input.name, input.shape
                )));
            }
            match batch {
                1 => 1,
                n if n < 0 => BATCH,
                n => {
                    return Err(refuse(format!(
                        "input `{}` has a fixed batch of {n}; export it with a free batch \
                         dimension, or with 1",
                        input.name
                    )));
                }
            }
        }
        _ => {
            return Err(refuse(format!(
                "input `{}` has shape {:?}, expected [batch, 3, height, width]",
                input.name, input.shape
            )));
        }
    };
    Ok((input.name.clone(), batch))
}

/// The picture that [`ImageEncoder::canary`] encodes.
fn canary_image() -> RgbImage {
    drawn_image(320, 240, 0)
}

/// Stripes, discs and a ramp, by integer arithmetic: the same everywhere.
fn drawn_image(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (x.abs_diff(width / 3 + 5 * seed), y.abs_diff(height / 2));
        let disc = dx * dx + dy * dy < (height / 4).pow(2);
        let stripe = ((x + (seed + 1) * y) / 16).is_multiple_of(2);
        let ramp = (x * 255 / width) as u8;
        match (disc, stripe) {
            (true, _) => Rgb([230, 60, (seed * 40 % 256) as u8]),
            (false, true) => Rgb([ramp, 120, 200]),
            (false, false) => Rgb([ramp, (y * 255 / height) as u8, 40]),
        }
    })
}
