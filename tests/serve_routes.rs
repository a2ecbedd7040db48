//! Every route of the server, asked by a plain client.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests may panic as the tests do"
)]

mod serve_support;
mod support;

use std::path::Path;

use serde_json::{Value, json};
use serve_support::{Server, base64, build, data_url, form, picture, question};

const LABELS: [&str; 3] = ["a bird", "a house", "a car"];

/// A server of the demo set under two names, for the tests that change nothing.
fn server() -> Server {
    let set = support::demo_set();
    Server::start(&[("demo", set), ("again", set)], &[])
}

fn labels(predictions: &Value) -> Vec<String> {
    let list = predictions.as_array().unwrap().iter();
    list.map(|p| p["label"].as_str().unwrap().to_owned())
        .collect()
}

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
        // Numbers are the generation's own, though pairs before them are thought away.
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

#[test]
fn embeddings_have_openais_form() {
    let server = server();
    let asked = json!({"input": ["a cat", data_url(3), "two dogs"], "model": "demo"});
    let answer = server.post("/v1/embeddings", &asked).ok();
    assert_eq!(answer["object"], "list");
    let data = answer["data"].as_array().unwrap();
    let lengths: Vec<_> = data
        .iter()
        .map(|d| d["embedding"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [384, 1280, 384]);
    for (index, entry) in data.iter().enumerate() {
        assert_eq!(entry["index"], index);
        let square = |v: &Value| v.as_f64().unwrap().powi(2);
        let norm: f64 = entry["embedding"]
            .as_array()
            .unwrap()
            .iter()
            .map(square)
            .sum();
        assert!((norm - 1.0).abs() < 1e-4);
    }
    assert!(answer["usage"]["prompt_tokens"].as_u64().unwrap() >= 6);

    let asked = json!({"input": "a cat", "encoding_format": "base64"});
    let text = server.post("/v1/embeddings", &asked).ok()["data"][0]["embedding"].clone();
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text.as_str().unwrap())
        .unwrap();
    let first = f64::from(f32::from_le_bytes(*bytes.first_chunk().unwrap()));
    assert_eq!(bytes.len(), 4 * 384);
    assert!((first - data[0]["embedding"][0].as_f64().unwrap()).abs() < 1e-6);

    let asked = json!({"input": ["a cat", data_url(3)], "space": "relative"});
    for entry in server.post("/v1/embeddings", &asked).ok()["data"]
        .as_array()
        .unwrap()
    {
        assert_eq!(
            entry["embedding"].as_array().unwrap().len(),
            60,
            "a number an anchor"
        );
    }
    let asked = json!({"input": "a cat", "dimensions": 12});
    server
        .post("/v1/embeddings", &asked)
        .refused(400, "dimensions");
    let asked = json!({"input": [[1, 2]]});
    server
        .post("/v1/embeddings", &asked)
        .refused(400, "wrong_fields");
    let asked = json!({"input": "a cat", "model": "gpt"});
    server
        .post("/v1/embeddings", &asked)
        .refused(404, "no_such_set");
    let models = server.get("/v1/models").ok();
    assert_eq!(
        (&models["data"][0]["id"], &models["data"][1]["id"]),
        (&json!("demo"), &json!("again"))
    );
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

#[test]
fn sets_tell_what_they_hold() {
    let server = server();
    let sets = server.get("/v1/sets").ok();
    assert_eq!(sets[0]["name"], "demo");
    assert_eq!(sets[0]["anchors"], 60);
    assert_eq!(sets[0]["encoders"]["text"]["dim"], 384);
    assert_eq!(sets[0]["sources"][0]["count"], 60);

    let map = server.get("/v1/sets/demo/map").ok();
    let points = map["points"].as_array().unwrap();
    assert_eq!(points.len(), 60);
    let sources = map["sources"].as_array().unwrap().len() as u64;
    for point in points {
        let point: [u64; 3] = serde_json::from_value(point.clone()).unwrap();
        assert!(point[0] <= 4095 && point[1] <= 4095 && point[2] < sources);
    }
    assert_eq!(server.get("/v1/sets/demo/map").ok(), map);

    let history = server.get("/v1/sets/demo/generations").ok();
    assert_eq!(history[0]["generation"], 1);
    assert_eq!(
        (&history[0]["live"], &history[0]["kept"]),
        (&json!(true), &json!(true))
    );

    let info = server.get("/info").ok();
    assert_eq!(info["sets"], json!(["demo", "again"]));
    assert_eq!(server.get("/ready").ok(), json!({"ready": true}));
    assert_eq!(server.get("/health").ok()["status"], "ok");
    let metrics = server.get("/metrics");
    assert!(
        metrics.text().contains("asif_generation{set=\"demo\"} 1"),
        "{}",
        metrics.text()
    );
    assert!(metrics.text().ends_with("# EOF\n"));
}

#[test]
fn the_page_is_served_with_a_policy() {
    let server = server();
    for path in ["/", "/page/index.html"] {
        let page = server.get(path);
        assert_eq!(page.status, 200);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'"), "{policy}");
        assert!(
            page.header("content-type")
                .unwrap()
                .starts_with("text/html")
        );
    }
    server.get("/page/none.js").refused(404, "no_file");
}

#[test]
fn the_openapi_document_is_the_one_that_is_checked_in() {
    let served = server().get("/openapi.json").ok();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os("ASIF_UPDATE_OPENAPI").is_some() {
        let text = serde_json::to_string_pretty(&served).unwrap() + "\n";
        fs_err::write(&path, text).unwrap();
    }
    let text = fs_err::read_to_string(&path).unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    assert!(
        kept == served,
        "docs/openapi.json is not what the server serves; run this test with ASIF_UPDATE_OPENAPI=1"
    );
}

#[test]
fn a_request_keeps_its_id() {
    let server = server();
    let headers = [("x-request-id", "mine-17")];
    let answer = server
        .connect()
        .send("GET", "/v1/sets/none/map", &headers, b"");
    assert_eq!(answer.header("x-request-id"), Some("mine-17"));
    answer.refused(404, "no_such_set");
    assert!(server.log().contains("\"mine-17\""), "{}", server.log());
}

#[test]
fn an_older_generation_can_be_asked() {
    let folder = tempfile::tempdir().unwrap();
    let set = build(folder.path(), "old", &support::demo_pairs(30));
    let server = Server::start(&[("old", &set)], &[]);
    let before = server.post("/v1/classify", &question(2)).ok();
    let id = support::demo_pairs(1)[0]["id"].as_str().unwrap().to_owned();
    let mut command = support::asif();
    command
        .args(["anchors", "remove", "--quiet", "--id", &id])
        .arg(&set);
    support::run(&mut command).ok();
    server.wait_for_health(|health| health["sets"][0]["generation"] == 2);
    let after = server.post("/v1/classify", &question(2)).ok();
    assert_eq!(after["generation"], 2);
    let mut asked = question(2);
    asked["generation"] = json!(1);
    assert_eq!(server.post("/v1/classify", &asked).ok(), before);
    asked["generation"] = json!(7);
    server
        .post("/v1/classify", &asked)
        .refused(404, "no_generation");
}
