//! Pairs that cannot be read, and rows that cannot be used.

use std::io::Write as _;
use std::path::Path;

use serde_json::json;

use super::support::*;
use super::{INPUT, STRICT, build, folder};

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
