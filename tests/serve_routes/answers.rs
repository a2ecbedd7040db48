//! Labels and scores: every way of asking for them.

use std::path::Path;

use serde_json::{Value, json};

use crate::serve_support::{base64, data_url, form, picture, question};
use crate::{LABELS, server, support};

/// What `asif classify --json` says of a drawing.
fn command_line(set: &Path, seed: u32) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("a.jpg");
    fs_err::write(&image, support::jpeg(seed)).unwrap();
    let mut command = support::asif();
    command.args(["classify", "--json", "--labels", &LABELS.join(",")]);
    let ended = support::run(command.arg("--index").arg(set).arg(image)).ok();
    ended.json_lines().remove(0)["predictions"].clone()
}

#[test]
fn every_way_of_asking_gives_the_answer_of_the_command_line() {
    let server = server();
    let expected = command_line(support::demo_set(), 5);
    let close = |found: &Value| {
        assert_eq!(labels(found), labels(&expected));
        for (found, expected) in found
            .as_array()
            .unwrap()
            .iter()
            .zip(expected.as_array().unwrap())
        {
            let [a, b] = [found, expected].map(|p| p["score"].as_f64().unwrap());
            assert!((a - b).abs() < 1e-5, "{found} {expected}");
        }
    };

    let asked = json!({"images": [picture(5), data_url(5)], "labels": LABELS});
    let answer = server.post("/v1/classify", &asked).ok();
    assert_eq!(
        (&answer["set"], &answer["generation"]),
        (&json!("demo"), &json!(1))
    );
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    results
        .iter()
        .for_each(|result| close(&result["predictions"]));

    let (kind, body) = form(&[
        ("image", Some("a.jpg"), &support::jpeg(5)),
        ("labels", None, b"a bird"),
        ("labels", None, br#"["a house", "a car"]"#),
        ("set", None, b"again"),
        ("top", None, b"3"),
    ]);
    let headers = [("content-type", kind.as_str())];
    let answer = server
        .connect()
        .send("POST", "/v1/classify", &headers, &body)
        .ok();
    assert_eq!(answer["set"], "again");
    close(&answer["results"][0]["predictions"]);

    let embedded = json!({"input": data_url(5), "model": "demo"});
    let vector = server.post("/v1/embeddings", &embedded).ok()["data"][0]["embedding"].clone();
    let asked = json!({"vectors": [vector], "labels": LABELS});
    close(&server.post("/v1/classify", &asked).ok()["results"][0]["predictions"]);

    for path in ["/", "/models/again"] {
        let asked = json!({"inputs": picture(5), "parameters": {"candidate_labels": LABELS}});
        let answer = server.post(path, &asked).ok();
        close(&answer);
        assert!(answer[0].get("explanation").is_none());
    }
    let asked = json!({"image": picture(5), "labels": LABELS});
    close(&server.post("/v1/explain", &asked).ok()["predictions"]);
}

#[test]
fn a_bad_image_is_one_line_of_a_batch() {
    let server = server();
    let images = json!([
        picture(1),
        "!",
        base64(b"no image"),
        "https://example.org/a.jpg"
    ]);
    let asked = json!({"images": images, "labels": LABELS, "explain": true});
    let results = server.post("/v1/classify", &asked).ok()["results"].clone();
    assert_eq!(results[0]["predictions"].as_array().unwrap().len(), 3);
    assert!(results[0]["explanations"][0]["reasons"].is_array());
    for (at, word) in [(1, "base64"), (2, "image"), (3, "not fetched")] {
        let error = results[at]["error"].as_str().unwrap();
        assert!(error.contains(word), "{error}");
        assert_eq!(results[at]["predictions"], json!([]));
    }
    let asked = json!({"inputs": "!", "parameters": {"candidate_labels": LABELS}});
    server.post("/", &asked).refused(400, "unusable_input");
}

#[test]
fn similarities_are_those_of_labels_without_a_template() {
    let server = server();
    let asked = json!({"images": [picture(1), picture(2)], "texts": LABELS});
    let scores = server.post("/v1/similarity", &asked).ok()["similarities"].clone();
    let asked = json!({"images": [picture(1), picture(2)], "labels": LABELS, "templates": ["{}"]});
    let results = server.post("/v1/classify", &asked).ok()["results"].clone();
    for (row, result) in scores
        .as_array()
        .unwrap()
        .iter()
        .zip(results.as_array().unwrap())
    {
        for (score, label) in row.as_array().unwrap().iter().zip(LABELS) {
            let predictions = result["predictions"].as_array().unwrap();
            let found = predictions.iter().find(|p| p["label"] == label).unwrap();
            let difference = score.as_f64().unwrap() - found["similarity"].as_f64().unwrap();
            assert!(difference.abs() < 1e-4, "{row} {result}");
        }
    }
}

#[test]
fn templates_are_published_names_or_lists_and_never_files() {
    let server = server();
    let ask = |templates: Value| {
        let mut asked = question(1);
        asked["templates"] = templates;
        server.post("/v1/classify", &asked)
    };
    let published = server.get("/v1/templates").ok();
    let published = published.as_array().unwrap();
    assert!(published.len() > 20, "{published:?}");
    for set in published {
        ask(set["name"].clone()).ok();
    }
    let seven = published.iter().find(|set| set["name"] == "clip:imagenet7");
    assert_eq!(seven.unwrap()["count"], 7);
    ask(json!(["a photo of {}", "{}"])).ok();
    ask(json!("/etc/hostname")).refused(400, "no_such_templates");
    ask(json!(["no place"])).refused(400, "labels");
    ask(json!([])).refused(400, "labels");
}

fn labels(predictions: &Value) -> Vec<String> {
    let list = predictions.as_array().unwrap().iter();
    list.map(|p| p["label"].as_str().unwrap().to_owned())
        .collect()
}
