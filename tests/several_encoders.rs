//! Several encoders of a modality: the similarity is the weighted mean of theirs, each is cached by
//! itself, and weights can be changed without encoding.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod support;
mod synthetic;
mod tiny_onnx;

use std::path::{Path, PathBuf};
use std::process::Command;

use asif::anchors::AnchorSet;
use asif::anchors::change::reweigh::reweigh;
use asif::anchors::change::writer::WriteOptions;
use asif::anchors::stored::plan::GraphPolicy;
use asif::modality::{Modality, PerModality};
use serde_json::json;
use support::{Ended, bare, drawing, home, run, write_jsonl};

const PAIRS: usize = 12;

/// A home with two image encoders, the mean and the brightest of each channel, and a text encoder;
/// pairs beside it.
struct Bench {
    folder: tempfile::TempDir,
    pairs: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        tiny_onnx::encoders(folder.path());
        tiny_onnx::brightest(folder.path());
        let words = ["dog", "cat", "tree", "dog cat"];
        let pair = |i: usize| {
            let image = at(&format!("{i}.png"));
            drawing(40, 30, i as u32).save(&image).unwrap();
            json!({"id": format!("p{i}"), "image": image.display().to_string(),
                   "captions": [words[i % 4], words[(i + 1) % 3]]})
        };
        let records: Vec<_> = (0..PAIRS).map(pair).collect();
        let pairs = write_jsonl(folder.path(), "pairs.jsonl", &records);
        let bench = Self { folder, pairs };
        for name in ["image", "brightest", "text"] {
            bench
                .asif(&["models", "add", name])
                .arg(bench.at(name))
                .ok();
        }
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn asif(&self, words: &[&str]) -> Ready {
        let mut command = bare(self.folder.path());
        command
            .args(words)
            .env("ASIF_ONNXRUNTIME", home().runtime_library());
        Ready(command)
    }

    fn build(&self, name: &str, encoders: &str) -> (PathBuf, serde_json::Value) {
        let set = self.at(name);
        let words = [
            "build",
            "--text-encoder",
            "text",
            "--image-encoder",
            encoders,
            "--json",
        ];
        let built = self
            .asif(&words)
            .arg("--pairs")
            .arg(&self.pairs)
            .arg("--out")
            .arg(&set)
            .ok();
        (set, built.json())
    }
}

struct Ready(Command);

impl Ready {
    fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    fn ended(mut self) -> Ended {
        run(&mut self.0)
    }

    fn ok(self) -> Ended {
        self.ended().ok()
    }
}

/// The similarities of all pairs of images of a set, row by row.
fn similarities(set: &Path) -> Vec<f32> {
    let set = AnchorSet::open(set).unwrap();
    let vector = |i: usize| set.vector(i as u32, Modality::Image).unwrap();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    (0..PAIRS * PAIRS)
        .map(|at| dot(vector(at / PAIRS), vector(at % PAIRS)))
        .collect()
}

#[test]
fn similarities_are_averaged_and_each_encoder_is_cached_by_itself() {
    let bench = Bench::new();
    let (mean, _) = bench.build("mean.asif", "image");
    let (most, _) = bench.build("most.asif", "brightest");
    let (both, report) = bench.build("both.asif", "image:3+brightest:1");
    // Two images a pair, and the four captions that there are.
    assert_eq!(report["from_cache"], 2 * PAIRS + 4);
    let (mean, most) = (similarities(&mean), similarities(&most));
    assert_ne!(mean, most);
    for ((a, b), joined) in mean.iter().zip(most).zip(similarities(&both)) {
        assert!(
            (0.75 * a + 0.25 * b - joined).abs() < 1e-6,
            "{a} {b} {joined}"
        );
    }
    let inspected = bench.asif(&["inspect", "--json"]).arg(&both).ok().json();
    let encoder = &inspected["image_encoder"];
    assert_eq!(encoder["name"], "image:0.75+brightest:0.25");
    assert_eq!(encoder["members"][1]["weight"], 0.25);

    // The recorded name opens the encoders again.
    let photo = bench.at("3.png");
    let words = ["classify", "--labels", "dog,cat,tree", "--index"];
    bench.asif(&words).arg(&both).arg(&photo).ok();
    let other = bench.asif(&[
        "classify",
        "--image-encoder",
        "image+brightest",
        "--labels",
        "dog",
    ]);
    let other = other.arg("--index").arg(&both).arg(&photo).ended();
    other.fails(3, &["image+brightest", "image:0.75+brightest:0.25"]);
}

#[test]
fn other_weights_are_what_a_build_with_them_would_be() {
    let bench = Bench::new();
    let (built, _) = bench.build("built.asif", "image:1+brightest:4");
    let (set, _) = bench.build("set.asif", "image+brightest");
    let even = similarities(&set);
    let space = AnchorSet::open(&set).unwrap().manifest().space.clone();
    let change = ("tune", "other weights".to_owned());
    let options = WriteOptions::default();
    let weights = PerModality::<&[f64]> {
        image: &[1.0, 4.0],
        text: &[1.0],
    };
    reweigh(&set, weights, &space, change, GraphPolicy::Auto, &options).unwrap();
    for (a, b) in similarities(&built).iter().zip(similarities(&set)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let opened = [&built, &set].map(|path| AnchorSet::open(path).unwrap());
    let [a, b] = opened.each_ref().map(|set| set.encoder(Modality::Image));
    assert_eq!(a.identity, b.identity);
    for (x, y) in a.canary.iter().zip(&b.canary) {
        assert!((x - y).abs() < 1e-6);
    }
    bench.asif(&["verify"]).arg(&set).ok();
    let words = ["classify", "--labels", "dog,cat,tree", "--index"];
    bench.asif(&words).arg(&set).arg(bench.at("3.png")).ok();
    bench.asif(&["rollback"]).arg(&set).ok();
    assert_eq!(similarities(&set), even);
}

#[test]
fn a_purge_reaches_the_cache_of_each_encoder() {
    let bench = Bench::new();
    let (set, _) = bench.build("set.asif", "image:3+brightest:1");
    // Stored at other lengths than those that are cached, and rounded twice.
    let space = AnchorSet::open(&set).unwrap().manifest().space.clone();
    let change = ("tune", "other weights".to_owned());
    let options = WriteOptions::default();
    let weights = PerModality::<&[f64]> {
        image: &[1.0, 4.0],
        text: &[1.0],
    };
    reweigh(&set, weights, &space, change, GraphPolicy::Auto, &options).unwrap();
    // The image is gone, so that its embeddings are known by their vectors alone.
    fs_err::remove_file(bench.at("5.png")).unwrap();
    bench
        .asif(&["anchors", "remove", "--id", "p5"])
        .arg(&set)
        .ok();
    let purged = bench
        .asif(&["audit", "--purge", "--json"])
        .arg(&set)
        .ok()
        .json();
    // Two embeddings of the removed pair's image, known by their directions, and two captions. Those of
    // live pairs stay, though the segment with the old weights stored them as well.
    assert_eq!(purged["embeddings_forgotten"], 2 + 2, "{purged}");
}

#[test]
fn encoders_that_cannot_be_asked_as_one_are_refused() {
    let bench = Bench::new();
    let out = bench.at("none.asif");
    for (encoders, code, said) in [
        ("image+image", 2, "image is named twice"),
        ("image:0+brightest", 2, "image has the weight 0"),
        ("image+", 2, "a name is missing"),
        ("image:much+brightest", 2, "is not a weight"),
        ("image+text", 4, "text"),
    ] {
        let words = [
            "build",
            "--text-encoder",
            "text",
            "--image-encoder",
            encoders,
        ];
        let ended = bench
            .asif(&words)
            .arg("--pairs")
            .arg(&bench.pairs)
            .arg("--out")
            .arg(&out);
        ended.ended().fails(code, &[said]);
        assert!(!out.exists());
    }
}
