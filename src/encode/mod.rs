//! A model folder becomes an encoder: bytes or text in, unit vectors out.
//!
//! ```text
//! folder  --open-->  ImageEncoder:  bytes -> decode -> resample -> tensor ─┐
//! (HF layout)        TextEncoder:   text  -> tokens -> padded batch ───────┴-> runtime -> pool -> unit norm
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `folder` | the files of a model folder: paths, JSON files (`settings_file`), hashes |
//! | `stamp` | whether a file has changed since it was read |
//! | `onnx` | an ONNX file's inputs and the files that hold its weights |
//! | [`options`] | how an encoder is run, and overrides of the folder |
//! | `ensemble` | several encoders of a modality, used as one |
//! | `identity` | everything that affects a vector, and its fingerprint |
//! | [`runtime`] | ONNX Runtime: the library, the sessions; nothing else names `ort` |
//! | `output` | which output to read, pooling, unit norm |
//! | `isolate` | retries a failed batch input by input |
//! | [`image`] | decoding with limits, Pillow's resampler, preprocessing, [`ImageEncoder`] |
//! | `text` | the tokenizer's settings, [`TextEncoder`] |
//! | [`registry`] | the encoders installed under the home folder |
//! | [`doctor`] | diagnostics: what is installed, and whether it works |
//! | `error` | errors of one input ([`InputError`]) or of all ([`ModelError`], [`EncodeError`]) |
//!
//! An encoder is shared by reference between threads: `prepare` and `tokenize` are pure, `encode`
//! takes a free session from a pool.

pub mod doctor;
pub(crate) mod ensemble;
pub(crate) mod error;
pub(crate) mod folder;
pub(crate) mod identity;
pub mod image;
pub(crate) mod isolate;
mod onnx;
pub mod options;
pub(crate) mod output;
pub mod registry;
pub mod runtime;
mod settings_file;
mod stamp;
pub(crate) mod text;

pub use ensemble::{Encoder, Ensemble};
pub use error::{EncodeError, EncoderChoice, InputError, ModelError};
pub use folder::ModelFolder;
pub use identity::{EncoderEntry, EncoderIdentity, MemberIdentity};
pub use image::{ImageEncoder, PreparedImage};
pub(crate) use isolate::EncodedInput;
pub use options::{EncoderOptions, Pooling};
pub use text::{TextEncoder, TokenizedText};

use std::path::Path;
use std::time::Instant;

use runtime::pool::SessionPool;
use serde::Serialize;
use stamp::ModelFileStamp;

/// The image encoder that is used when none is named.
pub const DEFAULT_IMAGE_ENCODER: &str = "efficientnet-lite0";
/// The text encoder that is used when none is named.
pub const DEFAULT_TEXT_ENCODER: &str = "all-MiniLM-L6-v2";

/// The result of checking a working encoder; see [`ImageEncoder::self_check`] and
/// [`TextEncoder::self_check`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SelfCheck {
    /// Whether an input's vector is bit-identical alone and in a batch. Embeddings of an encoder
    /// where this is false (dynamically quantised ones, for example) depend on their batch and
    /// must not be cached by content.
    pub batch_invariant: bool,
    /// The smallest cosine between an input's vector alone and in a batch; 1 within rounding when
    /// identical.
    pub worst_cosine: f32,
    /// The L2 norm of a vector: 1 within rounding.
    pub norm: f32,
    /// Milliseconds for one input alone, the fastest of a few.
    pub millis: f64,
}

/// Loads the sessions of the ONNX file, and hashes it in parallel: for 100 MB both take equally long.
fn load(
    folder: &ModelFolder,
    onnx: &Path,
    options: &EncoderOptions,
) -> Result<(SessionPool, String), ModelError> {
    let weights = folder.weight_files(onnx)?;
    let mut watched = ModelFileStamp::of_all(&weights)?;
    let model = ModelFileStamp::of(onnx)?;
    let (sha256, pool) = std::thread::scope(|scope| {
        let hash = || folder.model_sha256(onnx);
        // If no thread can be started, it is hashed afterwards.
        let sha256 = std::thread::Builder::new().spawn_scoped(scope, hash);
        let EncoderOptions {
            sessions,
            threads_per_session,
            ..
        } = *options;
        let pool = SessionPool::open(folder.name(), onnx, sessions, threads_per_session);
        (
            sha256.map_or_else(|_| Ok(hash()), |thread| thread.join()),
            pool,
        )
    });
    let sha256 = sha256.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let mut pool = pool?;
    // The file that was hashed must be the one that was loaded.
    watched.push(model);
    if let Some(changed) = watched.iter().find(|stamp| stamp.changed()) {
        return Err(ModelError::Changed {
            path: changed.path().to_owned(),
        });
    }
    watched.pop();
    pool.watch(watched);
    Ok((pool, sha256))
}

/// Whether one of `others`, evaluated in turn, differs from the vector `first`. An input that the
/// model fails on counts as different, and without any other input the answer is unknown.
fn tells_apart(first: &[f32], others: impl Iterator<Item = Result<Vec<f32>, EncodeError>>) -> bool {
    // Squared distance of unit vectors that rounding alone may cause.
    const ROUNDING: f32 = 1e-10;
    let mut asked = false;
    for other in others {
        let Ok(other) = other else { return true };
        if other.len() != first.len() {
            return true;
        }
        let squares = first.iter().zip(&other).map(|(a, b)| (a - b) * (a - b));
        if squares.sum::<f32>() > ROUNDING {
            return true;
        }
        asked = true;
    }
    !asked
}

/// The error for a model that maps all inputs to the same vector.
fn same_vector(inputs: &str) -> String {
    format!(
        "it gives all {inputs} that were tried the same vector, so nothing can be found by it; check \
         the export, its output and its pooling"
    )
}

impl SelfCheck {
    /// Encodes `inputs` one by one and then together. Those that the model fails on are left
    /// out, unless it fails on all: some models fail on the empty text.
    fn of<T: Clone>(
        inputs: &[T],
        dim: usize,
        encode: impl Fn(&[T]) -> Result<Vec<f32>, EncodeError>,
    ) -> Result<Self, EncodeError> {
        let mut alone = Vec::with_capacity(inputs.len() * dim);
        let (mut good, mut failure) = (Vec::with_capacity(inputs.len()), None);
        let mut millis = f64::INFINITY;
        for input in inputs {
            let start = Instant::now();
            match encode(std::slice::from_ref(input)) {
                Ok(vector) => alone.extend(vector),
                Err(error @ EncodeError::NotAVector { .. }) => {
                    failure.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            }
            good.push(input.clone());
            millis = millis.min(start.elapsed().as_secs_f64() * 1e3);
        }
        if let Some(error) = failure.filter(|_| good.is_empty()) {
            return Err(error);
        }
        let together = encode(&good)?;
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        let cosines = alone.chunks_exact(dim).zip(together.chunks_exact(dim));
        Ok(Self {
            batch_invariant: alone
                .iter()
                .map(|v| v.to_bits())
                .eq(together.iter().map(|v| v.to_bits())),
            worst_cosine: cosines.map(|(a, b)| dot(a, b)).fold(1.0, f32::min),
            norm: dot(&alone[..dim], &alone[..dim]).sqrt(),
            millis,
        })
    }
}
