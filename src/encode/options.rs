//! How an encoder is run, and overrides of its folder.

use std::path::PathBuf;
use std::thread::available_parallelism;

use serde::{Deserialize, Serialize};

use super::EncoderIdentity;
use crate::modality::Modality;

/// How a sequence of token vectors, or a feature map, is pooled into one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The mean over the real tokens, or over all positions of a map.
    Mean,
    /// The first real token.
    Cls,
    /// The maximum over the real tokens, per component.
    Max,
}

impl Pooling {
    /// The name in flags, JSON and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Max => "max",
        }
    }
}

impl std::str::FromStr for Pooling {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "mean" => Ok(Self::Mean),
            "cls" => Ok(Self::Cls),
            "max" => Ok(Self::Max),
            other => Err(format!(
                "unknown pooling `{other}`: expected mean, cls or max"
            )),
        }
    }
}

/// Settings that override a model folder's own files. `asif models add` records them with the model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncoderOverrides {
    /// See [`EncoderOptions::prompt`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// See [`EncoderOptions::output`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// See [`EncoderOptions::pooling`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// See [`EncoderOptions::onnx_file`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnx_file: Option<PathBuf>,
    /// See [`EncoderOptions::trust_preprocessing`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust_preprocessing: bool,
}

impl EncoderOverrides {
    /// Whether nothing is overridden.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How an encoder is run ([`throughput`](Self::throughput) or [`latency`](Self::latency)), and what
/// overrides the model folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderOptions {
    /// How many batches may run at once; each session holds its own copy of the weights.
    pub sessions: usize,
    /// Threads inside one session.
    pub threads_per_session: usize,
    /// Whether the EXIF orientation of photos is applied. The usual Python pipelines do
    /// not; the choice is part of the encoder's identity.
    pub apply_exif: bool,
    /// Text put before every text: the name of a prompt in `config_sentence_transformers.json`, or
    /// the words themselves. `None` takes the folder's default prompt, if it has one.
    pub prompt: Option<String>,
    /// The output to read, overriding the folder convention.
    pub output: Option<String>,
    /// The pooling, overriding the folder's.
    pub pooling: Option<Pooling>,
    /// The ONNX file, relative to the folder, instead of `model.onnx` or `onnx/model.onnx`.
    pub onnx_file: Option<PathBuf>,
    /// Whether the keys of an unknown image processor class are trusted to mean what
    /// they say, and tokenizer.json to do all that an unknown tokenizer class does, so that
    /// such a folder is not rejected. Part of the encoder's identity.
    pub trust_preprocessing: bool,
}

impl EncoderOptions {
    /// For throughput: up to four sessions, the cores divided among them.
    ///
    /// One thread inside each session lets no operator wait for its slowest thread, and decoding fills
    /// the gaps: on two busy cores 2 sessions of 1 thread gave 1.5 to 1.7 times the images and the
    /// captions a second of 1 session of 2 threads; on two quiet ones, with ready tensors, 0.95 times
    /// the images and 1.01 times the captions (`benches/encode_throughput.rs`; EfficientNet-Lite0 in
    /// batches of 8, MiniLM-L6 of 32). More than four sessions would only hold more copies of the
    /// weights.
    pub fn throughput() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let sessions = cores.min(4);
        Self {
            sessions,
            threads_per_session: (cores / sessions).max(1),
            ..Self::latency()
        }
    }

    /// For single queries: one session over all cores.
    pub fn latency() -> Self {
        Self {
            sessions: 1,
            threads_per_session: available_parallelism().map_or(1, usize::from),
            apply_exif: true,
            prompt: None,
            output: None,
            pooling: None,
            onnx_file: None,
            trust_preprocessing: false,
        }
    }
}

impl EncoderOptions {
    /// The same with what the encoder of this identity was opened with and a name does not tell: whether
    /// photos are turned as the camera noted, and whether unknown classes were trusted.
    pub fn as_recorded(mut self, identity: &EncoderIdentity) -> Self {
        if identity.modality == Modality::Image {
            self.apply_exif = identity.preprocessing["exif"] != false;
        }
        self.trust_preprocessing |= identity.preprocessing["trusted"].is_string();
        self
    }

    /// These options, with unset ones filled in from the recorded overrides.
    pub(crate) fn or(&self, kept: &EncoderOverrides) -> Self {
        Self {
            prompt: self.prompt.clone().or_else(|| kept.prompt.clone()),
            output: self.output.clone().or_else(|| kept.output.clone()),
            pooling: self.pooling.or(kept.pooling),
            onnx_file: self.onnx_file.clone().or_else(|| kept.onnx_file.clone()),
            trust_preprocessing: self.trust_preprocessing || kept.trust_preprocessing,
            ..self.clone()
        }
    }

    /// The part of these options that overrides a folder's own files.
    pub(crate) fn overrides(&self) -> EncoderOverrides {
        EncoderOverrides {
            prompt: self.prompt.clone(),
            output: self.output.clone(),
            pooling: self.pooling,
            onnx_file: self.onnx_file.clone(),
            trust_preprocessing: self.trust_preprocessing,
        }
    }
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self::latency()
    }
}
