//! `asif export`: the layout of clip-retrieval, and back.

use serde_json::{Map, json};

use super::*;

const IMAGE_DIM: usize = 12;
const TEXT_DIM: usize = 9;

/// An array in NumPy's format, of numbers that depend on `seed`.
fn npy(rows: std::ops::Range<u64>, dim: usize, seed: u64) -> Vec<u8> {
    let count = rows.end - rows.start;
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {dim}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").as_bytes());
    for row in rows {
        let mut random = asif_index::random::SplitMix64::new(seed * 1000 + row);
        for _ in 0..dim {
            let number = random.below(2001) as f32 / 1000.0 - 1.0;
            bytes.extend(number.to_le_bytes());
        }
    }
    bytes
}

/// Metadata of every kind that a record may have.
fn metadata(row: u64) -> Value {
    let mut record = json!({
        "id": format!("pair {row}"),
        "image": format!("pictures/{row} ä.jpg"),
        "captions": [format!("caption {row}"), "a second, \"quoted\"\nof two lines"],
        "source": if row.is_multiple_of(3) { "shop" } else { "ネコ" },
        "year": 2000 + row,
        "score": row as f64 * 0.1,
        "kept": row.is_multiple_of(2),
        "mixed": if row.is_multiple_of(2) { json!(row) } else { json!("text") },
        "tags": ["a", 1, null, {"b": [0.5]}],
        "box": [0.25, 0.5],
        "nothing": null,
        "large": u64::MAX - row,
        "json_text": "[1, 2]",
    });
    let fields: &mut Map<_, _> = record.as_object_mut().unwrap();
    match row % 4 {
        0 => drop(fields.remove("captions")),
        1 => drop(fields.remove("image")),
        2 => drop(fields.remove("score")),
        _ => drop(fields.insert("only_here".to_owned(), json!("x"))),
    }
    record
}

/// The options that give pairs `rows` as files of vectors.
fn given(folder: &Path, rows: std::ops::Range<u64>) -> Vec<String> {
    let mut words = Vec::new();
    let lines = rows.clone().map(|row| format!("{}\n", metadata(row)));
    let files = [
        (
            "--image-vectors",
            "image.npy",
            npy(rows.clone(), IMAGE_DIM, 1),
        ),
        ("--text-vectors", "text.npy", npy(rows.clone(), TEXT_DIM, 2)),
        (
            "--metadata",
            "meta.jsonl",
            lines.collect::<String>().into_bytes(),
        ),
    ];
    for (option, name, bytes) in files {
        let path = folder.join(format!("{}-{name}", rows.start));
        fs_err::write(&path, bytes).unwrap();
        words.extend([option.to_owned(), path.display().to_string()]);
    }
    words
}

/// A set of two segments, some of whose pairs are removed.
fn changed_set(folder: &Path) -> PathBuf {
    let set = folder.join("v.asif");
    let built = &mut bare(folder);
    built.args(["build", "--strict", "--out"]).arg(&set);
    run(built.args(given(folder, 0..1500))).ok();
    let added = &mut bare(folder);
    added.args(["anchors", "add"]).arg(&set);
    run(added.args(given(folder, 1500..1540))).ok();
    let removed = &mut bare(folder);
    removed.args(["anchors", "remove"]).arg(&set);
    run(removed.args(["--id", "pair 0", "--id", "pair 700", "--id", "pair 1510"])).ok();
    set
}

fn export(folder: &Path, set: &Path, out: &Path, more: &[&str]) -> Ended {
    let command = &mut bare(folder);
    command
        .args(["export", "--json"])
        .arg(set)
        .arg("--out")
        .arg(out);
    run(command.args(more))
}

fn rebuilt(folder: &Path, out: &Path) -> PathBuf {
    let set = folder.join("again.asif");
    let command = &mut bare(folder);
    command.args(["build", "--strict", "--vectors"]).arg(out);
    run(command.arg("--out").arg(&set)).ok();
    set
}

#[test]
fn what_is_exported_makes_the_same_pairs_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let set = changed_set(folder);
    let out = folder.join("out/deep");
    let report = export(folder, &set, &out, &[]).ok().json();
    assert_eq!(
        (&report["pairs"], &report["generation"]),
        (&json!(1537), &json!(3))
    );
    let expected = pairs_of(&set);
    assert_eq!(expected.len(), 1537);
    assert_eq!(pairs_of(&rebuilt(folder, &out)), expected);
}

#[test]
fn numpy_and_pyarrow_read_what_the_set_holds() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let set = changed_set(folder);
    let out = folder.join("out");
    export(folder, &set, &out, &[]).ok();
    let expected = pairs_of(&set);
    let Some(vectors) = read_by_python("vectors", &out) else {
        return;
    };
    for (row, (_, [image, text])) in expected.iter().enumerate() {
        assert_eq!(vectors["img_emb"][row], json!(image));
        assert_eq!(vectors["text_emb"][row], json!(text));
    }
    let Some(metadata) = read_by_python("metadata", &out) else {
        return;
    };
    for (row, (record, _)) in expected.iter().enumerate() {
        let told = &metadata[row];
        assert_eq!(told["id"], record["id"]);
        assert_eq!(told["captions"], record["captions"]);
        let image = record["image"].as_str().filter(|image| !image.is_empty());
        assert_eq!(told["image_path"], json!(image));
        let meta: Value = serde_json::from_str(record["meta"].as_str().unwrap()).unwrap();
        for key in ["source", "year", "score", "kept", "json_text", "only_here"] {
            assert_eq!(told[key], meta[key], "{key}");
        }
        let tags: Value = serde_json::from_str(told["tags"].as_str().unwrap()).unwrap();
        assert_eq!(tags, meta["tags"]);
    }
}

#[test]
fn an_older_generation_and_a_part_of_the_pairs_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let set = changed_set(folder);
    let first = PathBuf::from(format!("{}@1", set.display()));
    let out = folder.join("first");
    let report = export(
        folder,
        &first,
        &out,
        &["--where", "source = 'shop' and year < 2030"],
    );
    let report = report.ok().json();
    assert_eq!(
        (&report["pairs"], &report["generation"]),
        (&json!(10), &json!(1))
    );
    let ids: Vec<_> = pairs_of(&rebuilt(folder, &out))
        .into_iter()
        .map(|(record, _)| record["id"].as_str().unwrap().to_owned())
        .collect();
    let expected = (0..30).step_by(3).map(|row| format!("pair {row}"));
    assert_eq!(ids, expected.collect::<Vec<_>>());

    // One part at a time.
    for (flag, files) in [
        (
            "--vectors",
            json!(["img_emb/img_emb_0.npy", "text_emb/text_emb_0.npy"]),
        ),
        ("--metadata", json!(["metadata/metadata_0.parquet"])),
    ] {
        let out = folder.join(flag);
        let report = export(folder, &set, &out, &[flag]).ok().json();
        assert_eq!(report["files"], files);
        let found = names(&out).into_iter().filter(|path| path.is_file());
        let found = found.map(|path| path.strip_prefix(&out).unwrap().display().to_string());
        assert_eq!(json!(found.collect::<Vec<_>>()), files);
    }
}

#[test]
fn nothing_is_overwritten_and_a_failure_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let set = changed_set(folder);
    let full = folder.join("full");
    fs_err::create_dir(&full).unwrap();
    fs_err::write(full.join("mine"), "mine").unwrap();
    let file = folder.join("file");
    fs_err::write(&file, "mine").unwrap();
    let before = names(folder);
    for out in [&full, &file] {
        export(folder, &set, out, &[]).fails(3, &["not an empty folder", "left unchanged"]);
    }
    export(folder, &set, &set.join("inside"), &[]).fails(3, &["anchor set"]);
    export(folder, &set, &set, &[]).fails(3, &["anchor set"]);
    let out = folder.join("out");
    export(folder, &set, &out, &["--where", "source = 'nowhere'"]).fails(3, &["nowhere"]);
    assert_eq!(names(folder), before);
    assert_eq!(fs_err::read(&file).unwrap(), b"mine");

    // An empty folder is as good as none.
    fs_err::create_dir(&out).unwrap();
    export(folder, &set, &out, &[]).ok();
    export(folder, &set, &out, &[])
        .fails(3, &["not an empty folder", "hint: choose another --out"]);
    assert_eq!(pairs_of(&rebuilt(folder, &out)), pairs_of(&set));
}

#[test]
fn no_path_of_the_builder_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = fs_err::canonicalize(folder.path()).unwrap();
    let set = changed_set(&folder);
    let out = folder.join("out");
    export(&folder, &set, &out, &[]).ok();
    let files = names(&out).into_iter().filter(|path| path.is_file());
    let own = folder.display().to_string();
    for file in files {
        let bytes = fs_err::read(&file).unwrap();
        let found = bytes.windows(own.len()).any(|part| part == own.as_bytes());
        assert!(!found, "{}", file.display());
    }
    for (record, _) in pairs_of(&rebuilt(&folder, &out)) {
        let image = record["image"].as_str().unwrap();
        assert!(
            image.is_empty() || image.starts_with("pictures/"),
            "{image}"
        );
    }
}
