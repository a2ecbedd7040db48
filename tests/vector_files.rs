//! Anchor sets made of files of vectors, with the real binary and mostly with no encoder at all.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[cfg(feature = "server")]
#[path = "serve_support/mod.rs"]
mod serve_support;
mod support;

use std::path::{Path, PathBuf};

use asif_index::random::SplitMix64;
use serde_json::{Value, json};
use support::*;

const IMAGE_DIM: usize = 24;
const TEXT_DIM: usize = 16;

/// VectorFixture written by NumPy, safetensors and pyarrow.
fn written(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/vector_files/files");
    root.join(name)
}

/// An array in NumPy's format.
fn npy(rows: &[Vec<f32>]) -> Vec<u8> {
    let shape = (rows.len(), rows[0].len());
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").as_bytes());
    bytes.extend(rows.iter().flatten().flat_map(|x| x.to_le_bytes()));
    bytes
}

/// How many kinds of pairs there are.
const KINDS: usize = 11;

/// A vector of pair `number`, near those of the other pairs of its kind.
fn vector(number: usize, dim: usize) -> Vec<f32> {
    let component = |at: usize| {
        let kind = SplitMix64::new(((number % KINDS) * 1000 + at * 30 + dim) as u64).below(101);
        let own = (number * 13 + at * 29) % 7;
        kind as f32 - 50.0 + own as f32 * 0.3
    };
    (0..dim).map(component).collect()
}

struct VectorFixture {
    folder: tempfile::TempDir,
    image: PathBuf,
    text: PathBuf,
}

impl VectorFixture {
    fn of(pairs: std::ops::Range<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, dim: usize| {
            let path = folder.path().join(name);
            let rows: Vec<_> = pairs.clone().map(|n| vector(n, dim)).collect();
            fs_err::write(&path, npy(&rows)).unwrap();
            path
        };
        let (image, text) = (write("image.npy", IMAGE_DIM), write("text.npy", TEXT_DIM));
        Self {
            folder,
            image,
            text,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command with both files, in a home without encoders.
    fn run(&self, words: &[&str], more: &[&Path]) -> Ended {
        let mut command = bare(self.folder.path());
        command.args(words).args(more);
        command.arg("--image-vectors").arg(&self.image);
        command.arg("--text-vectors").arg(&self.text);
        run(command.arg("--json"))
    }

    /// An anchor set of these pairs.
    fn built(&self) -> PathBuf {
        let set = self.path("v.asif");
        self.run(&["build", "--out"], &[&set]).ok();
        set
    }
}

fn listed(folder: &Path, set: &Path) -> Vec<Value> {
    let out = on(folder, &["anchors", "list", "--json"], set).ok().out;
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn vectors_make_a_set_that_is_asked_with_vectors_and_needs_no_encoder() {
    let files = VectorFixture::of(0..80);
    let set = files.built();
    let folder = files.folder.path();
    for command in ["inspect", "verify", "history"] {
        on(folder, &[command], &set).ok();
    }
    let rows = listed(folder, &set);
    assert_eq!(rows.len(), 80);
    assert_eq!(
        (&rows[3]["id"], &rows[3]["captions"]),
        (&json!("3"), &json!([]))
    );
    // Images against the text of one pair of each kind.
    let labels: Vec<_> = (0..KINDS).map(|n| vector(n, TEXT_DIM)).collect();
    let (asked, named) = (files.path("q.npy"), files.path("l.npy"));
    let images: Vec<_> = (0..30).map(|n| vector(n + 200, IMAGE_DIM)).collect();
    fs_err::write(&asked, npy(&images)).unwrap();
    fs_err::write(&named, npy(&labels)).unwrap();
    let classify = |more: &[&str]| {
        let mut command = bare(folder);
        command
            .args(["classify", "--json", "--top", "1", "--index"])
            .arg(&set);
        command.arg("--image-vectors").arg(&asked);
        run(command.arg("--label-vectors").arg(&named).args(more))
    };
    let answers = classify(&[]).ok().out;
    let answers: Vec<Value> = answers
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(answers.len(), 30);
    for (row, answer) in answers.iter().enumerate() {
        assert_eq!(answer["row"], row);
        assert_eq!(
            answer["predictions"][0]["label"],
            ((row + 200) % KINDS).to_string(),
            "{answer}"
        );
    }
    let answers = classify(&["--labels", "a,b,c,d,e,f,g,h,i,j,k"]).ok().out;
    assert!(
        answers.lines().nth(1).unwrap().contains("\"label\":\"d\""),
        "{answers}"
    );
    let refused = classify(&["--labels", "a,b"]);
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("11 vectors and there are 2 labels"),
        "{}",
        refused.err
    );
    // Without vectors, the encoder is missed where it is needed.
    let mut command = bare(folder);
    command
        .args(["classify", "--labels", "a,b", "--index"])
        .arg(&set);
    let refused = run(command.arg("--image-vectors").arg(&asked));
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert!(
        refused
            .err
            .contains("the text encoder unnamed is not open here"),
        "{}",
        refused.err
    );
    assert!(
        refused.err.contains("hint: --label-vectors FILE"),
        "{}",
        refused.err
    );
    let mut command = bare(folder);
    command
        .args(["classify", "--index"])
        .arg(&set)
        .arg("--label-vectors")
        .arg(&named);
    let refused = run(command.arg(written("README.md")));
    assert!(
        refused.err.contains("hint: --image-vectors FILE"),
        "{}",
        refused.err
    );
}

#[test]
fn such_a_set_is_explained_measured_tuned_swapped_and_rolled_back() {
    let files = VectorFixture::of(0..120);
    let set = files.built();
    let folder = files.folder.path();
    let (asked, named, targets) = (
        files.path("q.npy"),
        files.path("l.npy"),
        files.path("t.txt"),
    );
    let labels: Vec<_> = (0..KINDS).map(|n| vector(n, TEXT_DIM)).collect();
    let mut images: Vec<_> = (0..22).map(|n| vector(n, IMAGE_DIM)).collect();
    images[5] = vec![0.0; IMAGE_DIM];
    fs_err::write(&asked, npy(&images)).unwrap();
    fs_err::write(&named, npy(&labels)).unwrap();
    let kinds: Vec<String> = (0..22).map(|n| (n % KINDS).to_string()).collect();
    fs_err::write(&targets, kinds.join("\n")).unwrap();
    let ask = |words: &[&str]| {
        let mut command = bare(folder);
        command.args(words).arg("--index").arg(&set).arg("--json");
        command.arg("--image-vectors").arg(&asked);
        command.arg("--label-vectors").arg(&named);
        command
    };
    let explained = run(&mut ask(&["explain", "--without-id", "3"])).ok().out;
    let lines: Vec<Value> = explained
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 22);
    assert!(
        lines[5]["error"]
            .as_str()
            .unwrap()
            .contains("q.npy, row 5 (from 0): its vector consists of zeros")
    );
    assert_eq!(
        (&lines[6]["row"], &lines[6]["reasons"]["label"]),
        (&json!(6), &json!("6"))
    );
    assert!(
        lines[6]["reasons"]["supporting"][0]["amount"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    assert_eq!(lines[6]["without"]["pairs"], 1);
    let rows = files.path("rows.csv");
    let eval = |targets: &Path| {
        let mut command = ask(&["eval", "zeroshot"]);
        command.arg("--targets").arg(targets);
        run(command.arg("--predictions").arg(&rows))
    };
    let measured = eval(&targets).ok().json();
    assert_eq!(measured["asif"]["images"], 22);
    assert_eq!(measured["asif"]["unscored"], 1);
    assert_eq!(measured["metrics"]["acc1"], 21.0 / 22.0);
    let written = fs_err::read_to_string(&rows).unwrap();
    assert_eq!(written.lines().count(), 23, "{written}");
    let bad = written.lines().nth(6).unwrap();
    assert!(
        bad.starts_with("5,") && bad.contains("q.npy, row 5 (from 0)"),
        "{bad}"
    );
    let short = files.path("short.txt");
    fs_err::write(&short, "0\n1\nx").unwrap();
    let refused = eval(&short);
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("short.txt, line 3: \"x\""),
        "{}",
        refused.err
    );
    on(folder, &["tune"], &set).ok();
    on(folder, &["doctor"], &set).ok();
    let other = VectorFixture::of(0..30);
    let other_set = other.built();
    let mut command = bare(folder);
    run(command.arg("swap").arg(&set).arg("--from").arg(&other_set)).ok();
    assert_eq!(listed(folder, &set).len(), 30);
    on(folder, &["rollback"], &set).ok();
    on(folder, &["anchors", "remove", "--id", "7"], &set).ok();
    on(folder, &["anchors", "compact"], &set).ok();
    on(folder, &["verify", "--full"], &set).ok();
    assert_eq!(listed(folder, &set).len(), 119);
}

#[cfg(feature = "server")]
#[test]
fn a_server_takes_vectors_of_images_and_of_labels() {
    let files = VectorFixture::of(0..80);
    let set = files.built();
    let server = serve_support::Server::start(&[("v", &set)], &[]);
    let labels: Vec<_> = (0..KINDS).map(|n| vector(n, TEXT_DIM)).collect();
    let images: Vec<_> = (0..3).map(|n| vector(n + 200, IMAGE_DIM)).collect();
    let asked = json!({"vectors": images, "labels": [], "label_vectors": labels, "top": 1});
    let answer = server.post("/v1/classify", &asked).ok();
    for row in 0..3 {
        let best = &answer["results"][row]["predictions"][0]["label"];
        assert_eq!(best, &json!(((row + 200) % KINDS).to_string()), "{answer}");
    }
    let asked = json!({
        "vector": images[0], "labels": ["a", "b"], "label_vectors": labels[..2], "label": "b", "top": 3
    });
    let answer = server.post("/v1/explain", &asked).ok();
    assert_eq!(
        (&answer["label"], &answer["reasons"].is_array()),
        (&json!("b"), &true)
    );
    let asked = json!({"vectors": images, "labels": ["a", "b"]});
    let said = server
        .post("/v1/classify", &asked)
        .refused(400, "no_encoder");
    assert!(said.contains("text encoder unnamed"), "{said}");
    let asked = json!({"vectors": images, "labels": ["a"], "label_vectors": labels});
    server
        .post("/v1/classify", &asked)
        .refused(400, "wrong_fields");
    let asked = json!({"vectors": images, "labels": [], "label_vectors": [[1.0, 2.0]]});
    let said = server
        .post("/v1/classify", &asked)
        .refused(400, "unusable_input");
    assert!(said.contains("the text encoder has 16"), "{said}");
}

/// Runs a Python program of the project, whose folder is `folder`.
fn python(script: &str, words: &[&std::ffi::OsStr]) -> String {
    let python = std::env::var_os("ASIF_PYTHON");
    let python = python.unwrap_or_else(|| home().root().join("python/bin/python3").into());
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut command = std::process::Command::new(python);
    let output = command.arg(root.join(script)).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_first_labels_are_those_of_asif_in_float64() {
    let told = python(
        "tools/vectors_check.py",
        &["--asif".as_ref(), program().as_ref()],
    );
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["other_top_1"], json!([]), "{told}");
    assert!(
        told["largest_difference_of_scores"].as_f64().unwrap() < 1e-5,
        "{told}"
    );
}

#[test]
fn the_example_of_the_documents_couples_sounds_and_scores() {
    let folder = tempfile::tempdir().unwrap();
    python("docs/examples/chords.py", &[folder.path().as_os_str()]);
    let set = folder.path().join("chords.asif");
    let mut command = bare(folder.path());
    command.args(["build", "--json", "--image-encoder-name", "log spectrum"]);
    command
        .args(["--text-encoder-name", "keys", "--out"])
        .arg(&set);
    command
        .arg("--image-vectors")
        .arg(folder.path().join("sounds.npy"));
    run(command
        .arg("--text-vectors")
        .arg(folder.path().join("scores.npy")))
    .ok();
    let mut command = bare(folder.path());
    command
        .args(["classify", "--json", "--top", "1", "--index"])
        .arg(&set);
    command
        .arg("--image-vectors")
        .arg(folder.path().join("new_sounds.npy"));
    let labels = folder.path().join("new_scores.npy");
    let answers = run(command.arg("--label-vectors").arg(labels)).ok().out;
    let answers = answers
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let right = answers.filter(|line| {
        let label = line["predictions"][0]["label"].as_str().unwrap();
        line["row"].as_u64() == label.parse().ok()
    });
    assert!(right.count() >= 55, "of 60");
}

#[test]
fn metadata_names_pairs_and_bad_rows_cost_only_themselves() {
    let files = VectorFixture::of(0..6);
    let metadata = files.path("m.jsonl");
    let rows = [
        json!({"id": "a", "image": "x/a.jpg", "caption": "a cat", "licence": "CC0"}).to_string(),
        "not json".to_owned(),
        json!({"image": "x/c.jpg", "captions": ["a dog", "a pet"]}).to_string(),
        json!({"caption": "a bird"}).to_string(),
        json!({"id": "a"}).to_string(),
        json!({"id": "f", "year": 2020}).to_string(),
    ];
    fs_err::write(&metadata, rows.join("\n")).unwrap();
    let mut bad: Vec<_> = (0..6).map(|n| vector(n, TEXT_DIM)).collect();
    bad[5][2] = f32::NAN;
    fs_err::write(&files.text, npy(&bad)).unwrap();
    let set = files.path("v.asif");
    let words = ["build", "--metadata", metadata.to_str().unwrap()];
    let report = files
        .run(&[&words[..], &["--out"]].concat(), &[&set])
        .ok()
        .json();
    assert_eq!(
        (&report["pairs"], &report["skipped"]),
        (&json!(3), &json!(3))
    );
    let skipped: Vec<_> = report["skipped_examples"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let place = |at: usize| skipped[at]["origin"].as_str().unwrap();
    assert!(place(0).ends_with("m.jsonl, row 2"), "{skipped:?}");
    assert!(place(1).ends_with("m.jsonl, row 5"), "{skipped:?}");
    assert!(
        place(2).ends_with("text.npy, row 5 (from 0)"),
        "{skipped:?}"
    );
    assert!(
        skipped[2]["reason"].as_str().unwrap().contains("number 3"),
        "{skipped:?}"
    );
    let rows = listed(files.folder.path(), &set);
    let ids: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "x/c.jpg", "3"]);
    assert_eq!(rows[1]["captions"], json!(["a dog", "a pet"]));
    assert_eq!(rows[0]["licence"], "CC0");
    let strict = files.run(
        &[&words[..], &["--strict", "--out"]].concat(),
        &[&files.path("strict.asif")],
    );
    assert_eq!(strict.code, Some(5), "{}", strict.err);
    assert!(!files.path("strict.asif").exists());
}

/// Rows of metadata belong to vectors, so a row that swallowed the next ones would move all behind it.
#[test]
fn an_open_quotation_mark_in_metadata_costs_its_row_or_is_told_with_its_line() {
    let files = VectorFixture::of(0..5);
    let words = |name: &str| -> Vec<String> {
        let path = files.path(name).display().to_string();
        ["build", "--metadata", &path, "--out"]
            .map(str::to_owned)
            .into()
    };
    let built = |name: &str, text: &str| {
        fs_err::write(files.path(name), text).unwrap();
        let words = words(name);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        files.run(&words, &[&files.path(&format!("{name}.asif"))])
    };
    for (name, text) in [
        (
            "never.csv",
            "id,caption\na,x\nb,\"open\nc,y\nd,\"z, z\"\ne,w\n",
        ),
        ("text.csv", "id,caption\na,x\nb,\"ope\"n\nc,y\nd,z\ne,w\n"),
    ] {
        let report = built(name, text).ok().json();
        assert_eq!(
            (&report["pairs"], &report["skipped"]),
            (&json!(4), &json!(1))
        );
        let place = report["skipped_examples"][0]["origin"].as_str().unwrap();
        assert!(place.ends_with(&format!("{name}, row 3")), "{report}");
    }
    // Closed by that of a later row.
    let text = "id,caption\na,x\nb,\"open\nc,y\"\nd,z\ne,w\n";
    built("later.csv", text).fails(
        3,
        &[
            "the row on line 3 of",
            "later.csv takes up 2 lines",
            "left open",
        ],
    );
    // A text of several lines is no fault, and marks mean nothing in TSV.
    let text = "id,caption\na,x\nb,\"two\nlines, said\"\nc,y\nd,z\ne,w\n";
    assert_eq!(built("good.csv", text).ok().json()["pairs"], 5);
    let text = "id\tcaption\na\tx\nb\t\"open\nc\ty\"\nd\tz\ne\tw\n";
    assert_eq!(built("good.tsv", text).ok().json()["pairs"], 5);
}

#[test]
fn vectors_are_added_and_what_does_not_belong_together_is_refused() {
    let files = VectorFixture::of(0..20);
    let set = files.built();
    let more = VectorFixture::of(20..25);
    let dry = more
        .run(&["anchors", "add", "--dry-run"], &[&set])
        .ok()
        .json();
    assert_eq!(dry["added"], 5, "{dry}");
    let added = more.run(&["anchors", "add"], &[&set]).ok().json();
    assert_eq!(added["added"], 5, "{added}");
    let rows = listed(files.folder.path(), &set);
    assert_eq!((rows.len(), &rows[24]["id"]), (25, &json!("24")));
    // The same vectors at once are the same set.
    let whole = VectorFixture::of(0..25);
    let whole_set = whole.built();
    assert_eq!(listed(whole.folder.path(), &whole_set), rows);
    for (words, said) in [
        (vec!["--image-encoder-name", "other"], "other"),
        (vec!["--text-encoder-name", "unnamed"], ""),
    ] {
        let words = [&["anchors", "add", "--dry-run"][..], &words].concat();
        let ended = more.run(&words, &[&set]);
        match said {
            "" => drop(ended.ok()),
            said => assert!(
                ended.code == Some(3) && ended.err.contains(said),
                "{}",
                ended.err
            ),
        }
    }
    let swapped = VectorFixture {
        image: more.text.clone(),
        text: more.image.clone(),
        folder: tempfile::tempdir().unwrap(),
    };
    let refused = swapped.run(&["anchors", "add"], &[&set]);
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("expected vectors of 24 numbers"),
        "{}",
        refused.err
    );
    let uneven = VectorFixture {
        image: files.image.clone(),
        text: more.text.clone(),
        folder: tempfile::tempdir().unwrap(),
    };
    let refused = uneven.run(&["build", "--out"], &[&uneven.path("v.asif")]);
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("image.npy has 20 rows") && refused.err.contains("text.npy has 5;"),
        "{}",
        refused.err
    );
    let torn = files.path("torn.npy");
    fs_err::write(&torn, &fs_err::read(&files.image).unwrap()[..400]).unwrap();
    let cut = VectorFixture {
        image: torn,
        text: files.text.clone(),
        folder: tempfile::tempdir().unwrap(),
    };
    let refused = cut.run(&["build", "--out"], &[&cut.path("v.asif")]);
    assert_eq!(refused.code, Some(3));
    assert!(
        refused.err.contains("torn.npy: expected 2048 bytes"),
        "{}",
        refused.err
    );
    assert!(!cut.path("v.asif").exists());
}

/// What would silently pair rows with others, or be ignored.
#[test]
fn parts_that_do_not_belong_together_and_options_for_lists_are_refused() {
    let files = VectorFixture::of(0..30);
    let folder = files.path("emb");
    let rows =
        |range: std::ops::Range<usize>, dim| -> Vec<_> { range.map(|n| vector(n, dim)).collect() };
    for (name, first, second, dim) in [
        ("img_emb/img_emb", 0..10, 10..30, IMAGE_DIM),
        ("text_emb/text_emb", 0..20, 20..30, TEXT_DIM),
    ] {
        for (part, range) in [first, second].into_iter().enumerate() {
            let path = folder.join(format!("{name}_{part}.npy"));
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, npy(&rows(range, dim))).unwrap();
        }
    }
    let set = files.path("parts.asif");
    let mut command = bare(files.folder.path());
    command
        .args(["build", "--vectors"])
        .arg(&folder)
        .arg("--out")
        .arg(&set);
    run(&mut command).fails(3, &["img_emb_0.npy", "10", "text_emb_0.npy", "20"]);
    assert!(!set.exists());
    for option in [
        &["--caption-column", "c"][..],
        &["--image-column", "i"],
        &["--captions", "each"],
        &["--class-template", "a {}"],
        &["--allow-outside"],
        &["--where", "a=b"],
        &["--limit", "3"],
    ] {
        let build = [&["build"], option, &["--out"]].concat();
        files.run(&build, &[&set]).fails(2, &[option[0]]);
    }
    // Bad rows are counted as those of lists are.
    let mut bad = rows(0..30, IMAGE_DIM);
    bad[4][0] = f32::NAN;
    bad[7][0] = f32::INFINITY;
    fs_err::write(&files.image, npy(&bad)).unwrap();
    let stopped = ["build", "--max-errors", "1", "--out"];
    files
        .run(&stopped, &[&set])
        .fails(5, &["image.npy, row 7 (from 0)"]);
    files
        .run(&["build", "--max-errors", "2", "--out"], &[&set])
        .ok();
    assert_eq!(listed(files.folder.path(), &set).len(), 28);
    let add = ["anchors", "add", "--max-errors", "1"];
    files.run(&add, &[&set]).fails(5, &["image.npy, row"]);
}

#[test]
fn files_of_other_tools_make_the_same_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = vec!["f32.npy", "stored.npz", "f32.safetensors", "parts"];
    if cfg!(feature = "parquet") {
        files.push("list.parquet");
    }
    let segments = files.into_iter().map(|name| {
        let out = folder.path().join(format!("{name}.asif"));
        let mut command = bare(folder.path());
        command.args(["build", "--json", "--out"]).arg(&out);
        command.arg("--image-vectors").arg(written(name));
        run(command.arg("--text-vectors").arg(written("f32.npy"))).ok();
        let shown = on(folder.path(), &["inspect", "--json"], &out).ok().json();
        shown["segments"][0]["id"].clone()
    });
    let segments: Vec<_> = segments.collect();
    assert!(segments.iter().all(|id| *id == segments[0]), "{segments:?}");
}

#[cfg(feature = "parquet")]
#[test]
fn the_folder_that_clip_retrieval_wrote_makes_a_set_that_its_encoders_answer_from() {
    let Ok(data) = skipped::development_data(concat!(env!("CARGO_MANIFEST_DIR"), "/..")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("f.asif");
    let mut command = asif();
    command
        .args(["build", "--json", "--vectors"])
        .arg(data.join("embeddings/flickr8k-dev"));
    command.args(["--image-encoder", "efficientnet-lite0"]);
    command.args(["--text-encoder", "all-MiniLM-L6-v2"]);
    let report = run(command.arg("--out").arg(&set)).ok().json();
    assert_eq!(
        (&report["pairs"], &report["captions"]),
        (&json!(1000), &json!(1000))
    );
    let rows = listed(folder.path(), &set);
    assert_eq!(rows[0]["id"], rows[0]["image"]);
    assert!(
        rows[0]["captions"][0]
            .as_str()
            .unwrap()
            .starts_with("the boy laying")
    );
    let demo = demo_pairs(1);
    let image = demo[0]["image"].as_str().unwrap();
    let mut command = asif();
    command
        .args(["classify", "--labels", "a dog,a car", "--json", "--index"])
        .arg(&set);
    let answer = run(command.arg(image)).ok().json();
    assert_eq!(
        answer["predictions"].as_array().unwrap().len(),
        2,
        "{answer}"
    );
}
