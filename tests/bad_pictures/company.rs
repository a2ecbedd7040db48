//! An input that a model cannot answer, in the company of others that it can.
//!
//! The image model gives NaN for a black picture and fails on a white one; the text model gives NaN
//! for the word `void` and fails on `bomb` ([`tiny_onnx::fragile`](crate::tiny_onnx::fragile)).

use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use crate::serve_support::{Server, base64};
use crate::support::*;
use crate::tiny_onnx;

const INPUT: i32 = 3;
const STRICT: i32 = 5;

/// Models, pictures that are good, and two that are not.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        tiny_onnx::fragile(folder.path());
        tiny_onnx::brightest(folder.path());
        for i in 0..8 {
            let path = folder.path().join(format!("{i}.png"));
            drawing(40, 30, i).save(path).unwrap();
        }
        for (name, grey) in [("black.png", 0), ("white.png", 255)] {
            let path = folder.path().join(name);
            RgbImage::from_pixel(20, 20, Rgb([grey; 3]))
                .save(path)
                .unwrap();
        }
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str) -> String {
        base64(&fs_err::read(self.at(name)).unwrap())
    }

    /// The options that name the models.
    fn encoders(&self) -> Vec<String> {
        let folder = |name: &str| format!("{}/", self.at(name).display());
        vec![
            "--image-encoder".to_owned(),
            folder("fragile-image"),
            "--text-encoder".to_owned(),
            folder("fragile-text"),
        ]
    }

    fn asif(&self, words: &[&str]) -> Command {
        let mut command = asif();
        // A cache of its own: what fails must not be found there either.
        command.env("ASIF_CACHE", self.at("cache"));
        command.args(words).args(self.encoders());
        command
    }

    fn pairs(&self, name: &str, rows: &[(&str, &[&str])]) -> PathBuf {
        let record = |&(image, captions): &(&str, &[&str])| json!({"image": self.at(image).display().to_string(), "captions": captions});
        let records: Vec<Value> = rows.iter().map(record).collect();
        write_jsonl(self.folder.path(), name, &records)
    }

    /// A set of the good pictures.
    fn set(&self) -> PathBuf {
        let pairs = self.pairs("good.jsonl", GOOD);
        let set = self.at("good.asif");
        let words = ["build", "--quiet", "--space", "asif"];
        run(self
            .asif(&words)
            .arg("--pairs")
            .arg(pairs)
            .arg("--out")
            .arg(&set))
        .ok();
        set
    }

    fn classify(&self, set: &Path, labels: &str, images: &[&str]) -> Ended {
        let plain = self.at("plain.txt");
        fs_err::write(&plain, "{}\n").unwrap();
        let words = [
            "classify",
            "--json",
            "--labels",
            labels,
            "--templates",
            plain.to_str().unwrap(),
        ];
        let images = images.iter().map(|image| self.at(image));
        run(self.asif(&words).arg("--index").arg(set).args(images))
    }
}

const GOOD: &[(&str, &[&str])] = &[
    ("0.png", &["dog"]),
    ("1.png", &["cat"]),
    ("2.png", &["tree"]),
    ("3.png", &["dog cat"]),
    ("4.png", &["cat tree"]),
    ("5.png", &["dog tree"]),
];

#[test]
fn a_row_that_a_model_cannot_answer_is_skipped_and_named() {
    let fixture = Fixture::new();
    let mut rows = GOOD.to_vec();
    rows.insert(2, ("black.png", &["dog"]));
    rows.insert(4, ("white.png", &["cat"]));
    rows.push(("6.png", &["void"]));
    rows.push(("7.png", &["dog", "bomb"]));
    let pairs = fixture.pairs("mixed.jsonl", &rows);
    let out = fixture.at("mixed.asif");
    let build = |more: &[&str]| {
        let mut words = vec!["build", "--json"];
        words.extend(more);
        run(fixture
            .asif(&words)
            .arg("--pairs")
            .arg(&pairs)
            .arg("--out")
            .arg(&out))
    };
    build(&["--strict"]).fails(STRICT, &["mixed.jsonl, row 3", "black.png", "not finite"]);
    let built = build(&[]).ok().json();
    assert_eq!(
        (&built["pairs"], &built["skipped"]),
        (&json!(6), &json!(4)),
        "{built}"
    );
    let listed = fs_err::read_to_string(built["skipped_list"].as_str().unwrap()).unwrap();
    let listed: Vec<Value> = listed
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    for (row, (line, words)) in listed.iter().zip([
        (
            "mixed.jsonl, row 3",
            ["black.png", "fragile-image", "not finite"],
        ),
        (
            "mixed.jsonl, row 5",
            ["white.png", "fragile-image", "fails on it"],
        ),
        (
            "mixed.jsonl, row 9",
            ["fragile-text", "not finite", "remove it or change it"],
        ),
        (
            "mixed.jsonl, row 10",
            ["fragile-text", "fails on it", "caption 2 of 2"],
        ),
    ]) {
        assert!(row["origin"].as_str().unwrap().ends_with(line), "{row}");
        let reason = row["reason"].as_str().unwrap();
        for word in words {
            assert!(reason.contains(word), "no {word:?} in {reason}");
        }
    }
    // The others are what they are without the bad ones, to the bit, from the cache and past it.
    let same = |more: &[&str]| {
        let set = fixture.at("again.asif");
        let good = fixture.pairs("good.jsonl", GOOD);
        let mut words = vec!["build", "--quiet", "--overwrite"];
        words.extend(more);
        run(asif()
            .args(words)
            .args(fixture.encoders())
            .arg("--pairs")
            .arg(good)
            .arg("--out")
            .arg(&set))
        .ok();
        let vectors = |set: &Path| {
            let set = asif::anchors::AnchorSet::open(set).unwrap();
            let of = |modality| {
                let n = set.len() as u32;
                (0..n)
                    .map(|i| set.vector(i, modality).unwrap().to_vec())
                    .collect::<Vec<_>>()
            };
            [
                of(asif::modality::Modality::Image),
                of(asif::modality::Modality::Text),
            ]
        };
        assert_eq!(vectors(&set), vectors(&out));
    };
    same(&[]);
    // Added to a set, each costs itself only, once more.
    let rows: &[(&str, &[&str])] = &[
        ("black.png", &["cat"]),
        ("6.png", &["cat"]),
        ("7.png", &["bomb"]),
    ];
    let more = fixture.pairs("more.jsonl", rows);
    let added = run(fixture
        .asif(&["anchors", "add", "--json"])
        .arg(&out)
        .arg("--pairs")
        .arg(more))
    .ok();
    assert!(
        added.out.contains("more.jsonl, row 1") && added.out.contains("more.jsonl, row 3"),
        "{}",
        added.out
    );
    assert_eq!(asif::anchors::AnchorSet::open(&out).unwrap().len(), 7);
}

#[test]
fn an_image_that_the_model_cannot_answer_costs_no_other_its_answer() {
    let fixture = Fixture::new();
    let set = fixture.set();
    let all = ["0.png", "black.png", "1.png", "white.png", "2.png"];
    let answers = fixture.classify(&set, "dog,cat", &all).ok().json_lines();
    assert_eq!(answers.len(), 5);
    for (answer, name) in answers.iter().zip(all) {
        let bad = ["black.png", "white.png"].contains(&name);
        assert_eq!(answer["error"].is_string(), bad, "{answer}");
        match bad {
            true => assert!(answer["error"].as_str().unwrap().contains(name), "{answer}"),
            false => {
                let alone = fixture.classify(&set, "dog,cat", &[name]).ok().json_lines();
                assert_eq!(answer["predictions"], alone[0]["predictions"]);
            }
        }
    }
    fixture
        .classify(&set, "dog,cat", &["black.png"])
        .fails(INPUT, &["black.png", "not finite"]);
    for label in ["void", "bomb"] {
        let labels = format!("dog,{label},cat");
        fixture
            .classify(&set, &labels, &["0.png"])
            .fails(INPUT, &[label, "fragile-text"]);
    }
    let explain = |image: &str| {
        let words = ["explain", "--labels", "dog,cat", "--json"];
        run(fixture
            .asif(&words)
            .arg("--index")
            .arg(&set)
            .args([fixture.at("0.png"), fixture.at(image)]))
    };
    let explained = explain("black.png").ok();
    assert!(explained.out.contains("not finite"), "{}", explained.out);

    let data = fixture.at("data");
    for (class, images) in [("dog", ["0.png", "black.png"]), ("cat", ["1.png", "2.png"])] {
        fs_err::create_dir_all(data.join(class)).unwrap();
        for image in images {
            fs_err::copy(fixture.at(image), data.join(class).join(image)).unwrap();
        }
    }
    let words = ["eval", "zeroshot", "--json"];
    let measured = run(fixture
        .asif(&words)
        .arg("--index")
        .arg(&set)
        .arg("--dataset")
        .arg(&data))
    .ok();
    assert!(measured.err.contains("black.png"), "{}", measured.err);
}

#[test]
fn of_several_encoders_the_one_that_fails_is_named() {
    let fixture = Fixture::new();
    let mut rows = GOOD.to_vec();
    rows.push(("black.png", &["dog"]));
    let pairs = fixture.pairs("mixed.jsonl", &rows);
    let both = format!(
        "{}+{}",
        fixture.at("brightest").display(),
        fixture.at("fragile-image").display()
    );
    let mut command = asif();
    command.args([
        "build",
        "--json",
        "--image-encoder",
        &both,
        "--text-encoder",
    ]);
    command.arg(fixture.at("fragile-text"));
    // The brightest value of a black picture has no direction either, so another is taken.
    let grey = RgbImage::from_fn(20, 20, |x, _| Rgb([if x == 0 { 1 } else { 0 }; 3]));
    grey.save(fixture.at("6.png")).unwrap();
    let built = run(command
        .arg("--pairs")
        .arg(pairs)
        .arg("--out")
        .arg(fixture.at("both.asif")))
    .ok()
    .json();
    assert_eq!((&built["pairs"], &built["skipped"]), (&json!(6), &json!(1)));
    let reason = built["skipped_examples"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("brightest") || reason.contains("fragile-image"),
        "{reason}"
    );
}

#[test]
fn a_client_never_depends_on_what_others_send() {
    let fixture = Fixture::new();
    let set = fixture.set();
    let encoders = fixture.encoders();
    let encoders: Vec<&str> = encoders.iter().map(String::as_str).collect();
    let server = Server::start(&[("good", &set)], &encoders);
    let asked = |images: &[&str]| {
        let images: Vec<String> = images.iter().map(|image| fixture.file(image)).collect();
        json!({"images": images, "labels": ["dog", "cat"], "templates": ["{}"]})
    };
    let alone: Vec<Value> = (0..6)
        .map(|i| {
            server
                .post("/v1/classify", &asked(&[&format!("{i}.png")]))
                .ok()["results"]
                .clone()
        })
        .collect();
    let mixed = server
        .post(
            "/v1/classify",
            &asked(&["0.png", "black.png", "1.png", "white.png"]),
        )
        .ok();
    for (at, word) in [(1, "not finite"), (3, "fails on it")] {
        let error = mixed["results"][at]["error"].as_str().unwrap();
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(
        [&mixed["results"][0], &mixed["results"][2]],
        [&alone[0][0], &alone[1][0]]
    );

    // Six good clients of each route, beside two that send nothing but what cannot be answered.
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let good: Vec<_> = (0..6)
            .map(|i| {
                let (server, fixture, alone, asked) = (&server, &fixture, &alone, &asked);
                scope.spawn(move || {
                    let mut client = server.connect();
                    let name = format!("{i}.png");
                    let url = format!("data:image/png;base64,{}", fixture.file(&name));
                    for round in 0..30 {
                        let answer = client.post("/v1/classify", &asked(&[&name])).ok();
                        assert_eq!(answer["results"], alone[i], "round {round}");
                        let texts = format!("dog cat {}", ["tree", "dog", "cat"][round % 3]);
                        let both = json!({"input": [&url, texts]});
                        client.post("/v1/embeddings", &both).ok();
                        let similar = json!({"images": [&url], "texts": [format!("dog {round}")]});
                        client.post("/v1/similarity", &similar).ok();
                    }
                })
            })
            .collect();
        for bad in ["black.png", "white.png"] {
            let (server, fixture, asked, done) = (&server, &fixture, &asked, &done);
            scope.spawn(move || {
                let mut client = server.connect();
                let word = if bad == "black.png" { "void" } else { "bomb" };
                let file = fixture.file(bad);
                let url = format!("data:image/png;base64,{file}");
                let mut round = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    round += 1;
                    let answer = client.post("/v1/classify", &asked(&[bad])).ok();
                    assert!(answer["results"][0]["error"].is_string());
                    let refused = |path: &str, body: Value, code: &str| {
                        let mut client = server.connect();
                        client.post(path, &body).refused(400, code)
                    };
                    let labels = json!({"candidate_labels": ["dog", "cat"]});
                    refused(
                        "/",
                        json!({"inputs": file, "parameters": labels}),
                        "unusable_input",
                    );
                    refused(
                        "/v1/explain",
                        json!({"image": file, "labels": ["dog", "cat"]}),
                        "unusable_input",
                    );
                    let said = refused(
                        "/v1/embeddings",
                        json!({"input": ["dog", url]}),
                        "unusable_input",
                    );
                    assert!(said.contains("input 2"), "{said}");
                    let text = format!("{word} {round}");
                    let said =
                        refused("/v1/embeddings", json!({"input": [text]}), "unusable_input");
                    assert!(said.contains("input 1"), "{said}");
                    let both = json!({"images": [file], "texts": [text]});
                    refused("/v1/similarity", both, "unusable_input");
                    let labels =
                        json!({"images": [fixture.file("0.png")], "labels": ["dog", text]});
                    let said = refused("/v1/classify", labels, "prompt");
                    assert!(said.contains(&text), "{said}");
                }
            });
        }
        let ended: Vec<_> = good.into_iter().map(|client| client.join()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok));
    });
    assert_eq!(
        server.post("/v1/classify", &asked(&["3.png"])).ok()["results"],
        alone[3]
    );
}
