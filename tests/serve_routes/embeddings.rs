//! Vectors in OpenAI's form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::serve_support::data_url;
use crate::server;

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
    let bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
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
    // A text that begins as an address of data does.
    let asked = json!({"input": "data: a cat, and a dog"});
    let answer = server.post("/v1/embeddings", &asked).ok();
    assert_eq!(
        answer["data"][0]["embedding"].as_array().unwrap().len(),
        384
    );
    let asked = json!({"input": "data:image/png,hello"});
    server
        .post("/v1/embeddings", &asked)
        .refused(400, "unusable_input");
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
