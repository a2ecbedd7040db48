//! Padding and the tokenizer's other files.

use asif::encode::{EncoderOptions, ModelFolder, TextEncoder};
use tempfile::TempDir;

use super::text::TOKENIZER;
use super::tiny_onnx::Attribute::{Int, Ints};
use super::tiny_onnx::Dim::{Free, Is};
use super::tiny_onnx::{Graph, INT64};
use super::{folder, runtime};

const TABLE: [f32; 10] = [5., 7., 1., 1., 3., 0., 0., 4., -8., 6.];

/// The mean of all rows of a table, padding included: no attention mask.
fn reads_padding() -> Vec<u8> {
    let shape = [Free("batch"), Free("sequence")];
    Graph::default()
        .input("input_ids", INT64, &shape)
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

fn written(strategy: &str, direction: &str, multiple: &str) -> Vec<u8> {
    with_padding(&format!(
        r#"{{"strategy": {strategy}, "direction": "{direction}", "pad_to_multiple_of": {multiple},
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}}"#
    ))
}

fn open(dir: &TempDir) -> Result<TextEncoder, String> {
    let folder = ModelFolder::open(dir.path()).map_err(|e| e.to_string())?;
    TextEncoder::open(&folder, &EncoderOptions::latency()).map_err(|e| e.to_string())
}

fn expected(ids: &[usize]) -> [f32; 2] {
    let sum = |k: usize| ids.iter().map(|&i| TABLE[2 * i + k]).sum::<f32>();
    let (x, y) = (sum(0), sum(1));
    let norm = (x * x + y * y).sqrt();
    [x / norm, y / norm]
}

fn near(found: &[f32], ids: &[usize]) {
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
        (TOKENIZER.to_vec(), siglip, &[2, 3, 0, 0, 0, 0]),
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

#[test]
fn what_a_tokenizer_class_does_unasked_is_asked_for() {
    if !runtime() {
        return;
    }
    let tokenizer = written(r#""BatchLongest""#, "Right", "null");
    let with = |from: &str, to: &str| {
        let text = String::from_utf8(tokenizer.clone()).unwrap();
        assert!(text.contains(from));
        text.replace(from, to)
    };
    let bert = |lower: &str, accents: &str| {
        with(
            r#""normalizer": null"#,
            &format!(
                r#""normalizer": {{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                    "strip_accents": {accents}, "lowercase": {lower}}}"#
            ),
        )
    };
    let space = |yes: &str| {
        with(
            r#"{"type": "WhitespaceSplit"}"#,
            &format!(r#"{{"type": "ByteLevel", "add_prefix_space": {yes}, "trim_offsets": true}}"#),
        )
    };
    let onnx = reads_padding();
    let opened = |tokenizer: &str, config: &str, model: &str| {
        let files: [(&str, &[u8]); 4] = [
            ("model.onnx", &onnx),
            ("tokenizer.json", tokenizer.as_bytes()),
            ("tokenizer_config.json", config.as_bytes()),
            ("config.json", model.as_bytes()),
        ];
        open(&folder(&files)).map(|_| ())
    };
    let class = |class: &str, rest: &str| format!(r#"{{"tokenizer_class": "{class}"{rest}}}"#);
    let bos = r#", "bos_token": "dog""#;
    for (tokenizer, config, model, key) in [
        (
            bert("false", "null"),
            class("BertTokenizer", ""),
            "{}",
            "do_lower_case",
        ),
        (
            bert("false", "null"),
            "{}".to_owned(),
            r#"{"model_type": "distilbert"}"#,
            "do_lower_case",
        ),
        (
            bert("true", "false"),
            class("MPNetTokenizerFast", ""),
            "{}",
            "strip_accents",
        ),
        (
            space("true"),
            class("RobertaTokenizer", ""),
            "{}",
            "add_prefix_space",
        ),
        (
            tokenizer_text(&tokenizer),
            class("LlamaTokenizerFast", bos),
            "{}",
            "add_bos_token",
        ),
    ] {
        let error = opened(&tokenizer, &config, model).unwrap_err();
        assert!(
            error.contains("tokenizer_config.json")
                && error.contains(key)
                && error.contains("absent"),
            "{error}"
        );
    }
    // The advice helps, and who agrees with the class is not asked.
    for (tokenizer, config, model) in [
        (
            bert("false", "null"),
            class("BertTokenizer", r#", "do_lower_case": false"#),
            "{}",
        ),
        (bert("true", "null"), class("BertTokenizer", ""), "{}"),
        (
            bert("false", "null"),
            class("PreTrainedTokenizerFast", ""),
            "{}",
        ),
        (
            bert("false", "null"),
            "{}".to_owned(),
            r#"{"model_type": "xlnet"}"#,
        ),
        (space("false"), class("RobertaTokenizer", ""), "{}"),
        (
            tokenizer_text(&tokenizer),
            class(
                "LlamaTokenizer",
                &format!(r#"{bos}, "add_bos_token": false"#),
            ),
            "{}",
        ),
    ] {
        opened(&tokenizer, &config, model).unwrap();
    }
}

fn tokenizer_text(tokenizer: &[u8]) -> String {
    String::from_utf8(tokenizer.to_vec()).unwrap()
}

#[test]
fn tokens_that_would_come_out_otherwise_are_refused() {
    if !runtime() {
        return;
    }
    let tokenizer = tokenizer_text(&written(r#"{"Fixed": 6}"#, "Right", "null"));
    let start = tokenizer.find(r#""model":"#).unwrap();
    let random = format!(
        r#"{}"model": {{"type": "BPE", "dropout": 0.1, "unk_token": "[UNK]",
            "vocab": {{"[PAD]": 0, "[UNK]": 1, "d": 2, "o": 3, "do": 4}}, "merges": ["d o"]}}}}"#,
        &tokenizer[..start]
    );
    let onnx = reads_padding();
    for (tokenizer, config, key) in [
        (&random, "{}", "model.dropout"),
        (
            &tokenizer,
            r#"{"add_special_tokens": false}"#,
            "add_special_tokens",
        ),
        (&tokenizer, r#"{"pad_token": "dog"}"#, "pad_token"),
        (
            &tokenizer,
            r#"{"pad_token": {"content": "bird"}}"#,
            "pad_token",
        ),
        (
            &tokenizer,
            r#"{"extra_special_tokens": {"a": "dog"}}"#,
            "extra_special_tokens",
        ),
        (
            &tokenizer,
            r#"{"added_tokens_decoder": {"2": {"content": "dog", "special": true}}}"#,
            "added_tokens_decoder",
        ),
        (&tokenizer, "[1]", "tokenizer_config.json"),
    ] {
        let files: [(&str, &[u8]); 3] = [
            ("model.onnx", &onnx),
            ("tokenizer.json", tokenizer.as_bytes()),
            ("tokenizer_config.json", config.as_bytes()),
        ];
        let error = open(&folder(&files)).map(|_| ()).unwrap_err();
        assert!(error.contains(key), "{key}: {error}");
    }
}

#[test]
fn a_model_that_is_shown_its_padding_is_padded_although_it_asks_for_a_mask() {
    if !runtime() {
        return;
    }
    // The mean counts padding, whatever the mask says.
    let shape = [Free("batch"), Free("sequence")];
    let onnx = Graph::default()
        .input("input_ids", INT64, &shape)
        .input("attention_mask", INT64, &shape)
        .weight("table", &[5, 2], &TABLE)
        .node("Gather", &["table", "input_ids"], "rows")
        .node_with(
            "ReduceMean",
            &["rows"],
            "sentence_embedding",
            &[("axes", Ints(&[1])), ("keepdims", Int(0))],
        )
        .output("sentence_embedding", &[Free("batch"), Is(2)])
        .build();
    for config in [
        r#"{"model_max_length": 6, "pad_token": "[PAD]", "tokenizer_class": "SiglipTokenizer"}"#,
        r#"{"model_max_length": 6, "pad_token": "[PAD]", "tokenizer_class": "SiglipTokenizer",
            "model_input_names": ["input_ids"]}"#,
    ] {
        let dir = folder(&[
            ("model.onnx", &onnx),
            ("tokenizer.json", TOKENIZER),
            ("tokenizer_config.json", config.as_bytes()),
        ]);
        let vectors = open(&dir).unwrap().encode_texts(&["dog cat", "tree"]);
        near(&vectors.unwrap()[..2], &[2, 3, 0, 0, 0, 0]);
    }
}
