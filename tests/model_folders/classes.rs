//! Tokenizer classes that are not known, or write into the tokenizer; tokens that a model does not
//! know; models that tell nothing apart.

use asif::encode::{EncoderOptions, ImageEncoder, InputError, ModelFolder, TextEncoder};
use tempfile::TempDir;

use super::text::TOKENIZER;
use super::tiny_onnx::Dim::{Free, Is};
use super::tiny_onnx::{FLOAT, Graph};
use super::tokens::{mean_of_rows, open};
use super::{folder, runtime};

fn tokenizer(changes: &[(&str, &str)]) -> String {
    let mut text = String::from_utf8(TOKENIZER.to_vec()).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text
}

fn with(tokenizer: &str, config: &str, model: &str) -> TempDir {
    folder(&[
        (
            "model.onnx",
            &mean_of_rows(&["input_ids", "attention_mask"]),
        ),
        ("tokenizer.json", tokenizer.as_bytes()),
        ("tokenizer_config.json", config.as_bytes()),
        ("config.json", model.as_bytes()),
    ])
}

fn trusted(dir: &TempDir) -> Result<TextEncoder, String> {
    let options = EncoderOptions {
        trust_preprocessing: true,
        ..EncoderOptions::latency()
    };
    let folder = ModelFolder::open(dir.path()).map_err(|e| e.to_string())?;
    TextEncoder::open(&folder, &options).map_err(|e| e.to_string())
}

#[test]
fn a_tokenizer_class_that_is_not_known_is_refused_unless_it_is_answered_for() {
    if !runtime() {
        return;
    }
    let plain = tokenizer(&[]);
    for (config, key, class) in [
        (
            r#"{"tokenizer_class": "MySpecialTokenizer"}"#,
            "tokenizer_class",
            "MySpecialTokenizer",
        ),
        (
            r#"{"auto_map": {"AutoTokenizer": ["my.Tok", null]}}"#,
            "auto_map.AutoTokenizer",
            "my.Tok",
        ),
        (
            r#"{"tokenizer_class": "BertTokenizer", "auto_map": {"AutoTokenizer": "my.Tok"}}"#,
            "auto_map.AutoTokenizer",
            "my.Tok",
        ),
        (
            r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#,
            "tokenizer_class",
            "dictionary",
        ),
        (
            r#"{"tokenizer_class": "CanineTokenizer"}"#,
            "tokenizer_class",
            "code points",
        ),
        (
            r#"{"tokenizer_class": "ByT5Tokenizer"}"#,
            "tokenizer_class",
            "bytes",
        ),
        (
            r#"{"tokenizer_class": "BertweetTokenizer", "normalization": true}"#,
            "tokenizer_class",
            "normalization",
        ),
    ] {
        let dir = with(&plain, config, "{}");
        let error = open(&dir).map(|_| ()).unwrap_err();
        assert!(
            error.contains(key) && error.contains(class) && error.contains("have it trusted"),
            "{error}"
        );
        let encoder = trusted(&dir).unwrap();
        assert!(encoder.identity().preprocessing["trusted"].is_string());
    }
    for config in [
        r#"{"tokenizer_class": "BertweetTokenizer"}"#,
        r#"{"tokenizer_class": "XLMRobertaTokenizerFast",
            "auto_map": {"AutoTokenizer": [null, "tokenization.XLMRobertaTokenizer"]}}"#,
        r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#,
    ] {
        let encoder = open(&with(&plain, config, "{}")).unwrap();
        assert!(encoder.identity().preprocessing["trusted"].is_null());
    }
}

#[test]
fn small_letters_of_siglip_are_asked_for_and_punctuation_is_taken_away() {
    if !runtime() {
        return;
    }
    let config =
        r#"{"tokenizer_class": "SiglipTokenizer", "model_max_length": 6, "pad_token": "[PAD]"}"#;
    let error = open(&with(&tokenizer(&[]), config, "{}"))
        .map(|_| ())
        .unwrap_err();
    assert!(error.contains("do_lower_case"), "{error}");
    let lower = (
        r#""normalizer": null"#,
        r#""normalizer": {"type": "Lowercase"}"#,
    );
    let encoder = open(&with(&tokenizer(&[lower]), config, "{}")).unwrap();
    let texts = [
        "dog tree",
        "dog, tree!",
        "[dog] -  \"t.r.e.e\"",
        "Dog_ `~tree",
    ];
    let vectors = encoder.encode_texts(&texts).unwrap();
    for (text, vector) in texts.iter().zip(vectors.chunks(encoder.dim())) {
        assert_eq!(vector, &vectors[..encoder.dim()], "{text}");
    }
}

#[test]
fn the_language_of_a_text_is_that_of_src_lang() {
    if !runtime() {
        return;
    }
    let around = |single: &str| {
        let post = format!(
            r#""post_processor": {{"type": "TemplateProcessing", "single": [{single}], "pair": [],
                "special_tokens": {{"cat": {{"id": "cat", "ids": [3], "tokens": ["cat"]}},
                                    "tree": {{"id": "tree", "ids": [4], "tokens": ["tree"]}}}}}}"#
        );
        tokenizer(&[(r#""post_processor": null"#, &post)])
    };
    let text = r#"{"Sequence": {"id": "A", "type_id": 0}}"#;
    let token = |name: &str| format!(r#"{{"SpecialToken": {{"id": "{name}", "type_id": 0}}}}"#);
    let before = around(&format!("{}, {text}, {}", token("cat"), token("tree")));
    let after = around(&format!("{text}, {}, {}", token("tree"), token("cat")));
    let config = |class: &str, language: &str| {
        format!(r#"{{"tokenizer_class": "{class}", "src_lang": {language}, "eos_token": "tree"}}"#)
    };
    for (tokenizer, class, language) in [
        (&before, "NllbTokenizer", r#""dog""#),
        (&before, "NllbTokenizerFast", "null"),
        (&before, "MBart50Tokenizer", r#""dog""#),
        (&before, "MBartTokenizer", r#""cat""#),
        (&after, "MBartTokenizer", r#""dog""#),
        (&before, "M2M100Tokenizer", r#""cat""#),
    ] {
        let dir = with(tokenizer, &config(class, language), "{}");
        let error = open(&dir).map(|_| ()).unwrap_err();
        assert!(
            error.contains("src_lang") && error.contains("post_processor"),
            "{error}"
        );
    }
    open(&with(&before, &config("NllbTokenizer", r#""cat""#), "{}")).unwrap();
    open(&with(
        &before,
        &config("MBart50Tokenizer", r#""cat""#),
        "{}",
    ))
    .unwrap();
    open(&with(&after, &config("MBartTokenizer", r#""cat""#), "{}")).unwrap();
}

#[test]
fn tokens_beyond_the_model_are_refused_by_name() {
    if !runtime() {
        return;
    }
    let tree = r#""tree": 4"#;
    let refused = |tokenizer: &str, model: &str| {
        let error = open(&with(tokenizer, "{}", model));
        error.map(|_| ()).unwrap_err()
    };
    // The table has five rows, whatever config.json says.
    let error = refused(
        &tokenizer(&[(tree, r#""tree": 60000"#)]),
        r#"{"vocab_size": 70000}"#,
    );
    assert!(
        error.contains("tokenizer.json: `model.vocab`")
            && error.contains("60000")
            && error.contains("below 5"),
        "{error}"
    );
    let error = refused(&tokenizer(&[("\"[UNK]\": 1", "\"unk\": 1")]), "{}");
    assert!(
        error.contains("tokenizer.json: `model.unk_token`"),
        "{error}"
    );
    // A token that only some texts have costs those.
    let added = tokenizer(&[(
        r#""added_tokens": []"#,
        r#""added_tokens": [{"id": 9, "content": "bird", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}]"#,
    )]);
    let dir = with(&added.replace(tree, r#""tree": 4, "bird": 9"#), "{}", "{}");
    assert!(open(&dir).is_err());
    let added = added.replace("\"id\": 9", "\"id\": 5");
    let encoder = open(&with(&added, "{}", "{}")).unwrap();
    assert!(encoder.tokenize("dog").is_ok());
    assert!(matches!(
        encoder.tokenize("dog bird"),
        Err(InputError::TokenBeyond { token, id: 5, .. }) if token == "bird"
    ));
}

#[test]
fn a_model_that_gives_all_inputs_one_vector_is_refused() {
    if !runtime() {
        return;
    }
    let batch = Free("batch");
    let pixels = [batch, Is(3), Is(4), Is(4)];
    let picture = |scale: f32| {
        let graph = Graph::default()
            .input("pixel_values", FLOAT, &pixels)
            .node("GlobalAveragePool", &["pixel_values"], "pooled")
            .node("Flatten", &["pooled"], "means")
            .weight("scale", &[1], &[scale])
            .weight("bias", &[3], &[1., 2., 3.])
            .node("Mul", &["means", "scale"], "scaled")
            .node("Add", &["scaled", "bias"], "image_embeds")
            .output("image_embeds", &[batch, Is(3)])
            .build();
        let dir = folder(&[
            ("model.onnx", &graph),
            (
                "preprocessor_config.json",
                br#"{"size": 4, "do_normalize": false}"#,
            ),
        ]);
        let folder = ModelFolder::open(dir.path()).unwrap();
        ImageEncoder::open(&folder, &EncoderOptions::latency())
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    for scale in [0.0, 1e-7] {
        let error = picture(scale).unwrap_err();
        assert!(
            error.contains("model.onnx") && error.contains("the same vector"),
            "{error}"
        );
    }
    picture(0.1).unwrap();
    // All rows of the table alike.
    let words = Free("sequence");
    let same = Graph::default()
        .input("input_ids", super::tiny_onnx::INT64, &[batch, words])
        .input("attention_mask", super::tiny_onnx::INT64, &[batch, words])
        .weight("table", &[5, 2], &[1.; 10])
        .node("Gather", &["table", "input_ids"], "last_hidden_state")
        .output("last_hidden_state", &[batch, words, Is(2)])
        .build();
    let dir = folder(&[
        ("model.onnx", &same),
        ("tokenizer.json", TOKENIZER),
        (
            "1_Pooling/config.json",
            br#"{"pooling_mode_mean_tokens": true}"#,
        ),
    ]);
    let error = open(&dir).map(|_| ()).unwrap_err();
    assert!(error.contains("all texts"), "{error}");
}
