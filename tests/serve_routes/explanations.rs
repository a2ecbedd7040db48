//! The pairs behind an answer, and the answer without some of them.

use serde_json::{Value, json};

use crate::serve_support::{Server, picture};
use crate::{LABELS, server, support};

#[test]
fn an_explanation_adds_up_and_its_pictures_load() {
    let server = server();
    let asked = json!({"image": picture(5), "labels": LABELS, "label": "a car", "top": 4});
    let answer = server.post("/v1/explain", &asked).ok();
    assert_eq!(answer["label"], "a car");
    let amount = |entry: &Value| entry["contribution"].as_f64().unwrap();
    let list = |name: &str| {
        answer[name]
            .as_array()
            .unwrap()
            .iter()
            .map(amount)
            .sum::<f64>()
    };
    let sum = list("reasons")
        + list("against")
        + list("unsplit")
        + amount(&answer["others"])
        + answer["offset"].as_f64().unwrap();
    let similarity = answer["similarity"].as_f64().unwrap();
    assert!((sum - similarity).abs() < 1e-4, "{sum} {similarity}");
    let by_part = list("parts") + answer["offset"].as_f64().unwrap();
    assert!(
        (by_part - similarity).abs() < 1e-4,
        "{by_part} {similarity}"
    );
    assert_eq!(answer["reasons"].as_array().unwrap().len(), 4);
    for reason in answer["reasons"].as_array().unwrap() {
        let picture = server.get(reason["image"].as_str().unwrap());
        assert_eq!(picture.status, 200);
        // Cut-out pictures keep their transparency, others need none.
        let format = image::guess_format(&picture.body).unwrap();
        assert!([image::ImageFormat::Png, image::ImageFormat::Jpeg].contains(&format));
        let mime = format.to_mime_type();
        assert_eq!(picture.header("content-type"), Some(mime));
        let read = image::load_from_memory(&picture.body).unwrap();
        assert!(read.width().max(read.height()) <= 256);
        let path = format!("/v1/sets/demo/anchors/{}", reason["anchor"]);
        let anchor = server.get(&path).ok();
        assert_eq!(anchor["id"], reason["id"]);
        assert_eq!(anchor["captions"], reason["captions"]);
    }
    let asked = json!({"image": picture(5), "labels": LABELS, "label": "a boat"});
    server
        .post("/v1/explain", &asked)
        .refused(400, "no_such_label");
}

#[test]
fn pairs_can_be_thought_away() {
    let server = server();
    let ask = |without: Value| {
        let mut asked = json!({"image": picture(5), "labels": LABELS, "label": "a car"});
        asked["without"] = without;
        server.post("/v1/explain", &asked)
    };
    let whole = ask(Value::Null).ok();
    let best = whole["reasons"][0].clone();
    let ids = json!({"ids": [best["id"]]});
    let rest = ask(ids.clone()).ok();
    assert_ne!(rest["similarity"], whole["similarity"]);
    assert_eq!(rest["generation"], 1);
    for reason in rest["reasons"].as_array().unwrap() {
        assert_ne!(reason["id"], best["id"]);
        // Numbers are the generation's own, though pairs before them are excluded.
        let path = format!("/v1/sets/demo/anchors/{}?generation=1", reason["anchor"]);
        assert_eq!(server.get(&path).ok()["id"], reason["id"]);
    }
    // Those with a value and those with an id together, as all their ids say it.
    let category = "animals/amphibians";
    let named = json!({"where": [format!("category={category}")], "ids": [best["id"]]});
    let mut all: Vec<Value> = support::demo_pairs(60);
    all.retain(|record| record["category"] == category);
    let mut all: Vec<&Value> = all.iter().map(|record| &record["id"]).collect();
    assert!(all.len() > 1 && !all.contains(&&best["id"]), "{all:?}");
    all.push(&best["id"]);
    let both = ask(named).ok();
    assert_eq!(both, ask(json!({"ids": all})).ok());
    assert_ne!(both["similarity"], rest["similarity"]);
    // It is what the set would answer after the removal.
    let folder = tempfile::tempdir().unwrap();
    let mut records = support::demo_pairs(60);
    records.retain(|record| record["id"] != best["id"]);
    assert_eq!(records.len(), 59);
    let pairs = support::write_jsonl(folder.path(), "rest.jsonl", &records);
    let set = folder.path().join("rest.asif");
    let mut command = support::asif();
    command.args(["build", "--quiet", "--pairs"]).arg(pairs);
    support::run(command.arg("--out").arg(&set)).ok();
    let without = Server::start(&[("rest", &set)], &[]);
    let asked = json!({"image": picture(5), "labels": LABELS, "label": "a car"});
    let answer = without.post("/v1/explain", &asked).ok();
    let score = |answer: &Value| answer["similarity"].as_f64().unwrap();
    assert!(
        (score(&answer) - score(&rest)).abs() < 1e-4,
        "{answer} {rest}"
    );

    ask(json!("source=nowhere")).refused(400, "unusable");
    ask(json!("nonsense")).refused(400, "unusable");
    ask(json!({"ids": ["no such id"]})).refused(400, "no_such_pair");
    ask(json!({"ids": []})).refused(400, "empty");
    ask(json!({"where": ["source=nowhere"], "ids": [best["id"]]})).refused(400, "unusable");
    ask(json!({"id": [best["id"]]})).refused(400, "wrong_fields");
}
