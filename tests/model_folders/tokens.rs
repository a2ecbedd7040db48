//! Padding and the tokenizer's other files.

use asif::encode::{EncoderOptions, ModelFolder, TextEncoder};
use tempfile::TempDir;

use super::text::{TOKENIZER, siglip_tokenizer};
use super::tiny_onnx::Attribute::{Int, Ints};
use super::tiny_onnx::Dim::{Free, Is};
use super::tiny_onnx::{Graph, INT64};
use super::{folder, runtime};

pub const TABLE: [f32; 10] = [5., 7., 1., 1., 3., 0., 0., 4., -8., 6.];

/// The mean of all rows of a table, padding included: there is no attention mask.
pub fn reads_padding() -> Vec<u8> {
    mean_of_rows(&["input_ids"])
}

/// The same of a model with these inputs, of which it reads the first only.
pub fn mean_of_rows(inputs: &[&str]) -> Vec<u8> {
    let shape = [Free("batch"), Free("sequence")];
    let with_input = |graph: Graph, name: &&str| graph.input(name, INT64, &shape);
    inputs
        .iter()
        .fold(Graph::default(), with_input)
        .weight("table", &[5, 2], &TABLE)
        .node("Gather", &["table", "input_ids"], "rows")
        .node_with(
            "ReduceMean",
            &["rows"],
            "sentence_embedding",
            &[("axes", Ints(&[1])), ("keepdims", Int(0))],
        )
        .output("sentence_embedding", &[Free("batch"), Is(2)])
        .build()
}

fn with_padding(padding: &str) -> Vec<u8> {
    let text = String::from_utf8(TOKENIZER.to_vec()).unwrap();
    text.replace(r#""padding": null"#, &format!(r#""padding": {padding}"#))
        .into_bytes()
}

pub fn written(strategy: &str, direction: &str, multiple: &str) -> Vec<u8> {
    with_padding(&format!(
        r#"{{"strategy": {strategy}, "direction": "{direction}", "pad_to_multiple_of": {multiple},
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}}"#
    ))
}

pub fn open(dir: &TempDir) -> Result<TextEncoder, String> {
    let folder = ModelFolder::open(dir.path()).map_err(|e| e.to_string())?;
    TextEncoder::open(&folder, &EncoderOptions::latency()).map_err(|e| e.to_string())
}

fn expected(ids: &[usize]) -> [f32; 2] {
    let sum = |k: usize| ids.iter().map(|&i| TABLE[2 * i + k]).sum::<f32>();
    let (x, y) = (sum(0), sum(1));
    let norm = (x * x + y * y).sqrt();
    [x / norm, y / norm]
}

pub fn near(found: &[f32], ids: &[usize]) {
    let expected = expected(ids);
    let off = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(off < 1e-6, "{found:?} {expected:?}");
}

#[test]
fn padding_that_the_model_reads_is_done_as_it_was_trained() {
    if !runtime() {
        return;
    }
    let onnx = reads_padding();
    let siglip: &[u8] =
        br#"{"model_max_length": 6, "tokenizer_class": "SiglipTokenizer", "pad_token": "[PAD]"}"#;
    let cases: [(Vec<u8>, &[u8], &[usize]); 6] = [
        (
            written(r#"{"Fixed": 6}"#, "Right", "null"),
            b"{}",
            &[2, 3, 0, 0, 0, 0],
        ),
        (
            written(r#"{"Fixed": 6}"#, "Left", "null"),
            b"{}",
            &[0, 0, 0, 0, 2, 3],
        ),
        (
            written(r#"{"Fixed": 5}"#, "Right", "4"),
            b"{}",
            &[2, 3, 0, 0, 0, 0, 0, 0],
        ),
        (
            written(r#""BatchLongest""#, "Right", "3"),
            b"{}",
            &[2, 3, 0],
        ),
        (
            written(r#""BatchLongest""#, "Right", "null"),
            b"{}",
            &[2, 3],
        ),
        (siglip_tokenizer(), siglip, &[2, 3, 0, 0, 0, 0]),
    ];
    for (tokenizer, config, ids) in cases {
        let dir = folder(&[
            ("model.onnx", &onnx),
            ("tokenizer.json", &tokenizer),
            ("tokenizer_config.json", config),
        ]);
        let encoder = open(&dir).unwrap();
        // Company of other lengths changes nothing.
        let vectors = encoder
            .encode_texts(&["dog cat", "tree", "dog dog dog"])
            .unwrap();
        near(&vectors[..2], ids);
    }
}

#[test]
fn unknown_padding_is_refused_with_advice_that_works() {
    if !runtime() {
        return;
    }
    let onnx = reads_padding();
    let config: &[u8] = br#"{"model_max_length": 6}"#;
    let with = |tokenizer: &[u8]| {
        open(&folder(&[
            ("model.onnx", &onnx),
            ("tokenizer.json", tokenizer),
            ("tokenizer_config.json", config),
        ]))
    };
    let error = with(TOKENIZER).unwrap_err();
    let start = error.find("{\"strategy\"").unwrap();
    let advice = &error[start..=start + error[start..].find("\"TOKEN\"}").unwrap() + 7];
    let advice = advice.replace("LENGTH", "6").replace("TOKEN", "[PAD]");
    near(
        &with(&with_padding(&advice))
            .unwrap()
            .encode_texts(&["dog"])
            .unwrap(),
        &[2, 0, 0, 0, 0, 0],
    );
    let none = advice.replace(r#"{"Fixed": 6}"#, r#""BatchLongest""#);
    near(
        &with(&with_padding(&none))
            .unwrap()
            .encode_texts(&["dog"])
            .unwrap(),
        &[2],
    );
}

#[test]
fn texts_are_cut_on_the_side_that_the_files_say() {
    if !runtime() {
        return;
    }
    let tokenizer = written(r#""BatchLongest""#, "Right", "null");
    let left = String::from_utf8(tokenizer.clone()).unwrap().replace(
        r#""truncation": null"#,
        r#""truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Left"}"#,
    );
    let mut prints = Vec::new();
    for (tokenizer, config, ids) in [
        (&tokenizer[..], r#"{"model_max_length": 2}"#, [2, 3]),
        (
            &tokenizer[..],
            r#"{"model_max_length": 2, "truncation_side": "left"}"#,
            [3, 4],
        ),
        (left.as_bytes(), "{}", [3, 4]),
    ] {
        let dir = folder(&[
            ("model.onnx", &reads_padding()),
            ("tokenizer.json", tokenizer),
            ("tokenizer_config.json", config.as_bytes()),
        ]);
        let encoder = open(&dir).unwrap();
        near(&encoder.encode_texts(&["dog cat tree"]).unwrap(), &ids);
        prints.push(encoder.identity().fingerprint.clone());
    }
    assert_ne!(prints[0], prints[1]);
}

#[test]
fn keys_that_would_change_tokens_are_refused_with_file_and_key() {
    if !runtime() {
        return;
    }
    let tokenizer = written(r#""BatchLongest""#, "Right", "null");
    let bert = String::from_utf8(tokenizer.clone()).unwrap().replace(
        r#""normalizer": null"#,
        r#""normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}"#,
    );
    let level = String::from_utf8(tokenizer.clone()).unwrap().replace(
        r#"{"type": "WhitespaceSplit"}"#,
        r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}"#,
    );
    for (tokenizer, file, key, value) in [
        (
            &tokenizer[..],
            "tokenizer_config.json",
            "do_lower_case",
            "true",
        ),
        (
            bert.as_bytes(),
            "tokenizer_config.json",
            "do_lower_case",
            "false",
        ),
        (
            bert.as_bytes(),
            "tokenizer_config.json",
            "strip_accents",
            "false",
        ),
        (
            bert.as_bytes(),
            "tokenizer_config.json",
            "tokenize_chinese_chars",
            "false",
        ),
        (
            level.as_bytes(),
            "tokenizer_config.json",
            "add_prefix_space",
            "true",
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "add_bos_token",
            r#"true, "bos_token": "dog""#,
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "add_eos_token",
            r#"true, "eos_token": {"content": "dog"}"#,
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "added_tokens_decoder",
            r#"{"9": {"content": "bird"}}"#,
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "added_tokens_decoder",
            r#"{"9": {"content": "dog"}}"#,
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "additional_special_tokens",
            r#"["bird"]"#,
        ),
        (
            &tokenizer,
            "special_tokens_map.json",
            "additional_special_tokens",
            r#"["bird"]"#,
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "split_special_tokens",
            "true",
        ),
        (
            &tokenizer,
            "tokenizer_config.json",
            "truncation_side",
            r#""middle""#,
        ),
        (&tokenizer, "tokenizer_config.json", "padding_side", "1"),
        (
            &tokenizer,
            "tokenizer_config.json",
            "model_max_length",
            "-1",
        ),
        (&tokenizer, "added_tokens.json", "bird", "9"),
        (
            &tokenizer,
            "sentence_bert_config.json",
            "max_seq_length",
            "1e18",
        ),
        (
            &tokenizer,
            "sentence_bert_config.json",
            "do_lower_case",
            r#""yes""#,
        ),
        (
            &tokenizer,
            "config_sentence_transformers.json",
            "prompts",
            "[1]",
        ),
        (
            &tokenizer,
            "config_sentence_transformers.json",
            "truncate_dim",
            "1",
        ),
        (&tokenizer, "config.json", "max_position_embeddings", "0"),
    ] {
        let content = format!("{{\"{key}\": {value}}}");
        let mut files: Vec<(&str, &[u8])> =
            vec![("tokenizer.json", tokenizer), (file, content.as_bytes())];
        let onnx = reads_padding();
        files.push(("model.onnx", &onnx));
        if file == "special_tokens_map.json" {
            files.push(("tokenizer_config.json", b"{}"));
        }
        let error = open(&folder(&files)).map(|_| ()).unwrap_err();
        assert!(
            error.contains(file) && error.contains(key),
            "{key}: {error}"
        );
    }
    let second = String::from_utf8(tokenizer).unwrap().replace(
        r#""truncation": null"#,
        r#""truncation": {"max_length": 8, "strategy": "OnlySecond", "stride": 0}"#,
    );
    let error = open(&folder(&[
        ("model.onnx", &reads_padding()),
        ("tokenizer.json", second.as_bytes()),
    ]));
    assert!(
        error
            .map(|_| ())
            .unwrap_err()
            .contains("truncation.strategy")
    );
}
