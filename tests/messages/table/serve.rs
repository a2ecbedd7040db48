//! A server that does not start, and what one answers.

use serde_json::{Value, json};

use super::super::serve_support::Server;
use super::super::{Bench, support};
use super::{ProvokedMessage, faults_of, judge, told};

pub fn messages() -> Vec<ProvokedMessage> {
    let serve = |variant, more: &str, code, says| {
        told(
            variant,
            &format!("serve --listen 127.0.0.1:0 {more}"),
            code,
            says,
            "",
        )
    };
    vec![
        serve("usage", "", 2, &["--index"]),
        serve("UsageError", "--index /", 2, &["--index NAME=DIR.asif"]),
        serve("UsageError", "--index a=", 2, &["--index NAME=DIR.asif"]),
        serve(
            "ServeError::Name",
            "--index b@d=a.asif",
            2,
            &["--index NAME=DIR.asif"],
        ),
        serve(
            "ServeError::TwoSets",
            "--index a.asif --index a.asif",
            2,
            &["--index NAME=DIR.asif"],
        ),
        serve(
            "ServeError::Anchors",
            "--index none.asif",
            3,
            &["no such folder"],
        ),
        serve(
            "ServeError::ImageHost",
            "--index a.asif --image-hosts http://x",
            2,
            &["without a scheme"],
        ),
        serve(
            "ServeError::Key",
            "--index a.asif --api-key-file short.txt",
            3,
            &["openssl rand"],
        ),
        serve(
            "BadInput",
            "--index a.asif --api-key-file none.txt",
            3,
            &["there is no such file", "the key in it"],
        ),
        serve(
            "BadInput",
            "--index a.asif --admin-key-file plain",
            3,
            &["found a folder", "the key in it"],
        ),
        serve(
            "ServeError::SameKeys",
            "--index a.asif --api-key-file key.txt --admin-key-file key.txt",
            2,
            &["generate another"],
        ),
        serve(
            "ServeError::Limit",
            "--index a.asif --timeout 999999999",
            2,
            &["--timeout", "1 to"],
        ),
        serve(
            "ServeError::Limits",
            "--index a.asif --max-body 64 --max-memory 1",
            2,
            &["raise the latter"],
        ),
        serve(
            "ServeError::Uploads",
            "--index a.asif --uploads key.txt",
            3,
            &["key.txt", "--uploads"],
        ),
        serve(
            "ServeError::BindProbe",
            "--index a.asif --probe-listen 192.0.2.1:80",
            1,
            &["--probe-listen"],
        ),
        serve(
            "ServeError::Encoders",
            "--index a.asif --image-encoder none",
            4,
            &["asif doctor"],
        ),
        told(
            "ServeError::Bind",
            "serve --index a.asif --api-key-file key.txt --listen 192.0.2.1:80",
            1,
            &["choose another --listen"],
            "",
        ),
        told(
            "ServeError::Open",
            "serve --index a.asif --listen 0.0.0.0:0",
            2,
            &["--api-key-file FILE", "--insecure"],
            "",
        ),
    ]
}

/// Method, path, body, status, code, what is said, and the body that follows it.
type Asked = (
    &'static str,
    &'static str,
    Value,
    u16,
    &'static str,
    &'static str,
    Value,
);

pub fn answers() -> Vec<Asked> {
    let embed = |input: Value| json!({ "input": input });
    let good = embed(json!("dog"));
    let post = |path, body, status, code, says, mended: &Value| {
        ("POST", path, body, status, code, says, mended.clone())
    };
    let e = "/v1/embeddings";
    vec![
        post(
            e,
            embed(json!({"a": 1})),
            400,
            "wrong_fields",
            "a list of texts or a text",
            &good,
        ),
        post(
            e,
            embed(json!([{"a": 1}])),
            400,
            "wrong_fields",
            "a text",
            &good,
        ),
        post(e, json!([1]), 400, "wrong_fields", "an object", &good),
        post(e, json!("text"), 400, "wrong_fields", "an object", &good),
        post(e, json!({}), 400, "wrong_fields", "input", &good),
        post(
            e,
            embed(json!([])),
            400,
            "empty",
            "give at least one",
            &good,
        ),
        post(
            e,
            json!({"input": "dog", "model": "none"}),
            404,
            "no_such_set",
            "there are a",
            &good,
        ),
        post(
            e,
            json!({"input": "dog", "dimensions": 7}),
            400,
            "dimensions",
            "2",
            &good,
        ),
        post(
            e,
            json!({"input": "dog", "encoding_format": "x"}),
            400,
            "wrong_fields",
            "one of",
            &good,
        ),
        post(
            e,
            embed(json!("data:image/png;base64,AAAA")),
            400,
            "unusable_input",
            "not an image",
            &good,
        ),
        (
            "GET",
            "/v1/sets/%ff/map",
            Value::Null,
            400,
            "malformed_path",
            "escape its bytes",
            Value::Null,
        ),
        (
            "GET",
            "/v1/none",
            Value::Null,
            404,
            "no_route",
            "/openapi.json",
            Value::Null,
        ),
        (
            "GET",
            "/v1/embeddings",
            Value::Null,
            405,
            "method_not_allowed",
            "/openapi.json",
            Value::Null,
        ),
    ]
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    fs_err::write(bench.at("short.txt"), "short").unwrap();
    fs_err::write(bench.at("key.txt"), "0123456789abcdef0123456789abcdef\n").unwrap();
    judge(&bench, messages());
    let words = [
        "serve",
        "--index",
        "a.asif",
        "--listen",
        "127.0.0.1:0",
        "--image-hosts",
        "example.org",
    ];
    let mut command = bench.asif();
    command
        .args(words)
        .env("SSL_CERT_FILE", "none.pem")
        .env("SSL_CERT_DIR", "none");
    let ended = support::run(&mut command).fails(4, &["install ca-certificates", "SSL_CERT_FILE"]);
    assert_eq!(faults_of(&ended.err), [""; 0]);
}

#[test]
fn answers_say_what_was_expected_and_what_they_say_works() {
    let bench = Bench::new();
    bench.set("a.asif", 5);
    let (image, text, runtime) = (
        bench.at("image"),
        bench.at("text"),
        support::home().runtime_library(),
    );
    let home = bench.at("home");
    let environment = [
        ("ASIF_HOME", home.as_path()),
        ("ASIF_IMAGE_ENCODER", &image),
        ("ASIF_TEXT_ENCODER", &text),
        ("ASIF_ONNXRUNTIME", &runtime),
    ];
    let set = bench.at("a.asif");
    let server = Server::try_start_in(&environment, &[("a", &set)], &[]).unwrap();
    let mut faults = Vec::new();
    for (method, path, body, status, code, says, mended) in answers() {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let answer = server.connect().send(method, path, &[], body.as_bytes());
        let said = answer.json();
        let message = said["error"]["message"].as_str().unwrap_or_default();
        let mut wrong = faults_of(message);
        wrong.extend(faults_of(&format!("asif: {message}")));
        for inside in ["OneOrMany", "variant", "data did not match"] {
            if message.contains(inside) {
                wrong.push(format!("says {inside:?}"));
            }
        }
        let is_right = answer.status == status && said["error"]["code"] == code;
        if !is_right || !message.contains(says) || !wrong.is_empty() {
            faults.push(format!(
                "{path} {body}: {} {said}: no {says:?}, {wrong:?}",
                answer.status
            ));
        }
        if !mended.is_null() {
            server.post(path, &mended).ok();
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
