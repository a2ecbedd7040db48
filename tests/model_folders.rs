//! Model folders of many shapes, each with a real ONNX file of a few nodes and the real runtime.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tiny_onnx;

use std::io::{Write, stderr};
use std::path::Path;

use asif::encode::doctor::{self, Status};
use asif::encode::options::Overrides;
use asif::encode::{
    EncodeError, EncoderOptions, ImageEncoder, InputError, Modality, ModelError, ModelFolder,
    Pooling, TextEncoder, registry, runtime,
};
use asif::home::Home;
use tempfile::TempDir;
use tiny_onnx::Attribute::{Int, Ints};
use tiny_onnx::Dim::{Free, Is};
use tiny_onnx::{FLOAT, Graph, INT32, INT64};

/// Loads ONNX Runtime; false, with a line, where there is none.
fn runtime() -> bool {
    let loaded = Home::from_env()
        .ok_or("no data folder".to_owned())
        .and_then(|home| runtime::load(None, &home).map_err(|e| e.to_string()));
    if let Err(reason) = &loaded {
        // Not println!, which the test runner would hide.
        let _ = writeln!(stderr(), "skipped: model folders: {reason}");
        assert!(
            std::env::var_os("ASIF_TEST_STRICT").is_none(),
            "ASIF_TEST_STRICT: {reason}"
        );
    }
    loaded.is_ok()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
    dir
}

// ------------------------------------------------------------------ text

const TOKENIZER: &[u8] = br#"{"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"},
    "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "unk_token": "[UNK]",
              "vocab": {"[PAD]": 0, "[UNK]": 1, "dog": 2, "cat": 3, "tree": 4}}}"#;

/// Token vectors of two numbers. Padding is the largest, so that pooling over it would show.
const TABLE: [f32; 10] = [90., 90., 1., 1., 3., 0., 0., 4., -8., 6.];

fn text_graph(kind: u64, batch: tiny_onnx::Dim, length: tiny_onnx::Dim) -> Graph {
    Graph::default()
        .input("input_ids", kind, &[batch, length])
        .weight("table", &[5, 2], &TABLE)
        .node("Gather", &["table", "input_ids"], "last_hidden_state")
        .output("last_hidden_state", &[batch, length, Is(2)])
}

fn usual_text() -> Vec<u8> {
    text_graph(INT64, Free("batch"), Free("sequence"))
        .input("attention_mask", INT64, &[Free("batch"), Free("sequence")])
        .build()
}

fn pooling(mode: &str) -> Vec<u8> {
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
        ..with(Some(Pooling::Cls))
    };
    let prompted = open_text(dir.path(), &prompted).unwrap();
    close(&prompted.encode_texts(&["dog"]).unwrap(), &[unit(0., 4.)]);
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
    // A Dense module is inside that output, so it is no reason to refuse.
    let modules = br#"[{"type": "a.Transformer", "path": ""}, {"type": "a.Dense", "path": "2"}]"#;
    let dir = folder(&[
        ("model.onnx", &graph),
        ("tokenizer.json", TOKENIZER),
        ("modules.json", modules),
    ]);
    let encoder = open_text(dir.path(), &EncoderOptions::latency()).unwrap();
    assert_eq!(encoder.identity().preprocessing["pooling"], "none");
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
        error.contains("last_hidden_state") && error.contains("--pool"),
        "{error}"
    );
    let error = refuse(&[onnx, pool, ("tokenizer.json", b"{}")]);
    assert!(error.contains("tokenizer cannot be loaded"), "{error}");
    let error = refuse(&[tokenizer, pool, ("model.onnx", b"not a model")]);
    assert!(error.contains("ONNX Runtime cannot load it"), "{error}");
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

// ------------------------------------------------------------------ images

fn image_graph(batch: tiny_onnx::Dim, side: u64) -> Graph {
    Graph::default().input("pixel_values", FLOAT, &[batch, Is(3), Is(side), Is(side)])
}

/// The mean of each channel.
fn usual_image(side: u64) -> Vec<u8> {
    image_graph(Free("batch"), side)
        .node("GlobalAveragePool", &["pixel_values"], "means")
        .node("Flatten", &["means"], "image_embeds")
        .output("image_embeds", &[Free("batch"), Is(3)])
        .build()
}

const SQUARE: &[u8] =
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

    let home = Home::at(dir.path().join("home"));
    registry::add(&home, "scaled", dir.path(), &Overrides::default()).unwrap();
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

// ------------------------------------------------------------------ registry and doctor

#[test]
fn models_are_installed_whole_or_not_at_all() {
    if !runtime() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = Home::at(root.path());
    let good = folder(&[
        ("model.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("mean_tokens")),
        ("pytorch_model.bin", b"not needed"),
    ]);
    let added = registry::add(&home, "words", good.path(), &Overrides::default()).unwrap();
    assert_eq!((added.modality, added.dim), (Some(Modality::Text), Some(2)));
    assert!(!added.path.join("pytorch_model.bin").exists());
    assert_eq!(registry::installed(&home).unwrap(), [added]);
    assert!(registry::resolve(&home, "words", Modality::Text).is_ok());
    let findings = doctor::diagnose(&home);
    let words = findings
        .iter()
        .find(|f| f.what == "text encoder words")
        .unwrap();
    assert_eq!(words.status, Status::Ok, "{words:?}");
    let again = registry::add(&home, "words", good.path(), &Overrides::default()).unwrap_err();
    assert!(matches!(again, ModelError::NameTaken { .. }), "{again}");

    let bad = folder(&[
        ("model.onnx", b"junk"),
        ("preprocessor_config.json", SQUARE),
    ]);
    assert!(registry::add(&home, "junk", bad.path(), &Overrides::default()).is_err());
    let left: Vec<_> = fs_err::read_dir(home.models())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(left, [home.models().join("words")]);
}

#[test]
fn what_stands_above_the_folder_is_kept_with_the_model() {
    if !runtime() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = Home::at(root.path());
    let model = folder(&[
        ("model.onnx", &usual_text()),
        ("tokenizer.json", TOKENIZER),
        ("1_Pooling/config.json", &pooling("mean_tokens")),
    ]);
    let overrides = Overrides {
        pooling: Some(Pooling::Max),
        ..Overrides::default()
    };
    let added = registry::add(&home, "largest", model.path(), &overrides).unwrap();
    let pooling_of = |dir: &Path| {
        let folder = ModelFolder::open(dir).unwrap();
        let encoder = TextEncoder::open(&folder, &EncoderOptions::latency()).unwrap();
        encoder.identity().preprocessing["pooling"].clone()
    };
    assert_eq!(pooling_of(&added.path), "max");
    assert_eq!(pooling_of(model.path()), "mean");
}

#[test]
fn the_doctor_finds_what_changed() {
    if !runtime() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let home = Home::at(root.path());
    let model = folder(&[
        ("model.onnx", &usual_image(4)),
        ("preprocessor_config.json", SQUARE),
    ]);
    registry::add(&home, "means", model.path(), &Overrides::default()).unwrap();
    let look = || {
        let findings = doctor::diagnose(&home);
        findings
            .into_iter()
            .find(|f| f.what == "image encoder means")
            .unwrap()
    };
    let finding = look();
    assert_eq!(finding.status, Status::Ok, "{finding:?}");
    assert!(finding.detail.contains("hash as installed"), "{finding:?}");

    let installed = home.models().join("means");
    let nearest = fs_err::read_to_string(installed.join("preprocessor_config.json")).unwrap();
    let changed = nearest.replace(
        "\"do_normalize\": false",
        "\"image_mean\": 0.5, \"image_std\": 1",
    );
    fs_err::write(installed.join("preprocessor_config.json"), changed).unwrap();
    let finding = look();
    assert_eq!(finding.status, Status::Warning, "{finding:?}");

    fs_err::write(installed.join("model.onnx"), usual_image(5)).unwrap();
    assert_eq!(look().status, Status::Error);
    fs_err::remove_file(installed.join("model.onnx")).unwrap();
    let finding = look();
    assert!(
        finding.status == Status::Error && !finding.advice.is_empty(),
        "{finding:?}"
    );
}
