//! Lists, folders and files of labels whose form is not what a first look makes of it.

use std::path::Path;

use super::support::*;
use super::{INPUT, build, classify, folder};

/// Pictures `img/0.png` ... of a folder of pairs.
fn pictures(dir: &Path, n: u32) {
    fs_err::create_dir_all(dir.join("img")).unwrap();
    for i in 0..n {
        draw(&dir.join("img"), &format!("{i}.png"), i);
    }
}

/// The caption of each pair of the set, by its id.
fn captions(dir: &Path) -> Vec<(String, String)> {
    let listed = run(asif()
        .args(["anchors", "list", "--json"])
        .arg(dir.join("out.asif")))
    .ok();
    let one = |pair: serde_json::Value| {
        let text = |key: &str| pair[key].as_str().unwrap_or_default().to_owned();
        let caption = pair["captions"][0].as_str().map(str::to_owned);
        (text("id"), caption.unwrap_or_else(|| text("caption")))
    };
    listed.json_lines().into_iter().map(one).collect()
}

#[test]
fn a_caption_that_begins_with_a_quotation_mark_takes_no_row_along() {
    let rows = [
        "a red bus",
        "\"Hello there",
        "a cat",
        "a dog",
        "\"Stop sign",
        "a horse",
        "a bird",
    ];
    for (name, separator, kept) in [("two.tsv", "\t", 7), ("two.csv", ",", 5)] {
        let dir = folder();
        pictures(dir.path(), 7);
        let mut text = format!("image{separator}caption\n");
        for (i, caption) in rows.iter().enumerate() {
            text.push_str(&format!("img/{i}.png{separator}{caption}\n"));
        }
        let pairs = dir.path().join(name);
        fs_err::write(&pairs, text).unwrap();
        let report = build(dir.path(), &pairs, &["--json"]).ok().json();
        assert_eq!(report["pairs"], kept, "{report}");
        assert_eq!(report["skipped"], 7 - kept, "{report}");
        let of_set = captions(dir.path());
        assert_eq!(of_set.len(), kept);
        for (id, caption) in of_set {
            let number: usize = id[4..5].parse().unwrap();
            assert_eq!(caption, rows[number], "{id}");
        }
        if kept == 5 {
            assert_eq!(report["skipped_by_reason"]["badly quoted"], 2);
            let origin = report["skipped_examples"][0]["origin"].as_str().unwrap();
            assert!(origin.ends_with("two.csv, row 3"), "{origin}");
        }
    }
}

#[test]
fn images_under_other_endings_are_read_by_content_or_counted() {
    let dir = folder();
    let pairs = dir.path().join("pairs");
    fs_err::create_dir(&pairs).unwrap();
    for (i, name) in ["a.jpg", "b.jfif", "c.jpe", "d", "e.tif", "f.heic"]
        .iter()
        .enumerate()
    {
        let bytes = if i < 4 {
            jpeg(u32::try_from(i).unwrap())
        } else {
            b"II*\0and so on".to_vec()
        };
        fs_err::write(pairs.join(name), bytes).unwrap();
        let stem = name.split('.').next().unwrap();
        fs_err::write(pairs.join(format!("{stem}.txt")), format!("text {i}")).unwrap();
    }
    let report = build(dir.path(), &pairs, &["--json"]).ok().json();
    assert_eq!(
        (&report["pairs"], &report["skipped"]),
        (&4.into(), &2.into()),
        "{report}"
    );
    assert_eq!(
        report["skipped_by_reason"]["not read, ending .tif"], 1,
        "{report}"
    );
    assert_eq!(
        report["skipped_by_reason"]["not read, ending .heic"], 1,
        "{report}"
    );
}

#[test]
fn pairs_of_other_formats_say_what_they_seem_to_be() {
    let dir = folder();
    for (name, bytes, word) in [
        ("coco.json", &br#"{"images": [{"file_name"#[..], "not JSON"),
        ("x.parquet", b"PAR1....PAR1", "no Parquet file, or damaged"),
        (
            "x.jsonl.gz",
            b"\x1F\x8B\x08",
            "compressed with gzip, damaged",
        ),
        (
            "x.csv.zst",
            b"\x28\xB5\x2F\xFD",
            "compressed with zstd, damaged",
        ),
    ] {
        let path = dir.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        build(dir.path(), &path, &[]).fails(INPUT, &[name, word]);
    }
}

#[test]
fn classes_that_hold_only_other_files_are_told_of() {
    let dir = folder();
    for class in ["cat", "dog", "scans"] {
        fs_err::create_dir(dir.path().join(class)).unwrap();
    }
    draw(&dir.path().join("cat"), "1.png", 1);
    draw(&dir.path().join("dog"), "1.png", 2);
    fs_err::write(dir.path().join("cat/x.tif"), b"II*\0").unwrap();
    fs_err::write(dir.path().join("scans/x.tif"), b"II*\0").unwrap();
    std::os::unix::fs::symlink("gone.png", dir.path().join("cat/dangling.png")).unwrap();
    std::os::unix::fs::symlink("..", dir.path().join("dog/above")).unwrap();
    let eval = |task: &str, more: &[&str]| {
        run(asif()
            .args(["eval", task, "--index"])
            .arg(demo_set())
            .arg("--dataset")
            .arg(dir.path())
            .args(more))
    };
    for more in [&[][..], &["--json"]] {
        let out = eval("zeroshot", more).ok().out;
        for word in [
            "scans",
            ".tif",
            "left out",
            "cat",
            "2 links",
            "dangling.png",
        ] {
            assert!(out.contains(word), "{word}: {out}");
        }
    }
    eval("retrieval", &[]).fails(INPUT, &["eval zeroshot"]);
}

#[test]
fn files_of_labels_and_templates_are_read_by_their_form_or_refused() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    let labels = |name: &str, text: &str| {
        let file = dir.path().join(name);
        fs_err::write(&file, text).unwrap();
        run(asif()
            .args(["classify", "--json", "--labels-file"])
            .arg(file)
            .arg("--index")
            .arg(demo_set())
            .arg(&image))
    };
    let shown = |ended: &Ended| {
        let predictions = ended.json_lines()[0]["predictions"].clone();
        let mut names: Vec<String> = predictions
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["label"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    for (name, text) in [
        ("id2label.json", r#"{"0": "tench", "1": "goldfish"}"#),
        (
            "index.json",
            r#"{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}"#,
        ),
    ] {
        assert_eq!(
            shown(&labels(name, text).ok()),
            ["goldfish", "tench"],
            "{name}"
        );
    }
    let lines = labels("labels.jsonl", "\"cat\"\n\"dog\"\n");
    let lines = lines.fails(INPUT, &["labels.jsonl, line 1", "\"label\""]);
    assert!(!lines.err.contains("struct"), "{}", lines.err);
    labels("table.txt", "id,name\n0,cat\n1,dog\n")
        .fails(INPUT, &["table.txt", "a header", ".json"]);
    let digits = labels("digits.txt", "0\n1\n2\n").ok();
    assert!(
        digits.err.contains("all labels are numbers"),
        "{}",
        digits.err
    );
    run(classify(demo_set(), "labels.txt").arg(&image)).fails(INPUT, &["--labels-file"]);
    labels("films.txt", "Alien: A\nAlien: B\ncat\n").fails(INPUT, &["Alien", "after a colon"]);
    let one = labels("one.txt", "labels: cat, dog, fish\n").ok();
    assert!(
        one.err.contains("only one label, \"labels\""),
        "{}",
        one.err
    );
    assert!(!digits.err.contains("only one label"), "{}", digits.err);
    let tags = labels("tags.txt", "#food\n#travel\n#cats\ncat\n").ok();
    assert!(
        tags.err.contains("3 lines were taken as comments"),
        "{}",
        tags.err
    );
    let templates = dir.path().join("templates.json");
    fs_err::write(&templates, r#"["a photo of a {}.", "art of the {}."]"#).unwrap();
    let lines = dir.path().join("templates.txt");
    fs_err::write(&lines, "a photo of a {}.\nart of the {}.\n").unwrap();
    let with = |file: &Path| {
        let mut command = classify(demo_set(), "cat,dog");
        run(command
            .arg("--json")
            .arg("--templates")
            .arg(file)
            .arg(&image))
        .ok()
        .out
    };
    assert_eq!(with(&templates), with(&lines));
}

#[test]
fn a_folder_of_photos_is_told_from_a_photo() {
    let dir = folder();
    let image = draw(dir.path(), "a.png", 1);
    let ended = run(classify(demo_set(), "cat,dog").arg(dir.path()));
    let ended = ended.fails(INPUT, &["found a folder", "name the files in it"]);
    assert!(!ended.err.contains("os error"), "{}", ended.err);
    run(classify(demo_set(), "cat,dog").arg(&image)).ok();
    let ended = run(classify(demo_set(), "cat,dog")
        .arg("--templates")
        .arg(dir.path())
        .arg(&image));
    ended.fails(INPUT, &["found a folder"]);
}
