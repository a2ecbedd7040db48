//! Text halves: poolings, shapes, tokens.

use std::path::Path;

use asif::encode::{
    EncodeError, EncoderOptions, InputError, ModelError, ModelFolder, Pooling, TextEncoder,
};
use asif::modality::Modality;

use super::tiny_onnx::Attribute::{Int, Ints};
use super::tiny_onnx::Dim::{Free, Is};
use super::tiny_onnx::{self, FLOAT, Graph, INT32, INT64};
use super::{folder, runtime};

pub const TOKENIZER: &[u8] = br#"{"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "unk_token": "[UNK]",
              "vocab": {"[PAD]": 0, "[UNK]": 1, "dog": 2, "cat": 3, "tree": 4}}}"#;

/// [`TOKENIZER`] as SigLIP's class makes it: small letters, no punctuation.
pub fn siglip_tokenizer() -> Vec<u8> {
    let text = String::from_utf8(TOKENIZER.to_vec()).unwrap();
    text.replace(
        r#""normalizer": null"#,
        r#""normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"},
            {"type": "Replace", "pattern": {"Regex": "[!-/:-@\\[-`{-~]"}, "content": ""}]}"#,
    )
    .into_bytes()
}

/// Token vectors of two numbers. Padding is the largest, so that pooling over it would show.
const TABLE: [f32; 10] = [90., 90., 1., 1., 3., 0., 0., 4., -8., 6.];

pub fn text_graph(kind: u64, batch: tiny_onnx::Dim, length: tiny_onnx::Dim) -> Graph {
    Graph::default()
        .input("input_ids", kind, &[batch, length])
        .weight("table", &[5, 2], &TABLE)
        .node("Gather", &["table", "input_ids"], "last_hidden_state")
        .output("last_hidden_state", &[batch, length, Is(2)])
}

pub fn usual_text() -> Vec<u8> {
    text_graph(INT64, Free("batch"), Free("sequence"))
        .input("attention_mask", INT64, &[Free("batch"), Free("sequence")])
        .build()
}

pub fn pooling(mode: &str) -> Vec<u8> {
    format!(r#"{{"word_embedding_dimension": 2, "pooling_mode_{mode}": true}}"#).into_bytes()
}

fn open_text(dir: &Path, options: &EncoderOptions) -> Result<TextEncoder, ModelError> {
    TextEncoder::open(&ModelFolder::open(dir)?, options)
}

/// The vectors of three texts of different lengths, which are padded together.
fn three(encoder: &TextEncoder) -> Vec<f32> {
    encoder
        .encode_texts(&["dog cat tree", "cat", "dog tree"])
        .unwrap()
}

fn unit(x: f32, y: f32) -> [f32; 2] {
    let n = (x * x + y * y).sqrt();
    [x / n, y / n]
}

fn close(found: &[f32], expected: &[[f32; 2]]) {
    let expected = expected.as_flattened();
    assert_eq!(found.len(), expected.len());
    assert!(
        found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-6),
        "{found:?} {expected:?}"
    );
}

#[test]
fn every_pooling_in_every_place() {
    if !runtime() {
        return;
    }
    let mean = [unit(-5., 10.), unit(0., 4.), unit(-5., 6.)];
    let cls = [unit(3., 0.), unit(0., 4.), unit(3., 0.)];
    let max = [unit(3., 6.), unit(0., 4.), unit(3., 6.)];
    for onnx in ["model.onnx", "onnx/model.onnx"] {
        for (mode, expected) in [
            ("mean_tokens", mean),
            ("cls_token", cls),
            ("max_tokens", max),
        ] {
            let dir = folder(&[
                (onnx, &usual_text()),
                ("tokenizer.json", TOKENIZER),
                ("1_Pooling/config.json", &pooling(mode)),
            ]);
            let encoder = open_text(dir.path(), &EncoderOptions::throughput()).unwrap();
            assert_eq!(
                (encoder.dim(), encoder.identity().modality),
                (2, Modality::Text)
            );
            close(&three(&encoder), &expected);
        }
    }
}

#[test]
fn options_override_the_folder_and_change_the_identity() {
    if !runtime() {
        return;
    }
    let dir = folder(&[
        ("other.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("lasttoken")),
    ]);
    let error = open_text(dir.path(), &EncoderOptions::latency()).unwrap_err();
    assert!(error.to_string().contains("model.onnx"), "{error}");
    let with = |pooling| EncoderOptions {
        onnx_file: Some("other.onnx".into()),
        pooling,
        ..EncoderOptions::latency()
    };
    let error = open_text(dir.path(), &with(None)).unwrap_err();
    assert!(error.to_string().contains("lasttoken"), "{error}");
    let max = open_text(dir.path(), &with(Some(Pooling::Max))).unwrap();
    let cls = open_text(dir.path(), &with(Some(Pooling::Cls))).unwrap();
    assert_ne!(max.identity().fingerprint, cls.identity().fingerprint);
    close(&max.encode_texts(&["dog cat"]).unwrap(), &[unit(3., 4.)]);
    let prompted = EncoderOptions {
        prompt: Some("cat ".into()),
        ..with(Some(Pooling::Max))
    };
    let prompted = open_text(dir.path(), &prompted).unwrap();
    close(&prompted.encode_texts(&["dog"]).unwrap(), &[unit(3., 4.)]);
    // The first token would be that of the prompt whatever the text.
    let blind = EncoderOptions {
        prompt: Some("cat ".into()),
        ..with(Some(Pooling::Cls))
    };
    let error = open_text(dir.path(), &blind).unwrap_err().to_string();
    assert!(error.contains("the same vector"), "{error}");
}

#[test]
fn a_finished_embedding_is_taken_as_it_is() {
    if !runtime() {
        return;
    }
    let graph = text_graph(INT64, Free("batch"), Free("sequence"))
        .node_with(
            "ReduceMax",
            &["last_hidden_state"],
            "sentence_embedding",
            &[("axes", Ints(&[1])), ("keepdims", Int(0))],
        )
        .output("sentence_embedding", &[Free("batch"), Is(2)])
        .build();
    // A Dense module is inside that output, so it is not a reason to refuse.
    let modules = br#"[{"type": "a.Transformer", "path": ""}, {"type": "a.Dense", "path": "2"}]"#;
    let dir = folder(&[
        ("model.onnx", &graph),
        ("tokenizer.json", TOKENIZER),
        ("modules.json", modules),
    ]);
    let encoder = open_text(dir.path(), &EncoderOptions::latency()).unwrap();
    assert_eq!(encoder.identity().preprocessing["pooling"], "none");
    // Of another output it is not known, unless it is asked for by name.
    let pooler = text_graph(INT64, Free("batch"), Free("sequence"))
        .node_with(
            "ReduceMax",
            &["last_hidden_state"],
            "pooler_output",
            &[("axes", Ints(&[1])), ("keepdims", Int(0))],
        )
        .output("pooler_output", &[Free("batch"), Is(2)])
        .build();
    let other = folder(&[
        ("model.onnx", &pooler),
        ("tokenizer.json", TOKENIZER),
        ("modules.json", modules),
    ]);
    let error = open_text(other.path(), &EncoderOptions::latency()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("a.Dense") && error.contains("choose it"),
        "{error}"
    );
    // Token vectors are not what the module makes, and no name for them is advised.
    let bare = folder(&[
        ("model.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("modules.json", modules),
    ]);
    let error = open_text(bare.path(), &EncoderOptions::latency()).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("a.Transformer") && !error.contains("choose it"),
        "{error}"
    );
    let named = EncoderOptions {
        output: Some("pooler_output".into()),
        ..EncoderOptions::latency()
    };
    open_text(other.path(), &named).unwrap();
    // There is no mask: rows of different lengths must not be padded together.
    close(
        &three(&encoder),
        &[unit(3., 6.), unit(0., 4.), unit(3., 6.)],
    );
}

#[test]
fn fixed_shapes_and_narrow_integers_are_fed() {
    if !runtime() {
        return;
    }
    let graph = text_graph(INT32, Is(1), Is(4)).build();
    let dir = folder(&[
        ("model.onnx", &graph),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("mean_tokens")),
    ]);
    let encoder = open_text(dir.path(), &EncoderOptions::latency()).unwrap();
    assert_eq!(encoder.batch_size(), 1);
    close(
        &three(&encoder),
        &[unit(-5., 10.), unit(0., 4.), unit(-5., 6.)],
    );
    let long = encoder.tokenize("dog dog dog dog dog dog").unwrap();
    assert_eq!(long.len(), 4);
}

#[test]
fn text_folders_that_cannot_work_say_why() {
    if !runtime() {
        return;
    }
    let refuse = |files: &[(&str, &[u8])]| {
        let dir = folder(files);
        open_text(dir.path(), &EncoderOptions::latency())
            .unwrap_err()
            .to_string()
    };
    let model = usual_text();
    let mean = pooling("mean_tokens");
    let tokenizer = ("tokenizer.json", TOKENIZER);
    let pool = ("1_Pooling/config.json", &mean[..]);
    let onnx = ("model.onnx", &model[..]);

    let error = refuse(&[onnx, pool]);
    assert!(
        error.contains("tokenizer.json") && error.contains("missing"),
        "{error}"
    );
    let error = refuse(&[onnx, tokenizer]);
    assert!(
        error.contains("last_hidden_state") && error.contains("choose one"),
        "{error}"
    );
    let error = refuse(&[onnx, pool, ("tokenizer.json", b"{}")]);
    assert!(error.contains("tokenizer cannot be loaded"), "{error}");
    let error = refuse(&[tokenizer, pool, ("model.onnx", b"not a model")]);
    assert!(error.contains("not an ONNX file"), "{error}");
    let wide = br#"{"word_embedding_dimension": 384, "pooling_mode_mean_tokens": true}"#;
    let error = refuse(&[onnx, tokenizer, ("1_Pooling/config.json", wide)]);
    assert!(
        error.contains("vectors of 2 numbers") && error.contains("384"),
        "{error}"
    );
    let modules = br#"[{"type": "a.Transformer", "path": ""},
        {"type": "a.Pooling", "path": "1_Pooling"}, {"type": "a.Dense", "path": "2_Dense"}]"#;
    let error = refuse(&[onnx, tokenizer, pool, ("modules.json", modules)]);
    assert!(error.contains("Dense"), "{error}");
    let pixels = text_graph(INT64, Free("b"), Free("s")).input("pixel_values", FLOAT, &[Free("b")]);
    let error = refuse(&[tokenizer, pool, ("model.onnx", &pixels.build())]);
    assert!(
        error.contains("pixel_values") && error.contains("text half"),
        "{error}"
    );
    let places = text_graph(INT64, Free("b"), Free("s"));
    let places = places.input("position_ids", INT64, &[Free("b"), Free("s")]);
    let error = refuse(&[tokenizer, pool, ("model.onnx", &places.build())]);
    assert!(
        error.contains("`position_ids` is not fed") && !error.contains("text half"),
        "{error}"
    );
}

#[test]
fn a_text_without_tokens_is_that_texts_trouble() {
    if !runtime() {
        return;
    }
    let dir = folder(&[
        ("model.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("mean_tokens")),
    ]);
    let encoder = open_text(dir.path(), &EncoderOptions::latency()).unwrap();
    // This tokenizer adds no special tokens.
    assert_eq!(encoder.tokenize("  "), Err(InputError::NoTokens));
    let error = encoder.encode_texts(&["dog", ""]).unwrap_err();
    assert!(
        matches!(error, EncodeError::Input { index: 1, .. }),
        "{error}"
    );
    assert!(encoder.encode_texts::<&str>(&[]).unwrap().is_empty());
}
