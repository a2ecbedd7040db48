use super::*;

fn read(files: &[(&str, &str)], options: &EncoderOptions) -> Result<TextSettings, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files.iter().chain(&[("vocab.txt", "a")]) {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }
    let folder = ModelFolder::open(dir.path()).unwrap();
    TextSettings::read(&folder, options, Some(77)).map_err(|e| e.to_string())
}

fn length(files: &[(&str, &str)]) -> usize {
    read(files, &EncoderOptions::latency()).unwrap().max_length
}

#[test]
fn the_maximum_length_comes_from_the_first_file_that_has_one() {
    let sentence = ("sentence_bert_config.json", r#"{"max_seq_length": 256}"#);
    let tokenizer = ("tokenizer_config.json", r#"{"model_max_length": 512}"#);
    let endless = ("tokenizer_config.json", r#"{"model_max_length": 1e30}"#);
    let huge = (
        "tokenizer_config.json",
        r#"{"model_max_length": 1000000000000000019884624838656}"#,
    );
    let bert = (
        "config.json",
        r#"{"model_type": "bert", "max_position_embeddings": 384}"#,
    );
    let roberta = (
        "config.json",
        r#"{"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}"#,
    );
    assert_eq!(length(&[sentence, tokenizer, bert]), 256);
    assert_eq!(length(&[tokenizer, bert]), 384);
    assert_eq!(length(&[endless, bert]), 384);
    assert_eq!(length(&[huge, roberta]), 512);
    assert_eq!(length(&[endless]), 77);
    let million = (
        "tokenizer_config.json",
        r#"{"model_max_length": 1000000000}"#,
    );
    assert_eq!((length(&[million]), length(&[million, bert])), (77, 384));
    let older = ("tokenizer_config.json", r#"{"max_len": 40}"#);
    let gpt = (
        "config.json",
        r#"{"model_type": "gpt2", "n_positions": 30}"#,
    );
    assert_eq!((length(&[older]), length(&[older, gpt])), (40, 30));
    for name in SENTENCE_FILES {
        assert_eq!(
            length(&[(name, r#"{"max_seq_length": 9}"#), bert]),
            9,
            "{name}"
        );
    }
    assert_eq!(
        length(&[("sentence_xlnet_config.json", "{}"), sentence]),
        256
    );
}

#[test]
fn arguments_for_the_tokenizer_are_refused_unless_they_say_nothing() {
    for key in TOKENIZER_ARGUMENTS {
        for (file, value) in [
            ("sentence_bert_config.json", r#"{"padding_side": "left"}"#),
            ("sentence_roberta_config.json", "[1]"),
        ] {
            let content = format!("{{\"{key}\": {value}}}");
            let error = read(&[(file, &content)], &EncoderOptions::latency()).unwrap_err();
            assert!(error.contains(file) && error.contains(key), "{error}");
        }
        let content =
            format!(r#"{{"{key}": {{"trust_remote_code": true}}, "model_args": {{"a": 1}}}}"#);
        let files = [("sentence_bert_config.json", content.as_str())];
        assert!(read(&files, &EncoderOptions::latency()).is_ok());
    }
}

#[test]
fn a_length_that_is_none_is_refused_with_file_and_key() {
    for (file, key) in [
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
        ("config.json", "max_position_embeddings"),
        ("1_Pooling/config.json", "word_embedding_dimension"),
    ] {
        for bad in [
            "0",
            "-1",
            "1000000000000000000",
            "1.5",
            "\"8\"",
            "true",
            "[8]",
            "1e19",
        ] {
            // Of the tokenizer's length any large number means that there is no limit.
            if key == "model_max_length" && ["1000000000000000000", "1e19"].contains(&bad) {
                continue;
            }
            let content = format!("{{\"{key}\": {bad}, \"pooling_mode_cls_token\": true}}");
            let error = read(&[(file, &content)], &EncoderOptions::latency()).unwrap_err();
            assert!(error.contains(file) && error.contains(key), "{error}");
        }
        let content = format!("{{\"{key}\": null, \"pooling_mode_cls_token\": true}}");
        assert!(read(&[(file, &content)], &EncoderOptions::latency()).is_ok());
    }
}

#[test]
fn pooling_in_both_spellings() {
    let pooling = |content: &str| {
        read(
            &[("1_Pooling/config.json", content)],
            &EncoderOptions::latency(),
        )
        .map(|s| s.pooling.unwrap())
    };
    assert_eq!(
        pooling(r#"{"pooling_mode_cls_token": true}"#),
        Ok(Pooling::Cls)
    );
    assert_eq!(
        pooling(r#"{"pooling_mode_max_tokens": true}"#),
        Ok(Pooling::Max)
    );
    assert_eq!(pooling(r#"{"pooling_mode": "mean"}"#), Ok(Pooling::Mean));
    assert_eq!(pooling(r#"{"pooling_mode": "CLS"}"#), Ok(Pooling::Cls));
    for bad in [
        r#"{"pooling_mode_lasttoken": true}"#,
        r#"{"pooling_mode": "weightedmean"}"#,
        r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
        "{}",
    ] {
        let error = pooling(bad).unwrap_err();
        assert!(
            error.contains("1_Pooling") && error.contains("choose one"),
            "{error}"
        );
    }
}

#[test]
fn modules_that_are_not_followed_are_kept_as_a_reason() {
    let modules = r#"[{"type": "sentence_transformers.models.Transformer", "path": ""},
        {"type": "sentence_transformers.models.Pooling", "path": "P"},
        {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]"#;
    let pool = r#"{"pooling_mode_mean_tokens": true, "word_embedding_dimension": 8}"#;
    let s = read(
        &[("modules.json", modules), ("P/config.json", pool)],
        &EncoderOptions::latency(),
    )
    .unwrap();
    assert_eq!((s.pooling, s.promised_dim), (Some(Pooling::Mean), Some(8)));
    assert!(s.more_layers.unwrap().contains("Dense"));
    let error = read(&[("modules.json", modules)], &EncoderOptions::latency()).unwrap_err();
    assert!(
        error.contains("P/config.json") && error.contains("modules.json"),
        "{error}"
    );
    // Not taken for the model folder itself.
    let numbered = modules.replace("\"P\"", "1");
    let error = read(&[("modules.json", &numbered)], &EncoderOptions::latency()).unwrap_err();
    assert!(
        error.contains("path") && error.contains("a text"),
        "{error}"
    );
    let own = modules.replace(
        "sentence_transformers.models.Transformer",
        "our_code.Transformer",
    );
    let s = read(
        &[("modules.json", &own), ("P/config.json", pool)],
        &EncoderOptions::latency(),
    );
    assert!(
        s.unwrap()
            .more_layers
            .unwrap()
            .contains("our_code.Transformer")
    );
}

#[test]
fn prompts_by_name_by_text_and_by_default() {
    let file = (
        "config_sentence_transformers.json",
        r#"{"prompts": {"query": "query: "}, "default_prompt_name": "query"}"#,
    );
    let with = |prompt: Option<&str>, files: &[(&str, &str)]| {
        let prompt = prompt.map(str::to_owned);
        read(
            files,
            &EncoderOptions {
                prompt,
                ..EncoderOptions::latency()
            },
        )
        .map(|s| s.prompt)
    };
    assert_eq!(with(None, &[file]).unwrap(), "query: ");
    assert_eq!(with(Some("query"), &[file]).unwrap(), "query: ");
    assert_eq!(with(Some("a photo of "), &[file]).unwrap(), "a photo of ");
    assert_eq!(with(None, &[]).unwrap(), "");
    let lost = (
        "config_sentence_transformers.json",
        r#"{"default_prompt_name": "passage"}"#,
    );
    assert!(with(None, &[lost]).unwrap_err().contains("passage"));
}
