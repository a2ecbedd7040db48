//! More is asked than may be asked.

use std::time::Instant;

use serde_json::{Value, json};

use crate::serve_hostile::large_png;
use crate::serve_support::{PATIENCE, base64, picture, question};
use crate::{server, still_answers};

#[test]
fn too_many_labels_prompts_or_images_are_refused() {
    let server = server(&["--max-batch", "4"]);
    let labels: Vec<String> = (0..10_000).map(|i| format!("label {i}")).collect();
    let ask = |labels: &[String], images: usize, templates: Value| {
        let images: Vec<String> = (0..images).map(|_| picture(1)).collect();
        let asked = json!({"labels": labels, "images": images, "templates": templates});
        server.post("/v1/classify", &asked)
    };
    let message = ask(&labels, 1, Value::Null).refused(413, "too_large");
    assert!(message.contains("10000"), "{message}");
    ask(&labels[..300], 1, json!("clip:imagenet")).refused(413, "too_large");
    ask(&labels[..2], 5, Value::Null).refused(413, "too_large");
    ask(&labels[..2], 4, Value::Null).ok();
    ask(&["a".to_owned(), "a".to_owned()], 1, Value::Null).refused(400, "labels");
    ask(&[], 1, Value::Null).refused(400, "labels");
    let texts: Vec<String> = labels[..5].to_vec();
    let asked = json!({"input": texts});
    server
        .post("/v1/embeddings", &asked)
        .refused(413, "too_large");
    still_answers(&server);
}

#[test]
fn a_full_server_says_when_to_come_back() {
    let server = server(&["--max-requests", "2", "--timeout", "600"]);
    let mut holding = Vec::new();
    for kind in 0..2 {
        // Seconds of work.
        let labels: Vec<String> = (0..900)
            .map(|i| format!("thing {i} of kind {kind}"))
            .collect();
        let mut asked = question(1);
        asked["labels"] = json!(labels);
        asked["templates"] = json!("clip:imagenet7");
        let mut client = server.connect();
        client.write("POST", "/v1/classify", &[], asked.to_string().as_bytes());
        holding.push(client);
    }
    // Needs a place, and no encoder.
    let cheap = json!({"labels": ["a"], "images": []});
    let begun = Instant::now();
    loop {
        let answer = server.post("/v1/classify", &cheap);
        if answer.status == 429 {
            answer.refused(429, "busy");
            assert!(
                answer
                    .header("retry-after")
                    .unwrap()
                    .parse::<u32>()
                    .unwrap()
                    >= 1
            );
            break;
        }
        assert!(begun.elapsed() < PATIENCE);
    }
    // What tells how it is goes on.
    server.get("/health").ok();
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("asif_refusals_total{code=\"busy\"}")
    );
    drop(holding);
    let begun = Instant::now();
    while server.post("/v1/classify", &cheap).status == 429 {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn what_takes_too_long_is_given_up() {
    let server = server(&[
        "--timeout",
        "1",
        "--max-labels",
        "20000",
        "--max-prompts",
        "100000",
    ]);
    let labels: Vec<String> = (0..20_000)
        .map(|i| format!("a rather long label number {i}"))
        .collect();
    let asked = json!({"images": [picture(1)], "labels": labels});
    let answer = server.post("/v1/classify", &asked);
    answer.refused(503, "timeout");
    assert!(answer.header("retry-after").is_some());
    still_answers(&server);
}

#[test]
fn long_labels_and_templates_do_not_become_longer_prompts() {
    let server = server(&[]);
    let ask = |labels: Vec<String>, templates: Vec<String>| {
        let asked = json!({"images": [picture(1)], "labels": labels, "templates": templates});
        server.post("/v1/classify", &asked)
    };
    let labels = |n: usize| (0..n).map(|i| format!("label {i}")).collect();
    let long = |i: usize| format!("{i} {} {{}}", "long ".repeat(800));
    let message = ask(labels(100), (0..20).map(long).collect()).refused(413, "too_large");
    assert!(message.contains("bytes"), "{message}");
    let again = format!("{{}}{}", " {}".repeat(1_300));
    ask(labels(500), vec![again]).refused(413, "too_large");
    still_answers(&server);
}

#[test]
fn a_text_longer_than_any_encoder_reads_is_refused() {
    let server = server(&[]);
    let embed = |text: String| server.post("/v1/embeddings", &json!({"input": ["a", text]}));
    embed("a cat ".repeat(5_000)).ok();
    let message = embed("a cat ".repeat(6_000)).refused(400, "unusable_input");
    assert!(
        message.contains("input 2, text: the text has 36000 bytes"),
        "{message}"
    );
    let asked = json!({"images": [picture(1)], "texts": ["a cat ".repeat(6_000)]});
    server
        .post("/v1/similarity", &asked)
        .refused(400, "unusable_input");
    let mut asked = question(1);
    asked["labels"] = json!(["a cat", "x".repeat(4_000)]);
    asked["templates"] = json!(["{}".repeat(10)]);
    server.post("/v1/classify", &asked).refused(400, "prompt");
    still_answers(&server);
}

#[test]
fn large_pictures_keep_no_small_one_waiting() {
    let server = server(&["--timeout", "12"]);
    let asked = question(1);
    let alone = server.post("/v1/classify", &asked).ok();
    // More of them than are decoded in the time of a request.
    let large = json!({"images": [base64(&large_png(8_000, 7_900))], "labels": ["a"]}).to_string();
    let mut senders: Vec<_> = (0..24).map(|_| server.connect()).collect();
    for sender in &mut senders {
        sender.write("POST", "/v1/classify", &[], large.as_bytes());
    }
    let begun = Instant::now();
    let waits = || {
        let figures = server.get("/metrics").text();
        let line = figures
            .lines()
            .find(|l| l.starts_with("asif_requests_running "));
        line.and_then(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
    };
    while waits().is_none_or(|running| running < 12.0) {
        assert!(begun.elapsed() < PATIENCE);
    }
    for _ in 0..5 {
        assert_eq!(server.post("/v1/classify", &asked).ok(), alone);
    }
    assert!(
        waits().is_some_and(|running| running > 1.0),
        "the large ones were still waiting"
    );
    // Those that wait beyond their time are told so, and come to their turn otherwise.
    for mut sender in senders {
        let answer = sender.read();
        assert!(
            [200, 429, 503].contains(&answer.status),
            "{}",
            answer.text()
        );
    }
    still_answers(&server);
}
