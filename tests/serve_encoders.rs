//! Generations of other encoders than the live one's: other weights of the same ones are a change as
//! any other, and what others made never answers.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod serve_support;
mod support;
mod tiny_onnx;
#[path = "support/waits.rs"]
#[expect(dead_code, reason = "only the load is of use here")]
mod waits;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use asif::anchors::AnchorSet;
use asif::anchors::change::reweigh::reweigh;
use asif::anchors::change::writer::WriteOptions;
use asif::anchors::stored::plan::GraphPolicy;
use asif::modality::{Modality, PerModality};
use serde_json::{Value, json};
use serve_support::{Server, base64, picture};
use tiny_onnx::Dim::{Free, Is};
use tiny_onnx::{Graph, INT64};
use waits::Load;

const PAIRS: usize = 24;
const ADMIN: &str = "an-admin-key-of-the-tests";
const OTHER: PerModality<&[f64]> = PerModality {
    image: &[1.0, 4.0],
    text: &[5.0, 2.0],
};

/// A home with two encoders of each modality that are loaded in no time, and pairs beside it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        tiny_onnx::encoders(bench.0.path());
        tiny_onnx::brightest(bench.0.path());
        let table = [9., 9., 1., 0., 1., 2., 3., 0., 1., 0., 4., 1., 5., 1., -6.];
        let words = [Free("batch"), Free("sequence")];
        let other = Graph::default()
            .input("input_ids", INT64, &words)
            .weight("table", &[5, 3], &table)
            .node("Gather", &["table", "input_ids"], "last_hidden_state")
            .output("last_hidden_state", &[words[0], words[1], Is(3)])
            .input("attention_mask", INT64, &words)
            .build();
        let pooling = br#"{"word_embedding_dimension": 3, "pooling_mode_mean_tokens": true}"#;
        let tokenizer = fs_err::read(bench.at("text/tokenizer.json")).unwrap();
        for (name, content) in [
            ("other/model.onnx", &other[..]),
            ("other/tokenizer.json", &tokenizer),
            ("other/1_Pooling/config.json", pooling),
        ] {
            let path = bench.at(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
        }
        for name in ["image", "brightest", "text", "other"] {
            let mut command = bench.asif(&["models", "add", name]);
            support::run(command.arg(bench.at(name))).ok();
        }
        bench
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn asif(&self, words: &[&str]) -> Command {
        let mut command = support::bare(self.0.path());
        let runtime = support::home().runtime_library();
        command.args(words).env("ASIF_ONNXRUNTIME", runtime);
        command
    }

    fn build(&self, name: &str, images: &str, texts: &str) -> PathBuf {
        let words = ["dog", "cat", "tree", "dog cat", "tree dog"];
        let pair = |i: usize| {
            let image = self.at(&format!("{i}.png"));
            let drawing = support::drawing(40, 30, i as u32);
            drawing.save(&image).unwrap();
            json!({"id": format!("p{i}"), "image": image.display().to_string(),
                   "captions": [words[i % 5], words[(i + 1) % 3]]})
        };
        let records: Vec<_> = (0..PAIRS).map(pair).collect();
        let pairs = support::write_jsonl(self.0.path(), "pairs.jsonl", &records);
        let set = self.at(&format!("{name}.asif"));
        let mut command = self.asif(&["build", "--quiet", "--image-encoder", images]);
        command
            .args(["--text-encoder", texts, "--pairs"])
            .arg(pairs);
        support::run(command.arg("--out").arg(&set)).ok();
        set
    }

    fn serve(&self, sets: &[(&str, &Path)]) -> Server {
        let key = self.at("admin-key");
        fs_err::write(&key, ADMIN).unwrap();
        let (home, runtime) = (self.at("home"), support::home().runtime_library());
        let environment: [(&str, &Path); 2] =
            [("ASIF_HOME", &home), ("ASIF_ONNXRUNTIME", &runtime)];
        let (key, uploads) = (key.display().to_string(), self.at("uploads"));
        let uploads = uploads.display().to_string();
        let more = ["--admin-key-file", &key, "--uploads", &uploads];
        Server::try_start_in(&environment, sets, &more).unwrap_or_else(|e| panic!("{}", e.err))
    }
}

/// A generation of the same pairs with other weights, as `asif tune --apply` writes it.
fn change_weights(set: &Path) {
    let space = AnchorSet::open(set).unwrap().manifest().space.clone();
    let change = ("tune", "other weights".to_owned());
    let options = WriteOptions::default();
    reweigh(set, OTHER, &space, change, GraphPolicy::Auto, &options).unwrap();
}

fn question() -> Value {
    json!({"images": [picture(3), picture(9)], "labels": ["dog", "cat", "tree"],
           "templates": ["{}", "{} dog"], "explain": true})
}

/// What the routes answer whose answers come of vectors.
fn answers(server: &Server, set: &str) -> BTreeMap<&'static str, Value> {
    let mut asked = question();
    asked["set"] = set.into();
    let mut without = asked.clone();
    without["without"] = json!({"ids": ["p4", "p5"]});
    let labels = json!(["dog", "cat", "tree"]);
    let zero_shot = format!("/models/{set}");
    let image = format!("data:image/jpeg;base64,{}", picture(3));
    [
        ("classify", "/v1/classify", asked),
        ("without", "/v1/classify", without),
        (
            "explain",
            "/v1/explain",
            json!({"set": set, "image": picture(5), "labels": labels,
                   "label": "cat", "templates": ["{}"]}),
        ),
        (
            "zero-shot",
            &zero_shot,
            json!({"inputs": picture(7), "parameters":
                   {"candidate_labels": labels, "hypothesis_template": "{}"}}),
        ),
        (
            "similarity",
            "/v1/similarity",
            json!({"set": set, "images": [picture(2)], "texts": ["a dog", "tree cat"]}),
        ),
        (
            "absolute",
            "/v1/embeddings",
            json!({"model": set, "input": [image, "dog tree"]}),
        ),
        (
            "relative",
            "/v1/embeddings",
            json!({"model": set, "input": [image, "cat"], "space": "relative"}),
        ),
    ]
    .into_iter()
    .map(|(name, path, body)| (name, server.post(path, &body).ok()))
    .collect()
}

/// The largest distance of two numbers of equal answers, and where; none of answers that differ in
/// anything else.
fn distance(a: &Value, b: &Value) -> Option<(f64, String)> {
    let largest = |parts: Vec<Option<(f64, String)>>| {
        let parts: Option<Vec<_>> = parts.into_iter().collect();
        let farther = |a: (f64, String), b: (f64, String)| if b.0 > a.0 { b } else { a };
        Some(parts?.into_iter().fold((0.0, String::new()), farther))
    };
    let below = |key: &str, found: Option<(f64, String)>| {
        found.map(|(distance, place)| (distance, format!("{key}/{place}")))
    };
    match (a, b) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            largest(a.iter().zip(b).map(|(a, b)| distance(a, b)).collect())
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            let pairs = a.iter().zip(b.values());
            largest(
                pairs
                    .map(|((key, a), b)| below(key, distance(a, b)))
                    .collect(),
            )
        }
        (Value::Number(a), Value::Number(b)) => {
            Some(((a.as_f64()? - b.as_f64()?).abs(), String::new()))
        }
        (a, b) => (a == b).then_some((0.0, String::new())),
    }
}

/// Whether two answers are equal, but for the rounding of vectors: the softmax is of twenty times the
/// similarity, and shares are of its eighth power.
fn same(a: &Value, b: &Value) -> bool {
    distance(a, b).is_some_and(|(distance, _)| distance <= 3e-6)
}

#[track_caller]
fn assert_same(a: &BTreeMap<&str, Value>, b: &BTreeMap<&str, Value>) {
    for ((name, a), b) in a.iter().zip(b.values()) {
        assert!(same(a, b), "{name}: {:?}: {a}\n{b}", distance(a, b));
    }
}

#[test]
fn other_weights_go_live_as_any_generation_does() {
    let bench = Bench::new();
    let set = bench.build("set", "image+brightest", "text+other");
    let server = bench.serve(&[("a", &set)]);
    let before = answers(&server, "a");
    let load = Load::default();
    let seen: Mutex<BTreeMap<u64, Vec<Value>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = server.connect();
                while load.goes_on() {
                    let answer = client.post("/v1/classify", &question()).ok();
                    let generation = answer["generation"].as_u64().unwrap();
                    let mut seen = seen.lock().unwrap();
                    let of_generation = seen.entry(generation).or_default();
                    if !of_generation.contains(&answer) {
                        of_generation.push(answer);
                    }
                }
            });
        }
        let _load = load.until_dropped();
        change_weights(&set);
        server.wait_for_health(|health| health["sets"][0]["generation"] == 2);
        server.post("/v1/classify", &question()).ok();
    });
    assert_eq!(server.get("/health").ok()["status"], "ok");
    let encoders = &server.get("/v1/sets").ok()[0]["encoders"];
    assert_eq!(encoders["image"]["name"], "image:0.2+brightest:0.8");

    let late = bench.serve(&[("a", &set)]);
    let (after, anew) = (answers(&server, "a"), answers(&late, "a"));
    assert_same(&after, &anew);
    for (name, after) in &after {
        assert!(!same(after, &before[name]), "{name}: the weights change it");
    }
    for (generation, found) in seen.into_inner().unwrap() {
        let expected = [&before, &anew][generation as usize - 1];
        for answer in found {
            assert!(same(&answer, &expected["classify"]), "{answer}");
        }
    }

    // Each generation has its own weights, whichever the server was started with.
    let mut asked = question();
    asked["generation"] = 1.into();
    for server in [&server, &late] {
        let answer = server.post("/v1/classify", &asked).ok();
        assert!(same(&answer, &before["classify"]), "{answer}");
    }
}

#[test]
fn pairs_are_added_at_the_weights_of_the_live_generation() {
    let bench = Bench::new();
    let set = bench.build("set", "image+brightest", "text+other");
    let server = bench.serve(&[("a", &set)]);
    change_weights(&set);
    let drawing = base64(&support::jpeg(77));
    let pair = json!({"id": "new", "image": drawing, "captions": ["dog dog cat"]});
    let added = server.post_with("/admin/sets/a/add", ADMIN, &json!({"pairs": [pair]}));
    let added = added.ok();
    assert_eq!(
        (&added["live"], &added["degraded"]),
        (&json!(3), &json!(null))
    );

    let opened = AnchorSet::open(&set).unwrap();
    assert_eq!(
        opened.encoder(Modality::Text).identity.members[0].weight,
        0.7143
    );
    let stored = [Modality::Image, Modality::Text].map(|modality| {
        let vector = opened.vector(PAIRS as u32, modality).unwrap();
        json!(vector)
    });
    let late = bench.serve(&[("a", &set)]);
    for server in [&server, &late] {
        let input = [
            format!("data:image/jpeg;base64,{drawing}"),
            "dog dog cat".into(),
        ];
        let made = server.post("/v1/embeddings", &json!({"input": input})).ok();
        for (made, stored) in made["data"].as_array().unwrap().iter().zip(&stored) {
            assert!(same(&made["embedding"], stored), "{made} {stored}");
        }
    }
    assert_same(&answers(&server, "a"), &answers(&late, "a"));
}

#[test]
fn sets_of_the_same_encoders_with_other_weights_are_served_together() {
    let bench = Bench::new();
    let even = bench.build("even", "image+brightest", "text+other");
    let other = bench.build("other-weights", "image:1+brightest:4", "text:5+other:2");
    let both = bench.serve(&[("even", &even), ("other", &other)]);
    for (name, set) in [("even", &even), ("other", &other)] {
        let alone = bench.serve(&[(name, set)]);
        assert_same(&answers(&both, name), &answers(&alone, name));
    }
    // The content of one goes live in the other.
    let swap = json!({"from": "other"});
    let swapped = both.post_with("/admin/sets/even/swap", ADMIN, &swap).ok();
    assert!(swapped["degraded"].is_null(), "{swapped}");
    let late = bench.serve(&[("even", &even)]);
    assert_same(&answers(&both, "even"), &answers(&late, "even"));
}

#[test]
fn a_generation_of_other_encoders_is_refused_also_by_its_number() {
    let bench = Bench::new();
    let set = bench.build("set", "image", "text");
    let strange = bench.build("strange", "brightest", "text");
    let server = bench.serve(&[("a", &set)]);
    let before = answers(&server, "a");
    let mut swap = bench.asif(&["swap", "--quiet"]);
    support::run(swap.arg(&set).arg("--from").arg(&strange)).ok();
    let health = server.wait_for_health(|health| health["status"] == "degraded");
    let reason = health["sets"][0]["reason"].as_str().unwrap();
    let names_both = |said: &str| {
        ["encoder brightest (", "with image ("]
            .iter()
            .all(|name| said.contains(name))
    };
    assert!(names_both(reason), "{reason}");

    let lies = set.display().to_string();
    for path in ["/v1/classify", "/v1/explain", "/v1/similarity"] {
        let asked = json!({"generation": 2, "labels": ["dog"], "texts": ["dog"],
                           "image": picture(1), "images": [picture(1)]});
        let wanted: &[&str] = match path {
            "/v1/classify" => &["generation", "labels", "images"],
            "/v1/explain" => &["generation", "labels", "image"],
            _ => &["generation", "texts", "images"],
        };
        let asked: Value = wanted
            .iter()
            .map(|&f| (f.to_owned(), asked[f].clone()))
            .collect();
        let message = server.post(path, &asked).refused(409, "other_encoders");
        assert!(names_both(&message), "{message}");
        assert!(!message.contains(&lies), "{message}");
    }
    let map = server.get("/v1/sets/a/map?generation=2");
    map.refused(409, "other_encoders");
    assert_eq!(answers(&server, "a"), before);
    support::run(bench.asif(&["rollback", "--quiet"]).arg(&set)).ok();
    server.wait_for_health(|health| health["status"] == "ok");
}
