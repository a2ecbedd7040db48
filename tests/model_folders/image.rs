//! Image halves: outputs, weights, batches, sessions.

use std::path::Path;

use asif::encode::options::EncoderOverrides;
use asif::encode::{EncoderOptions, ImageEncoder, ModelError, ModelFolder, Pooling, registry};
use asif::home::DataFolder;
use tempfile::TempDir;

use super::text::TOKENIZER;
use super::tiny_onnx::Attribute::{Int, Ints};
use super::tiny_onnx::Dim::{Free, Is};
use super::tiny_onnx::{self, FLOAT, Graph, INT64};
use super::{folder, runtime};

pub fn image_graph(batch: tiny_onnx::Dim, side: u64) -> Graph {
    Graph::default().input("pixel_values", FLOAT, &[batch, Is(3), Is(side), Is(side)])
}

/// The mean of each channel.
pub fn usual_image(side: u64) -> Vec<u8> {
    image_graph(Free("batch"), side)
        .node("GlobalAveragePool", &["pixel_values"], "means")
        .node("Flatten", &["means"], "image_embeds")
        .output("image_embeds", &[Free("batch"), Is(3)])
        .build()
}

pub const SQUARE: &[u8] =
    br#"{"size": {"height": 4, "width": 4}, "resample": 0, "do_normalize": false}"#;

fn open_image(dir: &Path, options: &EncoderOptions) -> Result<ImageEncoder, ModelError> {
    ImageEncoder::open(&ModelFolder::open(dir)?, options)
}

/// Red above, blue below.
fn flag() -> image::RgbImage {
    image::RgbImage::from_fn(8, 8, |_, y| {
        image::Rgb(if y < 4 { [255, 0, 0] } else { [0, 0, 255] })
    })
}

fn vector(encoder: &ImageEncoder) -> Vec<f32> {
    encoder.encode(&[encoder.prepare_pixels(&flag())]).unwrap()
}

#[test]
fn image_outputs_of_every_rank() {
    if !runtime() {
        return;
    }
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let near = |found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        assert!(
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-6),
            "{found:?}"
        );
    };
    let vectors = folder(&[
        ("model.onnx", &usual_image(4)),
        ("preprocessor_config.json", SQUARE),
    ]);
    let encoder = open_image(vectors.path(), &EncoderOptions::latency()).unwrap();
    near(&vector(&encoder), &[half, 0., half]);

    let map = image_graph(Free("batch"), 4)
        .node("Identity", &["pixel_values"], "last_hidden_state")
        .output("last_hidden_state", &[Free("batch"), Is(3), Is(4), Is(4)])
        .build();
    let map = folder(&[
        ("onnx/model.onnx", &map),
        ("preprocessor_config.json", SQUARE),
    ]);
    let encoder = open_image(map.path(), &EncoderOptions::latency()).unwrap();
    assert_eq!(encoder.identity().preprocessing["pooling"], "mean");
    near(&vector(&encoder), &[half, 0., half]);

    // Three tokens, one a channel, of 16 numbers: the first is red, the upper half of the flag.
    let tokens = image_graph(Free("batch"), 4)
        .integers("shape", &[0, 3, 16])
        .node("Reshape", &["pixel_values", "shape"], "last_hidden_state")
        .output("last_hidden_state", &[Free("batch"), Is(3), Is(16)])
        .build();
    let tokens = folder(&[
        ("model.onnx", &tokens),
        ("preprocessor_config.json", SQUARE),
    ]);
    let encoder = open_image(tokens.path(), &EncoderOptions::latency()).unwrap();
    assert_eq!(encoder.identity().preprocessing["pooling"], "cls");
    let mut red = [0f32; 16];
    red[..8].fill(8f32.sqrt().recip());
    near(&vector(&encoder), &red);
    let mean = EncoderOptions {
        pooling: Some(Pooling::Mean),
        ..EncoderOptions::latency()
    };
    near(
        &vector(&open_image(tokens.path(), &mean).unwrap()),
        &[0.25; 16],
    );
}

#[test]
fn external_weights_beside_the_model_are_found() {
    if !runtime() {
        return;
    }
    let graph = image_graph(Free("batch"), 4)
        .external_weight("scale", &[1, 3, 1, 1], "model.onnx_data")
        .node("Mul", &["pixel_values", "scale"], "scaled")
        .node("GlobalAveragePool", &["scaled"], "means")
        .node("Flatten", &["means"], "pooler_output")
        .output("pooler_output", &[Free("batch"), Is(3)])
        .build();
    let weights: Vec<u8> = [3f32, 1., 4.]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let dir = folder(&[
        ("onnx/model.onnx", &graph),
        ("onnx/model.onnx_data", &weights),
        ("preprocessor_config.json", SQUARE),
    ]);
    let encoder = open_image(dir.path(), &EncoderOptions::latency()).unwrap();
    assert_eq!(vector(&encoder), [0.6, 0., 0.8]);

    let home = DataFolder::at(dir.path().join("home"));
    registry::add(&home, "scaled", dir.path(), &EncoderOverrides::default()).unwrap();
    assert!(home.models().join("scaled/onnx/model.onnx_data").is_file());
}

#[test]
fn a_fixed_batch_of_one_is_run_one_by_one() {
    if !runtime() {
        return;
    }
    let graph = image_graph(Is(1), 4)
        .node("GlobalAveragePool", &["pixel_values"], "means")
        .node("Flatten", &["means"], "image_embeds")
        .output("image_embeds", &[Is(1), Is(3)])
        .build();
    let dir = folder(&[("model.onnx", &graph), ("preprocessor_config.json", SQUARE)]);
    let encoder = open_image(dir.path(), &EncoderOptions::latency()).unwrap();
    let images = vec![encoder.prepare_pixels(&flag()); 5];
    assert_eq!(encoder.batch_size(), 1);
    assert_eq!(encoder.encode(&images).unwrap().len(), 15);
}

#[test]
fn many_threads_share_few_sessions() {
    if !runtime() {
        return;
    }
    let dir = folder(&[
        ("model.onnx", &usual_image(4)),
        ("preprocessor_config.json", SQUARE),
    ]);
    let options = EncoderOptions {
        sessions: 2,
        threads_per_session: 1,
        ..EncoderOptions::latency()
    };
    let encoder = open_image(dir.path(), &options).unwrap();
    let expected = vector(&encoder);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(vector(&encoder), expected)));
        }
    });
}

#[test]
fn image_folders_that_cannot_work_say_why() {
    if !runtime() {
        return;
    }
    let refuse = |files: &[(&str, &[u8])]| {
        let dir = folder(files);
        open_image(dir.path(), &EncoderOptions::latency())
            .unwrap_err()
            .to_string()
    };
    let config = ("preprocessor_config.json", SQUARE);
    let error = refuse(&[("model.onnx", &usual_image(9)), config]);
    assert!(
        error.contains("[n, 3, 4, 4]") && error.contains("[-1, 3, 9, 9]"),
        "{error}"
    );
    let error = refuse(&[config]);
    assert!(error.contains("model.onnx"), "{error}");
    let two = image_graph(Free("b"), 4)
        .input("input_ids", INT64, &[Free("b"), Free("s")])
        .node("Identity", &["pixel_values"], "last_hidden_state")
        .output("last_hidden_state", &[Free("b"), Is(3), Is(4), Is(4)]);
    let error = refuse(&[("model.onnx", &two.build()), config]);
    assert!(
        error.contains("input_ids") && error.contains("image half"),
        "{error}"
    );
    let error = refuse(&[
        ("model.onnx", &usual_image(4)),
        ("preprocessor_config.json", b"[1"),
    ]);
    assert!(
        error.contains("preprocessor_config.json") && error.contains("JSON"),
        "{error}"
    );
    let error = refuse(&[
        ("model.onnx", &usual_image(4)),
        ("tokenizer.json", TOKENIZER),
    ]);
    assert!(error.contains("preprocessor_config.json"), "{error}");
    // Zero times the input has no direction.
    let nothing = image_graph(Free("b"), 4)
        .node("Sub", &["pixel_values", "pixel_values"], "zero")
        .node("GlobalAveragePool", &["zero"], "means")
        .node("Flatten", &["means"], "image_embeds")
        .output("image_embeds", &[Free("b"), Is(3)]);
    let error = refuse(&[("model.onnx", &nothing.build()), config]);
    assert!(error.contains("is zero"), "{error}");
}

#[test]
fn vectors_that_depend_on_their_batch_are_found_out() {
    if !runtime() {
        return;
    }
    let graph = image_graph(Free("batch"), 4)
        .node("GlobalAveragePool", &["pixel_values"], "means")
        .node("Flatten", &["means"], "flat")
        .node_with(
            "ReduceMax",
            &["flat"],
            "company",
            &[("axes", Ints(&[0])), ("keepdims", Int(1))],
        )
        .node("Add", &["flat", "company"], "image_embeds")
        .output("image_embeds", &[Free("batch"), Is(3)])
        .build();
    let honest = folder(&[
        ("model.onnx", &usual_image(4)),
        ("preprocessor_config.json", SQUARE),
    ]);
    let check = |dir: &TempDir| {
        open_image(dir.path(), &EncoderOptions::latency())
            .unwrap()
            .self_check()
            .unwrap()
    };
    assert!(check(&honest).batch_invariant);
    let swayed = folder(&[("model.onnx", &graph), ("preprocessor_config.json", SQUARE)]);
    let check = check(&swayed);
    assert!(
        !check.batch_invariant && check.worst_cosine < 1.0,
        "{check:?}"
    );
}
