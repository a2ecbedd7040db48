//! The image input of the graph.

use std::path::Path;

use super::super::error::ModelError;
use super::super::runtime::pool::{ElementType, EncoderPort};
use super::preprocess::ImagePreprocessor;

/// How many images are encoded at once by default: larger batches gain nothing on CPUs.
pub(super) const BATCH: usize = 8;

/// The name of the input, checked against the preprocessing, and the batch size it allows.
pub(super) fn find_input(
    inputs: &[EncoderPort],
    preprocess: &ImagePreprocessor,
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
    if input.element != ElementType::F32 {
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
                let (file, keys) = preprocess.source();
                return Err(refuse(format!(
                    "input `{}` has shape {:?}, but {} makes [n, 3, {height}, {width}]; correct its \
                     {keys}, or export the model for that size",
                    input.name,
                    input.shape,
                    file.file_name().unwrap_or_default().display(),
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
