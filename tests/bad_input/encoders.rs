//! Encoders that are missing, broken, or not those of the set.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::support::*;
use super::{INPUT, SETUP, build, classify, folder};

/// A copy of an installed model, for spoiling.
fn copy_of_model(name: &str, to: &Path) {
    let copied = Command::new("cp")
        .arg("-r")
        .arg(home().models().join(name))
        .arg(to)
        .status()
        .unwrap();
    assert!(copied.success());
}

#[test]
fn a_text_model_without_a_tokenizer() {
    let dir = folder();
    let model = dir.path().join("half-a-model");
    copy_of_model("all-MiniLM-L6-v2", &model);
    fs_err::remove_file(model.join("tokenizer.json")).unwrap();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(2));
    build(
        dir.path(),
        &pairs,
        &["--text-encoder", model.to_str().unwrap()],
    )
    .fails(SETUP, &["tokenizer.json", "half-a-model"]);
    run(asif().args(["models", "add", "half"]).arg(&model)).fails(SETUP, &["tokenizer.json"]);
    assert!(!home().models().join("half").exists());
}

#[test]
fn an_encoder_that_is_not_installed_says_which_are() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(2));
    build(dir.path(), &pairs, &["--text-encoder", "clip-huge"])
        .fails(SETUP, &["clip-huge", "all-MiniLM-L6-v2"]);
    build(dir.path(), &pairs, &["--image-encoder", "all-MiniLM-L6-v2"]).fails(SETUP, &["image"]);
}

#[test]
fn a_model_whose_vectors_have_another_length_than_its_folder_says() {
    let dir = folder();
    let model = dir.path().join("wrong-dim");
    copy_of_model("all-MiniLM-L6-v2", &model);
    let config = model.join("1_Pooling/config.json");
    let text = fs_err::read_to_string(&config).unwrap();
    fs_err::write(&config, text.replace("384", "768")).unwrap();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(2));
    build(
        dir.path(),
        &pairs,
        &["--text-encoder", model.to_str().unwrap()],
    )
    .fails(SETUP, &["wrong-dim", "384", "768"]);
}

#[test]
fn a_set_is_not_opened_with_another_encoder() {
    let dir = folder();
    let model = dir.path().join("other");
    copy_of_model("efficientnet-lite0", &model);
    let config = model.join("preprocessor_config.json");
    let text = fs_err::read_to_string(&config).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["resample"] = json!(2);
    fs_err::write(&config, json.to_string()).unwrap();
    let image = draw(dir.path(), "a.png", 1);
    run(classify(demo_set(), "cat,dog")
        .arg("--image-encoder")
        .arg(&model)
        .arg(&image))
    .fails(INPUT, &["image encoder", "fingerprint"]);
}

#[test]
fn another_encoder_is_accepted_only_where_its_canary_agrees() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    let spoiled = |name: &str, copy: &str, file: &str, key: &str, value: serde_json::Value| {
        let model = dir.path().join(copy);
        copy_of_model(name, &model);
        let text = fs_err::read_to_string(model.join(file)).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json[key] = value;
        fs_err::write(model.join(file), json.to_string()).unwrap();
        model
    };
    // A shorter maximum length changes nothing for a short text; another mean changes every image.
    let shorter = spoiled(
        "all-MiniLM-L6-v2",
        "shorter",
        "sentence_bert_config.json",
        "max_seq_length",
        json!(128),
    );
    let other = spoiled(
        "efficientnet-lite0",
        "other",
        "preprocessor_config.json",
        "image_mean",
        json!([0.0, 0.0, 0.0]),
    );
    let with = |flag: &str, model: &Path, more: &[&str]| {
        run(classify(demo_set(), "cat,dog")
            .arg(flag)
            .arg(model)
            .args(more)
            .arg(&image))
    };
    with("--text-encoder", &shorter, &[]).fails(INPUT, &["text encoder", "fingerprint"]);
    with("--text-encoder", &shorter, &["--accept-encoder"]).ok();
    with("--image-encoder", &other, &["--accept-encoder"]).fails(INPUT, &["canary"]);
}

#[test]
fn without_a_runtime_library_the_set_up_is_named() {
    let dir = folder();
    let mut command = classify(demo_set(), "cat,dog");
    command
        .arg(draw(dir.path(), "a.png", 1))
        .env_remove("ORT_DYLIB_PATH");
    command.env("ASIF_HOME", dir.path());
    run(&mut command).fails(SETUP, &["libonnxruntime", "tools/quickstart.sh"]);
}
