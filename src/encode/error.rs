//! The errors of this module, by who has to act.

use std::path::{Path, PathBuf};

use crate::remedy::InputRemedy;
use crate::stand_in;

/// An error of one image or text. The caller records it and continues with the next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// No bytes at all.
    #[error("not an image: no content (0 bytes); remove it or restore its content")]
    Empty,
    /// Bytes in no image format that is known here.
    #[error(
        "not an image: the content is {found}, expected JPEG, PNG, WebP, GIF or BMP; convert it or remove it"
    )]
    NotAnImage {
        /// What the bytes look like.
        found: String,
    },
    /// A placeholder in place of the image: a pointer file, or a server's error page.
    #[error("not an image: {said}")]
    StandIn {
        /// What it seems to be, and what to do.
        said: String,
    },
    /// The image ends too early.
    #[error("the {format} image is truncated ({reason}); fetch or export it again")]
    Truncated {
        /// The format that the content begins with.
        format: String,
        /// What the decoder met.
        reason: String,
    },
    /// The image begins well but cannot be decoded.
    #[error("the {format} image cannot be decoded: {reason}; open and save it in an image program")]
    Undecodable {
        /// The format that the content begins with.
        format: String,
        /// What the decoder met.
        reason: String,
    },
    /// The image is larger than what is accepted.
    #[error(
        "the image is too large: {width}x{height}, at most {max_side} pixels a side and {max_mib} MiB decoded are accepted; scale it down"
    )]
    TooLarge {
        /// Width in pixels, as the header says.
        width: u32,
        /// Height in pixels, as the header says.
        height: u32,
        /// The longest accepted side, in pixels.
        max_side: u32,
        /// The largest accepted decoded image, in MiB.
        max_mib: u64,
    },
    /// The image has more pixels than the caller allows.
    #[error(
        "the image is too large: {width}x{height}, at most {max_pixels} pixels are accepted; scale it down"
    )]
    TooManyPixels {
        /// Width in pixels, as the header says.
        width: u32,
        /// Height in pixels, as the header says.
        height: u32,
        /// The most pixels that are accepted.
        max_pixels: u64,
    },
    /// Decoding the image alone would take more memory than all images together may.
    #[error(
        "the image is too large: decoding {width}x{height} pixels of this kind takes up to {needed_mib} MiB, at most {limit_mib} MiB are allowed; scale it down, or allow more memory for decoding"
    )]
    OverBudget {
        /// Width in pixels, as the header says.
        width: u32,
        /// Height in pixels, as the header says.
        height: u32,
        /// What decoding takes at most, in MiB.
        needed_mib: u64,
        /// What all images that are decoded at once may take, in MiB.
        limit_mib: u64,
    },
    /// The memory stayed in use by other images for as long as the caller would wait.
    #[error("other large images are being decoded; ask again in a moment")]
    DecodersBusy,
    /// The file is larger than any image that is accepted.
    #[error("the image is too large: {bytes} bytes, at most {max_bytes} are read; scale it down")]
    FileTooLarge {
        /// Its length in bytes.
        bytes: u64,
        /// The most bytes that are read.
        max_bytes: u64,
    },
    /// The model's output for this input alone is not a valid vector.
    #[error(
        "{model} returns a vector for it that is not finite or is zero, but not for other inputs; remove \
        it or change it"
    )]
    NoVector {
        /// The encoder's name.
        model: String,
    },
    /// The model fails on this input alone.
    #[error("{model} fails on it, but not on other inputs: {reason}; remove it or change it")]
    ModelFailed {
        /// The encoder's name.
        model: String,
        /// What the failure was.
        reason: String,
    },
    /// Preparing the input panicked, which is a bug in this program or a library.
    #[error(
        "it cannot be prepared: a panic, {reason}; leave it out, and report this with the input"
    )]
    Panicked {
        /// What the panic said.
        reason: String,
    },
    /// The tokenizer refused the text.
    #[error("the text cannot be tokenised: {reason}; remove unusual characters from it")]
    Tokenizer {
        /// What the tokenizer said.
        reason: String,
    },
    /// The text has a token that the model does not know.
    #[error(
        "the text has the token {token:?}, whose number {id} is beyond the table of {model}; leave it out, or correct tokenizer.json"
    )]
    TokenBeyond {
        /// The token.
        token: String,
        /// Its number.
        id: u32,
        /// The encoder's name.
        model: String,
    },
    /// The tokenizer made no tokens of the text, so there is nothing to encode.
    #[error("the text gives no tokens; write at least one word")]
    NoTokens,
}

impl InputError {
    /// What the caller can do so that the input is accepted, if anything.
    pub(crate) fn remedy(&self) -> Option<InputRemedy> {
        matches!(self, Self::OverBudget { .. }).then_some(InputRemedy::DecodeMemory)
    }
}

/// An error of ONNX Runtime: nothing can be encoded until it is resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The library was not found.
    #[error(
        "ONNX Runtime is missing: expected a libonnxruntime.so of version 1.{minimum} or later at {path} ({origin}), found no file; install it there, or set ASIF_ONNXRUNTIME to its path"
    )]
    RuntimeMissing {
        /// The path where it was expected.
        path: PathBuf,
        /// What named that path.
        origin: &'static str,
        /// The minimum minor version.
        minimum: u32,
    },
    /// The file is there but is not a library that can be used.
    #[error(
        "ONNX Runtime at {path} ({origin}) cannot be used: {reason}; install version 1.{minimum} or later"
    )]
    RuntimeUnusable {
        /// The library.
        path: PathBuf,
        /// What named that path.
        origin: &'static str,
        /// What the loader said.
        reason: String,
        /// The minimum minor version.
        minimum: u32,
    },
    /// The process has too few files or too little memory for the library.
    #[error("ONNX Runtime cannot be loaded: {source}")]
    RuntimeLacking {
        /// What the system said, with the path.
        source: std::io::Error,
    },
    /// An encoder was opened before the library.
    #[error("ONNX Runtime is not loaded; call encode::runtime::load before opening an encoder")]
    RuntimeNotLoaded,
    /// ONNX Runtime refused to run the model.
    #[error("{model}: ONNX Runtime failed: {reason}; check the model and the runtime")]
    Run {
        /// The encoder's name.
        model: String,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// The model's answer does not have the shape that its description promises.
    #[error(
        "{model}: output `{output}` has shape {found:?}, expected {expected}; check the export"
    )]
    Shape {
        /// The encoder's name.
        model: String,
        /// The output's name.
        output: String,
        /// The shape that came.
        found: Vec<i64>,
        /// The shape that was expected, in words.
        expected: String,
    },
    /// The model's output is one vector per token, and nothing says how to pool them.
    #[error(
        "{model}: output `{output}` has shape {found:?}, a vector a token, and neither the folder nor the caller says how to pool them; choose a pooling that fits the model"
    )]
    NoPooling {
        /// The encoder's name.
        model: String,
        /// The output's name.
        output: String,
        /// The shape that came.
        found: Vec<i64>,
    },
    /// The model's output has a NaN, an infinity, or is a zero vector, which has no direction.
    #[error(
        "{model}: the vector of input {row} of the batch is not finite or is zero; the model or its export is broken"
    )]
    NotAVector {
        /// The encoder's name.
        model: String,
        /// The position in the batch.
        row: usize,
    },
    /// The weights of an open model, which it reads while it runs, were changed.
    #[error(
        "{model}: {path} was changed while the model is open; put the file back or start again"
    )]
    WeightsChanged {
        /// The encoder's name.
        model: String,
        /// The file.
        path: PathBuf,
    },
    /// One of several texts cannot be used.
    #[error("text {index} (counted from 0): {source}")]
    Input {
        /// Its position among the texts.
        index: usize,
        /// What is wrong with it.
        source: InputError,
    },
    /// A prepared input was made for another encoder.
    #[error(
        "{model}: the prepared input has {found} values, expected {expected}; prepare it with this encoder"
    )]
    WrongInput {
        /// The encoder's name.
        model: String,
        /// How many values the input has.
        found: usize,
        /// How many this encoder takes.
        expected: usize,
    },
}

/// An error of a model folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The folder, or a file in it, is missing.
    #[error("{path}: {what} is missing; {advice}")]
    Missing {
        /// The path that does not exist.
        path: PathBuf,
        /// What should be there.
        what: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// There is no such model folder.
    #[error(
        "{path}: the model folder is missing; name a folder that holds model.onnx, or an encoder that is installed"
    )]
    NoFolder {
        /// The path given.
        path: PathBuf,
    },
    /// A file was given for a model folder.
    #[error("{path}: expected a model folder, found a file; name the folder that it lies in")]
    NotAFolder {
        /// The path given.
        path: PathBuf,
    },
    /// There is no ONNX file in the usual places, or not the one that was asked for.
    #[error("{path}: {what} is missing; {advice}")]
    OnnxFile {
        /// The path that does not exist.
        path: PathBuf,
        /// What should be there.
        what: &'static str,
        /// What to do, with the ONNX files that there are.
        advice: String,
        /// The model folder.
        folder: PathBuf,
        /// The ONNX files that there are, relative to it.
        others: Vec<PathBuf>,
    },
    /// Files of the model changed while it was loaded.
    #[error("{path}: changed while the model was loaded; wait until it is written, and try again")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A JSON file does not parse.
    #[error("{path}: not valid JSON: {source}; copy the file again from the model's source")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A placeholder in place of a file of the model: a pointer file, or a server's
    /// answered.
    #[error("{path}: {said}")]
    StandIn {
        /// The file.
        path: PathBuf,
        /// What it seems to be, and what to do.
        said: String,
    },
    /// A setting has an unsupported value.
    #[error("{path}: `{key}` is {found}, expected {expected}; {advice}")]
    Setting {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
        /// Its value.
        found: String,
        /// The supported values.
        expected: String,
        /// What to do.
        advice: Box<str>,
        /// What the caller can choose instead of the setting.
        choice: Option<EncoderChoice>,
    },
    /// The tokenizer file does not load.
    #[error("{path}: the tokenizer cannot be loaded: {reason}; copy tokenizer.json again")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What the library said.
        reason: String,
    },
    /// The ONNX graph does not have the inputs or outputs of an encoder.
    #[error("{path}: {reason}")]
    Graph {
        /// The ONNX file.
        path: PathBuf,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// No output is unambiguously the embedding; the caller can choose one, and how it is pooled.
    #[error("{path}: {reason}")]
    NoOutput {
        /// The ONNX file.
        path: PathBuf,
        /// What does not fit, with the outputs that there are.
        reason: String,
    },
    /// The vectors do not have the dimension that the folder declares.
    #[error(
        "{path}: the model gives vectors of {found} numbers, but {promised_by} says {expected}; model and folder do not belong together"
    )]
    WrongDimension {
        /// The ONNX file.
        path: PathBuf,
        /// The length that came.
        found: usize,
        /// The length that was promised.
        expected: usize,
        /// The file that promised it.
        promised_by: &'static str,
    },
    /// Encoders that cannot be combined.
    #[error("{what}; several encoders are written as a+b, or with weights as a:0.7+b:0.3")]
    Ensemble {
        /// What is wrong.
        what: String,
    },
    /// The name cannot be a folder's name.
    #[error(
        "`{name}` cannot be an encoder's name: use letters, digits, `-`, `_` and `.`, not first"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// An encoder of that name is installed already.
    #[error(
        "an encoder `{name}` is installed at {path}; choose another name or remove that folder"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
    /// No such encoder.
    #[error("no {modality} encoder `{name}`: {installed}")]
    NotInstalled {
        /// The name or path that was asked for.
        name: String,
        /// What kind was wanted.
        modality: crate::modality::Modality,
        /// What there is, and what to do.
        installed: String,
    },
    /// ONNX Runtime is missing, or refused the model.
    #[error(transparent)]
    Runtime(#[from] EncodeError),
}

/// The field of [`EncoderOptions`](super::EncoderOptions) that a caller can set where a model's file does not
/// state it, or states an unknown value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncoderChoice {
    /// How token vectors are pooled.
    Pooling,
    /// Whether to trust the plain settings of an unknown class.
    TrustedPreprocessing,
}

impl ModelError {
    /// This error with the option that the caller can set instead.
    pub(super) fn or_choose(mut self, of_caller: EncoderChoice) -> Self {
        if let Self::Setting { choice, .. } = &mut self {
            *choice = Some(of_caller);
        }
        self
    }

    /// Rejects the bytes of a model's file that are a placeholder for it.
    pub(crate) fn refuse_stand_in(path: &Path, bytes: &[u8]) -> Result<(), Self> {
        match stand_in::said_of(bytes) {
            Some(said) => Err(Self::StandIn {
                path: path.to_owned(),
                said,
            }),
            None => Ok(()),
        }
    }
}
