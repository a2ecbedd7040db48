//! Bad input: one clear message, a documented exit code, and nothing half-made on disk.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests may panic and print"
)]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::*;

const INPUT: i32 = 3;
const USAGE: i32 = 2;
const SETUP: i32 = 4;
const STRICT: i32 = 5;

/// `asif build` of these pairs into `folder/out.asif`, which must not exist afterwards if it fails.
fn build(folder: &Path, pairs: &Path, more: &[&str]) -> Ended {
    let out = folder.join("out.asif");
    let ended = run(asif()
        .arg("build")
        .arg("--pairs")
        .arg(pairs)
        .arg("--out")
        .arg(&out)
        .args(more));
    let whole = ended.code == Some(0);
    assert_eq!(out.exists(), whole, "{}", ended.err);
    let left: Vec<String> = names_in(folder)
        .into_iter()
        .filter(|n| n.contains("building"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    ended
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Builds two good pairs and one bad one; returns what the report says of the bad one.
fn skipped_row(bad: serde_json::Value, dir: &Path) -> (Ended, String) {
    let mut records = demo_pairs(2);
    records.push(bad);
    let pairs = write_jsonl(dir, "pairs.jsonl", &records);
    let ended = build(dir, &pairs, &["--json"]).ok();
    let report = ended.json();
    assert_eq!(report["pairs"], 2, "{report}");
    assert_eq!(report["skipped"], 1, "{report}");
    let row = &report["skipped_examples"][0];
    let text = format!(
        "{}: {}",
        row["origin"].as_str().unwrap(),
        row["reason"].as_str().unwrap()
    );
    assert!(text.contains("pairs.jsonl, row 3"), "{text}");
    let list = fs_err::read_to_string(report["skipped_list"].as_str().unwrap()).unwrap();
    assert_eq!(list.lines().count(), 1);
    (ended, text)
}

#[test]
fn missing_pairs_file() {
    let dir = folder();
    build(dir.path(), &dir.path().join("none.jsonl"), &[]).fails(INPUT, &["none.jsonl"]);
}

#[test]
fn a_folder_named_like_a_file() {
    let dir = folder();
    let pairs = dir.path().join("pairs.csv");
    fs_err::create_dir(&pairs).unwrap();
    build(dir.path(), &pairs, &[]).fails(INPUT, &["pairs.csv", "found a folder"]);
}

#[test]
fn a_csv_without_a_header() {
    let dir = folder();
    let pairs = dir.path().join("pairs.csv");
    fs_err::write(&pairs, "a.jpg,a cat\nb.jpg,a dog\n").unwrap();
    build(dir.path(), &pairs, &[]).fails(INPUT, &["pairs.csv", "header", "image"]);
}

#[test]
fn an_image_that_is_missing_or_a_folder_is_listed_and_skipped() {
    for (image, word) in [("none.jpg", "not found"), (".", "folder")] {
        let dir = folder();
        let path = dir.path().join(image).display().to_string();
        let (_, row) = skipped_row(json!({"image": path, "caption": "x"}), dir.path());
        assert!(row.contains(word), "{row}");
    }
}

#[test]
fn files_that_are_no_images_are_listed_and_skipped() {
    let mut truncated = jpeg(1);
    truncated.truncate(truncated.len() / 3);
    let cases: [(&str, Vec<u8>); 4] = [
        ("truncated.jpg", truncated),
        ("text.jpg", b"This is not a picture at all.".to_vec()),
        ("empty.jpg", Vec::new()),
        ("huge.png", png_header(30_000, 30_000)),
    ];
    for (name, bytes) in cases {
        let dir = folder();
        let path = dir.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let (_, row) = skipped_row(
            json!({"image": path.display().to_string(), "caption": "x"}),
            dir.path(),
        );
        assert!(row.contains(name), "{row}");
    }
}

#[test]
fn empty_captions_are_listed_and_skipped() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1).display().to_string();
    let (_, row) = skipped_row(json!({"image": image, "captions": ["", "  "]}), dir.path());
    assert!(row.contains("no caption"), "{row}");
}

#[test]
fn a_duplicate_id_names_both_rows() {
    let dir = folder();
    let first = demo_pairs(1)[0]["id"].clone();
    let image = draw(dir.path(), "a.png", 1).display().to_string();
    let (_, row) = skipped_row(
        json!({"image": image, "caption": "x", "id": first}),
        dir.path(),
    );
    assert!(row.contains("row 1"), "{row}");
}

#[test]
fn bytes_that_are_not_utf8_are_listed_and_skipped() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(2));
    let mut file = fs_err::OpenOptions::new()
        .append(true)
        .open(&pairs)
        .unwrap();
    file.write_all(b"{\"image\": \"a.png\", \"caption\": \"caf\xe9\"}\n")
        .unwrap();
    let report = build(dir.path(), &pairs, &["--json"]).ok().json();
    assert_eq!(
        (&report["pairs"], &report["skipped"]),
        (&json!(2), &json!(1))
    );
    let reason = report["skipped_examples"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("UTF-8"), "{reason}");
}

#[test]
fn strict_stops_at_the_first_bad_row_and_writes_nothing() {
    let dir = folder();
    let mut records = demo_pairs(2);
    records.insert(1, json!({"image": "none.jpg", "caption": "x"}));
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &records);
    build(dir.path(), &pairs, &["--strict"]).fails(STRICT, &["pairs.jsonl, row 2", "none.jpg"]);
}

#[test]
fn nothing_but_bad_rows_is_an_error() {
    let dir = folder();
    let pairs = write_jsonl(
        dir.path(),
        "p.jsonl",
        &[json!({"image": "no.jpg", "caption": "x"})],
    );
    build(dir.path(), &pairs, &[]).fails(INPUT, &["no usable pair", "no.jpg"]);
}

#[test]
fn a_set_that_exists_is_left_alone_unless_told() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(3));
    build(dir.path(), &pairs, &[]).ok();
    let again = |more: &[&str]| {
        let out = dir.path().join("out.asif");
        run(asif()
            .arg("build")
            .arg("--pairs")
            .arg(&pairs)
            .arg("--out")
            .arg(out)
            .args(more))
    };
    again(&[]).fails(INPUT, &["exists already", "--overwrite"]);
    assert_eq!(
        again(&["--overwrite", "--json"]).ok().json()["generation"],
        2
    );
    assert_eq!(names_in(&dir.path().join("out.asif/segments")).len(), 1);
}

#[test]
fn something_else_in_the_way_is_never_touched() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(2));
    let out = dir.path().join("precious");
    fs_err::create_dir(&out).unwrap();
    fs_err::write(out.join("thesis.txt"), "ten years of work").unwrap();
    run(asif()
        .arg("build")
        .arg("--pairs")
        .arg(pairs)
        .arg("--out")
        .arg(&out)
        .arg("--overwrite"))
    .fails(INPUT, &["precious", "not an anchor set"]);
    assert_eq!(names_in(&out), ["thesis.txt"]);
}

fn classify(index: &Path, labels: &str) -> Command {
    let mut command = asif();
    command
        .arg("classify")
        .arg("--index")
        .arg(index)
        .arg("--labels")
        .arg(labels);
    command
}

#[test]
fn labels_must_be_there_and_differ() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    run(classify(demo_set(), "").arg(&image)).fails(INPUT, &["label"]);
    run(classify(demo_set(), "cat,dog,cat").arg(&image)).fails(INPUT, &["cat"]);
    let file = dir.path().join("labels.txt");
    fs_err::write(&file, "# nothing yet\n\n").unwrap();
    run(asif()
        .args(["classify", "--labels-file"])
        .arg(&file)
        .arg("--index")
        .arg(demo_set())
        .arg(&image))
    .fails(INPUT, &["labels.txt"]);
    run(asif()
        .arg("classify")
        .arg("--index")
        .arg(demo_set())
        .arg(&image))
    .usage();
}

impl Ended {
    /// Asserts that the command line was refused.
    fn usage(&self) {
        assert_eq!(self.code, Some(USAGE), "{}", self.err);
        assert!(self.err.contains("Usage"), "{}", self.err);
    }
}

#[test]
fn a_bad_image_among_good_ones_is_said_and_the_others_go_on() {
    let dir = folder();
    let good = draw(dir.path(), "good.png", 1);
    let bad = dir.path().join("bad.jpg");
    fs_err::write(&bad, b"no picture").unwrap();
    let both = |more: &[&str]| {
        run(classify(demo_set(), "cat,dog")
            .arg("--json")
            .arg(&bad)
            .arg(&good)
            .args(more))
    };
    let lines = both(&[]).ok().json_lines();
    assert!(
        lines[0]["error"].as_str().unwrap().contains("bad.jpg"),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1]["predictions"].as_array().unwrap().len(), 2);
    both(&["--strict"]).fails(STRICT, &["bad.jpg", "1 of 2 images"]);
    run(classify(demo_set(), "cat,dog").arg(&bad)).fails(INPUT, &["bad.jpg", "1 of 1 images"]);
}

#[test]
fn a_folder_that_is_no_set() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    run(classify(dir.path(), "cat,dog").arg(&image))
        .fails(INPUT, &["not an anchor set", "CURRENT"]);
    run(asif().arg("inspect").arg(dir.path().join("none.asif"))).fails(INPUT, &["no such folder"]);
    run(asif().arg("inspect").arg(&image)).fails(INPUT, &["it is a file"]);
}

#[test]
fn a_damaged_set_is_named_file_by_file() {
    let dir = folder();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(3));
    let out = dir.path().join("out.asif");
    build(dir.path(), &pairs, &[]).ok();
    let segment = fs_err::read_dir(out.join("segments"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let vectors = segment.join("image.vec");
    let good = fs_err::read(&vectors).unwrap();
    fs_err::write(&vectors, &good[..good.len() / 2]).unwrap();
    run(asif().arg("inspect").arg(&out)).fails(INPUT, &["image.vec"]);
    let mut flipped = good.clone();
    let middle = good.len() / 2;
    flipped[middle] ^= 0x40;
    fs_err::write(&vectors, &flipped).unwrap();
    run(asif().arg("inspect").arg(&out).arg("--verify")).fails(INPUT, &["image.vec"]);
    fs_err::remove_file(&vectors).unwrap();
    run(asif().arg("inspect").arg(&out)).fails(INPUT, &["image.vec"]);
}

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

#[test]
fn senseless_settings_are_usage_errors() {
    let image = draw(folder().path(), "a.png", 1);
    run(classify(demo_set(), "cat,dog")
        .args(["--k", "0"])
        .arg(&image))
    .fails(USAGE, &["--k"]);
    run(classify(demo_set(), "cat,dog")
        .args(["--paper", "--p", "2"])
        .arg(&image))
    .usage();
    let raw = ["--negatives", "raw", "--p", "1.5"];
    run(classify(demo_set(), "cat,dog").args(raw).arg(&image)).fails(USAGE, &["whole"]);
}

#[test]
fn a_template_without_a_place_for_the_label() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    let templates = dir.path().join("templates.txt");
    fs_err::write(&templates, "a photo of a {}.\na photo of a {thing}.\n").unwrap();
    run(classify(demo_set(), "cat,dog")
        .arg("--templates")
        .arg(&templates)
        .arg(&image))
    .fails(INPUT, &["templates.txt", "{thing}"]);
}

/// A real full disk: a small tmpfs in a mount namespace of its own, gone with the process.
#[test]
fn a_full_disk_leaves_nothing_and_names_the_file() {
    let works = Command::new("unshare").args(["-rm", "true"]).status();
    if !works.is_ok_and(|s| s.success()) {
        println!("skipped: `unshare -rm` is not permitted here, so no small disk can be mounted");
        return;
    }
    let dir = folder();
    let disk = dir.path().join("disk");
    fs_err::create_dir(&disk).unwrap();
    let pairs = write_jsonl(dir.path(), "pairs.jsonl", &demo_pairs(40));
    let script = r#"
        mount -t tmpfs -o size=128k tmpfs "$1" || exit 99
        "$2" build --pairs "$3" --out "$1/out.asif" --no-cache
        code=$?
        echo "left: $(ls -A "$1")"
        exit $code"#;
    let mut command = asif();
    let program = command.get_program().to_owned();
    let envs: Vec<_> = command
        .env_remove("ASIF_CACHE")
        .get_envs()
        .filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned())))
        .collect();
    let ended = run(Command::new("unshare")
        .args(["-rm", "sh", "-c", script, "sh"])
        .arg(&disk)
        .arg(program)
        .arg(pairs)
        .envs(envs));
    let ended = ended.fails(1, &["No space left on device"]);
    assert_eq!(ended.out.trim(), "left:", "{}", ended.err);
}
