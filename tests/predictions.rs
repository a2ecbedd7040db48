//! Files of predictions, classes and confusions: other programs read them, and they add up to the figures printed.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::*;

const CLASSES: [&str; 3] = ["apple, red", "car", "tree"];

/// Four pictures of each class, of which one cannot be read.
fn labelled(folder: &Path) -> PathBuf {
    let data = folder.join("data");
    for (at, class) in (0..).zip(CLASSES) {
        let of_class = data.join(class);
        fs_err::create_dir_all(&of_class).unwrap();
        for n in 0..4 {
            draw(&of_class, &format!("{n}.png"), 10 * at + n);
        }
    }
    fs_err::write(data.join("car/2.png"), "not a picture").unwrap();
    data
}

/// What Python adds up of the files in a folder.
fn recomputed(folder: &Path) -> Value {
    let python = std::env::var_os("ASIF_PYTHON");
    let python = python.unwrap_or_else(|| home().root().join("python/bin/python3").into());
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut command = std::process::Command::new(python);
    command
        .arg(root.join("tests/predictions/recompute.py"))
        .arg(folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_evaluation_is_recomputed_from_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = labelled(folder);
    let eval = |more: &[(&str, &str)]| {
        let mut command = asif();
        command.args(["eval", "zeroshot", "--json", "--index"]);
        command.arg(demo_set()).arg("--dataset").arg(&data);
        for (option, name) in more {
            command.arg(option).arg(folder.join(name));
        }
        run(&mut command)
    };
    let mut measured = Value::Null;
    for (predictions, confusion) in [
        ("p.csv", "matrix.csv"),
        ("p.jsonl", "m.png"),
        ("p.parquet", "m.png"),
    ] {
        let files = [
            ("--predictions", predictions),
            ("--per-class", "classes.csv"),
            ("--confusion", confusion),
        ];
        // The second time each file is replaced, since it is one that this option wrote.
        measured = eval(&files).ok().json();
        assert_eq!(eval(&files).ok().json()["metrics"], measured["metrics"]);
    }
    let found = recomputed(folder);
    assert_eq!(found["images"], 12);
    assert_eq!(found["unscored"], 1);
    assert_eq!(measured["asif"]["images"], found["images"]);
    assert_eq!(measured["asif"]["unscored"], found["unscored"]);
    let accuracy = found["right"].as_f64().unwrap() / 12.0;
    assert!((measured["metrics"]["acc1"].as_f64().unwrap() - accuracy).abs() < 1e-12);
    let picture = image::open(folder.join("m.png")).unwrap().to_rgb8();
    let colours: std::collections::HashSet<_> = picture.pixels().collect();
    assert!(colours.len() > 2, "an empty picture");

    // A file of another kind stays what it was, and is named before anything is measured.
    let own = folder.join("mine.csv");
    fs_err::write(&own, "my,table\n").unwrap();
    for option in ["--predictions", "--per-class", "--confusion"] {
        eval(&[(option, "mine.csv")]).fails(3, &["mine.csv", option]);
        eval(&[(option, "p.txt")]).fails(2, &["p.txt", option, ".csv"]);
    }
    assert_eq!(fs_err::read_to_string(&own).unwrap(), "my,table\n");
    let mut command = asif();
    command.args(["eval", "zeroshot", "--top", "3", "--index"]);
    command.arg(demo_set()).arg("--dataset").arg(&data);
    run(&mut command).fails(2, &["--top is for --predictions"]);
    assert!(!folder.join("p.txt").exists());
}

#[test]
fn classify_writes_a_row_for_each_input_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let data = labelled(folder);
    let asked = ["tree/1.png", "car/2.png", "apple, red/0.png"];
    let out = folder.join("p.jsonl");
    let mut command = asif();
    command.args([
        "classify",
        "--json",
        "--top",
        "2",
        "--labels",
        "tree,car,apple",
        "--index",
    ]);
    command.arg(demo_set()).arg("--predictions").arg(&out);
    command.args(asked.map(|name| data.join(name)));
    let printed = run(&mut command).json_lines();
    let rows: Vec<Value> = fs_err::read_to_string(&out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((rows.len(), printed.len()), (3, 3));
    for (at, (row, printed)) in rows.iter().zip(&printed).enumerate() {
        assert_eq!(row["row"], at);
        assert_eq!(row["input"], json!(data.join(asked[at])));
        assert_eq!(row["error"].is_string(), at == 1, "{row}");
        let told = printed["predictions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(row["predictions"], json!(told), "{row}");
        assert_eq!(told.len(), if at == 1 { 0 } else { 2 });
    }
}
