//! What tokenizer classes do unasked, and what shows a model its padding.

use super::text::siglip_tokenizer;
use super::tokens::{mean_of_rows, near, open, reads_padding, written};
use super::{folder, runtime};

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
    let onnx = mean_of_rows(&["input_ids", "attention_mask"]);
    for config in [
        r#"{"model_max_length": 6, "pad_token": "[PAD]", "tokenizer_class": "SiglipTokenizer"}"#,
        r#"{"model_max_length": 6, "pad_token": "[PAD]", "tokenizer_class": "SiglipTokenizer",
            "model_input_names": ["input_ids"]}"#,
    ] {
        let dir = folder(&[
            ("model.onnx", &onnx),
            ("tokenizer.json", &siglip_tokenizer()),
            ("tokenizer_config.json", config.as_bytes()),
        ]);
        let vectors = open(&dir).unwrap().encode_texts(&["dog cat", "tree"]);
        near(&vectors.unwrap()[..2], &[2, 3, 0, 0, 0, 0]);
    }
}
