//! Which file says of which tokenizer class a folder is, and what only some classes ask for.

use asif::encode::{EncoderOptions, ModelFolder, TextEncoder};

use super::text::{TOKENIZER, siglip_tokenizer};
use super::tokens::{mean_of_rows, near, open, reads_padding};
use super::{folder, runtime};

/// The tokenizer with these changes.
fn tokenizer(changes: &[(&str, &str)]) -> String {
    let text = String::from_utf8(TOKENIZER.to_vec()).unwrap();
    changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

/// The tokenizer with tokens before and after a text, and padded to `length`.
fn around(single: &str, length: usize) -> String {
    let padding = format!(
        r#""padding": {{"strategy": {{"Fixed": {length}}}, "direction": "Right", "pad_id": 0,
            "pad_to_multiple_of": null, "pad_type_id": 0, "pad_token": "[PAD]"}}"#
    );
    let post = format!(
        r#""post_processor": {{"type": "TemplateProcessing", "single": [{single}], "pair": [],
            "special_tokens": {{"cat": {{"id": "cat", "ids": [3], "tokens": ["cat"]}},
                                "tree": {{"id": "tree", "ids": [4], "tokens": ["tree"]}}}}}}"#
    );
    let truncation = format!(
        r#""truncation": {{"max_length": {length}, "strategy": "LongestFirst", "stride": 0}}"#
    );
    tokenizer(&[
        (r#""padding": null"#, &padding),
        (r#""post_processor": null"#, &post),
        (r#""truncation": null"#, &truncation),
    ])
}

/// Opens a folder with these files beside the model; an empty text stands for no file.
fn opened(tokenizer: &str, own: &str, config: &str) -> Result<(), String> {
    let onnx = mean_of_rows(&["input_ids", "attention_mask"]);
    let files: [(&str, &[u8]); 4] = [
        ("model.onnx", &onnx),
        ("tokenizer.json", tokenizer.as_bytes()),
        ("tokenizer_config.json", own.as_bytes()),
        ("config.json", config.as_bytes()),
    ];
    let files: Vec<_> = files
        .into_iter()
        .filter(|file| !file.1.is_empty())
        .collect();
    open(&folder(&files)).map(|_| ())
}

#[test]
fn a_class_that_does_more_is_refused_whichever_file_names_it() {
    if !runtime() {
        return;
    }
    let plain = tokenizer(&[]);
    let japanese = r#"{"model_type": "bert", "tokenizer_class": "BertJapaneseTokenizer"}"#;
    let of_type = |kind: &str| format!(r#"{{"model_type": "{kind}"}}"#);
    let mut cases = vec![
        (japanese.to_owned(), "tokenizer_class", "dictionary"),
        (
            r#"{"tokenizer_class": "MySpecialTokenizer"}"#.to_owned(),
            "tokenizer_class",
            "MySpecialTokenizer",
        ),
        (
            r#"{"auto_map": {"AutoTokenizer": "my.Tok"}}"#.to_owned(),
            "auto_map.AutoTokenizer",
            "my.Tok",
        ),
    ];
    for kind in [
        "canine",
        "byt5",
        "roformer",
        "whisper",
        "bert-japanese",
        "gpt_neox_japanese",
    ] {
        cases.push((of_type(kind), "model_type", kind));
    }
    for (config, key, found) in &cases {
        for own in ["", "{}"] {
            let error = opened(&plain, own, config).unwrap_err();
            assert!(
                error.contains(&format!("/config.json: `{key}`"))
                    && error.contains(found)
                    && error.contains("trusted"),
                "{error}"
            );
        }
        // The tokenizer's own file stands above.
        opened(
            &plain,
            r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#,
            config,
        )
        .unwrap();
    }
    // With the option all are believed, and the identity says it.
    let dir = folder(&[
        (
            "model.onnx",
            &mean_of_rows(&["input_ids", "attention_mask"]),
        ),
        ("tokenizer.json", plain.as_bytes()),
        ("config.json", japanese.as_bytes()),
    ]);
    let options = EncoderOptions {
        trust_preprocessing: true,
        ..EncoderOptions::latency()
    };
    let believed = ModelFolder::open(dir.path()).unwrap();
    let believed = TextEncoder::open(&believed, &options).unwrap();
    let trusted = &believed.identity().preprocessing["trusted"];
    assert_eq!(trusted, "BertJapaneseTokenizer");
    for kind in ["t5", "xlm-roberta", "some-new_type"] {
        opened(&plain, "{}", &of_type(kind)).unwrap();
    }
}

#[test]
fn a_model_type_is_spelled_with_and_without_signs() {
    if !runtime() {
        return;
    }
    // Only this family's usual token lets the switch be followed without `bos_token`.
    let usual = tokenizer(&[(r#""[UNK]": 1, "dog": 2"#, r#""[UNK]": 1, "<s>": 2"#)]);
    let asked = r#"{"add_bos_token": true}"#;
    let of_type = |kind: &str| format!(r#"{{"model_type": "{kind}"}}"#);
    for kind in ["xlm-roberta", "xlm_roberta", "code_llama"] {
        let error = opened(&usual, asked, &of_type(kind)).unwrap_err();
        assert!(
            error.contains("add_bos_token") && error.contains("post_processor"),
            "{error}"
        );
    }
    // M2M100 and NLLB are of one type, and write the language each in its own way.
    opened(&tokenizer(&[]), "{}", &of_type("m2m_100")).unwrap();
}

#[test]
fn padding_and_a_cut_in_the_file_hide_no_edges() {
    if !runtime() {
        return;
    }
    let text = r#"{"Sequence": {"id": "A", "type_id": 0}}"#;
    let token = |name: &str| format!(r#"{{"SpecialToken": {{"id": "{name}", "type_id": 0}}}}"#);
    let (cat, tree) = (token("cat"), token("tree"));
    let end = r#"{"add_eos_token": true, "eos_token": "tree"}"#;
    opened(&around(&format!("{text}, {tree}"), 64), end, "{}").unwrap();
    let error = opened(&around(&format!("{tree}, {text}"), 64), end, "{}").unwrap_err();
    assert!(error.contains("add_eos_token"), "{error}");
    for (class, single) in [
        ("NllbTokenizer", format!("{cat}, {text}, {tree}")),
        ("MBartTokenizer", format!("{text}, {tree}, {cat}")),
    ] {
        let own =
            format!(r#"{{"tokenizer_class": "{class}", "src_lang": "cat", "eos_token": "tree"}}"#);
        opened(&around(&single, 64), &own, "{}").unwrap();
    }
}

#[test]
fn small_letters_are_asked_of_the_classes_that_write_them() {
    if !runtime() {
        return;
    }
    let plain = tokenizer(&[]);
    let bert = tokenizer(&[(
        r#""normalizer": null"#,
        r#""normalizer": {"type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": true, "strip_accents": null, "lowercase": false}"#,
    )]);
    let lower = |class: &str| format!(r#"{{"tokenizer_class": "{class}", "do_lower_case": true}}"#);
    for class in [
        "PreTrainedTokenizerFast",
        "XLMRobertaTokenizerFast",
        "T5Tokenizer",
        "RobertaTokenizer",
        "Qwen2Tokenizer",
        "CLIPTokenizer",
    ] {
        opened(&plain, &lower(class), "{}").unwrap();
        opened(&bert, &lower(class), "{}").unwrap();
    }
    opened(
        &plain,
        r#"{"do_lower_case": true}"#,
        r#"{"model_type": "xlm-roberta"}"#,
    )
    .unwrap();
    for class in [
        "BertTokenizer",
        "DPRReaderTokenizerFast",
        "AlbertTokenizer",
        "XLNetTokenizerFast",
        "DebertaV2Tokenizer",
        "Siglip2Tokenizer",
    ] {
        for tokenizer in [&plain, &bert] {
            let error = opened(tokenizer, &lower(class), "{}").unwrap_err();
            assert!(error.contains("do_lower_case"), "{class}: {error}");
        }
    }
}

#[test]
fn bytes_need_no_token_for_unknown_words() {
    if !runtime() {
        return;
    }
    let text = tokenizer(&[(
        r#""added_tokens": []"#,
        r#""added_tokens": [{"id": 4, "content": "<unk>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}]"#,
    )]);
    let head = &text[..text.find(r#""model":"#).unwrap()];
    // Byte-level BPE writes some bytes as themselves and the others as those from U+0100 on.
    let levels: Vec<String> = ('!'..='~')
        .chain('\u{a1}'..='\u{ac}')
        .chain('\u{ae}'..='\u{ff}')
        .chain('\u{100}'..='\u{143}')
        .map(String::from)
        .collect();
    let bytes: Vec<String> = (0..=0xff).map(|byte| format!("<0x{byte:02X}>")).collect();
    let model = |vocab: &[String], rest: &str, cut: &str| {
        // The model has rows for five.
        let vocab = vocab.iter().zip((0..5).cycle());
        let vocab: serde_json::Map<_, _> = vocab.map(|(t, id)| (t.clone(), id.into())).collect();
        let head = head.replace(r#"{"type": "WhitespaceSplit"}"#, cut);
        let vocab = serde_json::Value::from(vocab);
        format!(r#"{head}"model": {{"type": "BPE", {rest}, "vocab": {vocab}, "merges": []}}}}"#)
    };
    let spaces = r#"{"type": "WhitespaceSplit"}"#;
    let level = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}"#;
    let sequence = format!(r#"{{"type": "Sequence", "pretokenizers": [{level}]}}"#);
    for unknown in ["", "<unk>"] {
        let named = format!(r#""unk_token": "{unknown}""#);
        let fallback = format!(r#"{named}, "byte_fallback": true"#);
        for (vocab, rest, cut) in [
            (&levels, &named, level),
            (&levels, &named, &sequence),
            (&bytes, &fallback, spaces),
        ] {
            opened(&model(vocab, rest, cut), "{}", "{}").unwrap();
            // A byte that is not a token would be an unknown one.
            let error = opened(&model(&vocab[..99], rest, cut), "{}", "{}").unwrap_err();
            assert!(error.contains("model.unk_token"), "{error}");
        }
        let error = opened(&model(&levels, &named, spaces), "{}", "{}").unwrap_err();
        assert!(error.contains("model.unk_token"), "{error}");
    }
}

#[test]
fn the_class_that_asks_for_no_punctuation_is_read_where_it_stands() {
    if !runtime() {
        return;
    }
    let lower = tokenizer(&[(
        r#""normalizer": null"#,
        r#""normalizer": {"type": "Lowercase"}"#,
    )]);
    let onnx = mean_of_rows(&["input_ids", "attention_mask"]);
    let own = r#"{"model_max_length": 6, "pad_token": "[PAD]"}"#;
    let class = own.replace('}', r#", "tokenizer_class": "SiglipTokenizer"}"#);
    for (own, config, takes) in [
        (own, r#"{"model_type": "siglip"}"#, true),
        (own, r#"{"tokenizer_class": "SiglipTokenizerFast"}"#, true),
        (&class, "{}", true),
        (own, "{}", false),
    ] {
        let encoder = open(&folder(&[
            ("model.onnx", &onnx),
            ("tokenizer.json", lower.as_bytes()),
            ("tokenizer_config.json", own.as_bytes()),
            ("config.json", config.as_bytes()),
        ]));
        let vectors = encoder.unwrap().encode_texts(&["dog tree", "dog. tree"]);
        let vectors = vectors.unwrap();
        let (one, other) = vectors.split_at(vectors.len() / 2);
        assert_eq!(one == other, takes, "{own} {config}");
    }
}

#[test]
fn the_padding_of_a_class_that_config_json_names_is_done() {
    if !runtime() {
        return;
    }
    let dir = folder(&[
        ("model.onnx", &reads_padding()),
        ("tokenizer.json", &siglip_tokenizer()),
        (
            "tokenizer_config.json",
            br#"{"model_max_length": 6, "pad_token": "[PAD]"}"#,
        ),
        ("config.json", br#"{"tokenizer_class": "SiglipTokenizer"}"#),
    ]);
    let vectors = open(&dir).unwrap().encode_texts(&["dog cat", "tree"]);
    near(&vectors.unwrap()[..2], &[2, 3, 0, 0, 0, 0]);
}
