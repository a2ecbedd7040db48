//! Pairs in the formats of other tools, read from files that these tools wrote (`write.py`).
//!
//! | file | format |
//! |---|---|
//! | `layouts` | COCO, Flickr tokens, class folders, and how they are read |
//! | `lists` | JSON lists, and lists that are compressed |
//! | `shards` | WebDataset archives |
//! | `tables` | Parquet files of pyarrow, `datasets` and img2dataset's layout |
#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod layouts;
mod lists;
mod shards;
#[path = "../support/mod.rs"]
mod support;
mod tables;

use std::path::{Path, PathBuf};

use asif::anchors::AnchorSet;
use serde_json::{Value, json};

use self::support::*;

/// The pictures of `write.py` with their captions.
const PICTURES: [(&str, &[&str]); 4] = [
    ("red.jpg", &["a red wave", "stripes of red"]),
    ("green.png", &["a green wave"]),
    ("blue.webp", &["a blue wave"]),
    ("grey.jpg", &["a grey wave"]),
];

/// A file that another tool wrote.
fn written(name: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/formats/written");
    Path::new(root).join(name)
}

/// The content of a picture.
fn picture(name: &str) -> Vec<u8> {
    fs_err::read(written("pictures").join(name)).unwrap()
}

/// `asif build` of these sources into `folder/NAME.asif`.
fn build(folder: &Path, name: &str, sources: &[PathBuf], more: &[&str]) -> Ended {
    let mut command = asif();
    command.args(["build", "--json", "--pairs"]).args(sources);
    command.arg("--out").arg(folder.join(name));
    run(command.args(more))
}

/// Builds a set without a bad row; returns it.
fn whole(folder: &Path, name: &str, sources: &[PathBuf]) -> AnchorSet {
    let report = build(folder, name, sources, &["--strict"]).ok().json();
    assert_eq!(report["skipped"], 0, "{report}");
    AnchorSet::open(&folder.join(name)).unwrap()
}

/// The name of a set's segment, which is a hash of its records and vectors.
fn segment(set: &AnchorSet) -> String {
    set.manifest().segments[0].id.clone()
}

/// The segment of these records as a JSONL file beside the pictures.
fn expected(folder: &Path, records: &[Value]) -> String {
    let place = tempfile::tempdir_in(folder).unwrap();
    let pictures = place.path().join("pictures");
    copy_folder(&written("pictures"), &pictures);
    let list = write_jsonl(&pictures, "list.jsonl", records);
    segment(&whole(place.path(), "expected.asif", &[list]))
}

/// The first half of a file, under the same ending.
fn cut(folder: &Path, file: &Path) -> PathBuf {
    let bytes = fs_err::read(file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let path = folder.join(format!("cut-{name}"));
    fs_err::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    path
}

/// What a build says of rows that it could not read.
fn said_of_rows(report: &Value) -> String {
    let rows = report["skipped_examples"].as_array().unwrap().iter();
    let said = rows.map(|row| {
        format!(
            "{}: {}",
            row["origin"].as_str().unwrap(),
            row["reason"].as_str().unwrap()
        )
    });
    said.collect::<Vec<_>>().join("\n")
}

/// A record of each picture with further fields.
fn records(of: impl Fn(usize, &str, &[&str]) -> Value) -> Vec<Value> {
    let pictures = PICTURES.iter().enumerate();
    let rows = pictures.map(|(number, (name, captions))| {
        let mut row = of(number, name, captions);
        row["captions"] = json!(captions);
        row
    });
    rows.collect()
}
