//! The set changes while the server answers: nothing fails, nothing is mixed, and what is damaged
//! does not answer.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod serve_support;
mod support;
#[path = "support/waits.rs"]
#[expect(dead_code, reason = "only the load is of use here")]
mod waits;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use serve_support::{Server, build, data_url, question};
use waits::Load;

const ADMIN: &str = "an-admin-key-of-the-tests";
const SWAPS: u64 = 1_000;

fn admin_key(folder: &Path) -> String {
    let file = folder.join("admin-key");
    fs_err::write(&file, ADMIN).unwrap();
    file.display().to_string()
}

/// Two halves of the demo pairs as two sets; their pairs tell them apart.
fn halves(folder: &Path) -> [std::path::PathBuf; 2] {
    let records = support::demo_pairs(60);
    let mark = |name: &str, records: &[Value]| {
        let marked: Vec<Value> = records
            .iter()
            .map(|record| {
                let mut record = record.clone();
                record["id"] = format!("{name}/{}", record["id"].as_str().unwrap()).into();
                record
            })
            .collect();
        build(folder, name, &marked)
    };
    [mark("even", &records[..30]), mark("odd", &records[30..])]
}

#[test]
fn swaps_under_load_fail_nothing_and_mix_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [even, odd] = halves(folder.path());
    let key = admin_key(folder.path());
    let sets: [(&str, &Path); 2] = [("even", &even), ("odd", &odd)];
    let server = Server::start(&sets, &["--admin-key-file", &key]);
    let embedded = json!({"input": data_url(4)});
    let vector = server.post("/v1/embeddings", &embedded).ok()["data"][0]["embedding"].clone();
    let ask = |set: &str| json!({"set": set, "vectors": [vector], "labels": ["a bird", "a house"], "explain": true});
    // What each content answers, by the name that its pairs carry.
    let mut expected = HashMap::new();
    for name in ["even", "odd"] {
        let answer = server.post("/v1/classify", &ask(name)).ok();
        let predictions = answer["results"][0]["predictions"].clone();
        expected.insert(name.to_owned(), predictions.to_string());
    }
    assert_ne!(expected["even"], expected["odd"]);

    let load = Load::default();
    let answered = AtomicU64::new(0);
    let seen: Mutex<HashMap<u64, String>> = Mutex::default();
    let check = |answer: &Value| {
        let result = &answer["results"][0];
        let reasons = result["explanations"][0]["reasons"].as_array().unwrap();
        let mut contents: Vec<&str> = reasons
            .iter()
            .map(|r| r["id"].as_str().unwrap().split('/').next().unwrap())
            .collect();
        contents.dedup();
        let [content] = contents[..] else {
            panic!("pairs of several generations: {answer}");
        };
        assert_eq!(
            result["predictions"].to_string(),
            expected[content],
            "{answer}"
        );
        let generation = answer["generation"].as_u64().unwrap();
        let mut seen = seen.lock().unwrap();
        let known = seen.entry(generation).or_insert_with(|| content.to_owned());
        assert_eq!(known, content, "generation {generation} means two things");
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = server.connect();
                while load.goes_on() {
                    check(&client.post("/v1/classify", &ask("even")).ok());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _load = load.until_dropped();
        for swap in 1..=SWAPS {
            // Each rollback goes back to what was before its swap.
            let (what, body) = match swap % 2 {
                1 => ("swap", json!({"from": "odd", "keep": 3})),
                _ => ("rollback", json!({"keep": 3})),
            };
            let path = format!("/admin/sets/even/{what}");
            let done = server.post_with(&path, ADMIN, &body).ok();
            assert_eq!(done["live"], 1 + swap);
            assert!(done["degraded"].is_null(), "{done}");
        }
    });
    assert!(answered.load(Ordering::Relaxed) > SWAPS);
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() > 2, "the load saw several generations: {seen:?}");
    assert_eq!(server.get("/health").ok()["status"], "ok");
}

#[test]
fn a_damaged_generation_does_not_answer_and_health_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let [even, odd] = halves(folder.path());
    let server = Server::start(&[("a", &even)], &[]);
    let before = server.post("/v1/classify", &question(2)).ok();
    // What goes live has lost a bit, which opening it does not show.
    damage_all(&odd, "image.vec");
    let mut command = support::bare(folder.path());
    command.args(["swap", "--quiet"]).arg(&even);
    support::run(command.arg("--from").arg(&odd)).ok();
    let health = server.wait_for_health(|health| health["status"] == "degraded");
    assert_eq!(health["sets"][0]["generation"], 1);
    let reason = health["sets"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("image.vec"), "{reason}");
    // Anybody may ask for the health; where sets lie is the operator's to know.
    let lies = folder.path().to_str().unwrap();
    assert!(!reason.contains(lies), "{reason}");
    assert!(server.log().contains(lies), "{}", server.log());
    // Nor does it answer who names it.
    let mut asked = question(2);
    asked["generation"] = json!(2);
    let refused = server.post("/v1/classify", &asked);
    let message = refused.refused(409, "damaged");
    assert!(message.contains("image.vec"), "{message}");
    // The command for it is the operator's to know too.
    assert!(!message.contains("asif repair"), "{message}");
    let advice = format!("asif repair {}", even.display());
    assert!(server.log().contains(&advice), "{}", server.log());
    assert!(!message.contains(lies), "{message}");
    assert_eq!(server.post("/v1/classify", &question(2)).ok(), before);
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("asif_degraded{set=\"a\"} 1"), "{metrics}");
    assert!(server.get("/v1/sets").ok()[0]["degraded"].is_string());
    // A server that starts now does the same.
    let late = Server::start(&[("a", &even)], &[]);
    assert_eq!(late.get("/health").ok()["status"], "degraded");
    assert_eq!(late.post("/v1/classify", &question(2)).ok(), before);
    let mut command = support::bare(folder.path());
    support::run(command.args(["rollback", "--quiet"]).arg(&even)).ok();
    server.wait_for_health(|health| health["status"] == "ok");
    late.wait_for_health(|health| health["status"] == "ok");
}

/// Changes a bit in the middle of a file of every segment.
fn damage_all(set: &Path, file: &str) {
    for segment in support::names_in(&set.join("segments")) {
        let path = set.join("segments").join(segment).join(file);
        let mut bytes = fs_err::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs_err::write(&path, bytes).unwrap();
    }
}
